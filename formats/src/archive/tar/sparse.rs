//! Files with holes in the old GNU form (GNU tar manual, "Standard: Basic Tar Format").
//!
//! ```text
//! header  offset  size  field
//!            124    12  size       of what is stored, all regions together
//!            156     1  type       S
//!            386    96  map        4 entries: offset (12) and length (12) of a region
//!            482     1  extended   1 if a block of the map follows
//!            483    12  real size
//!
//! block        0   504  map        21 entries
//!            504     1  extended   1 if another block follows
//! ```
//!
//! The regions follow the map without gaps; all but the last have whole blocks. A file that ends in a
//! hole has a last region of no length at its end.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::BLOCK;
use super::header::{Header, parse_number, put_number, seal};
use super::write::Dialect;
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::rope::{Extent, Rope};

const MAP: Range<usize> = 386..482;
const EXTENDED: usize = 482;
const REAL_SIZE: Range<usize> = 483..495;
/// The length of an entry, two numbers.
const ENTRY: usize = 24;
/// The entries of a block of the map.
const BLOCK_MAP: usize = 21 * ENTRY;
/// Where such a block says that another one follows.
const BLOCK_EXTENDED: usize = 504;
/// The most regions of a file that is read.
const REGIONS_MAX: usize = 1 << 20;

/// Appends a member to an archive.
pub(super) fn push(archive: &mut Rope, mut header: Header, bytes: &Rope) {
    let regions = regions(bytes);
    header.kind = b'S';
    header.size = regions.iter().map(|region| region.end - region.start).sum();
    let mut block = header.encode(Dialect::Gnu);
    let entries: Vec<[u8; ENTRY]> = regions.iter().map(entry).collect();
    let (first, rest) = entries.split_at(entries.len().min(MAP.len() / ENTRY));
    block[MAP][..first.len() * ENTRY].copy_from_slice(first.as_flattened());
    block[EXTENDED] = u8::from(!rest.is_empty());
    put_number(&mut block[REAL_SIZE], bytes.len(), Dialect::Gnu);
    seal(&mut block);
    archive.push_bytes(&block);
    let mut blocks = rest.chunks(BLOCK_MAP / ENTRY).peekable();
    while let Some(entries) = blocks.next() {
        let mut block = [0; BLOCK];
        block[..entries.len() * ENTRY].copy_from_slice(entries.as_flattened());
        block[BLOCK_EXTENDED] = u8::from(blocks.peek().is_some());
        archive.push_bytes(&block);
    }
    let mut cursor = bytes.cursor();
    for region in regions {
        cursor.skip(region.start - cursor.position());
        cursor.push_to(archive, region.end - region.start);
    }
    archive.align(BLOCK as u64);
}

/// Returns the stretches of whole blocks that are not holes, and where the file ends if in a hole.
fn regions(bytes: &Rope) -> Vec<Range<u64>> {
    let block = BLOCK as u64;
    let mut regions: Vec<Range<u64>> = Vec::new();
    let mut at = 0;
    for extent in bytes.extents() {
        let end = at + extent.len();
        if !matches!(extent, Extent::Zero(_)) {
            let region = at / block * block..end.next_multiple_of(block).min(bytes.len());
            match regions.last_mut() {
                Some(last) if last.end >= region.start => last.end = region.end,
                _ => regions.push(region),
            }
        }
        at = end;
    }
    if regions.last().is_none_or(|last| last.end < at) {
        regions.push(at..at);
    }
    regions
}

fn entry(region: &Range<u64>) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    let (offset, len) = entry.split_at_mut(ENTRY / 2);
    put_number(offset, region.start, Dialect::Gnu);
    put_number(len, region.end - region.start, Dialect::Gnu);
    entry
}

/// The one file of an archive, with holes or without, for reading.
pub struct SparseFile {
    archive: Arc<dyn ReadAt>,
    name: Vec<u8>,
    size: u64,
    /// What is stored, in order.
    regions: Vec<Region>,
}

/// A stretch of the file, and where in the archive it is.
#[derive(Debug, Clone, Copy)]
struct Region {
    start: u64,
    len: u64,
    at: u64,
}

impl std::fmt::Debug for SparseFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SparseFile")
            .field("name", &self.name.escape_ascii().to_string())
            .field("size", &self.size)
            .field("regions", &self.regions.len())
            .finish_non_exhaustive()
    }
}

