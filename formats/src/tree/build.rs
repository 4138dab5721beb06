//! Making a tree: the one place where entries are checked and normalised.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entries::{Placed, place};
use super::entry::{Entry, Node};
use super::path::TreePath;
use super::{FileTree, Mode};

/// Collects entries in any order and makes a [`FileTree`] of them.
#[derive(Debug, Default)]
pub struct TreeBuilder {
    /// What was added in the order of a tree, as almost everything is: it stays where it is.
    list: Vec<Placed>,
    /// What was added after something that it should stand before.
    late: BTreeMap<TreePath, Entry>,
}

/// Why entries do not make a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Two entries claim one path.
    #[error("two entries for `{path}`")]
    Duplicate {
        /// The path claimed twice.
        path: TreePath,
    },
    /// An entry lies below something that is not a directory.
    #[error("`{path}` lies below `{parent}`, which is not a directory")]
    NotADirectory {
        /// The entry below.
        path: TreePath,
        /// What should be a directory.
        parent: TreePath,
    },
    /// A hard link names something that is not a regular file of the tree.
    #[error("hard link `{path}` names `{target}`, which is not a regular file of the tree")]
    DanglingHardLink {
        /// The link.
        path: TreePath,
        /// What it names.
        target: TreePath,
    },
    /// The root itself is not a directory.
    #[error("the root of the tree is not a directory")]
    RootNotADirectory,
    /// A symbolic link target is empty or holds a NUL byte.
    #[error("symbolic link `{path}` has an impossible target")]
    ImpossibleTarget {
        /// The link.
        path: TreePath,
    },
}

/// Goes on from a tree, whose entries are copied only if another tree shares them.
impl From<FileTree> for TreeBuilder {
    fn from(tree: FileTree) -> Self {
        Self { list: tree.into_list(), late: BTreeMap::new() }
    }
}

impl TreeBuilder {
    /// Starts with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry; a second entry for a path is an error, unless both are equal directories.
    pub fn insert(&mut self, path: TreePath, entry: Entry) -> Result<(), TreeError> {
        let path = check_target(path, &entry)?;
        if self.is_next(&path) {
            self.list.push((path, entry));
            return Ok(());
        }
        match self.get(&path) {
            Some(old) if old.is_directory() && *old == entry => {}
            Some(_) => return Err(TreeError::Duplicate { path }),
            None => drop(self.late.insert(path, entry)),
        }
        Ok(())
    }

    /// Adds an entry in the place of what was added for its path before.
    pub fn replace(&mut self, path: TreePath, entry: Entry) -> Result<(), TreeError> {
        let path = check_target(path, &entry)?;
        let place = place(&self.list, &path);
        if let Some((_, old)) = place.ok().and_then(|place| self.list.get_mut(place)) {
            *old = entry;
            return Ok(());
        }
        self.late.remove(&path);
        self.insert(path, entry)
    }

    /// Returns the entry at a path, if one was added.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        if self.is_next(path) {
            return None;
        }
        match place(&self.list, path) {
            Ok(place) => self.list.get(place).map(|(_, entry)| entry),
            Err(_) => self.late.get(path),
        }
    }

    /// Returns whether a path stands after all that was added.
    fn is_next(&self, path: &TreePath) -> bool {
        self.list.last().is_none_or(|(last, _)| last < path)
    }

    /// Checks everything and returns the tree.
    pub fn finish(self) -> Result<FileTree, TreeError> {
        let Self { mut list, late } = self;
        add(&mut list, late);
        let missing = missing_parents(&list)?;
        add(&mut list, missing);
        settle_hard_links(&mut list)?;
        Ok(FileTree::of(list))
    }

    /// Returns a tree with all that was added to this builder, and the parents that it needs. What was added may be
    /// neither at a path of the tree, unless both are equal directories, nor a link to a file of it.
    ///
    /// Most of what the tree has is shared with it.
    pub fn finish_onto(self, tree: &FileTree) -> Result<FileTree, TreeError> {
        let added = self.finish()?.into_list();
        Ok(FileTree { entries: Arc::new(tree.entries.overlaid(added, lay)?) })
    }
}

/// Lays entries among others, each where it belongs.
fn lay(old: &[Placed], added: Vec<Placed>) -> Result<Vec<Placed>, TreeError> {
    let mut list = Vec::with_capacity(old.len() + added.len());
    let mut old = old.iter().peekable();
    let mut added = added.into_iter();
    while let Some((path, entry)) = added.next() {
        while let Some(before) = old.next_if(|(before, _)| *before < path) {
            list.push(before.clone());
        }
        match old.peek() {
            Some((there, kept)) if *there == path => match (entry.implied, kept.is_directory()) {
                (true, true) => {}
                (false, _) if entry.is_directory() && *kept == entry => {}
                (false, _) => return Err(TreeError::Duplicate { path }),
                (true, false) => {
                    let asked_for = added.find(|(_, entry)| !entry.implied);
                    let below = asked_for.map_or_else(|| path.clone(), |(below, _)| below);
                    return Err(TreeError::NotADirectory { path: below, parent: path });
                }
            },
            _ => list.push((path, entry)),
        }
    }
    list.extend(old.cloned());
    Ok(list)
}

