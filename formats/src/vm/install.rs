//! What one file system of a disk holds: the payload, what its service needs besides, and the system
//! that it runs on.

use std::collections::BTreeMap;

use super::machine::Machine;
use super::record::Record;
use crate::format::{ReadError, WriteError};
use crate::tree::{Entry, FileTree, Node, TreeBuilder, TreeError, TreePath};

/// What a file system holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contents<'a> {
    /// The payload, without ghosts.
    pub(super) payload: &'a FileTree,
    /// What is there besides, if it is a machine's.
    pub(super) machine: Option<&'a Machine>,
    /// The system, if it lies in the same file system.
    pub(super) system: Option<&'a FileTree>,
}

impl Contents<'_> {
    /// Returns the whole tree.
    pub(super) fn tree(&self, format: &'static str) -> Result<FileTree, WriteError> {
        let Some(machine) = self.machine else { return Ok(self.payload.clone()) };
        let payload = redirected(self.payload, &machine.redirects)?;
        let additions = machine.additions.tree();
        check_root(format, self.payload)?;
        let trees = [Some(&payload), Some(&**additions), self.system];
        FileTree::union(trees.into_iter().flatten()).map_err(|error| clash(format, &error))
    }

    /// Returns the paths of what is there besides payload and system.
    pub(super) fn added_paths(&self) -> Vec<TreePath> {
        let tree = self.machine.map(|machine| machine.additions.tree());
        tree.iter().flat_map(|tree| tree.stated()).map(|(path, _)| path.clone()).collect()
    }

    /// Returns the paths of the payload as it has them itself, where there is more than the payload.
    pub(super) fn payload_paths(&self) -> Option<Vec<TreePath>> {
        self.machine?;
        Some(self.payload.stated().map(|(path, _)| path.clone()).collect())
    }
}

/// Returns the directories that are there only because something is in them.
pub(super) fn made(whole: &FileTree) -> Vec<TreePath> {
    let made = whole.iter().filter(|(path, entry)| entry.implied && !path.is_root());
    made.map(|(path, _)| path.clone()).collect()
}

/// The root directory is the system's, so a payload cannot have one of its own kind.
fn check_root(format: &'static str, payload: &FileTree) -> Result<(), WriteError> {
    let root = TreePath::root();
    let plain = |entry: &Entry| *entry == Entry { implied: entry.implied, ..Entry::directory() };
    if payload.get(&root).is_none_or(plain) {
        return Ok(());
    }
    let reason = Some("the root directory of a machine is root's, with mode 0755".into());
    Err(WriteError::Unsupported { format, path: root, what: "owner and mode".into(), reason })
}

fn clash(format: &'static str, error: &TreeError) -> WriteError {
    let reason = format!("payload, additions and system do not fit together: {error}");
    WriteError::Field { format, field: "machine".into(), reason }
}

/// Returns where an entry of the payload lies.
fn place(path: &TreePath, redirects: &BTreeMap<TreePath, TreePath>) -> Result<TreePath, TreeError> {
    let found = redirects
        .iter()
        .filter(|(from, _)| path == *from || path.is_below(from))
        .max_by_key(|(from, _)| from.depth());
    let Some((from, to)) = found else { return Ok(path.clone()) };
    let below = path.relative().get(from.relative().len()..).unwrap_or_default();
    let below = below.strip_prefix(b"/").unwrap_or(below);
    if below.is_empty() {
        return Ok(to.clone());
    }
    to.join(below).map_err(|_| TreeError::ImpossibleTarget { path: path.clone() })
}

/// Returns where the files of a payload lie, and their own paths.
pub(super) fn places<'t>(
    payload: &'t FileTree,
    machine: Option<&Machine>,
) -> Result<BTreeMap<TreePath, &'t TreePath>, TreeError> {
    let none = BTreeMap::new();
    let redirects = machine.map_or(&none, |machine| &machine.redirects);
    let files = payload.iter().filter(|(_, entry)| matches!(entry.node, Node::File(_)));
    files.map(|(path, _)| Ok((place(path, redirects)?, path))).collect()
}

/// Returns the payload as it lies in the file system.
fn redirected(
    payload: &FileTree,
    redirects: &BTreeMap<TreePath, TreePath>,
) -> Result<FileTree, TreeError> {
    if redirects.is_empty() {
        return Ok(payload.clone());
    }
    let mut builder = TreeBuilder::new();
    for (path, entry) in payload.stated() {
        let mut entry = entry.clone();
        if let Node::HardLink(target) = &entry.node {
            entry.node = Node::HardLink(place(target, redirects)?);
        }
        builder.insert(place(path, redirects)?, entry)?;
    }
    builder.finish()
}

