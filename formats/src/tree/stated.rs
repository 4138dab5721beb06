//! A tree that a model names: by a digest of everything that a writer sees of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Entry, FileTree, ManifestLine, TreeBuilder, TreeError, TreePath};
use crate::digest::{Digest, Hasher};

/// A tree and its digest.
///
/// Two are equal if their digests are; what was read from a document has the digest and no entries.
/// The digest covers account numbers, which a [`super::TreeId`] leaves out, and directories that
/// only lead somewhere, but neither marks nor what is implied nor the root.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatedTree {
    digest: Digest,
    #[serde(skip)]
    tree: Arc<FileTree>,
}

impl PartialEq for StatedTree {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for StatedTree {}

impl Default for StatedTree {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl StatedTree {
    /// Computes the digest of a tree.
    pub fn new(tree: Arc<FileTree>) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(b"bake stated tree 1\n");
        let mut line = String::new();
        for (path, entry) in tree.stated() {
            line.clear();
            ManifestLine::new(path, entry).push_to(&mut line);
            line.push_str(&format!(" {} {}\n", entry.owner.id, entry.group.id));
            hasher.update(line.as_bytes());
        }
        Self { digest: hasher.digest(), tree }
    }

    /// Returns the digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Returns the tree; empty if only its digest is known.
    pub fn tree(&self) -> &Arc<FileTree> {
        &self.tree
    }

    /// Returns whether there is nothing in the tree, as far as is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl FileTree {
    /// Returns the entries that somebody asked for by name, in order, without the root.
    pub fn stated(&self) -> impl Iterator<Item = (&TreePath, &Entry)> {
        self.iter().filter(|(path, entry)| !entry.implied && !path.is_root())
    }

    /// Returns the tree as if somebody had asked for every directory by name.
    #[must_use]
    pub fn explicit(self) -> Self {
        let mut list = self.into_list();
        for (_, entry) in &mut list {
            entry.implied = false;
        }
        Self::of(list)
    }

    /// Returns what is in any of several trees; a path that two of them state is an error.
    pub fn union<'a>(trees: impl IntoIterator<Item = &'a Self>) -> Result<Self, TreeError> {
        let mut builder = TreeBuilder::new();
        for (path, entry) in trees.into_iter().flat_map(Self::stated) {
            if builder.get(path).is_some() {
                return Err(TreeError::Duplicate { path: path.clone() });
            }
            builder.insert(path.clone(), entry.clone())?;
        }
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Content, Mode, Owner};

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    fn tree(entries: &[(&str, Entry)]) -> Arc<FileTree> {
        let mut builder = TreeBuilder::new();
        for (name, entry) in entries {
            builder.insert(path(name), entry.clone()).unwrap();
        }
        Arc::new(builder.finish().unwrap())
    }

    #[test]
    fn numbers_and_directories_count_and_what_is_implied_does_not() {
        let file = Entry::file(Content::of(b"x"), Mode::PLAIN);
        let plain = StatedTree::new(tree(&[("/etc/x", file.clone())]));
        let listed =
            StatedTree::new(tree(&[("/etc", Entry::directory()), ("/etc/x", file.clone())]));
        assert_ne!(plain, listed);
        let mut owned = file;
        owned.owner = Owner::new("root", 1);
        assert_ne!(plain, StatedTree::new(tree(&[("/etc/x", owned)])));
        assert!(StatedTree::default().is_empty() && !plain.is_empty());
        let text = serde_json::to_string(&plain).unwrap();
        let back: StatedTree = serde_json::from_str(&text).unwrap();
        assert_eq!(back, plain);
        assert!(back.tree().is_empty());
    }

    #[test]
    fn a_union_has_everything_and_refuses_what_is_there_twice() {
        let file = |text: &[u8]| Entry::file(Content::of(text), Mode::PLAIN);
        let (one, two) = (tree(&[("/a/x", file(b"1"))]), tree(&[("/a/y", file(b"2"))]));
        let union = FileTree::union([&*one, &two]).unwrap();
        let paths: Vec<_> = union.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, ["/", "/a", "/a/x", "/a/y"]);
        assert!(FileTree::union([&*one, &one]).is_err());
    }
}
