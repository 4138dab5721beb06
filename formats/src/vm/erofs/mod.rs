//! EROFS, a file system that is only ever read: what it holds is laid out once and has no gaps.
//!
//! Blocks are 4096 bytes. An inode stands in slots of 32 bytes, and its number is that of its first
//! slot; behind it are its attributes and, where they fit into the same block, the last part of a
//! directory or all of a link's target:
//!
//! ```text
//! 0       1024          1152 = slot 36
//! ├ zeros ┼ superblock ─┼ inode, attributes, end of the root ┄ inode, attributes, … ┄ zeros ┤
//! ┄ directory blocks and link targets for which there was no room behind the inode ┄
//! ┄ file contents, each from a block of its own, equal ones once ┄ zeros to a whole block ┤
//! ```
//!
//! An inode takes one slot (compact) if its numbers fit into 16 bits and its size into 32, and two
//! (extended) otherwise:
//!
//! ```text
//!            0        2            4      6       8                                      32
//! compact    │ format │ attributes │ mode │ names │ size │ 0 │ block │ number │ uid gid │ 0 │
//! extended   │ format │ attributes │ mode │ 0     │ size     │ block │ number │ uid │ gid  │ …
//!            … time │ nanoseconds │ names │ 0 │
//!            32     40            44      48  64
//! ```
//!
//! (EROFS documentation, "Core on-disk format" and "Extended attributes"; Linux,
//! Documentation/filesystems/erofs.rst.) Everything follows from names and sizes, so the image is a
//! rope whose file contents are extents of blobs. Nothing is compressed.

mod attributes;
mod check;
mod directory;
mod fields;
mod image;
mod inode;
mod inodes;
mod layout;
mod namespace;
mod superblock;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use image::Image;
pub use write::Erofs;

/// Raised whenever an equal tree would give different bytes.
pub const REVISION: u32 = 1;

/// The size of a block that is written, in bytes.
const BLOCK: u64 = 4096;
/// What an inode's number counts, in bytes.
const SLOT: u64 = 32;
