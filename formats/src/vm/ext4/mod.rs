//! The file system of a disk, behind a trait of our own.
//!
//! Everything follows from names and sizes: a tree decides every byte that is no file's content before any content exists,
//! so that the image is a rope. There is no clock and no random number; UUID, seeds and times are arguments. What is written
//! is what e2fsck calls clean and both the kernel and resize2fs grow. (mke2fs copies access times of the host and differs
//! between its versions.) A tree that changes changes little of the image:
//!
//! - checksums do not depend on the UUID (`metadata_csum_seed`), nor does the order of names in large directories on the tree;
//! - directories and tables stand before all contents;
//! - contents begin at a multiple of 64 KiB now and then, where the content itself says so, so that what follows a file
//!   that grew lies in the clusters of a container as it did.
//!
//! The `mkext4` crate has the single structures, the checksums and the hash of names. Where everything goes is decided here,
//! and so is how far a reader follows what an image says.

mod attributes;
mod bitmap;
mod check;
mod directory;
mod extents;
mod groups;
mod image;
mod inodes;
mod layout;
mod map;
mod namespace;
mod own;
mod seeds;
mod size;
mod space;
mod superblock;
mod tables;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::model::DiskSize;
use crate::digest::Digest;
use crate::format::{Epoch, WriteError};
use crate::rope::Rope;
use crate::tree::{FileTree, TreePath};

pub(super) use image::Image;
pub(super) use size::NEEDED;
pub use write::Ext4;

/// Raised whenever an equal tree would give different bytes.
pub const REVISION: u32 = 2;

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
    /// The UUID, as its bytes are printed; it differs from tree to tree.
    pub uuid: [u8; 16],
    /// The seed of the hash that orders large directories, and of all checksums; one for all versions of a disk.
    pub hash_seed: [u8; 16],
}

/// Refuses more of something about an entry than there is room for.
fn limit(
    format: &'static str,
    what: &str,
    path: &TreePath,
    limit: u64,
    found: u64,
) -> Result<(), WriteError> {
    if found <= limit {
        return Ok(());
    }
    Err(WriteError::Limit { format, what: format!("{what} `{path}`"), limit, found })
}

/// Says what of an entry has no place in a file system, and why.
fn unsupported(format: &'static str, path: &TreePath, what: &str, reason: &str) -> WriteError {
    let (path, what, reason) = (path.clone(), what.into(), Some(reason.into()));
    WriteError::Unsupported { format, path, what, reason }
}
