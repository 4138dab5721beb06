//! An application on a base: what goes where, and what the two say differently.
//!
//! A path of the application that leads through a link of the base lands where the link leads, as a
//! package manager unpacks it: `/lib/x` is `/usr/lib/x` where `/lib` is a link. Directories that only
//! lead somewhere keep what the base says of them. Whatever else both have must be equal; only
//! additions, which are made for this base, replace what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::successors;

use bake_formats::tree::{
    Entry, FileTree, Mark, Mode, Node, TreeBuilder, TreeError, TreePath, escape,
};

use super::error::MachineError;
use crate::assemble::EntryPlaces;
use crate::error::Error;

/// How many symbolic links one path may lead through, as in Linux.
const MOST_LINKS: usize = 40;

/// An application as it lies over a base.
#[derive(Debug, Clone, Default)]
pub struct Laid {
    /// Payload and additions where they go. Directories that the base has, too, are as there, so
    /// that the layer can be mounted over it.
    pub layer: FileTree,
    /// The paths of the payload that are elsewhere on this base, and where.
    pub redirects: BTreeMap<TreePath, TreePath>,
    /// The paths of the layer that the base has just so.
    shared: BTreeSet<TreePath>,
}

impl Laid {
    /// Lays payload and additions over a base; ghosts are left out.
    ///
    /// # Errors
    ///
    /// If base and payload say something different of a path, or a link of the base leads nowhere.
    pub fn new(
        base: &FileTree,
        payload: &FileTree,
        additions: &FileTree,
        places: &EntryPlaces,
    ) -> Result<Self, Error> {
        let mut laying =
            Laying { base, places, taken: BTreeMap::new(), redirects: BTreeMap::new() };
        for (tree, origin) in [(payload, Origin::Payload), (additions, Origin::Additions)] {
            for (path, entry) in tree.iter() {
                if !path.is_root() && entry.mark != Mark::Ghost {
                    laying.take(tree, path, entry, origin)?;
                }
            }
        }
        laying.finish()
    }

    /// Returns the base with the layer on it, as one tree.
    pub fn onto(&self, base: &FileTree) -> Result<FileTree, Error> {
        let replaces =
            |path: &TreePath| self.layer.get(path).is_some() && !self.shared.contains(path);
        let kept = base.filter(|path, _| !replaces(path)).map_err(|error| broken(&error))?;
        let mut builder = TreeBuilder::new();
        for (path, entry) in kept.iter().filter(|(path, _)| !replaces(path)) {
            builder.insert(path.clone(), entry.clone()).map_err(|error| broken(&error))?;
        }
        for (path, entry) in self.layer.iter().filter(|(path, _)| !self.shared.contains(*path)) {
            let mut entry = entry.clone();
            if let Node::HardLink(target) = &entry.node
                && let Some(Node::HardLink(first)) = kept.get(target).map(|entry| &entry.node)
            {
                entry.node = Node::HardLink(first.clone());
            }
            builder.insert(path.clone(), entry).map_err(|error| broken(&error))?;
        }
        builder.finish().map_err(|error| broken(&error))
    }
}

/// What is put together here was checked piece by piece, so this names what is left.
fn broken(error: &TreeError) -> Error {
    MachineError::new(error.to_string()).into()
}

/// Whose an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Payload,
    Additions,
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Self::Payload => "the application",
            Self::Additions => "what is added for the machine",
        }
    }
}

/// An entry at its place in the layer.
struct Taken {
    entry: Entry,
    origin: Origin,
    /// What is said of it in errors: two files of one content are alike.
    words: String,
    is_shared: bool,
}

struct Laying<'a> {
    base: &'a FileTree,
    places: &'a EntryPlaces,
    taken: BTreeMap<TreePath, Taken>,
    redirects: BTreeMap<TreePath, TreePath>,
}

