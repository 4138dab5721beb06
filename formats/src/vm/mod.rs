//! Disk images for virtual machines: a file system that holds the tree, raw or as qcow2.
//!
//! A disk is one ext4 file system without a partition table; its root is the tree. Blocks are 4096
//! bytes, block groups 128 MiB; one flexible group gathers the metadata of 16 of them:
//!
//! ```text
//! 0            1024          4096
//! ├ zeros ─────┼ superblock ─┼ group descriptors, 32 bytes each ┄
//! ┄ block bitmaps ┄ inode bitmaps ┄ inode tables, 256 bytes an inode ┄
//! ┄ journal: its superblock, then zeros ┄ directories, attribute blocks, long link targets ┄
//! ┄ file contents in the order of the tree, each from a block of its own ┄ zeros ┤
//! ```
//!
//! (Kernel documentation, "ext4 Data Structures and Algorithms".) Every metadata byte follows from
//! the sizes of the files, so the image is a rope whose file contents are extents of blobs.
//!
//! Besides the tree and `/lost+found` the image holds one file, `/.bake/tree.json`, which says what
//! a file system has no field for: the tree's identity, the model, and the names of the accounts
//! whose numbers the inodes have. Both paths are reserved; a tree that has one of them is refused.
//! All times are the epoch. The UUID and the seed of the directory hash are derived from the tree
//! and the model.
//!
//! What ext4 as written here cannot carry, and what is therefore refused: names and link targets
//! that are not UTF-8, attributes outside of `user.`, `trusted.` and `security.` (ext4 keeps access
//! control lists in a form of its own), attributes of more than about 4 KiB, files with more than
//! 65 000 names, and two accounts that share a name or a number.
//!
//! [`qcow2`] draws the other container.

mod guid;

pub mod ext4;

pub mod qcow2;

mod record;

mod model;

mod write;

mod read;

mod verify;

pub use guid::Guid;
pub use model::{Disk, DiskSize};

use crate::format::{Artifact, Format, Problem, ReadError, Unpacked, WriteCx, WriteError};
use crate::input::Source;
use crate::tree::FileTree;

#[cfg(test)]
mod tests;

/// A raw disk image: byte n of the file is byte n of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw;

impl Format for Raw {
    type Model = Disk;
    const NAME: &'static str = "raw";
    /// The high bits are the file system writer's revision.
    const REVISION: u32 = ext4::REVISION << 8 | 1;

    fn file_name(model: &Disk) -> String {
        model.file_name(Self::NAME)
    }

    fn write(model: &Disk, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        Ok(Artifact::file(Self::NAME, write::raw(Self::NAME, model, tree, cx.epoch)?))
    }

    fn read(source: &Source) -> Result<Unpacked<Disk>, ReadError> {
        read::unpack(source)
    }

    fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
        verify::verify(source, read::Container::Raw)
    }
}

/// A disk image in QEMU's own format, in which only what is used takes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Qcow2;

impl Format for Qcow2 {
    type Model = Disk;
    const NAME: &'static str = "qcow2";
    /// The high bits are the file system writer's revision.
    const REVISION: u32 = ext4::REVISION << 8 | 1;

    fn file_name(model: &Disk) -> String {
        model.file_name(Self::NAME)
    }

    fn write(model: &Disk, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        let raw = write::raw(Self::NAME, model, tree, cx.epoch)?;
        Ok(Artifact::file(Self::NAME, qcow2::write(&raw)?))
    }

    fn read(source: &Source) -> Result<Unpacked<Disk>, ReadError> {
        read::unpack(source)
    }

    fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
        verify::verify(source, read::Container::Qcow2)
    }
}
