//! Program headers, and from addresses to offsets (gABI chapter 5, "Program Header").

use super::blocks::Blocks;
use super::error::ElfError;
use super::header::{Header, Table};

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
/// A linker writes a dozen.
const MOST_SEGMENTS: u64 = 65_536;
const LONGEST_INTERPRETER: u64 = 4096;

/// A range of the file that is loaded to an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) offset: u64,
    address: u64,
    pub(super) size: u64,
}

/// What the program headers say.
#[derive(Debug, Default)]
pub(super) struct Segments {
    loads: Vec<Segment>,
    pub(super) dynamic: Option<Segment>,
    interpreter: Option<Segment>,
}

impl Segments {
    pub(super) fn read(blocks: &mut Blocks<'_>, header: &Header) -> Result<Self, ElfError> {
        const WHAT: &str = "the program headers";
        let wide = header.layout.wide;
        let size = if wide { 56 } else { 32 };
        let Table { offset, count, .. } = header.programs;
        if count > MOST_SEGMENTS {
            let expected = format!("at most {MOST_SEGMENTS}");
            return Err(ElfError::invalid(WHAT, offset, expected, count));
        }
        let mut segments = Self::default();
        for at in header.programs.offsets(WHAT, size, blocks)? {
            let record = blocks.record(WHAT, at, size, header.layout)?;
            let segment = Segment {
                offset: record.wide(4, 8),
                address: record.wide(8, 16),
                size: record.wide(16, 32),
            };
            match record.word(0) {
                PT_LOAD => segments.loads.push(segment),
                PT_DYNAMIC => segments.dynamic = segments.dynamic.or(Some(segment)),
                PT_INTERP => segments.interpreter = segments.interpreter.or(Some(segment)),
                _ => {}
            }
        }
        Ok(segments)
    }

    /// Returns the loader that starts the program.
    pub(super) fn interpreter(&self, blocks: &mut Blocks<'_>) -> Result<Option<String>, ElfError> {
        let Some(segment) = self.interpreter else { return Ok(None) };
        // Separate debug information has the header without the bytes.
        if segment.offset >= blocks.len() || segment.size == 0 {
            return Ok(None);
        }
        let end = segment.offset.saturating_add(segment.size.min(LONGEST_INTERPRETER));
        blocks.text("the interpreter", segment.offset, end).map(Some)
    }

    /// Returns where in the file an address is, and how many bytes of the file follow there.
    pub(super) fn locate(&self, what: &'static str, address: u64) -> Result<(u64, u64), ElfError> {
        for load in &self.loads {
            let Some(inside) = address.checked_sub(load.address) else { continue };
            if inside < load.size
                && let Some(offset) = load.offset.checked_add(inside)
            {
                return Ok((offset, load.size - inside));
            }
        }
        let found = format!("{address:#x}");
        Err(ElfError::invalid(what, 0, "an address inside a loaded segment", found))
    }
}
