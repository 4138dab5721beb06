//! The payload: a file tree that is sorted and normalised once, before any writer sees it.

mod build;
pub mod capabilities;
mod entry;
mod manifest;
mod path;
mod stated;

use std::collections::BTreeMap;

pub use build::{TreeBuilder, TreeError};
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileTree {
    entries: BTreeMap<TreePath, Entry>,
}

impl FileTree {
    /// Returns all entries in order; the root directory itself is the first.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Entry)> + Clone + '_ {
        self.entries.iter()
    }

    /// Returns the entry at a path.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Returns the entry at a path with the tree's own copy of the path.
    pub fn get_with_path(&self, path: &TreePath) -> Option<(&TreePath, &Entry)> {
        self.entries.get_key_value(path)
    }

    /// Returns everything below a directory, in order.
    pub fn below<'a>(
        &'a self,
        directory: &'a TreePath,
    ) -> impl Iterator<Item = (&'a TreePath, &'a Entry)> + 'a {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = self.entries.range((Excluded(directory), Unbounded));
        after.take_while(|(path, _)| path.is_below(directory))
    }

    /// Returns how many entries there are, the root directory included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there is nothing but the root directory.
    pub fn is_empty(&self) -> bool {
        self.entries.len() <= 1
    }

    /// Returns whether a directory has entries.
    pub fn has_children(&self, path: &TreePath) -> bool {
        use std::ops::Bound::{Excluded, Unbounded};
        let mut after = self.entries.range((Excluded(path), Unbounded));
        after.next().is_some_and(|(next, _)| next.is_below(path))
    }

    /// Returns the content of the file at a path, following a hard link.
    pub fn content(&self, path: &TreePath) -> Option<&Content> {
        match &self.entries.get(path)?.node {
            Node::File(content) => Some(content),
            Node::HardLink(target) => match &self.entries.get(target)?.node {
                Node::File(content) => Some(content),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns for every file that has several names how many names it has.
    pub fn link_counts(&self) -> BTreeMap<TreePath, u32> {
        let mut counts = BTreeMap::new();
        for entry in self.entries.values() {
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
        mut self,
        mut user: impl FnMut(&Owner) -> Owner,
        mut group: impl FnMut(&Owner) -> Owner,
    ) -> Self {
        for entry in self.entries.values_mut() {
            entry.owner = user(&entry.owner);
            entry.group = group(&entry.group);
        }
        self
    }

    /// Returns the entries that `keep` accepts, with the parents they need, as a tree.
    ///
    /// A file whose first name is left out lives on under its next name.
    pub fn filter(
        &self,
        mut keep: impl FnMut(&TreePath, &Entry) -> bool,
    ) -> Result<Self, TreeError> {
        let mut builder = TreeBuilder::new();
        let mut moved: BTreeMap<TreePath, TreePath> = BTreeMap::new();
        for (path, entry) in &self.entries {
            if entry.implied || !keep(path, entry) {
                continue;
            }
            let mut entry = entry.clone();
            if let Node::HardLink(first) = &entry.node {
                let kept = self.entries.get(first).is_some_and(|target| keep(first, target));
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
