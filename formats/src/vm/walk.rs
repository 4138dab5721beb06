//! Reading a file system back into a tree, with limits on what a hostile one can ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;

use crate::format::{ReadError, Visitor};
use crate::tree::{
    Content, Entry, FileTree, Mode, Node, Owner, TreeBuilder, TreePath, XattrName, escape,
};

/// The most entries of one tree.
pub(crate) const ENTRIES: usize = 1 << 22;
/// The most bytes of names, link targets and attributes of one tree.
const BYTES: usize = 1 << 28;
/// The longest target of a symbolic link.
const TARGET_MAX: u64 = 4095;

/// A file system by its inodes, each of which is checked before it is used.
pub(crate) trait Inodes {
    /// An inode.
    type Inode;

    /// Returns the number of the root directory.
    fn root(&self) -> u64;

    /// Returns how many bytes the files can have together.
    fn capacity(&self) -> u64;

    /// Returns an inode.
    fn inode(&self, number: u64) -> Result<Self::Inode, ReadError>;

    /// Returns what an inode says that a name leads to.
    fn facts(&self, number: u64, inode: &Self::Inode) -> Result<Facts, ReadError>;

    /// Returns names and numbers of what is in a directory, without itself and its parent, at most
    /// `limit` of them.
    fn children(
        &self,
        number: u64,
        inode: &Self::Inode,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, u64)>, ReadError>;

    /// Opens what a file or a symbolic link holds.
    fn open(&self, number: u64, inode: &Self::Inode) -> Result<Box<dyn Read + '_>, ReadError>;

    /// Returns the extended attributes, as many as one inode can have.
    fn attributes(
        &self,
        number: u64,
        inode: &Self::Inode,
    ) -> Result<Vec<(XattrName, Vec<u8>)>, ReadError>;
}

/// What an inode says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) links: u32,
    /// How many bytes are in it.
    pub(crate) size: u64,
    /// Where its content is, if others may have the same.
    pub(crate) place: Option<u64>,
}

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
    Symlink,
    Device(crate::tree::DeviceKind, u32, u32),
    Fifo,
    /// Something that a tree cannot have.
    Other,
}

/// Returns what is wanted of a file system as a tree; `owners` gives names to numbers of users and
/// of groups. What is in a directory that is not wanted is not looked at.
pub(crate) fn walk<I: Inodes>(
    image: &I,
    owners: &dyn Fn(u32, u32) -> (Owner, Owner),
    wanted: &dyn Fn(&TreePath) -> bool,
) -> Result<FileTree, ReadError> {
    let mut walk = Walk {
        image,
        owners,
        wanted,
        builder: TreeBuilder::new(),
        open: vec![(TreePath::root(), image.root())],
        directories: BTreeSet::new(),
        files: BTreeMap::new(),
        contents: BTreeMap::new(),
        entries: 0,
        bytes: 0,
        left: image.capacity(),
    };
    while let Some((path, number)) = walk.open.pop() {
        walk.directory(&path, number)?;
    }
    Ok(walk.builder.finish()?)
}

