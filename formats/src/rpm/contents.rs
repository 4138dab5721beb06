//! What a package says because of what its files hold.

use std::io::{self, Read};

use super::automatic;
use super::files::{File, FileTable};
use super::relations::Row;
use crate::blob::BlobSource;

/// Where systemd-sysusers finds accounts.
const SYSUSERS: &[u8] = b"usr/lib/sysusers.d";

/// How much of a sysusers.d file is read.
const SYSUSERS_LIMIT: u64 = 1 << 20;

/// The first bytes of an ELF file; the one after them says how wide it is.
const ELF: &[u8] = b"\x7fELF";

/// Finds out the accounts that files make, and which files are programs or libraries of which
/// width; reads no more of them than it needs.
pub(super) fn look_into(table: &mut FileTable, blobs: &dyn BlobSource) -> io::Result<()> {
    let mut accounts = Vec::new();
    let mut colors = Vec::new();
    for file in &table.rows {
        colors.push(color(file, blobs)?);
        accounts.extend(accounts_of(file, blobs)?);
    }
    (table.accounts, table.colors) = (accounts, colors);
    Ok(())
}

fn head(file: &File, limit: u64, blobs: &dyn BlobSource) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(digest) = file.digest {
        blobs.open(&digest, 0)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Returns what a sysusers.d file makes the package provide; nothing of any other file.
fn accounts_of(file: &File, blobs: &dyn BlobSource) -> io::Result<Vec<Row>> {
    let parent = file.path.parent();
    let listed = parent.is_some_and(|parent| parent.relative() == SYSUSERS)
        && file.path.name().ends_with(b".conf");
    if !listed || file.size > SYSUSERS_LIMIT {
        return Ok(Vec::new());
    }
    let bytes = head(file, SYSUSERS_LIMIT, blobs)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().flat_map(automatic::account_rows).collect())
}

/// Returns a file's color: 1 for 32-bit ELF, 2 for 64-bit ELF. Of two packages that have a program
/// at the same place, rpm installs the one whose color the system prefers.
fn color(file: &File, blobs: &dyn BlobSource) -> io::Result<u32> {
    let library = file.path.name().windows(3).any(|part| part == b".so");
    if !file.is_regular() || !(library || file.mode & 0o111 != 0) {
        return Ok(0);
    }
    let bytes = head(file, 5, blobs)?;
    Ok(match bytes.strip_prefix(ELF) {
        Some([1]) => 1,
        Some([2]) => 2,
        _ => 0,
    })
}
