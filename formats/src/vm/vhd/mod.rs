//! The VHD image format (Microsoft, Virtual Hard Disk Image Format Specification 1.0).
//!
//! A fixed image is the disk and a footer. A dynamic image stores the blocks of 2 MiB that hold
//! anything. All numbers are big-endian. What is written:
//!
//! ```text
//! fixed:    ├ the disk ┄┄┼ footer, 512 ┤
//! dynamic:  ├ footer, 512 ┼ header, 1024 ┼ block allocation table ┼ blocks ┄┄┼ footer, 512 ┤
//!
//! footer   0 "conectix"    8 features 2      12 version 1.0     16 header's offset, or all ones
//!         24 seconds since 2000              28 creator "win "  32 its version 10.0
//!         36 its host "Wi2k"                 40 size            48 size
//!         56 cylinders, heads, sectors of a track               60 type 2 fixed, 3 dynamic
//!         64 checksum      68 unique id      84 saved state 0   then zeros
//! header   0 "cxsparse"    8 all ones        16 table's offset  24 version 1.0
//!         28 entries       32 block size     36 checksum        then zeros: no parent
//! table    for each block of the disk its sector in the file, or all ones; filled up with ones
//! block    a bit for each of its sectors, always 1; then its bytes
//! ```
//!
//! A checksum is the one's complement of the sum of all bytes besides itself.
//!
//! The creator matters: for others than Windows and a few more, QEMU takes the size that cylinders,
//! heads and sectors multiply to, which is smaller and cuts off the end of the disk. Azure takes
//! fixed images of whole MiB only, see [`round`].

mod check;
mod dynamic;
mod footer;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use check::check;
pub use read::VhdReader;
pub use write::write;

use super::Guid;
use crate::format::Epoch;

/// The length of a sector in bytes.
const SECTOR: u64 = 512;

/// Which of the two an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All of the disk is there.
    Fixed,
    /// Blocks that are wholly holes are not.
    Dynamic,
}

/// What makes one image differ from another besides its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The unique id.
    pub id: Guid,
    /// When it was made; the format has no time before 2000, which stands for all that are earlier.
    pub created: Epoch,
}

/// Returns the size that a disk of this size must be filled up to for Azure: whole MiB.
pub fn round(size: u64) -> u64 {
    size.next_multiple_of(1 << 20)
}