impl SparseFile {
    /// Opens an archive that holds exactly one file; `what` names it in errors.
    pub fn open(archive: Arc<dyn ReadAt>, what: &str) -> Result<Self, ReadError> {
        let mut block = [0; BLOCK];
        archive.read_exact_at(0, &mut block)?;
        let header = Header::decode(&block, what, 0)?;
        let mut file = Self { archive, name: header.name, size: header.size, regions: Vec::new() };
        let contents = match header.kind {
            b'S' => file.read_map(&block, what)?,
            b'0' | 0 => {
                let (len, at) = (header.size, BLOCK as u64);
                file.regions.push(Region { start: 0, len, at });
                at
            }
            other => {
                let found = format!("type `{}`", [other].escape_ascii());
                return Err(ReadError::malformed(what, 156, "a file", found));
            }
        };
        let stored = file.regions.last().map_or(contents, |region| region.at + region.len);
        if stored.checked_sub(contents) != Some(header.size) {
            let (expected, found) = (format!("regions of {} bytes", header.size), stored);
            return Err(ReadError::malformed(what, 124, expected, found.to_string()));
        }
        let end = stored.next_multiple_of(BLOCK as u64);
        let mut blocks = [0; 2 * BLOCK];
        file.archive.read_exact_at(end, &mut blocks)?;
        if blocks != [0; 2 * BLOCK] {
            return Err(ReadError::malformed(what, end, "the end of the archive", "more"));
        }
        Ok(file)
    }

    /// Returns the file's name as it is stored.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Reads the map of a header and of the blocks behind it; returns where the contents start.
    fn read_map(&mut self, header: &[u8; BLOCK], what: &str) -> Result<u64, ReadError> {
        let place = REAL_SIZE.start as u64;
        self.size = parse_number(&header[REAL_SIZE])
            .ok_or_else(|| ReadError::malformed(what, place, "a number", "none"))?;
        let mut at = BLOCK as u64;
        self.read_entries(&header[MAP], MAP.start as u64, what)?;
        let mut is_extended = header[EXTENDED] != 0;
        while is_extended {
            let mut block = [0; BLOCK];
            self.archive.read_exact_at(at, &mut block)?;
            self.read_entries(&block[..BLOCK_MAP], at, what)?;
            is_extended = block[BLOCK_EXTENDED] != 0;
            at += BLOCK as u64;
        }
        // Where the regions are is known once the whole map is.
        let mut next = at;
        for region in &mut self.regions {
            region.at = next;
            let end = next.checked_add(region.len).filter(|end| *end <= self.archive.len());
            next = end.ok_or_else(|| {
                let expected = format!("{} bytes of a region", region.len);
                ReadError::malformed(what, next, expected, "the end of the archive")
            })?;
        }
        Ok(at)
    }

    fn read_entries(&mut self, map: &[u8], at: u64, what: &str) -> Result<(), ReadError> {
        for (place, entry) in (at..).step_by(ENTRY).zip(map.as_chunks::<ENTRY>().0) {
            if entry[0] == 0 {
                break;
            }
            let (start, len) = entry.split_at(ENTRY / 2);
            let before = self.regions.last().map_or(0, |region| region.start + region.len);
            let region = parse_number(start).zip(parse_number(len)).filter(|(start, len)| {
                let end = start.checked_add(*len);
                *start >= before && end.is_some_and(|end| end <= self.size)
            });
            let Some((start, len)) = region.filter(|_| self.regions.len() < REGIONS_MAX) else {
                let expected = format!("a region from {before} to {}", self.size);
                let found = entry.escape_ascii().to_string();
                return Err(ReadError::malformed(what, place, expected, found));
            };
            self.regions.push(Region { start, len, at: 0 });
        }
        Ok(())
    }
}

impl ReadAt for SparseFile {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.regions.partition_point(|region| region.start + region.len <= offset);
        let (stored, end) = match self.regions.get(next) {
            Some(region) if region.start <= offset => {
                (Some(region.at + (offset - region.start)), region.start + region.len)
            }
            Some(region) => (None, region.start),
            None => (None, self.size),
        };
        let left = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = left.min(buffer.len());
        let part = &mut buffer[..count];
        match stored {
            Some(at) => self.archive.read_exact_at(at, part)?,
            None => part.fill(0),
        }
        Ok(count)
    }
}
