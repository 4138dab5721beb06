//! Layers on top of each other, seen as one tree.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bake_formats::digest::Digest;
use bake_formats::format::ReadError;
use bake_formats::oci::whiteout;
use bake_formats::tree::{Entry, FileTree, Node, TreePath};

use super::contents::Facts;
use super::layer::LayerSurvey;

/// How many symbolic links one path may lead through, as in Linux.
const MOST_LINKS: usize = 40;

/// The tree that layers make together.
#[derive(Debug, Clone, Default)]
pub struct View {
    tree: FileTree,
    facts: BTreeMap<Digest, Facts>,
}

/// Something in a view, where it really is.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The path, without a symbolic link in it.
    pub path: &'a TreePath,
    /// What is there.
    pub entry: &'a Entry,
}

impl View {
    /// Stacks layers, the lowest first.
    pub fn of(layers: &[Arc<LayerSurvey>]) -> Result<Self, ReadError> {
        Self::default().with(layers)
    }

    /// Returns this view with more layers on top.
    pub fn with(&self, layers: &[Arc<LayerSurvey>]) -> Result<Self, ReadError> {
        let mut view = self.clone();
        for layer in layers {
            view.tree = whiteout::apply(&view.tree, layer.entries.clone())?;
            view.facts.extend(layer.facts.iter().map(|(key, facts)| (*key, facts.clone())));
        }
        Ok(view)
    }

    /// Returns the tree.
    pub fn tree(&self) -> &FileTree {
        &self.tree
    }

    /// Returns what the file at exactly this path says, hard links followed.
    pub fn facts(&self, path: &TreePath) -> Option<&Facts> {
        self.facts.get(&self.tree.content(path)?.digest)
    }

    /// Follows every symbolic link of a path, as the kernel does; `None` if it leads to nothing.
    pub fn find(&self, path: impl AsRef<[u8]>) -> Option<Found<'_>> {
        find(&self.tree, path.as_ref(), true)
    }

    /// Follows the symbolic links of a path, but not the one that it names itself.
    pub fn find_link(&self, path: impl AsRef<[u8]>) -> Option<Found<'_>> {
        find(&self.tree, path.as_ref(), false)
    }

    /// Returns a text by its path, links followed; what is not UTF-8 in it is replaced.
    pub fn text(&self, path: &str) -> Option<Cow<'_, str>> {
        self.bytes(path).map(String::from_utf8_lossy)
    }

    /// Returns the bytes of a text by its path, links followed.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        match self.facts(self.find(path)?.path)? {
            Facts::Text(text) => Some(text.as_bytes()),
            Facts::Elf(_) | Facts::DamagedElf(_) | Facts::Script(_) => None,
        }
    }
}

/// Follows the symbolic links of a path in a tree, as the kernel does; the one that the path names
/// itself only on request.
pub(crate) fn find<'a>(tree: &'a FileTree, path: &[u8], follow_last: bool) -> Option<Found<'a>> {
    let mut todo: Vec<Vec<u8>> = names(path);
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
        let next = at.join(&name).ok()?;
        match &tree.get(&next)?.node {
            Node::Symlink(target) if follow_last || !todo.is_empty() => {
                links += 1;
                if links > MOST_LINKS || target.len() > TreePath::MAX_LEN {
                    return None;
                }
                if target.starts_with(b"/") {
                    at = TreePath::root();
                }
                todo.extend(names(target));
            }
            Node::Directory => at = next,
            _ if todo.iter().any(|name| !name.is_empty()) => return None,
            _ => at = next,
        }
    }
    tree.get_with_path(&at).map(|(path, entry)| Found { path, entry })
}

/// Returns the names of a path, the first one last.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect()
}
