//! The header: what a file says about itself, checked.

use std::fmt::Display;

use super::SECTOR;
use crate::format::ReadError;
use crate::input::ReadAt;

/// The first bytes of every file.
pub(super) const MAGIC: [u8; 4] = *b"KDMV";
/// The length of a header in bytes.
const LEN: usize = 512;
/// Entries of a grain table.
pub(super) const ENTRIES: u64 = 512;
/// What the header says of a directory that only the footer can place.
pub(super) const AT_END: u64 = u64::MAX;
/// The bytes that an editor or a transfer which converts newlines changes.
const NEWLINES: [u8; 4] = *b"\n \r\n";
/// The longest descriptor that is read, in sectors.
const DESCRIPTOR_MAX: u64 = 128;

/// Flag bit 0: the header has newlines to be checked.
const HAS_NEWLINES: u32 = 1;
/// Flag bit 2: an entry of 1 is a grain of zeros.
const HAS_ZERO_GRAINS: u32 = 1 << 2;
/// Flag bit 16: grains are compressed.
const IS_COMPRESSED: u32 = 1 << 16;
/// Flag bit 17: markers stand before grains and tables.
const HAS_MARKERS: u32 = 1 << 17;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    flags: u32,
    /// The size of the disk in sectors.
    pub(super) capacity: u64,
    /// The length of a grain in sectors.
    pub(super) grain: u64,
    /// Where the descriptor is, and how many sectors it has.
    pub(super) descriptor: (u64, u64),
    /// Where the grain directory is.
    pub(super) directory: u64,
}

impl Header {
    /// Returns the header of a stream-optimised disk.
    pub(super) fn stream(capacity: u64, grain: u64, descriptor: (u64, u64)) -> Self {
        let flags = HAS_NEWLINES | IS_COMPRESSED | HAS_MARKERS;
        Self { flags, capacity, grain, descriptor, directory: AT_END }
    }

    /// Returns the footer that says where the directory is.
    pub(super) fn footer(self, directory: u64) -> Self {
        Self { directory, ..self }
    }

    /// Returns the bytes of the header or footer.
    pub(super) fn encode(&self) -> [u8; LEN] {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend(MAGIC);
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.capacity.to_le_bytes());
        bytes.extend(self.grain.to_le_bytes());
        bytes.extend(self.descriptor.0.to_le_bytes());
        bytes.extend(self.descriptor.1.to_le_bytes());
        bytes.extend(512_u32.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes()); // no second directory
        bytes.extend(self.directory.to_le_bytes());
        bytes.extend(self.grain.to_le_bytes()); // the overhead, as long as a grain
        bytes.push(0); // closed properly
        bytes.extend(NEWLINES);
        bytes.extend(1_u16.to_le_bytes()); // deflate
        let mut header = [0; LEN];
        header[..bytes.len()].copy_from_slice(&bytes);
        header
    }

    /// Parses the header, or the footer where the header says so, and refuses what cannot be read.
    pub(super) fn parse(file: &dyn ReadAt) -> Result<Self, ReadError> {
        let header = Self::parse_at(file, 0)?;
        let header = if header.directory == AT_END {
            let Some(at) = file.len().checked_sub(2 * SECTOR).filter(|at| *at > 0) else {
                return Err(malformed(56, "a directory's place or a footer", "neither"));
            };
            let footer = Self::parse_at(file, at)?;
            if header.footer(footer.directory) != footer {
                return Err(malformed(at, "what the header says but for the directory", "else"));
            }
            footer
        } else {
            header
        };
        let len = header.tables().checked_mul(4);
        let start = header.directory.checked_mul(SECTOR);
        let end = start.zip(len).and_then(|(start, len)| start.checked_add(len));
        if header.directory == 0 || end.is_none_or(|end| end > file.len()) {
            return Err(malformed(56, "a directory within the file", header.directory));
        }
        Ok(header)
    }

    fn parse_at(file: &dyn ReadAt, at: u64) -> Result<Self, ReadError> {
        let mut bytes = [0; LEN];
        file.read_exact_at(at, &mut bytes)?;
        let u32 = |at: usize| u32_at(&bytes, at);
        let u64 = |at: usize| u64::from(u32(at)) | u64::from(u32(at + 4)) << 32;
        if bytes[..4] != MAGIC {
            return Err(malformed(at, "KDMV", format_args!("{:02x?}", &bytes[..4])));
        }
        if !(1..=3).contains(&u32(4)) {
            return Err(malformed(at + 4, "version 1 to 3", u32(4)));
        }
        let header = Self {
            flags: u32(8),
            capacity: u64(12),
            grain: u64(20),
            descriptor: (u64(28), u64(36)),
            directory: u64(56),
        };
        if header.flags & HAS_NEWLINES != 0 && bytes[73..77] != NEWLINES {
            return Err(malformed(at + 73, "newlines as they were written", "others"));
        }
        if header.is_compressed() && (header.flags & HAS_MARKERS == 0 || bytes[77..79] != [1, 0]) {
            return Err(malformed(at + 8, "deflate and markers for compressed grains", u32(8)));
        }
        if header.capacity > 1 << 40 {
            return Err(malformed(at + 12, "at most 2^40 sectors", header.capacity));
        }
        if !header.grain.is_power_of_two() || !(8..=4096).contains(&header.grain) {
            return Err(malformed(at + 20, "grains of 8 to 4096 sectors", header.grain));
        }
        let (place, len) = header.descriptor;
        if place == 0 || !(1..=DESCRIPTOR_MAX).contains(&len) {
            let expected = "a descriptor of 1 to 128 sectors, not one in another file";
            return Err(malformed(at + 28, expected, format_args!("{len} at {place}")));
        }
        if u64::from(u32(44)) != ENTRIES {
            return Err(malformed(at + 44, "512 entries of a grain table", u32(44)));
        }
        Ok(header)
    }

    /// Returns whether grains are compressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.flags & IS_COMPRESSED != 0
    }

    /// Returns whether an entry of a grain table says that its grain is zeros.
    pub(super) fn is_zeros(&self, entry: u32) -> bool {
        entry == 0 || (entry == 1 && self.flags & HAS_ZERO_GRAINS != 0)
    }

    /// Returns the length of a grain in bytes.
    pub(super) fn grain_len(&self) -> u64 {
        self.grain * SECTOR
    }

    /// Returns how many grain tables the directory lists.
    pub(super) fn tables(&self) -> u64 {
        self.capacity.div_ceil(self.grain * ENTRIES)
    }
}

/// Returns the number at a place, which lies within the bytes.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn malformed(offset: u64, expected: impl Into<String>, found: impl Display) -> ReadError {
    ReadError::malformed("VMDK header", offset, expected, found.to_string())
}
