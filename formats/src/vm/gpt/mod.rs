//! The GUID partition table (UEFI 2.10, chapter 5).
//!
//! The disk is cut into sectors of 512 bytes; all numbers are little-endian. What is written:
//!
//! ```text
//! sector 0     protective MBR, for programs that know no other table (section 5.2.3):
//!              0  boot code, 440 bytes        446 record: type 0xee, from sector 1, all of the disk
//!              510  55 aa
//! 1            header, 92 bytes (section 5.3.2):
//!              0  "EFI PART"                  8  revision 0x10000      12  92
//!              16 CRC-32 of the header        24 its own sector        32 the other header's
//!              40 first usable sector 34      48 last usable sector    56 GUID of the disk
//!              72 first sector of the entries 80 128 entries           84 of 128 bytes
//!              88 CRC-32 of the entries
//! 2 .. 34      entries (section 5.3.3):
//!              0  GUID of the type            16 GUID of the partition
//!              32 first sector                40 last sector           48 attributes
//!              56 name, 36 units of UTF-16
//! 34 ..        the partitions
//! last 33      the entries once more, then a second header
//! ```
//!
//! The reader takes tables of any number of entries that fit into 1 MiB. It reads the first header
//! alone, as firmware does while that one is intact; [`check`] compares it with the second.

mod check;
mod header;
pub mod kinds;
mod model;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use check::check;
pub use model::{Partition, Table, attributes};
pub use read::{is_at, read};
pub use write::write;

/// The length of a sector in bytes.
const SECTOR: u64 = 512;
/// The bytes of a sector.
type Sector = [u8; 512];
/// The entries that are written.
const ENTRIES: u16 = 128;
/// The length of an entry as written, and the least that it can be.
const ENTRY: u16 = 128;
/// The bytes of the entries as written.
const ENTRIES_LEN: usize = ENTRIES as usize * ENTRY as usize;
/// The sectors of the entries as written.
const ENTRY_SECTORS: u64 = 32;
/// The first sector behind the table at the start of the disk.
const FIRST_USABLE: u64 = 2 + ENTRY_SECTORS;
/// The sectors of the table at the end of the disk.
const BACKUP_SECTORS: u64 = ENTRY_SECTORS + 1;
