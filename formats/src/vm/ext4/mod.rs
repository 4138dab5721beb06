//! The file system of a disk, behind a trait of our own.
//!
//! The only writer is an adapter around the `mkext4` crate, chosen because it decides every
//! metadata byte from declared names and sizes before any content exists, which is what a rope
//! needs; because UUID, hash seed and times are arguments and it has neither clock nor random
//! numbers; and because it writes what e2fsck calls clean and both the kernel and resize2fs grow.
//! mke2fs itself copies access times of the host and differs between its versions. The crate keeps
//! its bytes stable within one version only, so it is pinned, and [`REVISION`] is raised with it.
//!
//! The crate's reader parses single structures here; walking them is done by our own code, which
//! has limits.

mod check;
mod extents;
mod image;
mod inodes;
mod regions;
mod size;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::model::DiskSize;
use crate::digest::Digest;
use crate::format::{Epoch, WriteError};
use crate::rope::Rope;
use crate::tree::FileTree;

pub(super) use image::Image;
pub(super) use size::NEEDED;
pub use write::Ext4;

/// Raised whenever an equal tree would give different bytes: this is mkext4 0.0.3.
pub const REVISION: u32 = 1;

/// The size of a block, the unit of everything, in bytes.
const BLOCK: u64 = 4096;

/// Writes a file system whose root is a tree.
pub trait FileSystemWriter {
    /// Describes the bytes of a file system; contents are extents of blobs and are not read.
    fn write(&self, tree: &FileTree, volume: &Volume<'_>) -> Result<Rope, WriteError>;
}

/// What a file system is made from besides its tree.
#[derive(Debug, Clone)]
pub struct Volume<'a> {
    /// The format's name, for errors.
    pub format: &'static str,
    /// How long the rope shall be.
    pub size: DiskSize,
    /// What makes it differ from others.
    pub identity: Identity,
    /// The label, at most 16 bytes.
    pub label: Option<&'a str>,
    /// The time of everything.
    pub epoch: Epoch,
    /// Contents that no blob store holds; they become inline extents.
    pub inline: BTreeMap<Digest, Vec<u8>>,
}

/// What makes a file system differ from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The UUID, as its bytes are printed.
    pub uuid: [u8; 16],
    /// The seed of the hash that orders large directories.
    pub hash_seed: [u8; 16],
}
