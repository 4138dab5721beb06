//! The metadata: what the disk is.

use super::region::Region;
use super::{KIB, MIB, guid_at, u16_at, u32_at};
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::vm::Guid;

const SIGNATURE: [u8; 8] = *b"metadata";
/// The length of the table in bytes; the items follow it.
const TABLE: usize = 64 << 10;
/// The most entries of the table.
const ENTRIES_MAX: u16 = 2047;
/// The largest disk that the format allows.
pub(super) const SIZE_MAX: u64 = 64 << 40;

/// What makes a reader refuse an item that it does not know.
const REQUIRED: u32 = 4;
/// What says that an item is about the disk and not about the file.
const VIRTUAL_DISK: u32 = 2;
/// What the file parameters say of an image that has a parent.
const HAS_PARENT: u32 = 2;

const FILE_PARAMETERS: Guid = Guid::from_u128(0xcaa1_6737_fa36_4d43_b3b6_33f0_aa44_e76b);
const DISK_SIZE: Guid = Guid::from_u128(0x2fa5_4224_cd1b_4876_b211_5dbe_d83b_f4b8);
const DISK_ID: Guid = Guid::from_u128(0xbeca_12ab_b2e6_4523_93ef_c309_e000_c746);
const LOGICAL_SECTOR: Guid = Guid::from_u128(0x8141_bf1d_a96f_4709_ba47_f233_a8fa_ab5f);
const PHYSICAL_SECTOR: Guid = Guid::from_u128(0xcda3_48c7_445d_4471_9cc9_e988_5251_c556);

/// What the metadata says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Metadata {
    /// How many bytes of the disk a block holds: 1 to 256 MiB.
    pub(super) block: u32,
    /// The size of the disk in bytes.
    pub(super) size: u64,
    /// The disk's identity.
    pub(super) disk: Guid,
    /// The length of a logical sector: 512 or 4096 bytes.
    pub(super) sector: u32,
}

impl Metadata {
    /// Returns the bytes of the table and the items.
    pub(super) fn encode(&self) -> Vec<u8> {
        let items: [(Guid, u32, Vec<u8>); 5] = [
            (FILE_PARAMETERS, REQUIRED, u64::from(self.block).to_le_bytes().to_vec()),
            (DISK_SIZE, REQUIRED | VIRTUAL_DISK, self.size.to_le_bytes().to_vec()),
            (DISK_ID, REQUIRED | VIRTUAL_DISK, self.disk.to_stored().to_vec()),
            (LOGICAL_SECTOR, REQUIRED | VIRTUAL_DISK, self.sector.to_le_bytes().to_vec()),
            (PHYSICAL_SECTOR, REQUIRED | VIRTUAL_DISK, 4096_u32.to_le_bytes().to_vec()),
        ];
        let mut table = SIGNATURE.to_vec();
        table.extend([0; 2]);
        table.extend(5_u16.to_le_bytes());
        table.extend([0; 20]);
        let mut contents = Vec::new();
        for ((guid, flags, bytes), at) in items.into_iter().zip((64_u32 << 10..).step_by(16)) {
            table.extend(guid.to_stored());
            table.extend(at.to_le_bytes());
            table.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
            table.extend(flags.to_le_bytes());
            table.extend([0; 4]);
            contents.extend(&bytes);
            contents.resize(contents.len().next_multiple_of(16), 0);
        }
        table.resize(TABLE, 0);
        table.extend(contents);
        table
    }

