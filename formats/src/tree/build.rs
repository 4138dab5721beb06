//! Making a tree: the one place where entries are checked and normalised.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use super::entry::{Entry, Mark, Node};
use super::path::TreePath;
use super::{FileTree, Mode};

/// Collects entries in any order and makes a [`FileTree`] of them.
#[derive(Debug, Default)]
pub struct TreeBuilder {
    entries: BTreeMap<TreePath, Entry>,
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
        Self { entries: tree.into_list().into_iter().collect() }
    }
}

impl TreeBuilder {
    /// Starts with nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry; a second entry for a path is an error, unless both are equal directories.
    pub fn insert(&mut self, path: TreePath, entry: Entry) -> Result<(), TreeError> {
        if let Node::Symlink(target) = &entry.node
            && (target.is_empty() || target.contains(&0))
        {
            return Err(TreeError::ImpossibleTarget { path });
        }
        match self.entries.entry(path) {
            Slot::Occupied(old) if old.get().is_directory() && *old.get() == entry => Ok(()),
            Slot::Occupied(old) => Err(TreeError::Duplicate { path: old.key().clone() }),
            Slot::Vacant(slot) => {
                slot.insert(entry);
                Ok(())
            }
        }
    }

    /// Adds an entry in the place of what was added for its path before.
    pub fn replace(&mut self, path: TreePath, entry: Entry) -> Result<(), TreeError> {
        self.entries.remove(&path);
        self.insert(path, entry)
    }

    /// Returns the entry at a path, if one was added.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Checks everything and returns the tree.
    pub fn finish(mut self) -> Result<FileTree, TreeError> {
        self.add_parents()?;
        self.settle_hard_links()?;
        Ok(FileTree::of(self.entries.into_iter().collect()))
    }

    fn add_parents(&mut self) -> Result<(), TreeError> {
        let mut missing = BTreeMap::new();
        // Most entries stand right after their directory or after others of it.
        let mut known: Option<TreePath> = None;
        for (path, entry) in &self.entries {
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
                match self.entries.get(&parent) {
                    Some(entry) if entry.is_directory() => break,
                    Some(_) => {
                        return Err(TreeError::NotADirectory { path: path.clone(), parent });
                    }
                    None if missing.contains_key(&parent) => break,
                    None => missing.insert(parent.clone(), Self::implied_directory()),
                };
                child = parent;
            }
        }
        self.entries.append(&mut missing);
        let root = self.entries.entry(TreePath::root()).or_insert_with(Self::implied_directory);
        if root.is_directory() { Ok(()) } else { Err(TreeError::RootNotADirectory) }
    }

    fn implied_directory() -> Entry {
        Entry { implied: true, ..Entry::new(Node::Directory, Mode::EXECUTABLE) }
    }

    /// Makes the first name of each file the file, and all its other names links to that.
    fn settle_hard_links(&mut self) -> Result<(), TreeError> {
        let mut names: BTreeMap<TreePath, Vec<TreePath>> = BTreeMap::new();
        for (path, entry) in &self.entries {
            if let Node::HardLink(target) = &entry.node {
                let Some(Node::File(_)) = self.entries.get(target).map(|entry| &entry.node) else {
                    let (path, target) = (path.clone(), target.clone());
                    return Err(TreeError::DanglingHardLink { path, target });
                };
                names.entry(target.clone()).or_default().push(path.clone());
            }
        }
        for (file, links) in names {
            self.settle_file(&file, links);
        }
        Ok(())
    }

    /// All names of one inode share its attributes; the mark stays with each name.
    fn settle_file(&mut self, file: &TreePath, mut links: Vec<TreePath>) {
        let Some(original) = self.entries.get(file).cloned() else { return };
        links.push(file.clone());
        links.sort();
        for (index, name) in links.iter().enumerate() {
            let mark = self.entries.get(name).map_or(Mark::Plain, |entry| entry.mark);
            let mut entry = Entry { mark, ..original.clone() };
            if index > 0 {
                entry.node = Node::HardLink(links[0].clone());
            }
            self.entries.insert(name.clone(), entry);
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
