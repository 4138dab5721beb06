//! The footer: what an image says about itself, checked.

use super::{Identity, Kind, SECTOR};
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::vm::Guid;

/// The first bytes of a footer.
pub(super) const COOKIE: [u8; 8] = *b"conectix";
/// The length of a footer in bytes.
pub(super) const LEN: usize = 512;
/// Where a fixed image says that there is no header.
const NONE: u64 = u64::MAX;
/// Version 1.0 of the format.
pub(super) const VERSION: u32 = 0x0001_0000;
/// Seconds from 1970 to 2000.
const YEAR_2000: u32 = 946_684_800;
/// The bit that is always set in the features.
const FEATURES: u32 = 2;
const CREATOR: [u8; 4] = *b"win ";
const CREATOR_VERSION: u32 = 0x000a_0000;
const CREATOR_HOST: [u8; 4] = *b"Wi2k";
/// Where the checksum stands.
pub(super) const CHECKSUM: usize = 64;

/// What the footer says that matters to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) kind: Kind,
    /// Where the header of a dynamic image is.
    pub(super) header: u64,
    /// The size of the disk in bytes.
    pub(super) size: u64,
}

impl Footer {
    /// Returns the footer's bytes.
    pub(super) fn encode(&self, identity: &Identity) -> [u8; LEN] {
        let (header, kind) = match self.kind {
            Kind::Fixed => (NONE, 2_u32),
            Kind::Dynamic => (self.header, 3),
        };
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend(COOKIE);
        bytes.extend(FEATURES.to_be_bytes());
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend(header.to_be_bytes());
        bytes.extend(identity.created.0.saturating_sub(YEAR_2000).to_be_bytes());
        bytes.extend(CREATOR);
        bytes.extend(CREATOR_VERSION.to_be_bytes());
        bytes.extend(CREATOR_HOST);
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(geometry(self.size));
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0; 4]);
        let Guid(id) = identity.id;
        bytes.extend(id);
        let mut footer = [0; LEN];
        footer[..bytes.len()].copy_from_slice(&bytes);
        let sum = checksum(&footer, CHECKSUM);
        footer[CHECKSUM..CHECKSUM + 4].copy_from_slice(&sum.to_be_bytes());
        footer
    }

    /// Parses the footer at the end of a file and refuses what cannot be read from this one file.
    pub(super) fn parse(file: &dyn ReadAt) -> Result<Self, ReadError> {
        let Some(at) = file.len().checked_sub(SECTOR) else {
            let found = format!("{} bytes", file.len());
            return Err(ReadError::malformed("VHD file", 0, "a footer of 512 bytes", found));
        };
        let mut bytes = [0; LEN];
        file.read_exact_at(at, &mut bytes)?;
        let malformed = |field: u64, expected: &str, found: String| {
            Err(ReadError::malformed("VHD footer", at + field, expected, found))
        };
        if bytes[..8] != COOKIE {
            return malformed(0, "conectix", bytes[..8].escape_ascii().to_string());
        }
        let (stored, sum) = (u32_at(&bytes, CHECKSUM), checksum(&bytes, CHECKSUM));
        if stored != sum {
            return malformed(64, &format!("the checksum {sum:#x}"), format!("{stored:#x}"));
        }
        let version = u32_at(&bytes, 12);
        if version != VERSION {
            return malformed(12, "version 0x10000", format!("{version:#x}"));
        }
        let kind = match u32_at(&bytes, 60) {
            2 => Kind::Fixed,
            3 => Kind::Dynamic,
            4 => return malformed(60, "an image without a parent", "a differencing one".into()),
            other => return malformed(60, "type 2 or 3", other.to_string()),
        };
        let size = u64_at(&bytes, 48);
        if !size.is_multiple_of(SECTOR) {
            return malformed(48, "a size in whole sectors of 512 bytes", size.to_string());
        }
        if kind == Kind::Fixed && size > at {
            return malformed(
                48,
                &format!("at most the {at} bytes that are there"),
                size.to_string(),
            );
        }
        Ok(Self { kind, header: u64_at(&bytes, 16), size })
    }
}

/// Returns cylinders, heads and sectors of a track for a size (appendix "CHS Calculation").
///
/// They multiply to the size or a little less, at most to 127 GiB.
fn geometry(size: u64) -> [u8; 4] {
    let sectors = (size / SECTOR).min(65_535 * 16 * 255);
    let (cylinders, heads, per_track) = if sectors >= 65_535 * 16 * 63 {
        (sectors / 255 / 16, 16, 255)
    } else {
        small_geometry(sectors)
    };
    let [.., high, low] = cylinders.to_be_bytes();
    let [.., heads] = heads.to_be_bytes();
    let [.., per_track] = per_track.to_be_bytes();
    [high, low, heads, per_track]
}

/// Takes as few sectors of a track, of 17, 31 and 63, as 1024 cylinders of 16 heads allow.
fn small_geometry(sectors: u64) -> (u64, u64, u64) {
    let tracks = sectors / 17;
    let heads = tracks.div_ceil(1024).max(4);
    if tracks < heads * 1024 && heads <= 16 {
        return (tracks / heads, heads, 17);
    }
    let tracks = sectors / 31;
    if tracks < 16 * 1024 {
        return (tracks / 16, 16, 31);
    }
    (sectors / 63 / 16, 16, 63)
}

/// Returns the one's complement of the sum of all bytes but the four at `skipped`.
pub(super) fn checksum(bytes: &[u8], skipped: usize) -> u32 {
    let places = bytes.iter().enumerate();
    let counted = places.filter(|(at, _)| !(skipped..skipped + 4).contains(at));
    !counted.fold(0_u32, |sum, (_, byte)| sum.wrapping_add(u32::from(*byte)))
}

/// Returns the number at a place, which lies within the bytes.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Returns the number at a place, which lies within the bytes.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) << 32 | u64::from(u32_at(bytes, at + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_follows_the_appendix() {
        let mib = 1 << 20;
        // Computed by hand from the appendix; the limits of each branch.
        let cases: [(u64, (u16, u8, u8)); 7] = [
            (mib, (30, 4, 17)),
            (35 * mib, (843, 5, 17)),
            (135 * mib, (1016, 16, 17)),
            (137 * mib, (565, 16, 31)),
            (300 * mib, (609, 16, 63)),
            (40 << 30, (20_560, 16, 255)),
            (1 << 40, (65_535, 16, 255)),
        ];
        for (size, (cylinders, heads, sectors)) in cases {
            let [high, low] = cylinders.to_be_bytes();
            assert_eq!(geometry(size), [high, low, heads, sectors], "{size}");
        }
    }
}
