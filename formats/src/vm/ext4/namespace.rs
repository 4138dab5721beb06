//! Which inode is whose, and the blocks of directories.

use std::collections::BTreeMap;

use mkext4::spec::{ROOT_INO, file_type};

use crate::format::WriteError;
use crate::tree::{DeviceKind, Entry, FileTree, Node, TreeError, TreePath};

use super::directory::{Directory, Name};
use super::map::Map;
use super::seeds::Seeds;
use super::space::Space;
use super::{BLOCK, limit, unsupported};

/// The inode of `lost+found`.
pub(super) const LOST_AND_FOUND: Name<'static> =
    Name { bytes: b"lost+found", inode: 11, kind: file_type::DIR };
/// The first inode that is not of the file system's own.
const FIRST: u32 = LOST_AND_FOUND.inode + 1;

/// The most names that a file can have.
const LINKS_MAX: u32 = 65_000;
/// The longest name and the longest target of a link, in bytes.
const NAME_MAX: u64 = 255;
const TARGET_MAX: u64 = 4095;
/// The largest major and the largest minor device number.
const MAJOR_MAX: u32 = 0xfff;
const MINOR_MAX: u32 = 0xf_ffff;

/// What inodes have to say of names.
#[derive(Debug)]
pub(super) struct Namespace {
    /// The directories, in the order of the tree.
    pub(super) directories: Vec<Placed>,
    /// How many names the files with several names have.
    pub(super) links: BTreeMap<TreePath, u32>,
}

/// A directory whose blocks have their places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) map: Map,
    /// How many bytes it has.
    pub(super) size: u64,
    /// Whether its blocks are a hash tree.
    pub(super) is_indexed: bool,
    /// How many directories name it: itself, its parent and those in it.
    pub(super) links: u32,
}

/// Returns the entries of a tree with their inodes; a further name of a file has none of its own.
pub(super) fn numbered(
    tree: &FileTree,
) -> impl Iterator<Item = (Option<u32>, &TreePath, &Entry)> + '_ {
    let mut next = FIRST;
    tree.iter().map(move |(path, entry)| {
        let number = match &entry.node {
            Node::HardLink(_) => None,
            _ if path.is_root() => Some(ROOT_INO),
            _ => {
                next += 1;
                Some(next - 1)
            }
        };
        (number, path, entry)
    })
}

impl Namespace {
    /// Gives every directory of a tree its blocks; what has no place in a file system is an error.
    pub(super) fn place(
        format: &'static str,
        tree: &FileTree,
        seeds: &Seeds,
        space: &mut Space<'_>,
    ) -> Result<Self, WriteError> {
        let links = tree.link_counts();
        let mut placing = Placing {
            format,
            seeds,
            space,
            links: &links,
            open: Vec::new(),
            placed: Vec::new(),
            linked: BTreeMap::new(),
        };
        for (number, path, entry) in numbered(tree) {
            placing.name(number, path, entry)?;
        }
        placing.close_until(|_| false)?;
        let directories = placing.placed.into_iter().flatten().collect();
        Ok(Self { directories, links })
    }
}

/// Goes through a tree with the directories that lead to the current entry open.
struct Placing<'a, 's, 'i> {
    format: &'static str,
    seeds: &'s Seeds,
    space: &'s mut Space<'i>,
    links: &'s BTreeMap<TreePath, u32>,
    open: Vec<Open<'a>>,
    placed: Vec<Option<Placed>>,
    /// The inodes of files with several names.
    linked: BTreeMap<&'a TreePath, u32>,
}

/// A directory while its names are collected.
struct Open<'a> {
    path: &'a TreePath,
    number: u32,
    parent: u32,
    names: Vec<Name<'a>>,
    /// Its place in [`Placing::placed`].
    place: usize,
}

