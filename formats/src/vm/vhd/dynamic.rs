//! The header of a dynamic image: where its blocks are listed.

use super::SECTOR;
use super::footer::{Footer, VERSION, checksum, u32_at, u64_at};
use crate::format::ReadError;
use crate::input::ReadAt;

/// The first bytes of a header.
const COOKIE: [u8; 8] = *b"cxsparse";
/// The length of a header in bytes.
pub(super) const LEN: usize = 1024;
/// Where the checksum stands.
const CHECKSUM: usize = 36;
/// What the table says of a block that is not there.
pub(super) const UNUSED: u32 = u32::MAX;
/// The longest block that is read, in bytes.
const BLOCK_MAX: u32 = 256 << 20;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Where the block allocation table is.
    pub(super) table: u64,
    /// How many entries it has.
    pub(super) entries: u32,
    /// How many bytes of the disk a block holds.
    pub(super) block: u32,
}

impl Header {
    /// Returns the header's bytes.
    pub(super) fn encode(&self) -> [u8; LEN] {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend(COOKIE);
        bytes.extend(u64::MAX.to_be_bytes());
        bytes.extend(self.table.to_be_bytes());
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend(self.entries.to_be_bytes());
        bytes.extend(self.block.to_be_bytes());
        let mut header = [0; LEN];
        header[..bytes.len()].copy_from_slice(&bytes);
        let sum = checksum(&header, CHECKSUM);
        header[CHECKSUM..CHECKSUM + 4].copy_from_slice(&sum.to_be_bytes());
        header
    }

    /// Parses the header that a footer names.
    pub(super) fn parse(file: &dyn ReadAt, footer: &Footer) -> Result<Self, ReadError> {
        let at = footer.header;
        let mut bytes = [0; LEN];
        let end = at.checked_add(LEN as u64);
        if end.is_none_or(|end| end > file.len()) {
            let found = at.to_string();
            return Err(ReadError::malformed("VHD footer", 16, "a header within the file", found));
        }
        file.read_exact_at(at, &mut bytes)?;
        let malformed = |field: u64, expected: &str, found: String| {
            Err(ReadError::malformed("VHD dynamic disk header", at + field, expected, found))
        };
        if bytes[..8] != COOKIE {
            return malformed(0, "cxsparse", bytes[..8].escape_ascii().to_string());
        }
        let (stored, sum) = (u32_at(&bytes, CHECKSUM), checksum(&bytes, CHECKSUM));
        if stored != sum {
            return malformed(36, &format!("the checksum {sum:#x}"), format!("{stored:#x}"));
        }
        let version = u32_at(&bytes, 24);
        if version != VERSION {
            return malformed(24, "version 0x10000", format!("{version:#x}"));
        }
        let header = Self {
            table: u64_at(&bytes, 16),
            entries: u32_at(&bytes, 28),
            block: u32_at(&bytes, 32),
        };
        if !header.block.is_power_of_two() || !(512..=BLOCK_MAX).contains(&header.block) {
            let expected = "a power of two from 512 to 268435456";
            return malformed(32, expected, header.block.to_string());
        }
        let needed = footer.size.div_ceil(header.block.into());
        if u64::from(header.entries) < needed {
            return malformed(
                28,
                &format!("at least {needed} entries"),
                header.entries.to_string(),
            );
        }
        let end = header.table.checked_add(u64::from(header.entries) * 4);
        if end.is_none_or(|end| end > file.len()) {
            return malformed(16, "a table within the file", header.table.to_string());
        }
        Ok(header)
    }

    /// Returns how many bytes a block's bitmap takes: whole sectors.
    pub(super) fn bitmap(&self) -> u64 {
        (u64::from(self.block) / SECTOR).div_ceil(8).next_multiple_of(SECTOR)
    }
}
