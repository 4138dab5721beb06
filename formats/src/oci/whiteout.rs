//! Whiteouts: how a layer takes away what lower layers hold (image-spec, layer.md, "Whiteouts").
//!
//! `.wh.NAME` removes `NAME` beside it, `.wh..wh..opq` removes everything that lower layers put
//! into its directory. Both concern lower layers only, wherever they stand in their own layer.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::ReadError;
use crate::tree::{Entry, FileTree, Node, TreeBuilder, TreeError, TreePath};

/// What the names of whiteouts begin with.
pub const PREFIX: &[u8] = b".wh.";
/// The name of the whiteout for everything that lower layers put into its directory.
pub const OPAQUE: &[u8] = b".wh..wh..opq";
/// How many symbolic links the path of one entry may lead through, as in Linux.
const MAX_LINKS: usize = 40;

/// Returns whether a file name has a meaning in layers, so that no file can have it.
pub(super) fn is_reserved(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
}

/// Puts a layer's entries on top of a tree.
///
/// An entry below a symbolic link lands where the link leads inside the tree: a layer that holds
/// `bin/sh` says nothing of whether `bin` is a link to `usr/bin` further down.
pub fn apply(lower: &FileTree, layer: Vec<(TreePath, Entry)>) -> Result<FileTree, ReadError> {
    let mut upper = Upper::new(lower);
    for (path, entry) in layer {
        upper.take(path, entry)?;
    }
    upper.finish()
}

struct Upper<'a> {
    lower: &'a FileTree,
    added: BTreeMap<TreePath, Entry>,
    /// Paths that lower layers no longer have, nor anything below them.
    gone: BTreeSet<TreePath>,
    /// Directories whose contents lower layers no longer have.
    emptied: BTreeSet<TreePath>,
}

impl<'a> Upper<'a> {
    fn new(lower: &'a FileTree) -> Self {
        let (added, gone, emptied) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { lower, added, gone, emptied }
    }

    fn take(&mut self, path: TreePath, mut entry: Entry) -> Result<(), ReadError> {
        let Some(parent) = path.parent() else { return self.add(path, entry) };
        let parent = self.follow(&parent)?;
        if path.name() == OPAQUE {
            self.emptied.insert(parent);
            return Ok(());
        }
        let beside = |name: &[u8]| {
            let invalid = |error: crate::tree::PathError| {
                ReadError::invalid(format!("`{path}`"), error.to_string())
            };
            parent.join(name).map_err(invalid)
        };
        if let Some(name) = path.name().strip_prefix(PREFIX) {
            if matches!(name, b"" | b"." | b"..") || name.starts_with(PREFIX) {
                let reason = "expected a file name after `.wh.`";
                return Err(ReadError::invalid(format!("whiteout `{path}`"), reason));
            }
            self.gone.insert(beside(name)?);
            return Ok(());
        }
        if let Node::HardLink(target) = &entry.node {
            entry.node = Node::HardLink(self.linked(target)?);
        }
        let path = beside(path.name())?;
        self.add(path, entry)
    }

    fn add(&mut self, path: TreePath, entry: Entry) -> Result<(), ReadError> {
        match self.added.get(&path) {
            Some(there) if entry.is_directory() && *there == entry => {}
            Some(_) => return Err(TreeError::Duplicate { path }.into()),
            None => {
                self.added.insert(path, entry);
            }
        }
        Ok(())
    }

    fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.added.get(path).or_else(|| self.lower.get(path))
    }

    /// Returns where a directory's path leads when symbolic links in it are followed.
    fn follow(&self, directory: &TreePath) -> Result<TreePath, ReadError> {
        let invalid = |reason: &str| ReadError::invalid(format!("`{directory}`"), reason);
        let mut todo: Vec<Vec<u8>> = names(directory.relative());
        let (mut at, mut links) = (TreePath::root(), 0);
        while let Some(name) = todo.pop() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    at = at.parent().unwrap_or(at);
                    continue;
                }
                _ => {}
            }
            let next = at.join(&name).map_err(|error| invalid(&error.to_string()))?;
            let Some(Node::Symlink(target)) = self.get(&next).map(|entry| &entry.node) else {
                at = next;
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(invalid("it leads through more than 40 symbolic links"));
            }
            if target.len() > TreePath::MAX_LEN {
                return Err(invalid("it leads through a symbolic link of more than 4095 bytes"));
            }
            if target.starts_with(b"/") {
                at = TreePath::root();
            }
            todo.extend(names(target));
        }
        Ok(at)
    }

    /// Returns the first name of the file that a hard link names.
    fn linked(&self, target: &TreePath) -> Result<TreePath, ReadError> {
        let Some(parent) = target.parent() else { return Ok(target.clone()) };
        let target = self.follow(&parent)?.join(target.name());
        let target = target.map_err(|error| ReadError::invalid("hard link", error.to_string()))?;
        Ok(match self.get(&target).map(|entry| &entry.node) {
            Some(Node::HardLink(first)) => first.clone(),
            _ => target,
        })
    }

    fn finish(self) -> Result<FileTree, ReadError> {
        let Self { lower, added, gone, emptied } = self;
        let replaced = |path: &TreePath| added.get(path).is_some_and(|new| !new.is_directory());
        let is_gone = |path: &TreePath| {
            let mut at = path.clone();
            loop {
                if gone.contains(&at) || (at != *path && (emptied.contains(&at) || replaced(&at))) {
                    return true;
                }
                match at.parent() {
                    Some(parent) => at = parent,
                    None => return false,
                }
            }
        };
        // A lower directory's attributes give way to those of the same directory in the layer.
        let kept = lower.filter(|path, _| !added.contains_key(path) && !is_gone(path))?;
        let mut builder = TreeBuilder::new();
        for (path, entry) in kept.iter().filter(|(path, entry)| {
            // Parents that the filter added may be in the layer by name.
            !(entry.implied && added.contains_key(path))
        }) {
            builder.insert(path.clone(), entry.clone())?;
        }
        for (path, mut entry) in added.clone() {
            if let Node::HardLink(target) = &entry.node
                && !added.contains_key(target)
                && let Some(Node::HardLink(first)) = kept.get(target).map(|entry| &entry.node)
            {
                entry.node = Node::HardLink(first.clone());
            }
            builder.insert(path, entry)?;
        }
        Ok(builder.finish()?)
    }
}

