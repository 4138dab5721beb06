//! Archives of tar: layers, packages, boxes.

use std::io;
use std::sync::Arc;

use super::super::open::Opener;
use super::super::place::Place;
use super::super::tap::Tap;
use super::{headers, number, path};

const BLOCK: u64 = 512;
/// The largest extended header that is understood; larger ones are searched all the same.
const EXTENDED: u64 = 1 << 20;

/// Returns whether a block is a header without a magic, by its checksum.
pub(in super::super) fn is_old(block: &[u8]) -> bool {
    block.len() >= 512
        && block[0] != 0
        && block[257..329].iter().all(|byte| *byte == 0)
        && is_header(block)
}

fn is_header(block: &[u8]) -> bool {
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) })
        .sum();
    block.get(148..156).and_then(|field| number(field, 8)) == Some(sum)
}

/// What extended headers say of the next member.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Extended {
    /// Reads the records of a PAX header.
    fn records(&mut self, mut bytes: &[u8]) {
        while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
            let len = number(&bytes[..space], 10).and_then(|len| usize::try_from(len).ok());
            let Some(len) = len.filter(|len| *len > space + 1 && *len <= bytes.len()) else {
                return;
            };
            let record = &bytes[space + 1..len - 1];
            bytes = &bytes[len..];
            if let Some(name) = record.strip_prefix(b"path=") {
                self.name = Some(name.to_vec());
            } else if let Some(size) = record.strip_prefix(b"size=") {
                self.size = number(size, 10);
            }
        }
    }
}

/// Opens the members up to `end`.
pub(in super::super) fn open(
    opener: &mut Opener<'_>,
    tap: &mut Tap<'_>,
    end: u64,
    place: &Arc<Place>,
    depth: usize,
) -> io::Result<()> {
    let headers = headers(place);
    let (mut extended, mut zeros) = (Extended::default(), 0);
    loop {
        tap.enter(headers.clone());
        let at = tap.offset();
        let Some(block) = tap.take(BLOCK, BLOCK, end)? else { return Ok(()) };
        if block.iter().all(|byte| *byte == 0) {
            zeros += 1;
            continue;
        }
        if !is_header(&block) {
            // Behind the end is whatever filled the last block of a tape.
            if zeros < 2 {
                opener.found.unopened(place, format!("damaged as tar archive at offset {at}"));
            }
            return Ok(());
        }
        zeros = 0;
        let size = size_of(&block[124..136]);
        let Some(size) = extended.size.filter(|_| !b"LKxgX".contains(&block[156])).or(size) else {
            opener.found.unopened(place, format!("damaged as tar archive at offset {at}"));
            return Ok(());
        };
        match block[156] {
            b'L' => extended.name = tap.take(size, EXTENDED, end)?.map(until_zero),
            b'x' | b'X' => {
                let records = tap.take(size, EXTENDED, end)?.unwrap_or_default();
                extended.records(&records);
            }
            b'K' | b'g' => tap.pass_to(tap.offset().saturating_add(size).min(end))?,
            kind => {
                let Extended { name, .. } = std::mem::take(&mut extended);
                let name = path(&name.unwrap_or_else(|| name_of(&block)));
                if kind == b'S' {
                    pass_sparse(tap, &block, end)?;
                }
                let has_content = matches!(kind, b'0' | b'7' | b'S' | 0);
                let size = if has_content { size } else { 0 };
                member(
                    opener,
                    tap,
                    (tap.offset().saturating_add(size).min(end), depth),
                    &name,
                    place,
                )?;
            }
        }
        tap.enter(headers.clone());
        let padded = (tap.offset() - at).next_multiple_of(BLOCK);
        tap.pass_to(at.saturating_add(padded).min(end))?;
    }
}

fn member(
    opener: &mut Opener<'_>,
    tap: &mut Tap<'_>,
    (end, depth): (u64, usize),
    name: &str,
    place: &Arc<Place>,
) -> io::Result<()> {
    let member = place.child(name);
    opener.name(name, &member);
    if name.rsplit('/').next().is_some_and(|last| last.starts_with(".wh.")) {
        opener.found.whiteouts.push(member.clone());
    }
    opener.contents(tap, end, &member, depth + 1)
}

fn until_zero(mut name: Vec<u8>) -> Vec<u8> {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    name.truncate(end);
    name
}

fn name_of(block: &[u8]) -> Vec<u8> {
    let name = until_zero(block[..100].to_vec());
    let prefix = until_zero(block[345..500].to_vec());
    let has_prefix = block[257..263] == *b"ustar\0" && !prefix.is_empty();
    if has_prefix { [prefix, name].join(&b'/') } else { name }
}

/// Returns a size in octal, or in the binary form of GNU.
fn size_of(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 == 0 {
        return number(field, 8);
    }
    let (head, tail) = field.split_at(4);
    let is_small = head[0] & 0x7f == 0 && head[1..].iter().all(|byte| *byte == 0);
    tail.first_chunk().filter(|_| is_small).map(|bytes| u64::from_be_bytes(*bytes))
}

/// Passes over the further headers of a sparse file.
fn pass_sparse(tap: &mut Tap<'_>, block: &[u8], end: u64) -> io::Result<()> {
    let mut has_more = block[482] != 0;
    while has_more {
        let Some(block) = tap.take(BLOCK, BLOCK, end)? else { return Ok(()) };
        has_more = block[504] != 0;
    }
    Ok(())
}
