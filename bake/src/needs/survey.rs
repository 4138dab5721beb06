//! What the files of a tree say, read once and kept.
//!
//! Two documents in the store make that cheap. One is for the tree: what matters in it, so that an
//! unchanged tree opens no file. One is for contents: which of them matter, so that a tree with one
//! changed file opens one.

use std::collections::BTreeMap;

use bake_formats::digest::Digest;
use bake_formats::tree::{Entry, FileTree, Mark, Node, TreeId, TreePath};
use serde::{Deserialize, Serialize};

use super::facts::{self, Facts, Role};
use super::kept::Kept;
use crate::assemble::SourceFiles;
use crate::error::Error;
use crate::parallel::in_parallel;

/// A file of a tree that says something.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) path: &'a TreePath,
    pub(super) entry: &'a Entry,
    pub(super) digest: Digest,
    pub(super) facts: Facts,
}

impl Item<'_> {
    /// Returns whether anyone may execute the file.
    pub(super) fn is_executable(&self) -> bool {
        self.entry.mode.bits() & 0o111 != 0
    }
}

/// Which contents of a folder say what.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    /// Those that say nothing, read as [`Role::Plain`].
    silent: Vec<Digest>,
    /// All others.
    others: Vec<(Digest, Role, Option<Facts>)>,
}

type Lookup = BTreeMap<(Digest, Role), Option<Facts>>;

/// Returns the files of a tree that say something, in the tree's order.
pub(super) fn survey<'a>(
    tree: &'a FileTree,
    id: TreeId,
    sources: &SourceFiles,
    threads: usize,
    kept: Option<&Kept<'_>>,
) -> Result<Vec<Item<'a>>, Error> {
    let files: Vec<(&TreePath, &Entry, Digest)> = files(tree).collect();
    // Numbers count the files of the tree, which its identity fixes.
    let found: Vec<(usize, Facts)> =
        if let Some(found) = kept.and_then(|kept| kept.get("tree", id.digest())) {
            found
        } else {
            let found = read_files(&files, sources, threads, kept)?;
            if let Some(kept) = kept {
                kept.put("tree", *id.digest(), &found)?;
            }
            found
        };
    let item = |(number, facts): (usize, Facts)| {
        let (path, entry, digest) = files.get(number).copied()?;
        Some(Item { path, entry, digest, facts })
    };
    Ok(found.into_iter().filter_map(item).collect())
}

/// Returns the regular files that the tree's identity covers.
fn files(tree: &FileTree) -> impl Iterator<Item = (&TreePath, &Entry, Digest)> {
    tree.iter().filter(|(_, entry)| entry.mark != Mark::Ghost).filter_map(|(path, entry)| {
        match &entry.node {
            Node::File(content) => Some((path, entry, content.digest)),
            _ => None,
        }
    })
}

fn read_files(
    files: &[(&TreePath, &Entry, Digest)],
    sources: &SourceFiles,
    threads: usize,
    kept: Option<&Kept<'_>>,
) -> Result<Vec<(usize, Facts)>, Error> {
    // Which contents say what holds for any tree.
    let any = Digest::of(b"any tree");
    let mut known = unpack(kept.and_then(|kept| kept.get("contents", &any)).unwrap_or_default());
    let keys: Vec<(Digest, Role)> =
        files.iter().map(|(path, _, digest)| (*digest, Role::of(path.relative()))).collect();
    let unknown: Vec<(Digest, Role)> = {
        let mut unknown: Vec<_> =
            keys.iter().filter(|key| !known.contains_key(key)).copied().collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    };
    known.extend(read_contents(&unknown, sources, threads)?);
    // What is no longer there is forgotten.
    known.retain({
        let mut used = keys.clone();
        used.sort_unstable();
        move |key, _| used.binary_search(key).is_ok()
    });
    let found = keys.iter().enumerate().filter_map(|(number, key)| {
        let facts = known.get(key).cloned().flatten()?;
        Some((number, facts))
    });
    let found: Vec<(usize, Facts)> = found.collect();
    if let Some(kept) = kept.filter(|_| !unknown.is_empty()) {
        kept.put("contents", any, &pack(known))?;
    }
    Ok(found)
}

fn read_contents(
    unknown: &[(Digest, Role)],
    sources: &SourceFiles,
    threads: usize,
) -> Result<Lookup, Error> {
    let read = |key: &(Digest, Role)| read_content(sources, key).map(|facts| (*key, facts));
    Ok(in_parallel(threads, unknown, read)?.into_iter().collect())
}

fn read_content(sources: &SourceFiles, key: &(Digest, Role)) -> Result<Option<Facts>, Error> {
    let bytes = sources.open_at(&key.0)?;
    let facts = facts::read(&bytes, key.1)?;
    bytes.check_unchanged()?;
    Ok(facts)
}

fn unpack(known: Known) -> Lookup {
    let silent = known.silent.into_iter().map(|digest| ((digest, Role::Plain), None));
    let others = known.others.into_iter().map(|(digest, role, facts)| ((digest, role), facts));
    silent.chain(others).collect()
}

fn pack(lookup: Lookup) -> Known {
    let mut known = Known::default();
    for ((digest, role), facts) in lookup {
        if role == Role::Plain && facts.is_none() {
            known.silent.push(digest);
        } else {
            known.others.push((digest, role, facts));
        }
    }
    known
}