/// What was found in a file system.
#[derive(Debug)]
pub(super) struct Found {
    /// The payload, at its own paths.
    pub(super) payload: FileTree,
    /// What its service needs besides.
    pub(super) additions: FileTree,
    /// Everything else.
    pub(super) system: FileTree,
}

impl Found {
    /// Tells apart what a file system holds besides what the disk itself added.
    pub(super) fn of(whole: FileTree, record: &Record) -> Result<Self, ReadError> {
        let Some(machine) = &record.model.machine else {
            return Ok(Self {
                payload: whole,
                additions: FileTree::default(),
                system: FileTree::default(),
            });
        };
        let listed = Listed::new(record, machine, &whole)?;
        listed.check_links(&whole)?;
        let moved = only(&whole, |path| listed.places.contains_key(path))?;
        Ok(Self {
            payload: put_back(&moved, &listed.places)?,
            additions: only(&whole, |path| listed.part(path) == Part::Additions)?,
            system: only(&whole, |path| listed.part(path) == Part::System)?,
        })
    }
}

/// What an entry belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Payload,
    Additions,
    /// Nobody asked for the directory by name.
    Made,
    System,
}

/// What a record says of the entries of a file system.
struct Listed<'a> {
    /// Where the payload lies, and its own paths.
    places: BTreeMap<TreePath, &'a TreePath>,
    others: BTreeMap<&'a TreePath, Part>,
}

impl<'a> Listed<'a> {
    fn new(record: &'a Record, machine: &Machine, whole: &FileTree) -> Result<Self, ReadError> {
        let mut listed = Self { places: BTreeMap::new(), others: BTreeMap::new() };
        let fail =
            |path: &TreePath, reason: &str| Err(ReadError::invalid(path.to_string(), reason));
        let twice = "the record lists it twice";
        let absent = "the record lists it, and it is not there";
        for path in record.payload.iter().flatten() {
            let place = place(path, &machine.redirects)?;
            if whole.get(&place).is_none() {
                return fail(&place, absent);
            }
            if listed.places.insert(place, path).is_some() {
                return fail(path, twice);
            }
        }
        let additions = record.additions.iter().map(|path| (path, Part::Additions));
        let made = record.made.iter().map(|path| (path, Part::Made));
        for (path, part) in additions.chain(made) {
            let Some(entry) = whole.get(path) else { return fail(path, absent) };
            if part == Part::Made && !entry.is_directory() {
                return fail(path, "the record lists it as a directory, and it is none");
            }
            let is_listed = listed.places.contains_key(path);
            if is_listed || listed.others.insert(path, part).is_some() {
                return fail(path, twice);
            }
        }
        Ok(listed)
    }

    fn part(&self, path: &TreePath) -> Part {
        match self.others.get(path) {
            Some(part) => *part,
            None if self.places.contains_key(path) => Part::Payload,
            None => Part::System,
        }
    }

    /// All names of a file belong to one part, since parts are written without knowing each other.
    fn check_links(&self, whole: &FileTree) -> Result<(), ReadError> {
        for (path, entry) in whole.iter() {
            if let Node::HardLink(first) = &entry.node
                && self.part(path) != self.part(first)
            {
                let reason = format!("another name of `{first}`, which is not of the same part");
                return Err(ReadError::invalid(path.to_string(), reason));
            }
        }
        Ok(())
    }
}

/// Returns some entries with the parents they need.
fn only(whole: &FileTree, keep: impl Fn(&TreePath) -> bool) -> Result<FileTree, TreeError> {
    whole.filter(|path, _| !path.is_root() && keep(path))
}

/// Returns the payload at its own paths.
fn put_back(
    moved: &FileTree,
    places: &BTreeMap<TreePath, &TreePath>,
) -> Result<FileTree, TreeError> {
    let own =
        |place: &TreePath| places.get(place).map_or_else(|| place.clone(), |own| (*own).clone());
    let mut builder = TreeBuilder::new();
    for (place, entry) in moved.stated() {
        let mut entry = entry.clone();
        if let Node::HardLink(target) = &entry.node {
            entry.node = Node::HardLink(own(target));
        }
        builder.insert(own(place), entry)?;
    }
    builder.finish()
}

#[cfg(test)]
mod tests;
