//! The files of a tree that are to be handed over from an archive that passes.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::ControlFlow;

use crate::digest::Digest;
use crate::format::{ReadError, Visitor};
use crate::tree::{Content, FileTree, Node, TreePath};

/// Who is handed members of an archive: the number of one and what it holds.
pub(crate) type Members<'a> = dyn FnMut(usize, &mut dyn Read) -> io::Result<ControlFlow<()>> + 'a;

/// What was not handed over yet, by what it holds.
///
/// Members of an archive and files of a tree need not have the same paths: names move to another
/// folder, are hidden or replaced. So a file is any member with its content, which was hashed when
/// the tree was read.
pub(crate) struct Wanted<'t> {
    /// The paths by digest, the last one first.
    paths: BTreeMap<Digest, Vec<&'t TreePath>>,
}

impl<'t> Wanted<'t> {
    /// Returns all files of a tree.
    pub(crate) fn of(tree: &'t FileTree) -> Self {
        let mut paths: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (path, entry) in tree.iter() {
            if let Node::File(content) = &entry.node {
                paths.entry(content.digest).or_default().push(path);
            }
        }
        for paths in paths.values_mut() {
            paths.reverse();
        }
        Self { paths }
    }

    /// Returns whether a content is still wanted.
    pub(crate) fn has(&self, content: &Content) -> bool {
        self.paths.contains_key(&content.digest)
    }

    /// Hands over the files that hold nothing, which an archive may not have, e.g. an rpm's ghosts.
    pub(crate) fn visit_empty(&mut self, visitor: &mut Visitor<'_>) -> io::Result<ControlFlow<()>> {
        let empty = Content::of(b"");
        while self.has(&empty) {
            if self.visit(&empty, &mut io::empty(), visitor)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Hands over a member with a content, if it is wanted.
    pub(crate) fn visit(
        &mut self,
        content: &Content,
        bytes: &mut dyn Read,
        visitor: &mut Visitor<'_>,
    ) -> io::Result<ControlFlow<()>> {
        let Some(paths) = self.paths.get_mut(&content.digest) else {
            return Ok(ControlFlow::Continue(()));
        };
        let next = paths.pop();
        if paths.is_empty() {
            self.paths.remove(&content.digest);
        }
        next.map_or(Ok(ControlFlow::Continue(())), |path| visitor(path, bytes))
    }

    /// Fails if anything was not there.
    pub(crate) fn finish(self) -> Result<ControlFlow<()>, ReadError> {
        match self.paths.into_values().flatten().next() {
            None => Ok(ControlFlow::Continue(())),
            Some(path) => {
                let reason = "it was there, and is no more: the artifact changed as it was read";
                Err(ReadError::invalid(path.to_string(), reason))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::format::Format;
    use crate::input::Source;

    /// What was visited is what the tree lists.
    #[track_caller]
    pub(crate) fn assert_visits<F: Format>(source: &Source, tree: &FileTree) {
        let mut found = BTreeMap::new();
        let all = F::visit(source, &mut |path, bytes| {
            assert_eq!(found.insert(path.clone(), Content::of_reader(bytes)?), None, "{path}");
            Ok(ControlFlow::Continue(()))
        });
        assert_eq!(all.unwrap(), ControlFlow::Continue(()));
        assert_eq!(found, listed(tree));
    }

    /// Returns the files of a tree.
    pub(crate) fn listed(tree: &FileTree) -> BTreeMap<TreePath, Content> {
        let files = tree.iter().filter_map(|(path, entry)| match &entry.node {
            Node::File(content) => Some((path.clone(), *content)),
            _ => None,
        });
        files.collect()
    }
}
