//! The tables of inodes.
//!
//! Inodes have numbers from 1 on without gaps: ten that are reserved, among them the root and the journal, `lost+found`,
//! and then the entries of the tree in its order. (Linux, Documentation/filesystems/ext4/inodes.rst.)

use mkext4::csum;
use mkext4::spec::{INODE_SIZE, Inode, JOURNAL_INO, LINK_MAX, iflags};

use crate::format::{Epoch, WriteError};
use crate::rope::Rope;
use crate::tree::{Content, Entry, FileTree, Node};

use super::BLOCK;
use super::attributes::Attributes;
use super::layout::Layout;
use super::map::Map;
use super::namespace::{LOST_AND_FOUND, Namespace, Placed, numbered};
use super::own::Own;
use super::seeds::Seeds;
use super::space::Space;

/// The longest target that stands in the inode itself.
pub(super) const SHORT_TARGET: usize = 59;
/// Fields of an inode beyond the first 128 bytes.
const EXTRA: u16 = 32;
/// Sectors in a block, the unit in which inodes say how much they take.
const SECTORS: u64 = BLOCK / 512;
/// The modes of the journal and of `lost+found`.
const JOURNAL_MODE: u32 = 0o100_600;
const LOST_AND_FOUND_MODE: u32 = 0o040_700;

/// All inodes, as they stand in the tables.
#[derive(Debug)]
pub(super) struct Tables<'a> {
    given: Given<'a>,
    /// The table of each group that has inodes in use.
    written: Vec<Rope>,
    /// How many of each group's are directories.
    directories: Vec<u32>,
    /// How many inodes are in use.
    used: u32,
}

/// What inodes are written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'a> {
    /// The format's name, for errors.
    pub(super) format: &'static str,
    pub(super) layout: &'a Layout,
    pub(super) seeds: &'a Seeds,
    /// The time of everything.
    pub(super) epoch: Epoch,
}

impl<'a> Tables<'a> {
    /// Writes the inodes of a tree, and gives files their blocks.
    pub(super) fn write(
        tree: &FileTree,
        namespace: &Namespace,
        own: &Own,
        given: Given<'a>,
        space: &mut Space<'_>,
    ) -> Result<Self, WriteError> {
        let Given { format, seeds, .. } = given;
        let (written, directories) = (Vec::new(), Vec::new());
        let mut tables = Self { given, written, directories, used: 0 };
        let mut directories = namespace.directories.iter();
        for (number, path, entry) in numbered(tree) {
            let Some(number) = number else { continue };
            let attributes = Attributes::of(format, path, entry)?;
            let mut inode = tables.inode(entry.st_mode());
            (inode.uid, inode.gid) = (entry.owner.id, entry.group.id);
            inode.ibody = attributes.in_inode();
            match &entry.node {
                Node::Directory => {
                    if let Some(placed) = directories.next() {
                        describe_directory(&mut inode, placed);
                    }
                }
                Node::File(content) => {
                    inode.links_count = short(namespace.links.get(path).copied().unwrap_or(1));
                    let seed = seeds.of_inode(number);
                    describe_file(&mut inode, content, seed, space)?;
                }
                _ => tables.describe_other(&mut inode, entry, number, space)?,
            }
            if attributes.need_block() {
                let seed = seeds.checksum;
                inode.file_acl = space.take_one(|block| attributes.block(seed, block))?.into();
                inode.blocks += SECTORS;
            }
            if path.is_root() {
                tables.push_reserved(&inode, own);
            } else {
                tables.push(&inode);
            }
        }
        Ok(tables)
    }

    /// Returns how many inodes are in use.
    pub(super) fn used(&self) -> u32 {
        self.used
    }

    /// Returns how many inodes of a group are in use: all before the last one are.
    pub(super) fn used_in(&self, group: u32) -> u32 {
        let per_group = self.given.layout.inodes_per_group;
        self.used.saturating_sub(group.saturating_mul(per_group)).min(per_group)
    }

    /// Returns how many bytes all tables hold.
    pub(super) fn inline_len(&self) -> usize {
        self.written.iter().map(Rope::inline_len).sum()
    }

    /// Returns how many directories a group has.
    pub(super) fn directories(&self, group: u32) -> u32 {
        self.directories.get(group as usize).copied().unwrap_or_default()
    }

    /// Returns the table of a group, as far as it has inodes, and leaves nothing.
    pub(super) fn take(&mut self, group: u32) -> Rope {
        self.written.get_mut(group as usize).map(std::mem::take).unwrap_or_default()
    }

