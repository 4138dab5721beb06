//! Reading: what the loader of a disk loads.

use std::io;
use std::ops::Range;

use super::loader;
use super::{COMMAND_LINE, LOADER, Loader, PARTITION_SECTOR, SECTOR, TABLE};
use crate::format::ReadError;
use crate::input::ReadAt;

/// Returns whether a disk starts with the boot code of this loader.
pub fn is_at_start_of(disk: &dyn ReadAt) -> io::Result<bool> {
    let mut code = [0; PARTITION_SECTOR];
    if disk.len() < SECTOR {
        return Ok(false);
    }
    disk.read_exact_at(0, &mut code)?;
    Ok(code[..] == loader::BOOT[..PARTITION_SECTOR])
}

/// Reads what the loader of a disk loads, and checks that the loader is ours and its places are on
/// the disk.
pub fn read(disk: &dyn ReadAt) -> Result<Loader, ReadError> {
    if !is_at_start_of(disk)? {
        return Err(ReadError::malformed("boot code", 0, "that of this loader", "other bytes"));
    }
    let mut sector = [0; 8];
    disk.read_exact_at(PARTITION_SECTOR as u64, &mut sector)?;
    let sector = u64::from_le_bytes(sector);
    let partition = range("loader", PARTITION_SECTOR as u64, disk, sector, LOADER as u64)?;
    let start = partition.start;
    let mut bytes = [0; LOADER];
    disk.read_exact_at(start, &mut bytes)?;
    if bytes[..TABLE] != loader::LOADER {
        return Err(ReadError::malformed("loader", start, "the code of this one", "other bytes"));
    }
    let table = start + TABLE as u64;
    let (places, rest) = bytes[TABLE..COMMAND_LINE].split_at(32);
    if rest.iter().any(|byte| *byte != 0) {
        return Err(ReadError::malformed("loader's table", table + 32, "zeros", "other bytes"));
    }
    let number = |index: usize| {
        let bytes = places.as_chunks::<8>().0.get(index);
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    let kernel = range("kernel", table, disk, number(0), number(1))?;
    let initrd = match (number(2), number(3)) {
        (0, 0) => None,
        (sector, length) => Some(range("initrd", table + 16, disk, sector, length)?),
    };
    let command_line = command_line(&bytes[COMMAND_LINE..], start + COMMAND_LINE as u64)?;
    Ok(Loader { kernel, initrd, command_line, partition_start: start })
}

/// Returns the bytes of the disk that a sector and a length name.
fn range(
    what: &str,
    at: u64,
    disk: &dyn ReadAt,
    sector: u64,
    length: u64,
) -> Result<Range<u64>, ReadError> {
    let start = sector.checked_mul(SECTOR).filter(|start| *start > 0 && length > 0);
    let end = start.and_then(|start| start.checked_add(length));
    match (start, end) {
        (Some(start), Some(end)) if end <= disk.len() => Ok(start..end),
        _ => {
            let found = format!("{length} bytes from sector {sector}");
            let expected = format!("bytes of the disk, which has {}", disk.len());
            Err(ReadError::malformed(format!("place of the {what}"), at, expected, found))
        }
    }
}

fn command_line(bytes: &[u8], at: u64) -> Result<String, ReadError> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(end);
    if rest.is_empty() || rest.iter().any(|byte| *byte != 0) {
        let expected = "zeros to the end of the loader";
        return Err(ReadError::malformed("command line", at + end as u64, expected, "other bytes"));
    }
    std::str::from_utf8(line).map(str::to_owned).map_err(|error| {
        let at = at + error.valid_up_to() as u64;
        ReadError::malformed("command line", at, "UTF-8", "other bytes")
    })
}