    /// Parses the metadata and refuses what cannot be read from this one file.
    pub(super) fn parse(file: &dyn ReadAt, region: Region) -> Result<Self, ReadError> {
        let items = Items::parse(file, region)?;
        let (at, bytes) = items.find::<8>(FILE_PARAMETERS)?;
        let (block, flags) = (u32_at(&bytes, 0), u32_at(&bytes, 4));
        if flags & HAS_PARENT != 0 {
            return Err(malformed(at + 4, "an image without a parent", "a differencing one"));
        }
        if !block.is_power_of_two() || !(MIB..=256 * MIB).contains(&block.into()) {
            let expected = "blocks of a power of two from 1 to 256 MiB";
            return Err(malformed(at, expected, block.to_string()));
        }
        let (at, bytes) = items.find(LOGICAL_SECTOR)?;
        let sector = u32::from_le_bytes(bytes);
        if sector != 512 && sector != 4096 {
            return Err(malformed(at, "logical sectors of 512 or 4096 bytes", sector.to_string()));
        }
        let (at, bytes) = items.find(DISK_SIZE)?;
        let size = u64::from_le_bytes(bytes);
        if size > SIZE_MAX || !size.is_multiple_of(sector.into()) {
            let expected = "a size in whole sectors, at most 64 TiB";
            return Err(malformed(at, expected, size.to_string()));
        }
        let (_, disk) = items.find(DISK_ID)?;
        let (at, bytes) = items.find(PHYSICAL_SECTOR)?;
        let physical = u32::from_le_bytes(bytes);
        if physical != 512 && physical != 4096 {
            return Err(malformed(
                at,
                "physical sectors of 512 or 4096 bytes",
                physical.to_string(),
            ));
        }
        items.expect_known()?;
        Ok(Self { block, size, disk: Guid::from_stored(disk), sector })
    }

    /// Returns how many blocks make a chunk, behind whose entries the entry of a bitmap stands.
    pub(super) fn chunk(&self) -> u64 {
        (u64::from(self.sector) << 23) / u64::from(self.block)
    }

    /// Returns how many blocks the disk has.
    pub(super) fn blocks(&self) -> u64 {
        self.size.div_ceil(self.block.into())
    }

    /// Returns how many entries the block allocation table has at least.
    pub(super) fn entries(&self) -> u64 {
        let blocks = self.blocks();
        blocks + blocks.saturating_sub(1) / self.chunk()
    }
}

/// The table of the metadata.
struct Items<'a> {
    file: &'a dyn ReadAt,
    region: Region,
    table: Vec<u8>,
    count: usize,
}

impl<'a> Items<'a> {
    fn parse(file: &'a dyn ReadAt, region: Region) -> Result<Self, ReadError> {
        let mut table = vec![0; TABLE];
        file.read_exact_at(region.offset, &mut table)?;
        if table[..8] != SIGNATURE {
            let found = table[..8].escape_ascii().to_string();
            return Err(malformed(region.offset, "metadata", found));
        }
        let count = u16_at(&table, 10);
        if count > ENTRIES_MAX {
            return Err(malformed(region.offset + 10, "at most 2047 entries", count.to_string()));
        }
        Ok(Self { file, region, table, count: count.into() })
    }

    fn entries(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.table[32..].as_chunks::<32>().0.iter().take(self.count)
    }

    /// Returns where an item of a known length is, and its bytes.
    fn find<const N: usize>(&self, item: Guid) -> Result<(u64, [u8; N]), ReadError> {
        let mut found = self.entries().filter(|entry| guid_at(*entry, 0) == item);
        let (Some(entry), None) = (found.next(), found.next()) else {
            let expected = format!("the item {item} once");
            return Err(malformed(self.region.offset, expected, "none or several"));
        };
        let (offset, len) = (u64::from(u32_at(entry, 16)), u32_at(entry, 20));
        let inside = 64 * KIB..=u64::from(self.region.len).saturating_sub(N as u64);
        let at = self.region.offset + offset;
        if !inside.contains(&offset) || len as usize != N {
            let expected = format!("{N} bytes of the item {item} within the metadata");
            return Err(malformed(self.region.offset, expected, format!("{len} at {offset}")));
        }
        let mut bytes = [0; N];
        self.file.read_exact_at(at, &mut bytes)?;
        Ok((at, bytes))
    }

    /// Refuses items that a reader must know and this one does not.
    fn expect_known(&self) -> Result<(), ReadError> {
        let known = [FILE_PARAMETERS, DISK_SIZE, DISK_ID, LOGICAL_SECTOR, PHYSICAL_SECTOR];
        let mut entries = self.entries().map(|entry| (guid_at(entry, 0), u32_at(entry, 24)));
        let unknown = entries.find(|(item, flags)| flags & REQUIRED != 0 && !known.contains(item));
        match unknown {
            Some((item, _)) => {
                Err(malformed(self.region.offset, "known items only", item.to_string()))
            }
            None => Ok(()),
        }
    }
}

fn malformed(at: u64, expected: impl Into<String>, found: impl Into<String>) -> ReadError {
    ReadError::malformed("VHDX metadata", at, expected, found)
}
