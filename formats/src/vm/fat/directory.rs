//! A tree as directories with names in both forms, before it has a place.

use std::collections::BTreeMap;

use super::geometry::Need;
use super::model::Volume;
use super::name::{Name, Short, assign, fault, folded, is_short};
use super::{DIRECTORY_MAX, ENTRY};
use crate::format::WriteError;
use crate::tree::{Content, DeviceKind, Entry, FileTree, Node, TreePath};

/// The largest file.
const SIZE_MAX: u64 = u32::MAX as u64;
/// The most entries of a directory, as many as a root directory with a place of its own can have.
const ENTRIES_MAX: u64 = DIRECTORY_MAX / ENTRY as u64 - 16;

/// A directory.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    path: &'a TreePath,
    /// The number of the directory above; its own for the root.
    pub(super) parent: usize,
    pub(super) children: Vec<Child<'a>>,
    /// The names of the children.
    pub(super) names: Vec<Name>,
}

/// What a directory holds.
#[derive(Debug)]
pub(super) struct Child<'a> {
    path: &'a TreePath,
    name: &'a str,
    pub(super) node: Number,
}

/// A directory or a file, by its number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Directory(usize),
    File(usize),
}

/// All of a tree, in its order; the root is the first directory.
#[derive(Debug)]
pub(super) struct Namespace<'a> {
    format: &'static str,
    pub(super) label: Option<Short>,
    pub(super) directories: Vec<Directory<'a>>,
    pub(super) files: Vec<(&'a TreePath, &'a Content)>,
}

impl<'a> Namespace<'a> {
    /// Lists a tree and gives every name its short form.
    pub(super) fn of(tree: &'a FileTree, volume: &Volume<'_>) -> Result<Self, WriteError> {
        let label = volume.label.map(|text| label(volume.format, text)).transpose()?;
        let (directories, files) = (Vec::new(), Vec::new());
        let mut namespace = Self { format: volume.format, label, directories, files };
        // The directories that lead to the last entry.
        let mut open: Vec<usize> = Vec::new();
        for (path, entry) in tree.iter() {
            let leads = |number: &usize| path.is_below(namespace.directories[*number].path);
            while open.last().is_some_and(|number| !leads(number)) {
                open.pop();
            }
            let parent = open.last().copied();
            if let Number::Directory(number) = namespace.add(parent, path, entry)? {
                open.push(number);
            }
        }
        for number in 0..namespace.directories.len() {
            namespace.name(number)?;
        }
        Ok(namespace)
    }

    fn add(
        &mut self,
        parent: Option<usize>,
        path: &'a TreePath,
        entry: &'a Entry,
    ) -> Result<Number, WriteError> {
        let node = match &entry.node {
            Node::Directory => Number::Directory(self.directories.len()),
            Node::File(content) => {
                self.check_size(path, content.size)?;
                self.files.push((path, content));
                Number::File(self.files.len() - 1)
            }
            Node::Symlink(_) => return Err(self.kind(path, "a symbolic link")),
            Node::HardLink(_) => return Err(self.kind(path, "a hard link")),
            Node::Device { kind: DeviceKind::Character, .. } => {
                return Err(self.kind(path, "a character device"));
            }
            Node::Device { kind: DeviceKind::Block, .. } => {
                return Err(self.kind(path, "a block device"));
            }
            Node::Fifo => return Err(self.kind(path, "a named pipe")),
        };
        if let Some(name) = entry.xattrs.keys().next() {
            return Err(self.unsupported(path, &format!("the attribute {name}"), None));
        }
        if let Some(parent) = parent {
            let Ok(name) = std::str::from_utf8(path.name()) else {
                return Err(self.unsupported(path, "the name", Some("it is not UTF-8".into())));
            };
            if let Some(fault) = fault(name) {
                return Err(self.unsupported(path, "the name", Some(fault)));
            }
            self.directories[parent].children.push(Child { path, name, node });
        }
        if entry.is_directory() {
            let (children, names) = (Vec::new(), Vec::new());
            let parent = parent.unwrap_or(0);
            self.directories.push(Directory { path, parent, children, names });
        }
        Ok(node)
    }

    /// Gives the names of a directory their short forms.
    fn name(&mut self, number: usize) -> Result<(), WriteError> {
        let directory = &self.directories[number];
        let mut seen: BTreeMap<String, &TreePath> = BTreeMap::new();
        for Child { path, name, .. } in &directory.children {
            if let Some(other) = seen.insert(folded(name), path) {
                let reason = format!("it differs from `{other}` only in case");
                return Err(self.unsupported(path, "the name", Some(reason)));
            }
        }
        let names: Vec<&str> = directory.children.iter().map(|child| child.name).collect();
        let names = assign(&names);
        let own = self.own_entries(number);
        let found = names.iter().flatten().map(Name::entries).sum::<u64>() + own;
        if names.is_none() || found > ENTRIES_MAX {
            let what = format!("the entries of the directory `{}`", directory.path);
            return Err(WriteError::Limit { format: self.format, what, limit: ENTRIES_MAX, found });
        }
        self.directories[number].names = names.unwrap_or_default();
        Ok(())
    }

    /// Returns the entries of a directory that are nobody's name: the label, or `.` and `..`.
    fn own_entries(&self, number: usize) -> u64 {
        match (number, self.label) {
            (0, Some(_)) => 1,
            (0, None) => 0,
            _ => 2,
        }
    }

    /// Returns what the tree takes: the root, then the other directories and the files.
    pub(super) fn need(&self) -> Need {
        let entries = (0..).zip(&self.directories).map(|(number, directory)| {
            self.own_entries(number) + directory.names.iter().map(Name::entries).sum::<u64>()
        });
        let mut entries = entries.collect::<Vec<u64>>().into_iter();
        let root_entries = entries.next().unwrap_or(0);
        let mut lengths: Vec<u64> = entries.map(|entries| entries * ENTRY as u64).collect();
        lengths.extend(self.files.iter().map(|(_, content)| content.size));
        Need { root_entries, lengths }
    }

    fn check_size(&self, path: &TreePath, found: u64) -> Result<(), WriteError> {
        if found <= SIZE_MAX {
            return Ok(());
        }
        let what = format!("the bytes of `{path}`");
        Err(WriteError::Limit { format: self.format, what, limit: SIZE_MAX, found })
    }

    fn kind(&self, path: &TreePath, kind: &str) -> WriteError {
        let reason = format!("it is {kind}, and FAT has only directories and regular files");
        self.unsupported(path, "the entry", Some(reason))
    }

    fn unsupported(&self, path: &TreePath, what: &str, reason: Option<String>) -> WriteError {
        WriteError::Unsupported {
            format: self.format,
            path: path.clone(),
            what: what.into(),
            reason,
        }
    }
}

/// Returns a label as it is stored.
fn label(format: &'static str, text: &str) -> Result<Short, WriteError> {
    let fail = |reason: String| Err(WriteError::Field { format, field: "label".into(), reason });
    let mut label = [b' '; 11];
    if text.is_empty() || text.len() > label.len() {
        return fail(format!("expected 1 to 11 characters, found `{text}`"));
    }
    let allowed = |byte: u8| is_short(byte) || byte == b' ';
    if !text.bytes().all(allowed) || text.starts_with(' ') || text.ends_with(' ') {
        let reason = "expected upper-case letters, digits and some marks";
        return fail(format!("{reason}, found `{text}`"));
    }
    for (to, from) in label.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    Ok(label)
}