/// Refuses a symbolic link that leads nowhere.
fn check_target(path: TreePath, entry: &Entry) -> Result<TreePath, TreeError> {
    match &entry.node {
        Node::Symlink(target) if target.is_empty() || target.contains(&0) => {
            Err(TreeError::ImpossibleTarget { path })
        }
        _ => Ok(path),
    }
}

/// Adds entries to a list, each where it belongs.
fn add(list: &mut Vec<Placed>, entries: BTreeMap<TreePath, Entry>) {
    if !entries.is_empty() {
        list.extend(entries);
        list.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
}

/// Returns the directories that entries need and nobody added.
fn missing_parents(list: &[Placed]) -> Result<BTreeMap<TreePath, Entry>, TreeError> {
    let mut missing = BTreeMap::new();
    // Most entries stand right after their directory or after others of it.
    let mut known: Option<TreePath> = None;
    for (path, entry) in list {
        let is_known = known.as_ref().is_some_and(|directory| path.is_in(directory));
        known = match known {
            _ if entry.is_directory() => Some(path.clone()),
            known if is_known => known,
            _ => path.parent(),
        };
        if is_known {
            continue;
        }
        let mut child = path.clone();
        while let Some(parent) = child.parent() {
            match at(list, &parent) {
                Some(entry) if entry.is_directory() => break,
                Some(_) => return Err(TreeError::NotADirectory { path: path.clone(), parent }),
                None if missing.contains_key(&parent) => break,
                None => missing.insert(parent.clone(), implied_directory()),
            };
            child = parent;
        }
    }
    let root = TreePath::root();
    match at(list, &root) {
        Some(entry) if entry.is_directory() => {}
        Some(_) => return Err(TreeError::RootNotADirectory),
        None => drop(missing.entry(root).or_insert_with(implied_directory)),
    }
    Ok(missing)
}

fn at<'a>(list: &'a [Placed], path: &TreePath) -> Option<&'a Entry> {
    place(list, path).ok().and_then(|place| list.get(place)).map(|(_, entry)| entry)
}

fn implied_directory() -> Entry {
    Entry { implied: true, ..Entry::new(Node::Directory, Mode::EXECUTABLE) }
}

/// Makes the first name of each file the file, and all its other names links to that.
fn settle_hard_links(list: &mut [Placed]) -> Result<(), TreeError> {
    let mut names: BTreeMap<TreePath, Vec<TreePath>> = BTreeMap::new();
    for (path, entry) in &*list {
        if let Node::HardLink(target) = &entry.node {
            let Some(Node::File(_)) = at(list, target).map(|entry| &entry.node) else {
                let (path, target) = (path.clone(), target.clone());
                return Err(TreeError::DanglingHardLink { path, target });
            };
            names.entry(target.clone()).or_default().push(path.clone());
        }
    }
    for (file, links) in names {
        settle_file(list, &file, links);
    }
    Ok(())
}

