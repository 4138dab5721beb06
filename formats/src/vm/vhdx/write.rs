//! Writing: a rope of the disk becomes a rope of the file.

use super::header::{self, FILE_TYPE, Header};
use super::metadata::{Metadata, SIZE_MAX};
use super::region::{self, Region, Regions};
use super::table::{Block, ENTRY, index};
use super::{Identity, KIB, MIB};
use crate::format::WriteError;
use crate::rope::Rope;
use crate::vm::blocks::Blocks;

/// How many bytes of the disk a block holds: little, so that sparse disks stay small.
const BLOCK: u32 = 2 << 20;
/// The length of a logical sector in bytes.
const SECTOR: u32 = 512;
/// Who made the file.
const CREATOR: &str = "bake";

/// Describes a VHDX image of a disk whose size is a multiple of 512 bytes.
pub fn write(disk: &Rope, identity: &Identity) -> Result<Rope, WriteError> {
    let size = disk.len();
    if size == 0 || !size.is_multiple_of(SECTOR.into()) {
        let reason = format!("expected a multiple of 512 bytes, found {size}");
        return Err(WriteError::Field { format: "vhdx", field: "size".into(), reason });
    }
    if size > SIZE_MAX {
        let what = "the size of the disk in bytes".into();
        return Err(WriteError::Limit { format: "vhdx", what, limit: SIZE_MAX, found: size });
    }
    let metadata = Metadata { block: BLOCK, size, disk: identity.disk, sector: SECTOR };
    let table = (metadata.entries() * ENTRY).next_multiple_of(MIB);
    let regions = Regions {
        table: Region { offset: 3 * MIB, len: u32::try_from(table).unwrap_or(u32::MAX) },
        metadata: Region { offset: 2 * MIB, len: 1 << 20 },
    };
    let mut file = Rope::new();
    push_headers(&mut file, &regions, identity);
    file.push_zeros(MIB); // the log
    file.push_bytes(&metadata.encode());
    file.align(MIB);
    push_table(&mut file, disk, &metadata);
    file.align(MIB);
    for (_, block) in Blocks::of(disk, BLOCK.into()) {
        file.push_rope(&block);
    }
    Ok(file)
}

/// Pushes the first MiB.
fn push_headers(file: &mut Rope, regions: &Regions, identity: &Identity) {
    file.push_bytes(&FILE_TYPE);
    for unit in CREATOR.encode_utf16() {
        file.push_bytes(&unit.to_le_bytes());
    }
    for (at, sequence) in header::PLACES.into_iter().zip(1..) {
        file.push_zeros(at - file.len());
        file.push_bytes(&Header::encode(sequence, identity));
    }
    for at in region::PLACES {
        file.push_zeros(at - file.len());
        file.push_bytes(&regions.encode());
    }
    file.align(KIB * KIB);
}

fn push_table(file: &mut Rope, disk: &Rope, metadata: &Metadata) {
    let start = file.len();
    let entries = metadata.entries() * ENTRY;
    let mut place = (start + entries).next_multiple_of(MIB);
    for (block, _) in Blocks::of(disk, BLOCK.into()) {
        let at = start + index(block, metadata.chunk()) * ENTRY;
        file.push_zeros(at - file.len());
        file.push_bytes(&Block::entry(place).to_le_bytes());
        place += u64::from(BLOCK);
    }
    file.push_zeros(start + entries - file.len());
}
