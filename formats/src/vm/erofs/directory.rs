//! Directories ("Core on-disk format", section "Directories").
//!
//! A block is first its entries, of 12 bytes, then their names in the same order; names have no
//! terminator, but what is left of a block is zeros. Names are in ascending order of their bytes,
//! `.` and `..` among them, throughout the directory:
//!
//! ```text
//! │ inode, 8 │ offset of name, 2 │ kind, 1 │ 0 │ inode … │ name │ name │ … │ zeros │
//! ```

use std::ops::Range;

use super::BLOCK;
use super::fields::{u16_at, u64_at};
use crate::format::ReadError;

/// The length of an entry without its name.
const ENTRY: usize = 12;

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DirectoryEntry<N> {
    pub(super) name: N,
    pub(super) slot: u64,
    pub(super) code: u8,
}

/// Returns the length of a directory with these names.
pub(super) fn size<'a>(names: impl Iterator<Item = &'a [u8]>) -> u64 {
    let (mut size, mut used) = (0, 0);
    for name in names {
        let takes = (ENTRY + name.len()) as u64;
        if used + takes > BLOCK {
            size += BLOCK;
            used = 0;
        }
        used += takes;
    }
    size + used
}

/// Encodes the entries of a directory, which are in order.
pub(super) fn encode(entries: &[DirectoryEntry<&[u8]>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut start = 0;
    while start < entries.len() {
        let mut used = 0;
        let fits = |entry: &&DirectoryEntry<&[u8]>| {
            used += (ENTRY + entry.name.len()) as u64;
            used <= BLOCK
        };
        let end = start + entries[start..].iter().take_while(fits).count().max(1);
        // All blocks but the last are whole.
        bytes.resize(bytes.len().next_multiple_of(usize::try_from(BLOCK).unwrap_or(1)), 0);
        block(&mut bytes, entries, start..end);
        start = end;
    }
    bytes
}

fn block(bytes: &mut Vec<u8>, entries: &[DirectoryEntry<&[u8]>], range: Range<usize>) {
    let mut offset = range.len() * ENTRY;
    for entry in &entries[range.clone()] {
        bytes.extend(entry.slot.to_le_bytes());
        bytes.extend(u16::try_from(offset).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend([entry.code, 0]);
        offset += entry.name.len();
    }
    for entry in &entries[range] {
        bytes.extend(entry.name);
    }
}

/// Appends the entries of a directory's block, at most to a number of entries of all blocks.
pub(super) fn parse(
    what: &str,
    block: &[u8],
    entries: &mut Vec<DirectoryEntry<Vec<u8>>>,
    limit: usize,
) -> Result<(), ReadError> {
    let fail = |reason: &str| Err(ReadError::invalid(what, reason));
    let names = usize::from(u16_at(block, 8));
    if names == 0 || !names.is_multiple_of(ENTRY) || names > block.len() {
        return fail("a block with an impossible number of entries");
    }
    let count = names / ENTRY;
    let mut start = names;
    for index in 0..count {
        let entry = &block[index * ENTRY..];
        let last = index + 1 == count;
        let end = if last { block.len() } else { usize::from(u16_at(entry, ENTRY + 8)) };
        let Some(mut name) = block.get(start..end) else {
            return fail("names outside of their block");
        };
        if last {
            let len = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            name = &name[..len];
        }
        if name.is_empty() || name.contains(&0) || name.contains(&b'/') {
            return fail("an impossible name in it");
        }
        if entries.last().is_some_and(|previous| previous.name.as_slice() >= name) {
            return fail("names that are not in order");
        }
        if entries.len() >= limit {
            return fail("too many entries");
        }
        let (slot, code) = (u64_at(entry, 0), entry[10]);
        entries.push(DirectoryEntry { name: name.to_vec(), slot, code });
        start = end;
    }
    Ok(())
}

/// Returns whether an entry is a directory's own or its parent's.
pub(super) fn is_own(entry: &DirectoryEntry<Vec<u8>>) -> bool {
    entry.name == b"." || entry.name == b".."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::erofs::inode::Kind;

    fn link(name: &[u8], slot: u64) -> DirectoryEntry<&[u8]> {
        DirectoryEntry { name, slot, code: Kind::Directory.code() }
    }

    fn names(count: usize, len: usize) -> Vec<Vec<u8>> {
        (0..count).map(|n| format!("{n:0len$}").into_bytes()).collect()
    }

    #[test]
    fn blocks_survive_at_every_size() {
        for (count, len) in [(1, 1), (2, 255), (15, 255), (16, 255), (240, 5), (241, 5), (999, 90)]
        {
            let names = names(count, len);
            let entries: Vec<_> =
                names.iter().zip(1..).map(|(name, slot)| link(name, slot)).collect();
            let bytes = encode(&entries);
            assert_eq!(bytes.len() as u64, size(names.iter().map(Vec::as_slice)), "{count} {len}");
            let mut back = Vec::new();
            for block in bytes.chunks(4096) {
                parse("test", block, &mut back, 10_000).unwrap();
            }
            let same = back.iter().zip(&entries).all(|(back, entry)| {
                back.name == entry.name && back.slot == entry.slot && back.code == entry.code
            });
            assert!(same && back.len() == entries.len(), "{count} {len}");
            let mut short = Vec::new();
            let all = || bytes.chunks(4096).try_for_each(|b| parse("", b, &mut short, count - 1));
            assert!({ all }().is_err());
        }
    }

    #[test]
    fn refuses_what_is_not_a_block() {
        let good = encode(&[link(b".", 1), link(b"..", 2), link(b"a", 3)]);
        let read = |bytes: &[u8]| parse("test", bytes, &mut Vec::new(), 100);
        read(&good).unwrap();
        let change = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            read(&bytes).unwrap_err().to_string()
        };
        assert!(change(8, 0).contains("number of entries"));
        assert!(change(8, 37).contains("number of entries"));
        assert!(change(9, 0xff).contains("number of entries"));
        assert!(change(20, 0xff).contains("outside"));
        assert!(change(20, 36).contains("impossible name"));
        assert!(change(36, b'/').contains("impossible name"));
        assert!(change(36, b'z').contains("order"));
        assert!(change(39, b'.').contains("order"));
        for end in 0..38 {
            assert!(read(&good[..end]).is_err(), "{end}");
        }
    }
}