impl<'a> Placing<'a, '_, '_> {
    fn name(
        &mut self,
        number: Option<u32>,
        path: &'a TreePath,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        self.close_until(|directory| path.is_below(directory))?;
        self.check(path, entry)?;
        let inode = self.inode(number, path, entry)?;
        let mut parent = inode;
        if let Some(directory) = self.open.last_mut() {
            parent = directory.number;
            let name = Name { bytes: path.name(), inode, kind: kind(entry) };
            if parent == ROOT_INO && name.bytes == LOST_AND_FOUND.bytes {
                return Err(unsupported(self.format, path, "the entry", "the name is reserved"));
            }
            directory.names.push(name);
        }
        if entry.is_directory() {
            let names = if path.is_root() { vec![LOST_AND_FOUND] } else { Vec::new() };
            let place = self.placed.len();
            self.open.push(Open { path, number: inode, parent, names, place });
            self.placed.push(None);
        }
        Ok(())
    }

    fn inode(
        &mut self,
        number: Option<u32>,
        path: &'a TreePath,
        entry: &Entry,
    ) -> Result<u32, WriteError> {
        let Node::HardLink(target) = &entry.node else {
            let number = number.unwrap_or_default();
            if self.links.contains_key(path) {
                self.linked.insert(path, number);
            }
            return Ok(number);
        };
        // The first name comes first in the order of the tree.
        let dangling =
            || TreeError::DanglingHardLink { path: path.clone(), target: target.clone() };
        Ok(*self.linked.get(target).ok_or_else(dangling)?)
    }

    /// Places directories until the last one that is open is wanted.
    fn close_until(&mut self, is_wanted: impl Fn(&TreePath) -> bool) -> Result<(), WriteError> {
        while let Some(directory) = self.open.pop_if(|directory| !is_wanted(directory.path)) {
            let Open { path, number, parent, names, place } = directory;
            let seed = self.seeds.of_inode(number);
            let blocks = Directory { inode: number, parent, names: &names };
            let Ok(blocks) = blocks.blocks(seed, &self.seeds.hash) else {
                let reason = "they do not fit into a hash tree of two levels";
                return Err(unsupported(self.format, path, "all names", reason));
            };
            let runs = self.space.take_bytes(&blocks)?;
            let map = Map::of(&runs, seed, self.space)?;
            let below = names.iter().filter(|name| name.kind == file_type::DIR).count();
            let links = 2_u32.saturating_add(below.try_into().unwrap_or(u32::MAX));
            if let Some(placed) = self.placed.get_mut(place) {
                let size = blocks.len() as u64;
                *placed = Some(Placed { map, size, is_indexed: size > BLOCK, links });
            }
        }
        Ok(())
    }

    fn check(&self, path: &TreePath, entry: &Entry) -> Result<(), WriteError> {
        let limit = |what, most, found| limit(self.format, what, path, most, found);
        limit("the bytes of the name of", NAME_MAX, path.name().len() as u64)?;
        match &entry.node {
            Node::Symlink(target) => {
                limit("the bytes of the target of", TARGET_MAX, target.len() as u64)
            }
            Node::Device { major, minor, .. } => {
                limit("the major number of", MAJOR_MAX.into(), (*major).into())?;
                limit("the minor number of", MINOR_MAX.into(), (*minor).into())
            }
            Node::File(_) => {
                let names = self.links.get(path).copied().unwrap_or(1);
                limit("the names of the file", LINKS_MAX.into(), names.into())
            }
            Node::Directory | Node::HardLink(_) | Node::Fifo => Ok(()),
        }
    }
}

fn kind(entry: &Entry) -> u8 {
    match &entry.node {
        Node::Directory => file_type::DIR,
        Node::File(_) | Node::HardLink(_) => file_type::REG,
        Node::Symlink(_) => file_type::SYMLINK,
        Node::Device { kind: DeviceKind::Character, .. } => file_type::CHR,
        Node::Device { kind: DeviceKind::Block, .. } => file_type::BLK,
        Node::Fifo => file_type::FIFO,
    }
}
