//! Writing: a rope of the disk becomes a rope of the file.

use super::dynamic::{self, Header, UNUSED};
use super::footer::{self, Footer};
use super::{Identity, Kind, SECTOR};
use crate::format::WriteError;
use crate::rope::Rope;
use crate::vm::blocks::Blocks;

/// How many bytes of the disk a block holds.
const BLOCK: u64 = 2 << 20;
/// The largest disk that the format allows.
const SIZE_MAX: u64 = 2040 << 30;

/// Describes a VHD image of a disk whose size is a multiple of 512 bytes.
pub fn write(disk: &Rope, kind: Kind, identity: &Identity) -> Result<Rope, WriteError> {
    let size = disk.len();
    if !size.is_multiple_of(SECTOR) {
        let reason = format!("expected a multiple of 512 bytes, found {size}");
        return Err(WriteError::Field { format: "vhd", field: "size".into(), reason });
    }
    if size > SIZE_MAX {
        let what = "the size of the disk in bytes".into();
        return Err(WriteError::Limit { format: "vhd", what, limit: SIZE_MAX, found: size });
    }
    let footer = Footer { kind, header: footer::LEN as u64, size }.encode(identity);
    let mut file = Rope::new();
    match kind {
        Kind::Fixed => file.push_rope(disk),
        Kind::Dynamic => {
            file.push_bytes(&footer);
            push_blocks(&mut file, disk);
        }
    }
    file.push_bytes(&footer);
    Ok(file)
}

/// Pushes the header, the table and the blocks.
fn push_blocks(file: &mut Rope, disk: &Rope) {
    let entries = narrow(disk.len().div_ceil(BLOCK));
    let header = Header { table: file.len() + dynamic::LEN as u64, entries, block: narrow(BLOCK) };
    file.push_bytes(&header.encode());
    let table = u64::from(entries) * 4;
    let padded = table.next_multiple_of(SECTOR);
    let mut place = file.len() + padded;
    let mut next = 0;
    for (number, _) in Blocks::of(disk, BLOCK) {
        push_unused(file, number - next);
        file.push_bytes(&narrow(place / SECTOR).to_be_bytes());
        place += header.bitmap() + BLOCK;
        next = number + 1;
    }
    push_unused(file, padded / 4 - next);
    let bitmap = vec![0xff; usize::try_from(header.bitmap()).unwrap_or(usize::MAX)];
    for (_, block) in Blocks::of(disk, BLOCK) {
        file.push_bytes(&bitmap);
        file.push_rope(&block);
    }
}

fn push_unused(file: &mut Rope, entries: u64) {
    let entries = usize::try_from(entries).unwrap_or(usize::MAX);
    file.push_bytes(&UNUSED.to_be_bytes().repeat(entries));
}

/// Narrows a number that the largest size keeps below 2^32.
fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
