//! A tree as inodes: what each is, how often it is named, and what a directory names.

use std::collections::BTreeMap;

use super::attributes;
use super::inode::device;
use crate::format::WriteError;
use crate::tree::{Entry, FileTree, Node, TreeError, TreePath};

/// The largest major device number.
const MAJOR_MAX: u32 = 0xfff;
/// The largest minor device number.
const MINOR_MAX: u32 = 0xf_ffff;
/// The longest target of a symbolic link.
const TARGET_MAX: u64 = 4095;

/// All inodes in the order of the tree, the root first.
pub(super) struct Namespace<'a> {
    format: &'static str,
    pub(super) inodes: Vec<Named<'a>>,
    /// The files with several names.
    files: BTreeMap<&'a TreePath, usize>,
}

/// One inode and what it is named.
pub(super) struct Named<'a> {
    pub(super) entry: &'a Entry,
    /// How many names there are.
    pub(super) links: u32,
    /// What a directory names, by index, in order of the names.
    pub(super) names: Vec<(&'a [u8], usize)>,
    /// The attributes as they stand behind the inode.
    pub(super) attributes: Vec<u8>,
    /// The number of a device.
    pub(super) device: u32,
}

impl<'a> Namespace<'a> {
    /// Returns the inodes of a tree, or what of it the file system cannot carry.
    pub(super) fn of(format: &'static str, tree: &'a FileTree) -> Result<Self, WriteError> {
        let links = tree.link_counts();
        let mut namespace = Self { format, inodes: Vec::new(), files: BTreeMap::new() };
        // The directories that lead to the last entry.
        let mut open: Vec<(&TreePath, usize)> = Vec::new();
        for (path, entry) in tree.iter() {
            while open.last().is_some_and(|(directory, _)| !path.is_below(directory)) {
                open.pop();
            }
            let index = match &entry.node {
                Node::HardLink(target) => *namespace.files.get(target).ok_or_else(|| {
                    let (path, target) = (path.clone(), target.clone());
                    TreeError::DanglingHardLink { path, target }
                })?,
                _ => namespace.add(path, entry, links.get(path).copied())?,
            };
            let parent = open.last().map_or(index, |(_, parent)| *parent);
            if let Some(directory) = namespace.inodes.get_mut(parent) {
                if !path.is_root() {
                    directory.names.push((path.name(), index));
                }
                directory.links += u32::from(entry.is_directory() && !path.is_root());
            }
            if entry.is_directory() {
                let own: [(&[u8], usize); 2] = [(b".", index), (b"..", parent)];
                namespace.inodes[index].names.extend(own);
                open.push((path, index));
            }
        }
        for directory in &mut namespace.inodes {
            directory.names.sort_unstable();
        }
        Ok(namespace)
    }

    fn add(
        &mut self,
        path: &'a TreePath,
        entry: &'a Entry,
        links: Option<u32>,
    ) -> Result<usize, WriteError> {
        let index = self.inodes.len();
        let mut named = Named {
            entry,
            links: links.unwrap_or(if entry.is_directory() { 2 } else { 1 }),
            names: Vec::new(),
            attributes: self.attributes(path, entry)?,
            device: 0,
        };
        match &entry.node {
            Node::Symlink(target) => {
                let what = "the bytes of the target of";
                self.limit(what, path, TARGET_MAX, target.len() as u64)?;
            }
            Node::Device { major, minor, .. } => {
                self.limit("the major number of", path, MAJOR_MAX.into(), (*major).into())?;
                self.limit("the minor number of", path, MINOR_MAX.into(), (*minor).into())?;
                named.device = device(*major, *minor);
            }
            Node::File(_) if links.is_some() => {
                self.files.insert(path, index);
            }
            Node::Directory | Node::File(_) | Node::HardLink(_) | Node::Fifo => {}
        }
        self.inodes.push(named);
        Ok(index)
    }

    fn attributes(&self, path: &TreePath, entry: &Entry) -> Result<Vec<u8>, WriteError> {
        let mut bytes = Vec::new();
        for (name, value) in &entry.xattrs {
            let Some((prefix, rest)) = attributes::split(name) else {
                return Err(WriteError::Unsupported {
                    format: self.format,
                    path: path.clone(),
                    what: format!("the attribute {name}"),
                    reason: Some(
                        "only names in user., trusted. and security., and access control lists, \
                         can be written"
                            .into(),
                    ),
                });
            };
            self.limit("the bytes of an attribute's name of", path, 255, rest.len() as u64)?;
            let most = attributes::VALUE_MAX as u64;
            self.limit("the bytes of an attribute of", path, most, value.len() as u64)?;
            attributes::push(&mut bytes, prefix, rest, value);
            let most = attributes::LEN_MAX as u64;
            self.limit("the bytes of all attributes of", path, most, bytes.len() as u64)?;
        }
        Ok(bytes)
    }

    fn limit(&self, what: &str, path: &TreePath, limit: u64, found: u64) -> Result<(), WriteError> {
        if found <= limit {
            return Ok(());
        }
        Err(WriteError::Limit {
            format: self.format,
            what: format!("{what} `{path}`"),
            limit,
            found,
        })
    }
}