/// Hands over files of a file system, each under the path that `wanted` says; a directory with two
/// names, of which only a damaged file system has one, is an error.
pub(crate) fn visit<I: Inodes>(
    image: &I,
    wanted: &dyn Fn(&TreePath) -> Option<TreePath>,
    visitor: &mut Visitor<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let mut open = vec![(TreePath::root(), image.root())];
    let (mut entries, mut met) = (0, BTreeSet::new());
    while let Some((path, number)) = open.pop() {
        if !met.insert(number) {
            return Err(ReadError::invalid(path.to_string(), "a directory with two names"));
        }
        let inode = image.inode(number)?;
        for (name, child) in image.children(number, &inode, ENTRIES - entries)? {
            entries = ENTRIES.min(entries + 1);
            let invalid = |error: crate::tree::PathError| {
                ReadError::invalid(path.to_string(), error.to_string())
            };
            let name = path.join(&name).map_err(invalid)?;
            let inode = image.inode(child)?;
            let kind = image.facts(child, &inode)?.kind;
            if kind == Kind::Directory {
                open.push((name, child));
                continue;
            }
            let Some(path) = wanted(&name).filter(|_| kind == Kind::File) else { continue };
            if visitor(&path, &mut *image.open(child, &inode)?)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Reads a small file, if there is one at this path; links are not followed.
pub(crate) fn small_file<I: Inodes>(
    image: &I,
    path: &TreePath,
    limit: u64,
) -> Result<Option<Vec<u8>>, ReadError> {
    let mut number = image.root();
    for name in path.relative().split(|byte| *byte == b'/') {
        let inode = image.inode(number)?;
        let entries = image.children(number, &inode, ENTRIES)?;
        match entries.into_iter().find(|(found, _)| found == name) {
            Some((_, child)) => number = child,
            None => return Ok(None),
        }
    }
    let inode = image.inode(number)?;
    let facts = image.facts(number, &inode)?;
    if facts.kind != Kind::File || facts.size > limit {
        let reason = format!("expected a regular file of at most {limit} bytes");
        return Err(ReadError::invalid(path.to_string(), reason));
    }
    let mut bytes = Vec::new();
    image.open(number, &inode)?.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

struct Walk<'a, I> {
    image: &'a I,
    owners: &'a dyn Fn(u32, u32) -> (Owner, Owner),
    wanted: &'a dyn Fn(&TreePath) -> bool,
    builder: TreeBuilder,
    /// Directories that are still to be listed.
    open: Vec<(TreePath, u64)>,
    /// Directories that were met: a second name for one would make a cycle possible.
    directories: BTreeSet<u64>,
    /// The first name of each file that says it has several.
    files: BTreeMap<u64, TreePath>,
    /// Contents by place and size, where files may share them.
    contents: BTreeMap<(u64, u64), Content>,
    entries: usize,
    bytes: usize,
    /// Bytes of content that may still be read: as many as the file system could hold.
    left: u64,
}

impl<I: Inodes> Walk<'_, I> {
    fn directory(&mut self, path: &TreePath, number: u64) -> Result<(), ReadError> {
        let fail = |reason: &str| Err(ReadError::invalid(path.to_string(), reason));
        if !self.directories.insert(number) {
            return fail("a directory with two names");
        }
        let inode = self.image.inode(number)?;
        let facts = self.image.facts(number, &inode)?;
        let mut entry = self.entry(&facts, Node::Directory);
        entry.xattrs = self.attributes(path, number, &inode)?;
        self.builder.insert(path.clone(), entry)?;
        let children = self.image.children(number, &inode, ENTRIES - self.entries)?;
        self.read(path, facts.size)?;
        for (name, child) in children {
            self.entries = ENTRIES.min(self.entries + 1);
            self.spend(path, name.len() + path.relative().len())?;
            if name.is_empty() || name.contains(&b'/') {
                return fail(&format!("impossible name `{}` in it", escape(&name)));
            }
            let name = path
                .join(&name)
                .map_err(|error| ReadError::invalid(path.to_string(), error.to_string()))?;
            if !(self.wanted)(&name) {
                continue;
            }
            let inode = self.image.inode(child)?;
            let facts = self.image.facts(child, &inode)?;
            if facts.kind == Kind::Directory {
                self.open.push((name, child));
            } else {
                self.leaf(name, child, &inode, &facts)?;
            }
        }
        Ok(())
    }

    fn leaf(
        &mut self,
        path: TreePath,
        number: u64,
        inode: &I::Inode,
        facts: &Facts,
    ) -> Result<(), ReadError> {
        let node = match facts.kind {
            Kind::File => match self.files.get(&number) {
                Some(first) => Node::HardLink(first.clone()),
                None => Node::File(self.content(&path, number, inode, facts)?),
            },
            Kind::Symlink => Node::Symlink(self.target(&path, number, inode, facts)?),
            Kind::Device(kind, major, minor) => Node::Device { kind, major, minor },
            Kind::Fifo => Node::Fifo,
            Kind::Directory | Kind::Other => {
                let reason = "a kind of file that a tree cannot have";
                return Err(ReadError::invalid(path.to_string(), reason));
            }
        };
        if matches!(node, Node::File(_)) && facts.links > 1 {
            self.files.insert(number, path.clone());
        }
        let linked = matches!(node, Node::HardLink(_));
        let mut entry = self.entry(facts, node);
        if !linked {
            entry.xattrs = self.attributes(&path, number, inode)?;
        }
        Ok(self.builder.insert(path, entry)?)
    }

    fn entry(&self, facts: &Facts, node: Node) -> Entry {
        let mut entry = Entry::new(node, Mode::from_st_mode(facts.mode));
        (entry.owner, entry.group) = (self.owners)(facts.user, facts.group);
        entry
    }

    fn content(
        &mut self,
        path: &TreePath,
        number: u64,
        inode: &I::Inode,
        facts: &Facts,
    ) -> Result<Content, ReadError> {
        let key = facts.place.map(|place| (place, facts.size));
        if let Some(known) = key.and_then(|key| self.contents.get(&key)) {
            return Ok(*known);
        }
        self.read(path, facts.size)?;
        let content = Content::of_reader(self.image.open(number, inode)?)?;
        self.contents.extend(key.map(|key| (key, content)));
        Ok(content)
    }

    fn target(
        &mut self,
        path: &TreePath,
        number: u64,
        inode: &I::Inode,
        facts: &Facts,
    ) -> Result<Vec<u8>, ReadError> {
        if facts.size > TARGET_MAX {
            let reason = format!("a target of {} bytes", facts.size);
            return Err(ReadError::invalid(path.to_string(), reason));
        }
        let mut target = Vec::new();
        self.image.open(number, inode)?.read_to_end(&mut target)?;
        self.spend(path, target.len())?;
        Ok(target)
    }

    fn attributes(
        &mut self,
        path: &TreePath,
        number: u64,
        inode: &I::Inode,
    ) -> Result<BTreeMap<XattrName, Vec<u8>>, ReadError> {
        let mut attributes = BTreeMap::new();
        for (name, value) in self.image.attributes(number, inode)? {
            self.spend(path, name.len() + value.len())?;
            if attributes.insert(name, value).is_some() {
                let reason = "two attributes with one name";
                return Err(ReadError::invalid(path.to_string(), reason));
            }
        }
        Ok(attributes)
    }

    /// Counts bytes that are read.
    fn read(&mut self, path: &TreePath, bytes: u64) -> Result<(), ReadError> {
        let Some(left) = self.left.checked_sub(bytes) else {
            let reason = "the files are larger than the file system";
            return Err(ReadError::invalid(path.to_string(), reason));
        };
        self.left = left;
        Ok(())
    }

    /// Counts bytes that the tree keeps in memory.
    fn spend(&mut self, path: &TreePath, bytes: usize) -> Result<(), ReadError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES {
            let reason = "the tree takes more memory than is given to it";
            return Err(ReadError::invalid(path.to_string(), reason));
        }
        Ok(())
    }
}