/// Returns the names of a path, the first one last.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Content, Mode};

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    /// One entry as text: `d/` is a directory, `a -> b` a symbolic link, `a = b` a hard link,
    /// anything else a file that holds what follows the space.
    fn entry(text: &str) -> (TreePath, Entry) {
        if let Some((name, target)) = text.split_once(" -> ") {
            return (path(name), Entry::symlink(target));
        }
        if let Some((name, target)) = text.split_once(" = ") {
            return (path(name), Entry::new(Node::HardLink(path(target)), Mode::PLAIN));
        }
        if let Some(name) = text.strip_suffix('/') {
            return (path(name), Entry::directory());
        }
        let (name, bytes) = text.split_once(' ').unwrap_or((text, ""));
        (path(name), Entry::file(Content::of(bytes.as_bytes()), Mode::PLAIN))
    }

    fn stack(layers: &[&[&str]]) -> Result<FileTree, ReadError> {
        layers.iter().try_fold(FileTree::default(), |lower, layer| {
            apply(&lower, layer.iter().map(|text| entry(text)).collect())
        })
    }

    #[test]
    fn layers_hide_replace_and_add() {
        let rows: [(&[&[&str]], &[&str]); 13] = [
            (&[&["a 1", "d/b 1"], &["a 2"]], &["a 2", "d/b 1"]),
            (&[&["a", "d/b", "d/c"], &["d/.wh.b"]], &["a", "d/", "d/c"]),
            (&[&["d/b/c", "d/b2"], &["d/.wh.b"]], &["d/b2"]),
            (&[&["d/b 1", "d/c 1"], &["d/c 2", "d/.wh..wh..opq"]], &["d/c 2"]),
            (&[&["d/b 1"], &["d/.wh.b", "d/b 2"]], &["d/b 2"]),
            (&[&["d/b"], &["d x"]], &["d x"]),
            (&[&["d x"], &["d/", "d/b"]], &["d/", "d/b"]),
            (&[&["a 1", "b = a", "c = a"], &[".wh.a"]], &["b 1", "c = b"]),
            (&[&["a 1", "b = a"], &["a 2"]], &["a 2", "b 1"]),
            (&[&["a 1", "b = a"], &["c = b"]], &["a 1", "b = a", "c = a"]),
            (
                &[&["bin -> usr/bin", "usr/bin/a"], &["bin/b", "bin/.wh.a"]],
                &["bin -> usr/bin", "usr/bin/b"],
            ),
            (&[&["e/x -> ../../../r", "r/"], &["e/x/f"]], &["e/x -> ../../../r", "r/f"]),
            (
                &[&["bin -> usr/bin", "usr/bin/a"], &["bin/", "bin/b"]],
                &["bin/", "bin/b", "usr/bin/a"],
            ),
        ];
        for (layers, expected) in rows {
            let expected = stack(&[expected]).unwrap();
            assert_eq!(stack(layers).unwrap().id(), expected.id(), "{layers:?}");
        }
    }

    #[test]
    fn a_lower_directory_keeps_its_attributes_below_new_entries() {
        let mut tmp = Entry::directory();
        tmp.mode = Mode::new(0o1777).unwrap();
        let lower = apply(&FileTree::default(), vec![(path("tmp"), tmp.clone())]).unwrap();
        let tree = apply(&lower, vec![entry("tmp/x")]).unwrap();
        assert_eq!(tree.get(&path("tmp")), Some(&tmp));
    }

    #[test]
    fn rejects_layers_that_make_no_tree() {
        let rows: [(&[&[&str]], &str); 6] = [
            (&[&["a", "a"]], "two entries for `/a`"),
            (&[&["a = b"]], "not a regular file"),
            (&[&["a"], &["b = a", ".wh.a"]], "not a regular file"),
            (&[&["a", "a/b"]], "not a directory"),
            (&[&["a -> b", "b -> a"], &["a/x"]], "more than 40 symbolic links"),
            (&[&["d/.wh..."]], "expected a file name"),
        ];
        for (layers, expected) in rows {
            let error = stack(layers).unwrap_err().to_string();
            assert!(error.contains(expected), "{layers:?}: {error}");
        }
    }
}
