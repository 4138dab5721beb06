//! Checking a disk's tables against each other and against what others expect of them.

use std::collections::BTreeSet;

use super::header::Header;
use super::write::protective_record;
use super::{SECTOR, Sector};
use crate::format::{Problem, ReadError};
use crate::input::ReadAt;

/// What partitions should start at a multiple of, for disks whose sectors are 4096 bytes.
const ALIGNMENT: u64 = 4096;

/// Lists every rule that the tables of a disk break.
pub fn check(disk: &dyn ReadAt) -> Result<Vec<Problem>, ReadError> {
    let table = super::read(disk)?;
    let header = Header::parse(disk, 1)?;
    let mut problems = Vec::new();
    check_mbr(disk, &mut problems)?;
    check_backup(disk, &header, &mut problems)?;
    let mut guids = BTreeSet::new();
    for partition in &table.partitions {
        let place = format!("partition {}", partition.guid);
        if !partition.start.is_multiple_of(ALIGNMENT) {
            let expected = "a start at a multiple of 4096";
            let found = partition.start.to_string();
            problems.push(Problem::new("gpt-alignment", &place, expected, found));
        }
        if !guids.insert(partition.guid) {
            problems.push(Problem::new("gpt-guid", place, "a GUID of its own", "another's"));
        }
    }
    Ok(problems)
}

fn check_mbr(disk: &dyn ReadAt, problems: &mut Vec<Problem>) -> Result<(), ReadError> {
    let mut sector: Sector = [0; 512];
    disk.read_exact_at(0, &mut sector)?;
    if sector[510..] != [0x55, 0xaa] {
        let found = format!("{:02x?}", &sector[510..]);
        problems.push(Problem::new("gpt-mbr-signature", "sector 0", "55 aa at its end", found));
    }
    // Where a record ends in cylinders depends on what wrote it, and nothing reads it.
    let compared = |record: &[u8]| [&record[..5], &record[8..16]].concat();
    let expected = protective_record(disk.len() / SECTOR);
    let alone = sector[462..510].iter().all(|byte| *byte == 0);
    if compared(&sector[446..462]) != compared(&expected) || !alone {
        let found = format!("{:02x?}", &sector[446..510]);
        let expected = format!("one protective record {expected:02x?}");
        problems.push(Problem::new("gpt-mbr", "sector 0", expected, found));
    }
    Ok(())
}

fn check_backup(
    disk: &dyn ReadAt,
    first: &Header,
    problems: &mut Vec<Problem>,
) -> Result<(), ReadError> {
    let last = disk.len() / SECTOR - 1;
    if first.other != last {
        let expected = format!("the second header in the last sector, {last}");
        let found = first.other.to_string();
        problems.push(Problem::new("gpt-backup-place", "GPT header", expected, found));
    }
    let place = format!("sector {}", first.other);
    let second = match Header::parse(disk, first.other) {
        Ok(second) => second,
        Err(ReadError::Io(error)) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            return Err(ReadError::Io(error));
        }
        Err(error) => {
            let expected = "the second GPT header";
            problems.push(Problem::new("gpt-backup", place, expected, error.to_string()));
            return Ok(());
        }
    };
    let expected = Header { own: first.other, other: 1, entries_at: second.entries_at, ..*first };
    if second != expected {
        let (expected, found) = (format!("{expected:?}"), format!("{second:?}"));
        problems.push(Problem::new("gpt-backup", &place, expected, found));
    }
    if second.entries_at == first.entries_at {
        let expected = "entries of its own";
        problems.push(Problem::new("gpt-backup", &place, expected, "those of the first header"));
    }
    if let Err(error) = second.read_entries(disk) {
        let expected = "entries with the CRC-32 that the header says";
        problems.push(Problem::new("gpt-backup-entries", place, expected, error.to_string()));
    }
    Ok(())
}
