//! The region table: where the block allocation table and the metadata are.

use super::{KIB, MIB, crc32c, guid_at, u32_at, u64_at};
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::vm::Guid;

const SIGNATURE: [u8; 4] = *b"regi";
/// The length of a table in bytes.
pub(super) const LEN: usize = 64 << 10;
/// Where the two tables are.
pub(super) const PLACES: [u64; 2] = [192 * KIB, 256 * KIB];
/// Where the checksum stands.
pub(super) const CHECKSUM: usize = 4;
/// The most entries of a table.
const ENTRIES_MAX: u32 = 2047;
/// The region of the block allocation table.
const TABLE: Guid = Guid::from_u128(0x2dc2_7766_f623_4200_9d64_115e_9bfd_4a08);
/// The region of the metadata.
const METADATA: Guid = Guid::from_u128(0x8b7c_a206_4790_4b9a_b8fe_575f_050f_886e);

/// A range of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) offset: u64,
    pub(super) len: u32,
}

/// The regions of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Regions {
    /// Where the block allocation table is.
    pub(super) table: Region,
    /// Where the metadata is.
    pub(super) metadata: Region,
}

impl Regions {
    /// Returns a table's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0; 4]);
        bytes.extend(2_u32.to_le_bytes());
        bytes.extend([0; 4]);
        for (guid, region) in [(TABLE, self.table), (METADATA, self.metadata)] {
            bytes.extend(guid.to_stored());
            bytes.extend(region.offset.to_le_bytes());
            bytes.extend(region.len.to_le_bytes());
            bytes.extend(1_u32.to_le_bytes()); // a reader must know it
        }
        bytes.resize(LEN, 0);
        let sum = crc32c::without(&bytes, CHECKSUM);
        bytes[CHECKSUM..CHECKSUM + 4].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Returns a table's bytes if it has its signature and checksum.
    pub(super) fn load(file: &dyn ReadAt, at: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let mut bytes = vec![0; LEN];
        file.read_exact_at(at, &mut bytes)?;
        let sum = crc32c::without(&bytes, CHECKSUM);
        let whole = bytes[..4] == SIGNATURE && u32_at(&bytes, CHECKSUM) == sum;
        Ok(whole.then_some(bytes))
    }

    /// Finds a table that is whole and in it both regions.
    pub(super) fn find(file: &dyn ReadAt) -> Result<Self, ReadError> {
        for at in PLACES {
            if let Some(bytes) = Self::load(file, at)? {
                return Self::parse(file, at, &bytes);
            }
        }
        let expected = "a table with its checksum, there or at 262144";
        Err(ReadError::malformed("VHDX region table", PLACES[0], expected, "none"))
    }

    fn parse(file: &dyn ReadAt, at: u64, bytes: &[u8]) -> Result<Self, ReadError> {
        let malformed = |field: u64, expected: &str, found: String| {
            ReadError::malformed("VHDX region table", at + field, expected, found)
        };
        let count = u32_at(bytes, 8);
        if count > ENTRIES_MAX {
            return Err(malformed(8, "at most 2047 entries", count.to_string()));
        }
        let (mut table, mut metadata) = (None, None);
        let entries = bytes[16..].as_chunks::<32>().0.iter().take(count as usize);
        for (place, entry) in (16_u64..).step_by(32).zip(entries) {
            let guid = guid_at(entry, 0);
            let region = Region { offset: u64_at(entry, 16), len: u32_at(entry, 24) };
            let slot = match guid {
                TABLE => &mut table,
                METADATA => &mut metadata,
                _ if u32_at(entry, 28) & 1 == 0 => continue,
                other => return Err(malformed(place, "a known region", other.to_string())),
            };
            if slot.is_some() {
                return Err(malformed(place, "each region once", guid.to_string()));
            }
            let end = region.offset.checked_add(region.len.into());
            let is_inside = region.offset >= MIB && end.is_some_and(|end| end <= file.len());
            if !is_inside
                || !region.offset.is_multiple_of(MIB)
                || !u64::from(region.len).is_multiple_of(MIB)
            {
                let found = format!("{} bytes at {}", region.len, region.offset);
                return Err(malformed(place, "a region of whole MiB within the file", found));
            }
            *slot = Some(region);
        }
        match (table, metadata) {
            (Some(table), Some(metadata)) => Ok(Self { table, metadata }),
            _ => Err(malformed(16, "a block allocation table and metadata", "not both".into())),
        }
    }
}
