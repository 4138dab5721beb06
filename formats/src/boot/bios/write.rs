//! Writing: the assembled code with the places of one disk.

use std::ops::Range;

use super::loader;
use super::{COMMAND_LINE, LOADER, Loader, PARTITION_SECTOR, SECTOR, TABLE, Written};
use crate::format::WriteError;

/// What errors call this format.
const NAME: &str = "BIOS loader";
/// The last byte that kernels let an initrd have: the boot protocol's `initrd_addr_max` on x86.
const LENGTH_MAX: u64 = 0x7fff_ffff;

/// Describes the loader of a disk.
pub fn write(loader: &Loader) -> Result<Written, WriteError> {
    let mut boot_code = loader::BOOT;
    let start = sector("partition_start", loader.partition_start)?;
    boot_code[PARTITION_SECTOR..].copy_from_slice(&start.to_le_bytes());

    let mut partition = vec![0; LOADER];
    partition[..TABLE].copy_from_slice(&loader::LOADER);
    let initrd = loader.initrd.as_ref().map(|initrd| place("initrd", initrd)).transpose()?;
    let places = [place("kernel", &loader.kernel)?, initrd.unwrap_or_default()];
    for (number, value) in places.as_flattened().iter().enumerate() {
        partition[TABLE + number * 8..][..8].copy_from_slice(&value.to_le_bytes());
    }
    let line = command_line(&loader.command_line)?;
    partition[COMMAND_LINE..][..line.len()].copy_from_slice(line);
    Ok(Written { boot_code, partition })
}

/// Returns the first sector and the length of a range.
fn place(field: &str, range: &Range<u64>) -> Result<[u64; 2], WriteError> {
    let length = range.end.saturating_sub(range.start);
    if length == 0 {
        return Err(invalid(field, "expected bytes of the disk, found none"));
    }
    if length > LENGTH_MAX {
        let what = format!("the length of the {field}");
        return Err(WriteError::Limit { format: NAME, what, limit: LENGTH_MAX, found: length });
    }
    Ok([sector(field, range.start)?, length])
}

/// Returns which sector starts at an offset; the first one is never another's.
fn sector(field: &str, offset: u64) -> Result<u64, WriteError> {
    if offset == 0 || !offset.is_multiple_of(SECTOR) {
        let reason = format!("expected the start of a sector after the first, found {offset}");
        return Err(invalid(field, reason));
    }
    Ok(offset / SECTOR)
}

fn command_line(line: &str) -> Result<&[u8], WriteError> {
    let (limit, found) = (LOADER - COMMAND_LINE - 1, line.len());
    if found > limit {
        let what = "the length of the command line".to_owned();
        let (limit, found) = (limit as u64, found as u64);
        return Err(WriteError::Limit { format: NAME, what, limit, found });
    }
    if let Some(at) = line.find('\0') {
        let reason = format!("expected text, found a zero byte at {at}");
        return Err(invalid("command_line", reason));
    }
    Ok(line.as_bytes())
}

fn invalid(field: &str, reason: impl Into<String>) -> WriteError {
    WriteError::Field { format: NAME, field: field.into(), reason: reason.into() }
}
