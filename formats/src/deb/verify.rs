//! Checking a package against the rules of the format.

use std::collections::BTreeSet;

use super::control::Paragraph;
use super::fields::{self, CAPABILITIES, TREE_ID};
use super::listing::{self, Conffiles};
use super::model::ControlFile;
use super::read::{ControlMember, Parts, unpack};
use super::write::has_interpreter;
use super::{capabilities, documents};
use crate::digest::hex;
use crate::format::{Problem, ReadError};
use crate::input::Source;
use crate::tree::{Entry, FileTree, Mode, Node, Owner, TreeId, TreePath};

/// Fields without which dpkg refuses the package, or Debian Policy does.
const REQUIRED: [&str; 5] = ["Package", "Version", "Architecture", "Maintainer", "Description"];
/// Control files that every package may have besides those in [`ControlFile`].
const GENERATED: [&str; 3] = ["conffiles", "control", "md5sums"];

/// Lists every rule that the package breaks.
pub(super) fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
    let mut problems = Vec::new();
    let parts = unpack(source, &mut problems)?;
    check_control_files(&parts, &mut problems);
    match parts.paragraph() {
        Ok(paragraph) => check_paragraph(&paragraph, &parts, &mut problems),
        Err(error) => problems.push(Problem::new(
            "deb-control-syntax",
            "control",
            "one paragraph of fields",
            error.reason,
        )),
    }
    let conffiles = match listing::parse_conffiles(parts.control_file("conffiles")) {
        Ok(conffiles) => conffiles,
        Err(error) => {
            let expected = "one absolute path per line";
            problems.push(Problem::new(
                "deb-conffiles-syntax",
                "conffiles",
                expected,
                error.reason,
            ));
            Conffiles::default()
        }
    };
    check_conffiles(&conffiles, &parts.files, &mut problems);
    check_md5sums(&parts, &conffiles, &mut problems);
    Ok(problems)
}

fn check_control_files(parts: &Parts, problems: &mut Vec<Problem>) {
    for (name, member) in &parts.control {
        let known = ControlFile::ALL.into_iter().find(|file| file.name() == name);
        if known.is_none() && !GENERATED.contains(&name.as_str()) {
            let expected = "a control file that dpkg knows";
            problems.push(Problem::new("deb-control-file-unknown", "control.tar", expected, name));
        }
        let is_script = known.is_some_and(ControlFile::is_script);
        let mode = if is_script { Mode::EXECUTABLE } else { Mode::PLAIN };
        if member.mode != mode {
            let (expected, found) = (mode.to_string(), member.mode.to_string());
            problems.push(Problem::new("deb-control-mode", name, expected, found));
        }
        if is_script && !has_interpreter(&member.text) {
            let expected = "`#!` and an absolute path at the start";
            problems.push(Problem::new("deb-script-interpreter", name, expected, "other bytes"));
        }
        if known == Some(ControlFile::Triggers)
            && let Err(error) = listing::check_triggers(&String::from_utf8_lossy(&member.text))
        {
            let expected = "directives that dpkg knows";
            problems.push(Problem::new("deb-triggers", name, expected, error.reason));
        }
    }
}

fn check_paragraph(paragraph: &Paragraph, parts: &Parts, problems: &mut Vec<Problem>) {
    for name in REQUIRED {
        if paragraph.get(name).is_none() {
            problems.push(Problem::new("deb-field-missing", name, "a value", "no such field"));
        }
    }
    for (name, value) in paragraph.iter() {
        if let Err(error) = fields::check(name, value) {
            problems.push(Problem::new("deb-field", name, "a valid value", error.reason));
        }
    }
    check_installed_size(paragraph, parts, problems);
    check_documents(parts, problems);
    check_capabilities(paragraph, parts, problems);
    let declared = paragraph.get(TREE_ID).and_then(|text| text.parse::<TreeId>().ok());
    let Some(declared) = declared else { return };
    match parts.tree().map(|tree| tree.id()) {
        Ok(found) if found == declared => {}
        Ok(found) => {
            let (expected, found) = (declared.to_string(), found.to_string());
            problems.push(Problem::new("deb-tree-id", TREE_ID, expected, found));
        }
        Err(error) => {
            let expected = declared.to_string();
            problems.push(Problem::new("deb-tree-id", TREE_ID, expected, error.to_string()));
        }
    }
}

