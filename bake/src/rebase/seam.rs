//! The seam between a base and the layers on top: what they hide, remove and replace.

use std::collections::BTreeSet;

use bake_formats::oci::whiteout;
use bake_formats::tree::{Entry, FileTree, Node, TreePath};

use super::finding::{Report, State};
use super::rule;
use super::sides::{Sides, shown};
use crate::survey::View;

/// The extended attribute of file capabilities.
const CAPABILITY: &str = "security.capability";
/// The set-user-ID and set-group-ID bits.
const SET_ID: u16 = 0o6000;

/// Checks every path of the image's own layers.
pub(super) fn check(sides: &Sides, report: &mut Report) {
    let mut told = Told::default();
    for (path, entry) in sides.tree().iter() {
        if path.is_root() {
            continue;
        }
        if entry.is_directory() {
            // A directory that is only on the way is not in the archive and replaces nothing.
            if !entry.implied {
                directory(sides, path, entry, report);
            }
        } else {
            other(sides, path, entry, report);
            landing(sides, path, &mut told, report);
            surroundings(sides, path, &mut told, report);
        }
    }
    whiteouts(sides, report);
}

/// Directories that were reported, so that each is once.
#[derive(Debug, Default)]
struct Told {
    elsewhere: BTreeSet<TreePath>,
    gone: BTreeSet<TreePath>,
    checked: BTreeSet<TreePath>,
}

/// A directory of ours against what the bases have there.
fn directory(sides: &Sides, path: &TreePath, ours: &Entry, report: &mut Report) {
    let [old, new] = [&sides.old.base, &sides.new.base].map(|base| at(base, path));
    let name = shown(path);
    for (rule, is_broken) in [
        (&rule::DIRECTORY_OVER_LINK, is_link as fn(&Entry) -> bool),
        (&rule::DIRECTORY_OVER_FILE, |entry| !is_link(entry) && !entry.is_directory()),
    ] {
        let state = |entry: Option<&Entry>| match entry {
            Some(entry) if is_broken(entry) => State::broken(kind(entry)),
            Some(entry) => State::fine(kind(entry)),
            None => State::fine("nothing there"),
        };
        report.compare(rule, &name, "", &[state(old), state(new)]);
    }
    if let (Some(old), Some(new)) = (old, new)
        && old.is_directory()
        && new.is_directory()
        && attributes(old) == attributes(ours)
        && attributes(new) != attributes(ours)
    {
        let (old, new) = (attributes(old), attributes(new));
        report.regression(&rule::DIRECTORY_ATTRIBUTES, &name, "", &old, &new);
    }
}

/// A file or link of ours against what the bases have there.
fn other(sides: &Sides, path: &TreePath, ours: &Entry, report: &mut Report) {
    let [old, new] = [&sides.old.base, &sides.new.base].map(|base| at(base, path));
    let name = shown(path);
    let state = |entry: Option<&Entry>| match entry {
        Some(entry) if entry.is_directory() => State::broken(kind(entry)),
        Some(entry) => State::fine(kind(entry)),
        None => State::fine("nothing there"),
    };
    report.compare(&rule::FILE_OVER_DIRECTORY, &name, "", &[state(old), state(new)]);
    let Some(theirs) = new.filter(|entry| !entry.is_directory()) else { return };
    let was = old.map_or_else(|| "nothing there".to_owned(), kind);
    if !same(&sides.new.base, sides, path) {
        if old.is_none() {
            report.regression(&rule::SHADOWS_FILE, &name, "", &was, &kind(theirs));
        } else if !same_in_both(sides, path) {
            report.regression(&rule::UPDATE_HIDDEN, &name, "", &was, "changed");
        }
    }
    let differs = |entry: Option<&Entry>| match entry {
        Some(theirs) if privilege(theirs) != privilege(ours) => {
            State::broken(format!("{} under our {}", privilege(theirs), privilege(ours)))
        }
        Some(theirs) => State::fine(privilege(theirs)),
        None => State::fine("nothing there"),
    };
    let (old, new) = (differs(old), differs(new));
    if !old.is_broken {
        report.compare(&rule::PRIVILEGE_DIFFERS, &name, "", &[old, new]);
    }
}

/// Whether a path of ours lies at another place than on the old base.
fn landing(sides: &Sides, path: &TreePath, told: &mut Told, report: &mut Report) {
    let Some(folder) = path.parent() else { return };
    if !told.elsewhere.insert(folder.clone()) {
        return;
    }
    let place = |view: &View| view.find(folder.relative()).map(|found| found.path.clone());
    if let (Some(old), Some(new)) = (place(&sides.old.image), place(&sides.new.image))
        && old != new
    {
        let (old, new) = (shown(&old), shown(&new));
        report.regression(&rule::LANDS_ELSEWHERE, &shown(&folder), "", &old, &new);
    }
}

/// Whether the directory that the old base had around a path is there no more.
fn surroundings(sides: &Sides, path: &TreePath, told: &mut Told, report: &mut Report) {
    let mut above = Vec::new();
    let mut at = path.parent();
    while let Some(folder) = at.filter(|folder| !folder.is_root()) {
        at = folder.parent();
        above.push(folder);
    }
    for folder in above.into_iter().rev() {
        if told.gone.contains(&folder) {
            return;
        }
        if !told.checked.insert(folder.clone()) {
            continue;
        }
        let old = sides.old.base.find(folder.relative());
        let files = old.filter(|old| old.entry.is_directory());
        let files = files.map_or(0, |old| files_below(sides.old.base.tree(), old.path));
        if files > 0 && sides.new.base.find(folder.relative()).is_none() {
            let was = format!("a directory with {files} files");
            report.regression(&rule::DIRECTORY_GONE, &shown(&folder), "", &was, "nothing there");
            told.gone.insert(folder);
            return;
        }
    }
}

