//! Reading at offsets through a few blocks that are kept.

use super::error::ElfError;
use super::header::Layout;
use crate::input::ReadAt;

/// How many bytes are read at once.
const BLOCK: usize = 16 * 1024;
/// How many blocks are kept: tables, strings and versions are read in turns.
const KEPT: usize = 8;
/// The longest name that is read; C++ has some of a few thousand bytes.
const LONGEST_NAME: usize = 64 * 1024;

/// All names that are kept, in bytes; the largest programs have some ten thousand.
const ALL_NAMES: usize = 4 << 20;

/// A file, read through a few blocks that are kept.
pub(super) struct Blocks<'a> {
    input: &'a dyn ReadAt,
    len: u64,
    kept: Vec<Block>,
    /// How many bytes of names may still be kept.
    names_left: usize,
}

struct Block {
    number: u64,
    bytes: Vec<u8>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(input: &'a dyn ReadAt) -> Self {
        Self { input, len: input.len(), kept: Vec::with_capacity(KEPT), names_left: ALL_NAMES }
    }

    /// Returns how many bytes the file has.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Returns a block of the file, the last of which is shorter; it moves to the front.
    fn block(&mut self, number: u64) -> Result<&[u8], ElfError> {
        if let Some(index) = self.kept.iter().position(|block| block.number == number) {
            self.kept[..=index].rotate_right(1);
        } else {
            let start = number * BLOCK as u64;
            let left = usize::try_from(self.len.saturating_sub(start)).unwrap_or(usize::MAX);
            let last = if self.kept.len() < KEPT { None } else { self.kept.pop() };
            let mut bytes = last.map(|block| block.bytes).unwrap_or_default();
            bytes.resize(left.min(BLOCK), 0);
            self.input.read_exact_at(start, &mut bytes)?;
            self.kept.insert(0, Block { number, bytes });
        }
        Ok(&self.kept[0].bytes)
    }

    /// Returns the block that an offset is in, and where in it.
    fn block_of(&mut self, offset: u64) -> Result<(&[u8], usize), ElfError> {
        let inside = usize::try_from(offset % BLOCK as u64).unwrap_or(0);
        Ok((self.block(offset / BLOCK as u64)?, inside))
    }

    /// Fills a buffer, or says that the file ends before it.
    pub(super) fn fill(
        &mut self,
        what: &'static str,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), ElfError> {
        self.check(what, offset, buffer.len() as u64)?;
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset + filled as u64;
            let (block, inside) = self.block_of(at)?;
            let count = (block.len() - inside).min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&block[inside..inside + count]);
            filled += count;
        }
        Ok(())
    }

    /// Fails unless a table lies inside the file.
    pub(super) fn check(&self, what: &'static str, offset: u64, size: u64) -> Result<(), ElfError> {
        match offset.checked_add(size) {
            Some(end) if end <= self.len => Ok(()),
            _ => {
                let expected = format!("{size} bytes");
                let found = format!("the end of the file at {}", self.len);
                Err(ElfError::invalid(what, offset, expected, found))
            }
        }
    }

    /// Reads a record of at most 64 bytes.
    pub(super) fn record(
        &mut self,
        what: &'static str,
        offset: u64,
        size: u64,
        layout: Layout,
    ) -> Result<Record, ElfError> {
        let mut record = Record { bytes: [0; 64], layout };
        let size = usize::try_from(size).unwrap_or(64).min(64);
        self.fill(what, offset, &mut record.bytes[..size])?;
        Ok(record)
    }

    /// Reads the bytes up to a NUL, which must come before `end`.
    pub(super) fn name(
        &mut self,
        what: &'static str,
        offset: u64,
        end: u64,
    ) -> Result<Vec<u8>, ElfError> {
        let mut name = Vec::new();
        let end = end.min(self.len);
        let mut at = offset;
        while at < end && name.len() <= LONGEST_NAME {
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            let (block, inside) = self.block_of(at)?;
            let piece = &block[inside..block.len().min(inside.saturating_add(left))];
            if let Some(nul) = piece.iter().position(|byte| *byte == 0) {
                name.extend_from_slice(&piece[..nul]);
                return Ok(name);
            }
            name.extend_from_slice(piece);
            at += piece.len() as u64;
        }
        let expected = format!("a NUL before {}", end.min(offset + LONGEST_NAME as u64));
        Err(ElfError::invalid(what, offset, expected, "none"))
    }

    /// Reads a name to be kept; it must be UTF-8, as every name of a library is.
    pub(super) fn text(
        &mut self,
        what: &'static str,
        offset: u64,
        end: u64,
    ) -> Result<String, ElfError> {
        let name = self.name(what, offset, end)?;
        // Many records may point to one long name.
        self.names_left = self.names_left.checked_sub(name.len()).ok_or_else(|| {
            let expected = format!("names of at most {ALL_NAMES} bytes in all");
            ElfError::invalid(what, offset, expected, "more")
        })?;
        String::from_utf8(name).map_err(|error| {
            ElfError::invalid(what, offset, "UTF-8", error.as_bytes().escape_ascii())
        })
    }
}

/// A small record whose fields are read in the file's own layout.
pub(super) struct Record {
    bytes: [u8; 64],
    layout: Layout,
}

impl Record {
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes[at]
    }

    pub(super) fn half(&self, at: usize) -> u16 {
        let bytes = [self.bytes[at], self.bytes[at + 1]];
        if self.layout.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    pub(super) fn word(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.bytes[at..at + 4]);
        if self.layout.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    pub(super) fn long(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.bytes[at..at + 8]);
        if self.layout.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
    }

    /// Reads a field that is as wide as the class: at one offset or the other.
    pub(super) fn wide(&self, at32: usize, at64: usize) -> u64 {
        if self.layout.wide { self.long(at64) } else { self.word(at32).into() }
    }
}