/// Documents are plain files that root owns, and text; no directory that is listed has other files.
fn check_documents(parts: &Parts, problems: &mut Vec<Problem>) {
    let mut report = |path: &TreePath, expected: &str, found: String| {
        problems.push(Problem::new("deb-document", path.to_string(), expected, found));
    };
    for path in &parts.listed.files {
        let plain = |entry: &Entry| {
            entry.mode == Mode::PLAIN
                && entry.owner == Owner::root()
                && entry.group == Owner::root()
        };
        let expected = "a regular file, 0644, owned by root";
        match parts.files.get(path).map(|entry| (&entry.node, plain(entry))) {
            Some((Node::File(_), true)) => {}
            Some(_) => report(path, expected, "something else".into()),
            None => report(path, expected, "nothing".into()),
        }
        if let Some(Err(error)) =
            parts.documents.get(path).map(|bytes| documents::decode(path, bytes))
        {
            report(path, "text", error.reason);
        }
    }
    for directory in &parts.listed.directories {
        let is_other = |path: &TreePath| path.is_below(directory) && !parts.listed.contains(path);
        if let Some((other, _)) = parts.files.iter().find(|(path, _)| is_other(path)) {
            report(directory, "nothing but documents in it", other.to_string());
        }
    }
}

/// Capabilities are given to regular files, and by `postinst`.
fn check_capabilities(paragraph: &Paragraph, parts: &Parts, problems: &mut Vec<Problem>) {
    let Some(value) = paragraph.get(CAPABILITIES) else { return };
    // What cannot be parsed is reported with the field.
    let Ok(capabilities) = capabilities::parse(value) else { return };
    let rule = "deb-capabilities";
    for path in capabilities.keys() {
        let entry = parts.files.get(path).filter(|_| !parts.listed.contains(path));
        if !matches!(entry.map(|entry| &entry.node), Some(Node::File(_))) {
            let place = path.to_string();
            problems.push(Problem::new(rule, place, "a regular file of the tree", "none"));
        }
    }
    let script = String::from_utf8_lossy(parts.control_file(ControlFile::Postinst.name()));
    if let Some(path) = capabilities::unset(&script, &capabilities) {
        let expected = format!("setcap for {path}");
        problems.push(Problem::new(rule, ControlFile::Postinst.name(), expected, "nothing"));
    }
}

/// The size follows from the files, but dpkg's own tools count control files too.
fn check_installed_size(paragraph: &Paragraph, parts: &Parts, problems: &mut Vec<Problem>) {
    let Some(value) = paragraph.get("Installed-Size") else { return };
    let Ok(found) = value.parse::<u64>() else { return };
    let least = listing::installed_size(&parts.files);
    let mut most = least;
    if paragraph.get(TREE_ID).is_none() {
        let size = |file: &ControlMember| (file.text.len() as u64).div_ceil(1024);
        most = least.saturating_add(1 + parts.control.values().map(size).sum::<u64>());
    }
    if !(least..=most).contains(&found) {
        let expected = if most == least { least.to_string() } else { format!("{least} to {most}") };
        problems.push(Problem::new("deb-installed-size", "Installed-Size", expected, value));
    }
}

fn check_conffiles(conffiles: &Conffiles, tree: &FileTree, problems: &mut Vec<Problem>) {
    for path in &conffiles.kept {
        let found = match tree.get(path).map(|entry| &entry.node) {
            Some(Node::File(_)) => continue,
            Some(Node::HardLink(_)) => "a hard link",
            Some(_) => "something else",
            None => "nothing",
        };
        problems.push(Problem::new("deb-conffile", path.to_string(), "a regular file", found));
    }
    for path in &conffiles.removed {
        if TreePath::parse(path).is_ok_and(|path| tree.get(&path).is_some()) {
            let expected = "nothing, because it is to be removed";
            problems.push(Problem::new("deb-conffile-removed", path, expected, "a file"));
        }
    }
}

fn check_md5sums(parts: &Parts, conffiles: &Conffiles, problems: &mut Vec<Problem>) {
    let tree = &parts.files;
    let is_file = |path: &TreePath| tree.content(path).is_some();
    let is_covered = |path: &TreePath| is_file(path) && !conffiles.kept.contains(path);
    let mut unlisted: BTreeSet<&TreePath> =
        tree.iter().map(|(path, _)| path).filter(|path| is_covered(path)).collect();
    if !parts.control.contains_key("md5sums") {
        if !unlisted.is_empty() {
            let found = "no such file";
            problems.push(Problem::new("deb-md5sums-missing", "md5sums", "a file", found));
        }
        return;
    }
    let listed = match listing::parse_md5sums(parts.control_file("md5sums")) {
        Ok(listed) => listed,
        Err(error) => {
            let expected = "a digest and a path per line";
            problems.push(Problem::new("deb-md5sums-syntax", "md5sums", expected, error.reason));
            return;
        }
    };
    for (path, listed) in &listed {
        let place = path.to_string();
        match tree.content(path).map(|content| hex(&content.md5)) {
            Some(found) if found != *listed => {
                problems.push(Problem::new("deb-md5sums-mismatch", place, listed, found));
            }
            Some(_) => {}
            None => problems.push(Problem::new("deb-md5sums-stray", place, "a file", "none")),
        }
        unlisted.remove(path);
    }
    for path in unlisted {
        let place = path.to_string();
        problems.push(Problem::new("deb-md5sums-missing", place, "a line in md5sums", "none"));
    }
}