impl Laying<'_> {
    fn take(
        &mut self,
        tree: &FileTree,
        path: &TreePath,
        entry: &Entry,
        origin: Origin,
    ) -> Result<(), Error> {
        let to = self.destination(path, entry.is_directory())?;
        let mut entry = Entry { mark: Mark::Plain, language: None, ..entry.clone() };
        if to != *path && !entry.implied && origin == Origin::Payload {
            self.redirects.insert(path.clone(), to.clone());
        }
        let words = describe(tree, path, &entry);
        if let Node::HardLink(target) = &entry.node {
            entry.node = Node::HardLink(self.destination(target, false)?);
        }
        let only_leads = leads_only(tree, path, &entry);
        if let Some(there) = self.taken.get(&to) {
            let both_directories = there.entry.is_directory() && entry.is_directory();
            if both_directories && (only_leads || origin == Origin::Additions)
                || there.words == words
            {
                return Ok(());
            }
            if !(both_directories && there.entry.implied) {
                return Err(self.clash(
                    path,
                    &to,
                    (origin.word(), &words),
                    (there.origin.word(), &there.words),
                ));
            }
        }
        let mut is_shared = false;
        if let Some(below) = self.base.get(&to) {
            let both_directories = below.is_directory() && entry.is_directory();
            let base_words = describe(self.base, &to, below);
            is_shared = base_words == words || (both_directories && only_leads);
            if both_directories && only_leads {
                entry = below.clone();
            }
            let replaces =
                origin == Origin::Additions && below.is_directory() == entry.is_directory();
            if !is_shared && !replaces {
                return Err(self.clash(
                    path,
                    &to,
                    (origin.word(), &words),
                    ("the base", &base_words),
                ));
            }
        }
        self.taken.insert(to, Taken { entry, origin, words, is_shared });
        Ok(())
    }

    /// Returns where a path of the application goes on this base.
    fn destination(&self, path: &TreePath, is_directory: bool) -> Result<TreePath, Error> {
        if is_directory && self.leads_to_directory(path) {
            return self.follow(path);
        }
        let Some(parent) = path.parent() else { return Ok(path.clone()) };
        let parent = self.follow(&parent)?;
        parent.join(path.name()).map_err(|error| MachineError::new(error.to_string()).into())
    }

    /// Returns whether a path is a link of the base, or leads through one.
    fn leads_to_directory(&self, path: &TreePath) -> bool {
        let mut at = Some(path.clone());
        while let Some(here) = at {
            if matches!(self.base.get(&here).map(|entry| &entry.node), Some(Node::Symlink(_))) {
                return true;
            }
            at = here.parent();
        }
        false
    }

    /// Follows the links of the base in a directory's path.
    fn follow(&self, directory: &TreePath) -> Result<TreePath, Error> {
        let names = |path: &[u8]| -> Vec<Vec<u8>> {
            path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect()
        };
        let fail = |link: &TreePath, target: &[u8], reason: &str| {
            let target = escape(target);
            self.at(
                directory,
                format!(
                    "`{directory}` leads through the base's link `{link}` to `{target}`, {reason}"
                ),
            )
        };
        let mut todo = names(directory.relative());
        let (mut at, mut links) = (TreePath::root(), 0);
        let mut last: Option<(TreePath, &[u8])> = None;
        while let Some(name) = todo.pop() {
            if matches!(name.as_slice(), b"" | b".") {
                continue;
            }
            if name == b".." {
                at = match (at.parent(), &last) {
                    (Some(parent), _) => parent,
                    (None, Some((link, target))) => {
                        return Err(fail(link, target, "which leaves the base"));
                    }
                    (None, None) => at,
                };
                continue;
            }
            let next = at.join(&name).map_err(|error| MachineError::new(error.to_string()))?;
            let below = self.base.get_with_path(&next);
            match below.map(|(path, entry)| (path, &entry.node)) {
                Some((path, Node::Symlink(target))) => {
                    links += 1;
                    if links > MOST_LINKS || target.len() > TreePath::MAX_LEN {
                        return Err(fail(path, target, "and through too many links"));
                    }
                    if target.starts_with(b"/") {
                        at = TreePath::root();
                    }
                    todo.extend(names(target));
                    last = Some((path.clone(), target));
                }
                _ => at = next,
            }
        }
        // What a link leads to must be there: nobody meant to make it by installing below the link.
        match &last {
            Some((link, target)) if !self.exists_up_to(&at, directory, link) => {
                Err(fail(link, target, "which is not in the base"))
            }
            _ => Ok(at),
        }
    }

    /// Returns whether the part of a destination that comes from a link is in the base.
    fn exists_up_to(&self, destination: &TreePath, directory: &TreePath, link: &TreePath) -> bool {
        let own = directory.depth().saturating_sub(link.depth());
        let mut at = destination.clone();
        for _ in 0..own.min(destination.depth()) {
            at = at.parent().unwrap_or(at);
        }
        self.base.get(&at).is_some_and(Entry::is_directory)
    }

    fn clash(
        &self,
        path: &TreePath,
        to: &TreePath,
        this: (&str, &str),
        there: (&str, &str),
    ) -> Error {
        let at = if path == to {
            format!("`{path}`")
        } else {
            format!("`{path}` (on this base `{to}`)")
        };
        let (this, what, other, found) = (this.0, this.1, there.0, there.1);
        self.at(path, format!("{at}: {this} has {what}, {other} has {found}"))
    }

    /// Returns an error that points at the recipe's line where a path comes from.
    fn at(&self, path: &TreePath, reason: String) -> Error {
        // A directory that nobody asked for by name comes from what is in it.
        let mut above = successors(path.parent(), TreePath::parent);
        let place = self.places.leading_to(path);
        match place.or_else(|| above.find_map(|parent| self.places.get(&parent))) {
            Some(place) => place.error(reason).into(),
            None => MachineError::new(reason).into(),
        }
    }

    fn finish(self) -> Result<Laid, Error> {
        let Self { base, taken, redirects, .. } = self;
        let mut builder = TreeBuilder::new();
        let mut shared: BTreeSet<TreePath> = BTreeSet::from([TreePath::root()]);
        let mut parents = BTreeSet::from([TreePath::root()]);
        for path in taken.keys() {
            let mut at = path.parent();
            while let Some(parent) = at.filter(|parent| parents.insert(parent.clone())) {
                at = parent.parent();
            }
        }
        for path in parents.iter().filter(|path| !taken.contains_key(path)) {
            if let Some(entry) = base.get(path) {
                let entry = Entry { implied: false, ..entry.clone() };
                builder.insert(path.clone(), entry).map_err(|error| broken(&error))?;
                shared.insert(path.clone());
            }
        }
        for (path, Taken { entry, is_shared, .. }) in taken {
            if is_shared {
                shared.insert(path.clone());
            }
            builder.insert(path, entry).map_err(|error| broken(&error))?;
        }
        Ok(Laid { layer: builder.finish().map_err(|error| broken(&error))?, redirects, shared })
    }
}

