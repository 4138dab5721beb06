//! The VHDX image format (Microsoft, [MS-VHDX], version 1).
//!
//! A file is cut into MiB. All numbers are little-endian. What is written:
//!
//! ```text
//! KiB    0  file type identifier: "vhdxfile", the creator in UTF-16
//! KiB   64  header: "head", checksum, sequence number 1, identities, no log entries
//! KiB  128  header: the same with sequence number 2, the current one
//! KiB  192  region table: "regi", checksum, where the block allocation table and the metadata are
//! KiB  256  region table again
//! MiB    1  log, empty
//! MiB    2  metadata: a table of 64 KiB, then the items: block size, disk size, disk identity,
//!           sector sizes 512 (logical) and 4096 (physical)
//! MiB    3  block allocation table, 8 bytes an entry: the MiB in the file where the block is,
//!           and in the low bits its state, 6 if it is there and 0 if it reads as zeros
//! then      the blocks of 2 MiB that hold anything, in the disk's order
//! ```
//!
//! In the table one entry of a bitmap, always 0 here, follows the entries of each chunk: of as many
//! blocks as 2^23 logical sectors make, which is 2048. A checksum is CRC-32C over the structure with
//! zeros in its place.
//!
//! The reader takes images without a parent whose log is empty: one that was not closed has changes
//! in its log, which only a writer may apply.

mod check;
mod crc32c;
mod header;
mod metadata;
mod read;
mod region;
mod table;
mod write;

#[cfg(test)]
mod tests;

pub use check::check;
pub use read::VhdxReader;
pub use write::write;

use super::Guid;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// What makes one image differ from another besides its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Changes whenever the file does.
    pub file_write: Guid,
    /// Changes whenever the disk's contents do.
    pub data_write: Guid,
    /// What the guest sees as the disk's identity (SCSI page 0x83).
    pub disk: Guid,
}

/// Returns the number at a place, which lies within the bytes.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

/// Returns the number at a place, which lies within the bytes.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Returns the number at a place, which lies within the bytes.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Returns the GUID at a place, which lies within the bytes.
fn guid_at(bytes: &[u8], at: usize) -> Guid {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
    Guid::from_stored(bytes.copied().unwrap_or_default())
}
