//! Writing: what stands before and behind the partitions.

use std::collections::BTreeSet;

use super::super::guid::Guid;
use super::header::{Header, entries};
use super::model::{Partition, Table, overlap};
use super::{BACKUP_SECTORS, ENTRIES, ENTRY, FIRST_USABLE, SECTOR, Sector};
use crate::format::WriteError;

/// The most units of UTF-16 that a name has room for.
const NAME_MAX: u64 = 36;
/// What a program that knows no GPT finds: a partition of an unknown kind (UEFI 2.10, table 5.4).
const PROTECTIVE: u8 = 0xee;

/// Returns the first 34 and the last 33 sectors of a disk of `disk_len` bytes.
pub fn write(table: &Table, disk_len: u64) -> Result<(Vec<u8>, Vec<u8>), WriteError> {
    let least = (FIRST_USABLE + BACKUP_SECTORS) * SECTOR;
    if !disk_len.is_multiple_of(SECTOR) || disk_len < least {
        let reason = format!("expected a multiple of 512 of at least {least}, found {disk_len}");
        return Err(field("the size of the disk", reason));
    }
    check(table, disk_len)?;
    let sectors = disk_len / SECTOR;
    let entries = entries(&table.partitions);
    let first = Header {
        own: 1,
        other: sectors - 1,
        first_usable: FIRST_USABLE,
        last_usable: sectors - BACKUP_SECTORS - 1,
        guid: table.guid,
        entries_at: 2,
        entries: ENTRIES.into(),
        entry_len: ENTRY.into(),
        entries_crc: crc32fast::hash(&entries),
    };
    let second =
        Header { own: first.other, other: first.own, entries_at: first.last_usable + 1, ..first };
    let mut head = protective_mbr(table, sectors);
    head.extend(first.to_sector());
    head.extend(&entries);
    let mut tail = entries;
    tail.extend(second.to_sector());
    Ok((head, tail))
}

/// Returns the record of the protective MBR, which covers the disk as far as its numbers reach.
pub(super) fn protective_record(sectors: u64) -> [u8; 16] {
    let len = u32::try_from(sectors - 1).unwrap_or(u32::MAX);
    let mut record = [0; 16];
    // Not active; from cylinder 0, head 0, sector 2 to beyond what such an address can say.
    record[..8].copy_from_slice(&[0, 0, 2, 0, PROTECTIVE, 0xff, 0xff, 0xff]);
    record[8..12].copy_from_slice(&1_u32.to_le_bytes());
    record[12..].copy_from_slice(&len.to_le_bytes());
    record
}

fn protective_mbr(table: &Table, sectors: u64) -> Vec<u8> {
    let mut sector = vec![0; size_of::<Sector>()];
    if let Some(code) = &table.boot_code {
        sector[..440].copy_from_slice(&code[..]);
    }
    sector[446..462].copy_from_slice(&protective_record(sectors));
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn check(table: &Table, disk_len: u64) -> Result<(), WriteError> {
    let count = table.partitions.len() as u64;
    if count > ENTRIES.into() {
        return Err(limit("partitions".into(), ENTRIES.into(), count));
    }
    let mut guids = BTreeSet::new();
    for partition in &table.partitions {
        check_partition(partition, disk_len)?;
        if !guids.insert(partition.guid) {
            let reason = format!("another partition has the GUID {}", partition.guid);
            return Err(field(&partition.name, reason));
        }
    }
    if let Some((one, two)) = overlap(&table.partitions) {
        let (one, two) = (&table.partitions[one], &table.partitions[two]);
        let (from, end) = (two.start, one.range().end);
        let reason =
            format!("it starts at {from}, before the partition {} ends, at {end}", one.name);
        return Err(field(&two.name, reason));
    }
    Ok(())
}

fn check_partition(partition: &Partition, disk_len: u64) -> Result<(), WriteError> {
    let Partition { name, kind, guid, start, len, attributes: _ } = partition;
    let units = name.encode_utf16().count() as u64;
    if units > NAME_MAX {
        return Err(limit(format!("the units of the name {name}"), NAME_MAX, units));
    }
    if name.contains('\0') {
        return Err(field(name, "its name has a NUL character".into()));
    }
    if [*kind, *guid].contains(&Guid([0; 16])) {
        return Err(field(name, "a GUID of zeros says that there is no partition".into()));
    }
    let usable = FIRST_USABLE * SECTOR..disk_len - BACKUP_SECTORS * SECTOR;
    let end = start.checked_add(*len).unwrap_or(u64::MAX);
    if *len == 0 || !start.is_multiple_of(SECTOR) || !len.is_multiple_of(SECTOR) {
        let reason = format!("expected whole sectors of 512 bytes, found {len} at {start}");
        return Err(field(name, reason));
    }
    if *start < usable.start || end > usable.end {
        let reason = format!("expected it within {usable:?} of the disk, found {start}..{end}");
        return Err(field(name, reason));
    }
    Ok(())
}

fn field(name: &str, reason: String) -> WriteError {
    WriteError::Field { format: "gpt", field: name.into(), reason }
}

fn limit(what: String, limit: u64, found: u64) -> WriteError {
    WriteError::Limit { format: "gpt", what, limit, found }
}