/// Returns whether a directory says nothing but that something is in it.
fn leads_only(tree: &FileTree, path: &TreePath, entry: &Entry) -> bool {
    let is_usual = entry.mode == Mode::EXECUTABLE
        && entry.owner.is_root()
        && entry.group.is_root()
        && entry.xattrs.is_empty();
    entry.is_directory() && is_usual && (entry.implied || tree.has_children(path))
}

/// Returns everything of an entry that matters on a disk, in words; equal entries have equal words.
fn describe(tree: &FileTree, path: &TreePath, entry: &Entry) -> String {
    let content = tree.content(path);
    let what = match (&entry.node, content) {
        (Node::Directory, _) => "a directory".to_owned(),
        (Node::Symlink(target), _) => return format!("a link to `{}`", escape(target)),
        (Node::Device { major, minor, .. }, _) => format!("a device ({major}, {minor})"),
        (Node::Fifo, _) => "a fifo".to_owned(),
        (Node::File(_) | Node::HardLink(_), Some(content)) => {
            format!("a file of {} bytes ({})", content.size, content.digest)
        }
        (Node::File(_) | Node::HardLink(_), None) => "a file".to_owned(),
    };
    let Entry { mode, owner, group, xattrs, .. } = entry;
    let mut words = format!("{what}, mode {mode}, owner {}:{}", owner.id, group.id);
    for (name, value) in xattrs {
        words.push_str(&format!(", {name} {}", escape(value)));
    }
    words
}