/// What our whiteouts remove from the bases.
fn whiteouts(sides: &Sides, report: &mut Report) {
    for (path, _) in sides.layers.iter().flat_map(|layer| &layer.entries) {
        let Some(folder) = path.parent() else { continue };
        if path.name() == whiteout::OPAQUE {
            hidden_below(sides, &folder, report);
        } else if let Some(name) = path.name().strip_prefix(whiteout::PREFIX)
            && let Ok(target) = folder.join(name)
        {
            removed(sides, &target, report);
        }
    }
}

/// A whiteout for one path.
fn removed(sides: &Sides, path: &TreePath, report: &mut Report) {
    let name = shown(path);
    match [&sides.old.base, &sides.new.base].map(|base| at(base, path)) {
        [Some(old), None] => {
            report.regression(&rule::WHITEOUT_IDLE, &name, "", &kind(old), "nothing there");
        }
        [None, Some(new)] => {
            report.regression(&rule::WHITEOUT_HIDES, &name, "", "nothing there", &kind(new));
        }
        [Some(old), Some(new)] if old.is_directory() && new.is_directory() => {
            hidden_below(sides, path, report);
        }
        [Some(old), Some(new)] if old.is_directory() != new.is_directory() => {
            report.regression(&rule::WHITEOUT_HIDES, &name, "", &kind(old), &kind(new));
        }
        [Some(_) | None, _] => {}
    }
}

/// A whiteout for everything in a directory: what the new base has there besides the old.
fn hidden_below(sides: &Sides, folder: &TreePath, report: &mut Report) {
    let place = |view: &View| view.find(folder.relative()).map(|found| found.path.clone());
    let Some(new) = place(&sides.new.base) else { return };
    let old = place(&sides.old.base);
    let is_new = |path: &TreePath| {
        let below = path.relative().strip_prefix(new.relative()).unwrap_or_default();
        let below = below.strip_prefix(b"/").unwrap_or(below);
        let there = old.as_ref().and_then(|old| old.join(below).ok());
        there.is_none_or(|path| sides.old.base.tree().get(&path).is_none())
    };
    let files = sides.new.base.tree().below(&new).filter(|(_, entry)| !entry.is_directory());
    let mut files = files.map(|(path, _)| path).filter(|path| is_new(path));
    if let Some(first) = files.next() {
        let count = files.count() + 1;
        let now = format!("{count} files that the old base did not have, {first} first");
        report.regression(&rule::WHITEOUT_HIDES, &shown(folder), "", "none of them", &now);
    }
}

fn files_below(tree: &FileTree, folder: &TreePath) -> usize {
    tree.below(folder).filter(|(_, entry)| !entry.is_directory()).count()
}

/// Returns what a base has at a path, following links on the way but not at its end.
fn at<'a>(base: &'a View, path: &TreePath) -> Option<&'a Entry> {
    base.find_link(path.relative()).map(|found| found.entry)
}

/// Returns whether a base has the same file or link as our layers.
fn same(base: &View, sides: &Sides, path: &TreePath) -> bool {
    let Some(found) = base.find_link(path.relative()) else { return false };
    let theirs = identity(base.tree(), found.path);
    theirs.is_some() && theirs == identity(sides.tree(), path)
}

/// Returns whether both bases have the same file or link at a path.
fn same_in_both(sides: &Sides, path: &TreePath) -> bool {
    let of = |base: &View| {
        let found = base.find_link(path.relative())?;
        identity(base.tree(), found.path)
    };
    of(&sides.old.base) == of(&sides.new.base)
}

/// Returns what tells one file, link or device from another.
fn identity(tree: &FileTree, path: &TreePath) -> Option<String> {
    if let Some(content) = tree.content(path) {
        return Some(content.digest.to_string());
    }
    match &tree.get(path)?.node {
        Node::Symlink(target) => Some(format!("-> {}", target.escape_ascii())),
        Node::Device { kind, major, minor } => Some(format!("{kind:?} {major} {minor}")),
        Node::Fifo => Some("fifo".into()),
        Node::Directory | Node::File(_) | Node::HardLink(_) => None,
    }
}

fn is_link(entry: &Entry) -> bool {
    matches!(entry.node, Node::Symlink(_))
}

/// Returns what an entry is, in words.
fn kind(entry: &Entry) -> String {
    match &entry.node {
        Node::Directory => "a directory".into(),
        Node::File(_) | Node::HardLink(_) => "a file".into(),
        Node::Symlink(target) => format!("a link to {}", target.escape_ascii()),
        Node::Device { .. } => "a device".into(),
        Node::Fifo => "a pipe".into(),
    }
}

fn attributes(entry: &Entry) -> String {
    format!("{} {}:{}", entry.mode, entry.owner.id, entry.group.id)
}

fn privilege(entry: &Entry) -> String {
    let bits = if is_link(entry) { 0 } else { entry.mode.bits() & SET_ID };
    let capable = entry.xattrs.contains_key(CAPABILITY);
    match (bits, capable) {
        (0, false) => "no privilege".into(),
        (0, true) => "capabilities".into(),
        (bits, false) => format!("mode {bits:04o}"),
        (bits, true) => format!("mode {bits:04o} and capabilities"),
    }
}