/// All names of one inode share its attributes; the mark stays with each name.
fn settle_file(list: &mut [Placed], file: &TreePath, mut links: Vec<TreePath>) {
    let Some(original) = at(list, file).cloned() else { return };
    links.push(file.clone());
    links.sort();
    for (index, name) in links.iter().enumerate() {
        let found = place(list, name).ok().and_then(|place| list.get_mut(place));
        let Some((_, entry)) = found else { continue };
        *entry = Entry { mark: entry.mark, ..original.clone() };
        if index > 0 {
            entry.node = Node::HardLink(links[0].clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Content;
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    fn file(bytes: &[u8]) -> Entry {
        Entry::file(Content::of(bytes), Mode::PLAIN)
    }

    #[test]
    fn adds_all_parents_once() {
        let mut builder = TreeBuilder::new();
        builder.insert(path("/usr/share/doc/x/a"), file(b"")).unwrap();
        builder.insert(path("/usr/share/y"), file(b"")).unwrap();
        let tree = builder.finish().unwrap();
        let paths: Vec<_> = tree.iter().map(|(path, _)| path.to_string()).collect();
        let expected = [
            "/",
            "/usr",
            "/usr/share",
            "/usr/share/doc",
            "/usr/share/doc/x",
            "/usr/share/doc/x/a",
            "/usr/share/y",
        ];
        assert_eq!(paths, expected);
        assert!(tree.get(&path("/usr")).unwrap().implied);
    }

    #[test]
    fn the_first_name_is_the_file() {
        let mut builder = TreeBuilder::new();
        builder.insert(path("/z"), file(b"x")).unwrap();
        let link = Entry::new(Node::HardLink(path("/z")), Mode::EXECUTABLE);
        builder.insert(path("/a"), link.clone()).unwrap();
        builder.insert(path("/m"), link).unwrap();
        let tree = builder.finish().unwrap();
        assert_eq!(tree.get(&path("/a")).unwrap(), &file(b"x"));
        for name in ["/m", "/z"] {
            let entry = tree.get(&path(name)).unwrap();
            assert_eq!(entry.node, Node::HardLink(path("/a")));
            assert_eq!(entry.mode, Mode::PLAIN);
        }
        assert_eq!(tree.link_counts()[&path("/a")], 3);
        assert_eq!(tree.content(&path("/z")), Some(&Content::of(b"x")));
    }

    #[test]
    fn rejects_what_is_not_a_tree() {
        let mut builder = TreeBuilder::new();
        builder.insert(path("/a"), file(b"")).unwrap();
        assert!(matches!(builder.insert(path("/a"), file(b"")), Err(TreeError::Duplicate { .. })));
        builder.insert(path("/a/b"), file(b"")).unwrap();
        assert!(matches!(builder.finish(), Err(TreeError::NotADirectory { .. })));

        let mut builder = TreeBuilder::new();
        let link = Entry::new(Node::HardLink(path("/nowhere")), Mode::PLAIN);
        builder.insert(path("/a"), link).unwrap();
        assert!(matches!(builder.finish(), Err(TreeError::DanglingHardLink { .. })));
    }

    #[test]
    fn a_builder_knows_what_it_was_given_in_whatever_order() {
        let names = ["/m", "/z", "/a", "/m/x", "/b", "/zz", "/a/x"];
        for first in 0..names.len() {
            let mut builder = TreeBuilder::new();
            let order = || names.iter().cycle().skip(first).take(names.len());
            for name in order() {
                builder.insert(path(name), Entry::directory()).unwrap();
                assert!(builder.insert(path(name), file(b"")).is_err(), "{name}");
            }
            for name in order() {
                builder.replace(path(name), Entry::new(Node::Directory, Mode::PLAIN)).unwrap();
            }
            let tree = builder.finish().unwrap();
            assert_eq!(tree.len(), names.len() + 1);
            for name in names {
                assert_eq!(tree.get(&path(name)).unwrap().mode, Mode::PLAIN, "{name}");
            }
        }
    }

    #[test]
    fn what_is_put_onto_a_tree_is_what_a_builder_makes_of_both() {
        let mut builder = TreeBuilder::new();
        builder.insert(path("/b/x"), file(b"x")).unwrap();
        builder.insert(path("/d"), Entry::directory()).unwrap();
        builder.insert(path("/e"), file(b"e")).unwrap();
        let tree = builder.finish().unwrap();
        let onto = |added: &[(&str, Entry)]| {
            let (mut one, mut all) = (TreeBuilder::new(), TreeBuilder::from(tree.clone()));
            let mut expected = Ok(());
            for (name, entry) in added {
                one.insert(path(name), entry.clone()).unwrap();
                expected = expected.and_then(|()| all.insert(path(name), entry.clone()));
            }
            let expected = expected.and_then(|()| all.finish());
            assert_eq!(one.finish_onto(&tree), expected, "{added:?}");
            expected.is_ok()
        };
        assert!(onto(&[]));
        assert!(onto(&[("/a", file(b"a")), ("/b/y", file(b"y")), ("/c/d/e", file(b"c"))]));
        assert!(onto(&[("/d", Entry::directory()), ("/d/y", file(b"y")), ("/z", file(b"z"))]));
        assert!(onto(&[("/b/x0", file(b"0")), ("/b/w", file(b"w"))]));
        assert!(!onto(&[("/e", file(b"e"))]));
        assert!(!onto(&[("/b", Entry::directory())]));
        assert!(!onto(&[("/e/f", file(b"f"))]));
        assert!(!onto(&[("/b/x/y/z", file(b"f"))]));
    }

    #[test]
    fn a_filtered_tree_keeps_its_hard_links() {
        let mut builder = TreeBuilder::new();
        builder.insert(path("/a"), file(b"x")).unwrap();
        for name in ["/b", "/c"] {
            let link = Entry::new(Node::HardLink(path("/a")), Mode::PLAIN);
            builder.insert(path(name), link).unwrap();
        }
        let tree = builder.finish().unwrap();
        let part = tree.filter(|path, _| path.name() != b"a").unwrap();
        assert_eq!(part.get(&path("/b")), Some(&file(b"x")));
        assert_eq!(part.get(&path("/c")).unwrap().node, Node::HardLink(path("/b")));
    }
}
