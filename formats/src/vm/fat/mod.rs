//! The FAT file system, which every firmware reads (Microsoft, "FAT: General Overview of On-Disk
//! Format", version 1.03).
//!
//! A volume is cut into sectors of 512 bytes, and behind its tables into clusters of 1 to 64
//! sectors, the first of which has the number 2. All numbers are little-endian. What is written:
//!
//! ```text
//! sector 0      boot sector:
//!               0  jump                  11 bytes of a sector       13 sectors of a cluster
//!               14 reserved sectors      16 tables, 2               17 root entries, FAT12 and 16
//!               19 sectors, or 0         21 media 0xf8              22 sectors of a table, or 0
//!               28 hidden sectors        32 sectors
//!               FAT12 and FAT16:         36 drive, serial, label, "FAT12   " or "FAT16   "
//!               FAT32:                   36 sectors of a table      44 cluster of the root
//!                                        48 FSInfo's sector 1       50 the copy's sector 6
//!                                        64 drive, serial, label, "FAT32   "
//!               510 55 aa
//! 1             FSInfo, FAT32 only: how many clusters are free, and from where on
//! 6, 7          both once more, FAT32 only
//! reserved ..   two equal tables: for each cluster the next of its chain; 12, 16 or 32 bits
//! ┄             the root directory, FAT12 and FAT16 only
//! ┄             the clusters: directories in the order of the tree, then files in that order,
//!               each from a cluster of its own to the last without a gap; zeros
//! ```
//!
//! A directory is entries of 32 bytes. A name that is not eight upper-case characters and three
//! has a short form made up for it, and before its entry the long form in pieces of 13 units:
//!
//! ```text
//! 0  short name, 8 + 3            11 attributes        13 created: 1/100 s, time, date
//! 18 used: date                   20 cluster, high     22 written: time, date
//! 26 cluster, low                 28 size
//!
//! 0  number of the piece, 0x40 on the last, which comes first
//! 1  5 units of UTF-16            11 attributes 0x0f   13 checksum of the short name
//! 14 6 units                      28 2 units
//! ```
//!
//! Times are the epoch in UTC, which is what readers without a time zone take local time for.
//! Owners and modes have no place in FAT and are dropped. What it cannot carry is refused: links,
//! devices, attributes, files from 4 GiB on, names that differ only in case, and names that some
//! system would read as others.

mod allocate;
mod boot;
mod chain;
mod check;
mod directory;
mod entry;
mod geometry;
mod model;
mod name;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use model::{Kind, Volume, Written};
pub use read::{FatFile, FatReader};
pub use write::{needed, write};

/// Raised whenever an equal tree would give different bytes.
pub const REVISION: u32 = 1;

/// The length of a sector as written, in bytes.
const SECTOR: u64 = 512;
/// The bytes of a sector as written, and what is read of a larger one.
type Sector = [u8; 512];
/// The length of a directory's entry in bytes.
const ENTRY: usize = 32;
/// The most bytes of a directory.
const DIRECTORY_MAX: u64 = 2 << 20;
/// The number of the first cluster.
const FIRST_CLUSTER: u32 = 2;