    /// Returns an inode without content that has one name.
    fn inode(&self, st_mode: u32) -> Inode {
        let (seconds, extra) = Inode::encode_timestamp(self.given.epoch.0.into(), 0);
        Inode {
            mode: short(st_mode),
            links_count: 1,
            atime: seconds,
            ctime: seconds,
            mtime: seconds,
            crtime: seconds,
            atime_extra: extra,
            ctime_extra: extra,
            mtime_extra: extra,
            crtime_extra: extra,
            extra_isize: EXTRA,
            ..Inode::default()
        }
    }

    /// Describes what is neither a file nor a directory.
    fn describe_other(
        &self,
        inode: &mut Inode,
        entry: &Entry,
        number: u32,
        space: &mut Space<'_>,
    ) -> Result<(), WriteError> {
        match &entry.node {
            Node::Symlink(target) => {
                inode.size = target.len() as u64;
                if target.len() <= SHORT_TARGET {
                    inode.block[..target.len()].copy_from_slice(target);
                } else {
                    let runs = space.take_bytes(target)?;
                    let map = Map::of(&runs, self.given.seeds.of_inode(number), space)?;
                    describe_content(inode, &map);
                }
            }
            Node::Device { major, minor, .. } => {
                let (place, device) = device(*major, *minor);
                inode.block[place..place + 4].copy_from_slice(&device.to_le_bytes());
            }
            Node::Fifo | Node::File(_) | Node::Directory | Node::HardLink(_) => {}
        }
        Ok(())
    }

    /// Appends the root and all inodes of the file system's own.
    fn push_reserved(&mut self, root: &Inode, own: &Own) {
        let nobodys = Inode::default();
        self.push(&nobodys);
        self.push(root);
        while self.used + 1 < JOURNAL_INO {
            self.push(&nobodys);
        }
        let mut journal = self.inode(JOURNAL_MODE);
        journal.size = u64::from(own.journal_blocks) * BLOCK;
        describe_content(&mut journal, &own.journal);
        self.push(&journal);
        while self.used + 1 < LOST_AND_FOUND.inode {
            self.push(&nobodys);
        }
        let mut lost_and_found = self.inode(LOST_AND_FOUND_MODE);
        describe_directory(&mut lost_and_found, &own.lost_and_found);
        self.push(&lost_and_found);
    }

    /// Appends the inode with the next number.
    fn push(&mut self, inode: &Inode) {
        let group = (self.used / self.given.layout.inodes_per_group) as usize;
        self.used += 1;
        let mut slot = [0; INODE_SIZE];
        inode.encode(&mut slot);
        let checksum = csum::inode(self.given.seeds.checksum, self.used, 0, &slot);
        let [a, b, c, d] = checksum.to_le_bytes();
        slot[0x7c..0x7e].copy_from_slice(&[a, b]);
        if inode.extra_isize > 0 {
            slot[0x82..0x84].copy_from_slice(&[c, d]);
        }
        if self.written.len() <= group {
            self.written.resize_with(group + 1, Rope::new);
            self.directories.resize(group + 1, 0);
        }
        if let (Some(table), Some(directories)) =
            (self.written.get_mut(group), self.directories.get_mut(group))
        {
            table.push_padded(&slot);
            *directories += u32::from(inode.file_type() == mkext4::spec::inode::FileType::Dir);
        }
    }
}

fn describe_directory(inode: &mut Inode, placed: &Placed) {
    inode.size = placed.size;
    // More names than can be counted are one (`dir_nlink`).
    inode.links_count = if placed.links > LINK_MAX { 1 } else { short(placed.links) };
    if placed.is_indexed {
        inode.flags |= iflags::INDEX;
    }
    describe_content(inode, &placed.map);
}

fn describe_file(
    inode: &mut Inode,
    content: &Content,
    seed: u32,
    space: &mut Space<'_>,
) -> Result<(), WriteError> {
    inode.size = content.size;
    let runs = space.take_content(content)?;
    let map = Map::of(&runs, seed, space)?;
    describe_content(inode, &map);
    Ok(())
}

fn describe_content(inode: &mut Inode, map: &Map) {
    inode.flags |= iflags::EXTENTS;
    inode.block = map.root;
    inode.blocks += map.blocks * SECTORS;
}

/// Returns where in an inode a device's numbers stand, and how: the old way if they are small.
fn device(major: u32, minor: u32) -> (usize, u32) {
    if major < 256 && minor < 256 {
        (0, major << 8 | minor)
    } else {
        (4, minor & 0xff | major << 8 | (minor & !0xff) << 12)
    }
}

fn short(number: u32) -> u16 {
    number.try_into().unwrap_or(u16::MAX)
}
