//! The payload: a file tree that is sorted and normalised once, before any writer sees it.

mod build;
pub mod capabilities;
mod entries;
mod entry;
mod manifest;
mod path;
mod stated;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use build::{TreeBuilder, TreeError};
use entries::{Entries, Placed};
pub use entry::{Content, DeviceKind, Entry, Mark, Mode, ModeError, Node, Owner, XattrName};
pub use manifest::{ManifestLine, TreeId, escape};
pub use path::{PathError, TreePath};
pub use stated::StatedTree;

/// A complete, immutable file tree.
///
/// Made by a [`TreeBuilder`], so it always holds:
///
/// - entries are in the order of [`TreePath`]: a directory comes before what is in it, and its
///   subtree is contiguous;
/// - every parent of every entry is there, and is a directory;
/// - the first path (in that order) of a hard-linked file is the [`Node::File`], the others are
///   [`Node::HardLink`]s to it.
///
/// A copy shares the entries with what it was made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileTree {
    entries: Arc<Entries>,
}

impl FileTree {
    /// Takes entries that are a tree already, in order.
    fn of(list: Vec<Placed>) -> Self {
        Self { entries: Arc::new(list.into()) }
    }

    /// Returns the entries, copied only if another tree shares them.
    fn into_list(self) -> Vec<Placed> {
        Arc::unwrap_or_clone(self.entries).into_list()
    }

    /// Returns everything that follows a path in order, below it or not.
    fn after(&self, path: &TreePath) -> impl Iterator<Item = (&TreePath, &Entry)> + Clone + '_ {
        self.entries.after(path).map(|(path, entry)| (path, entry))
    }

    /// Returns all entries in order; the root directory itself is the first.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Entry)> + Clone + '_ {
        self.entries.iter().map(|(path, entry)| (path, entry))
    }

    /// Returns the entry at a path.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.get_with_path(path).map(|(_, entry)| entry)
    }

    /// Returns the entry at a path with the tree's own copy of the path.
    pub fn get_with_path(&self, path: &TreePath) -> Option<(&TreePath, &Entry)> {
        self.entries.get(path).map(|(path, entry)| (path, entry))
    }

    /// Returns everything below a directory, in order.
    pub fn below<'a>(
        &'a self,
        directory: &'a TreePath,
    ) -> impl Iterator<Item = (&'a TreePath, &'a Entry)> + 'a {
        self.after(directory).take_while(|(path, _)| path.is_below(directory))
    }

    /// Returns how many entries there are, the root directory included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns how many bytes the files hold.
    pub fn content_size(&self) -> u64 {
        let size = |entry: &Entry| match &entry.node {
            Node::File(content) => content.size,
            _ => 0,
        };
        self.iter().map(|(_, entry)| size(entry)).sum()
    }

    /// Returns whether there is nothing but the root directory.
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    /// Returns whether a directory has entries.
    pub fn has_children(&self, path: &TreePath) -> bool {
        self.after(path).next().is_some_and(|(next, _)| next.is_below(path))
    }

    /// Returns the content of the file at a path, following a hard link.
    pub fn content(&self, path: &TreePath) -> Option<&Content> {
        self.content_of(self.get(path)?)
    }

    /// Returns the content of an entry of the tree if it is a file, following a hard link.
    pub fn content_of<'a>(&'a self, entry: &'a Entry) -> Option<&'a Content> {
        match &entry.node {
            Node::File(content) => Some(content),
            Node::HardLink(target) => match &self.get(target)?.node {
                Node::File(content) => Some(content),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns for every file that has several names how many names it has.
    pub fn link_counts(&self) -> BTreeMap<TreePath, u32> {
        let mut counts = BTreeMap::new();
        for (_, entry) in self.iter() {
            if let Node::HardLink(target) = &entry.node {
                *counts.entry(target.clone()).or_insert(1) += 1;
            }
        }
        counts
    }

    /// Returns the tree with other owners: of users and of groups what the two functions say.
    ///
    /// All names of one file have one owner, and equal owners stay equal.
    #[must_use]
    pub fn with_owners(
        self,
        mut user: impl FnMut(&Owner) -> Owner,
        mut group: impl FnMut(&Owner) -> Owner,
    ) -> Self {
        let mut list = self.into_list();
        for (_, entry) in &mut list {
            entry.owner = user(&entry.owner);
            entry.group = group(&entry.group);
        }
        Self::of(list)
    }

    /// Returns the entries that `keep` accepts, with the parents they need, as a tree.
    ///
    /// A file whose first name is left out lives on under its next name.
    pub fn filter(
        &self,
        mut keep: impl FnMut(&TreePath, &Entry) -> bool,
    ) -> Result<Self, TreeError> {
        if !self.is_empty() && self.iter().all(|(path, entry)| entry.implied || keep(path, entry)) {
            return Ok(self.clone());
        }
        let mut builder = TreeBuilder::new();
        let mut moved: BTreeMap<TreePath, TreePath> = BTreeMap::new();
        for (path, entry) in self.iter() {
            if entry.implied || !keep(path, entry) {
                continue;
            }
            let mut entry = entry.clone();
            if let Node::HardLink(first) = &entry.node {
                let kept = self.get(first).is_some_and(|target| keep(first, target));
                if !kept {
                    let content = self.content(path).copied();
                    match (moved.get(first), content) {
                        (Some(heir), _) => entry.node = Node::HardLink(heir.clone()),
                        (None, Some(content)) => {
                            moved.insert(first.clone(), path.clone());
                            entry.node = Node::File(content);
                        }
                        (None, None) => {}
                    }
                }
            }
            builder.insert(path.clone(), entry)?;
        }
        builder.finish()
    }
}
