//! The qcow2 image format, version 3 (QEMU, docs/interop/qcow2.txt).
//!
//! The disk is cut into clusters of 64 KiB; a cluster of zeros takes no room. All numbers are
//! big-endian. What is written:
//!
//! ```text
//! cluster 0      header, 104 bytes:
//!                0  "QFI\xfb"        4  version 3         20 cluster bits 16
//!                24 size of disk     36 L1 entries        40 L1 offset
//!                48 refcounts offset 56 refcount clusters 96 refcount order 4
//!                then the end mark of the header extensions, 8 zero bytes
//! then           refcount table: where the refcount blocks are, 8 bytes each
//! then           refcount blocks: 16 bits for each cluster of the file, always 1
//! then           L1 table: where the L2 tables are, for 512 MiB of the disk each
//! then           L2 tables, only those that are not empty: where the disk's clusters are
//! then           the disk's clusters that are not zeros, in the disk's order
//! ```
//!
//! Bit 63 of an L1 or L2 entry says that its cluster is used once, which all are.
//!
//! The reader takes versions 2 and 3 with any cluster size, and clusters compressed with zlib or
//! zstd; it refuses images that need other files, encryption, or features it does not know.

mod check;
mod header;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub(super) use check::check;
pub use read::Qcow2Reader;
pub use write::write;

/// Where a table or a standard cluster is: bits 9 to 55 of an entry.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// What an L1 or L2 entry says if its cluster's refcount is 1.
const COPIED: u64 = 1 << 63;
/// What an L2 entry says of a compressed cluster.
const COMPRESSED: u64 = 1 << 62;
/// What an L2 entry says of a cluster that reads as zeros.
const ZERO: u64 = 1;
