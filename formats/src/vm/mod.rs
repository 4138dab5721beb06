//! Disk images for virtual machines, in the files that hypervisors and clouds take.
//!
//! A disk is one file system that holds the tree, or a machine that boots ([`machine`] draws it):
//!
//! ```text
//! model, tree ──write──► a rope of the disk ──container──► a rope of the file
//!                         │                                 raw, qcow2, vmdk, vhd, vhdx, …
//!                         └─ gpt, fat, ext4, erofs
//! ```
//!
//! One file system without a partition table is ext4. Blocks are 4096 bytes, block groups 128 MiB; one
//! flexible group gathers the metadata of 16 of them:
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
//! Besides the tree and `/lost+found` a file system holds one file, `/.bake/tree.json`, which says what
//! a file system has no field for: the tree's identity, the model, the names of the accounts whose
//! numbers the inodes have, and of a machine which paths are whose. Both paths are reserved; a tree
//! that has one of them is refused. All times are the epoch. Every identifier is derived from the tree
//! and the model.
//!
//! What ext4 as written here cannot carry, and what is therefore refused: names and link targets
//! that are not UTF-8, attributes outside of `user.`, `trusted.` and `security.` (ext4 keeps access
//! control lists in a form of its own), attributes of more than about 4 KiB, files with more than
//! 65 000 names, and two accounts that share a name or a number.

use crate::boot;

mod guid;

pub mod gpt;

pub mod fat;

pub mod seed;

pub(crate) mod walk;

pub mod ext4;

mod ext;

pub mod erofs;

pub mod verity;

mod blocks;

mod parts;

#[cfg(test)]
mod fixtures;

pub mod qcow2;

pub mod vmdk;

pub mod vhd;

pub mod vhdx;

mod bundle;

pub mod ova;

pub mod vagrant;

pub mod gce;

pub mod cloud;

pub mod machine;

mod volume;

mod install;

mod record;

mod model;

mod write;

mod read;

mod verify;

mod container;

pub mod anyones;

mod direct;

mod facts;

pub use container::{
    Container, DynamicVhd, Gce, LibvirtBox, Ova, Overlay, Qcow2, Raw, Vhd, Vhdx, VirtualBoxBox,
    Vmdk,
};
pub use direct::Direct;
pub use facts::Facts;
pub use guid::Guid;
pub use model::{Disk, DiskSize, Hardware};

#[cfg(test)]
mod tests;

/// Raised whenever an equal model and tree would give different bytes of the disk. The sum of
/// revisions that are only ever raised is one.
const REVISION: u32 = ext4::REVISION
    + erofs::REVISION
    + fat::REVISION
    + boot::bios::REVISION
    + boot::uki::REVISION
    + boot::initramfs::REVISION;
