//! Reading a table.

use super::SECTOR;
use super::header::{Header, MAGIC, parse_entry};
use super::model::{Table, overlap};
use crate::format::ReadError;
use crate::input::ReadAt;

/// Returns whether a disk has a partition table of this kind.
pub fn is_at(disk: &dyn ReadAt) -> bool {
    let mut magic = [0; MAGIC.len()];
    disk.read_exact_at(SECTOR, &mut magic).is_ok() && magic == MAGIC
}

/// Reads the table at the start of a disk.
///
/// Every partition lies within the disk, and none over another.
pub fn read(disk: &dyn ReadAt) -> Result<Table, ReadError> {
    let header = Header::parse(disk, 1)?;
    let table = read_with(disk, &header)?;
    if let Some((one, two)) = overlap(&table.partitions) {
        let [one, two] = [one, two].map(|index| &table.partitions[index]);
        let reason = format!("{:?} lies over {:?} ({})", two.range(), one.range(), one.guid);
        return Err(ReadError::invalid(format!("GPT partition {}", two.guid), reason));
    }
    Ok(table)
}

fn read_with(disk: &dyn ReadAt, header: &Header) -> Result<Table, ReadError> {
    let mut boot_code = Box::new([0; 440]);
    disk.read_exact_at(0, &mut boot_code[..])?;
    let boot_code = Some(boot_code).filter(|code| code.iter().any(|byte| *byte != 0));
    let entries = header.read_entries(disk)?;
    let len = usize::try_from(header.entry_len).unwrap_or(usize::MAX);
    let mut partitions = Vec::new();
    for (number, bytes) in (1..).zip(entries.chunks_exact(len)) {
        partitions.extend(parse_entry(header, number, bytes)?);
    }
    Ok(Table { guid: header.guid, boot_code, partitions })
}
