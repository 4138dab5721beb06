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
//! Compressed clusters follow the others, one after another without padding; a cluster of the file
//! that holds some is used as often as they touch it. What else is said of them and of overlays:
//!
//! ```text
//! L1, L2 entry   63 used once   62 compressed   0 reads as zeros   9-55 offset in the file
//! compressed     63 never   62 always   54-61 sectors besides the first   0-53 offset
//! zstd           72 bit 3 of the incompatible features   104 compression type 1, so that the
//!                header is 112 bytes long
//! overlay        8, 16 place and length of the backing file's name; after the header an
//!                extension e2 79 2a ca with its format, the end mark, the name
//! ```
//!
//! An overlay holds ranges of a disk and names the file that has the rest. Its clusters of zeros
//! have entries, because the other file may have other bytes there.
//!
//! The reader takes versions 2 and 3 with any cluster size, and clusters compressed with zlib or
//! zstd; it refuses encryption, external data files and features it does not know. It says what an
//! overlay lies on and never opens it.

mod backing;
mod check;
mod header;
mod layout;
mod map;
mod read;
mod write;

#[cfg(test)]
mod overlay_tests;
#[cfg(test)]
mod tests;

pub use backing::{Backing, BackingError, BackingFormat};
pub use check::check;
pub use header::Method;
pub use map::{Mapped, Place};
pub use read::Qcow2Reader;
pub use write::{Compression, write, write_compressed, write_overlay};

/// Where a table or a standard cluster is: bits 9 to 55 of an entry.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// What an L1 or L2 entry says if its cluster's refcount is 1.
const COPIED: u64 = 1 << 63;
/// What an L2 entry says of a compressed cluster.
const COMPRESSED: u64 = 1 << 62;
/// What an L2 entry says of a cluster that reads as zeros.
const ZERO: u64 = 1;
/// The most bytes of L2 tables that are read at once: those of a disk of 8 TiB.
const TABLES_MAX: u64 = 1 << 30;
