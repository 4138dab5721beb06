//! The VMDK image format, hosted sparse extents (VMware, Virtual Disk Format 5.0).
//!
//! What is written is a stream-optimised disk, which can be sent before its end is known. The disk is
//! cut into grains of 64 KiB; a grain of zeros takes no room. Numbers are little-endian, places are
//! sectors of 512 bytes:
//!
//! ```text
//! sector 0    header:  0  "KDMV"        4  version 3    8  flags: newlines, compressed, markers
//!                     12  capacity     20  grain 128   28  descriptor's place 1, length 20
//!                     44  entries of a grain table 512  56  directory's place, here all ones
//!                     64  overhead 128  73  newlines    77  compression 1, deflate
//! sector 1    descriptor, text
//! sector 128  for each grain table of 32 MiB, if it has grains:
//!             grains:  0  first sector on the disk  8  bytes  12  a zlib stream, then zeros
//!             marker:  0  sectors that follow 4     12  type 1
//!             grain table, 512 entries of 4 bytes: the places of its grains, or 0
//! then        marker of type 2, grain directory: the places of the grain tables, or 0
//!             marker of type 3, footer: the header with the directory's place
//!             marker of type 0, the end of the stream, which is the end of the file
//! ```
//!
//! The descriptor calls the file `disk.vmdk` whatever its name is, which nobody looks at in a file
//! that holds its own descriptor, so that a name does not move a byte.
//!
//! The reader takes these and monolithic sparse disks; it refuses disks that need other files.

mod check;
mod descriptor;
mod header;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use check::check;
pub use read::VmdkReader;
pub use write::write;

/// The length of a sector in bytes.
const SECTOR: u64 = SECTOR_LEN as u64;
/// The same as the length of an array.
const SECTOR_LEN: usize = 512;

/// What a marker stands before, or that it stands at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    EndOfStream,
    GrainTable,
    GrainDirectory,
    Footer,
}

impl Marker {
    /// Returns the marker's bytes; `sectors` of metadata follow it.
    fn encode(self, sectors: u64) -> [u8; SECTOR_LEN] {
        let kind: u8 = match self {
            Self::EndOfStream => 0,
            Self::GrainTable => 1,
            Self::GrainDirectory => 2,
            Self::Footer => 3,
        };
        let mut marker = [0; SECTOR_LEN];
        marker[..8].copy_from_slice(&sectors.to_le_bytes());
        marker[12] = kind;
        marker
    }
}
