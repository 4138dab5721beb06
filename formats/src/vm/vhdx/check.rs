//! Checking a file's structure: both copies are whole, and no two parts share a place.

use std::fmt;

use super::header::{self, Header};
use super::read::Image;
use super::region::{self, Regions};
use super::table::{Block, ENTRY, RESERVED, index};
use super::{MIB, u64_at};
use crate::format::{Problem, ReadError};
use crate::input::ReadAt;
use crate::vm::parts::Parts;

/// The most blocks that are checked.
const BLOCKS: u64 = 1 << 21;

/// Lists every rule of the container that a file breaks.
pub fn check(file: &dyn ReadAt) -> Result<Vec<Problem>, ReadError> {
    let image = Image::parse(file)?;
    let mut check = Check { file, parts: Parts::new() };
    check.check_copies()?;
    check.place_regions(&image);
    check.place_blocks(&image)?;
    Ok(check.parts.finish("vhdx-overlap"))
}

/// What has a place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Header,
    Log,
    Metadata,
    Table,
    Block(u64),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the header section"),
            Self::Log => f.write_str("the log"),
            Self::Metadata => f.write_str("the metadata"),
            Self::Table => f.write_str("the block allocation table"),
            Self::Block(number) => write!(f, "block {number}"),
        }
    }
}

struct Check<'a> {
    file: &'a dyn ReadAt,
    parts: Parts<Part>,
}

impl Check<'_> {
    /// Checks that not only the copies that readers choose are whole.
    fn check_copies(&mut self) -> Result<(), ReadError> {
        let mut sequences = Vec::new();
        for at in header::PLACES {
            match Header::parse(self.file, at)? {
                Some(header) => sequences.push(header.sequence),
                None => self.damaged("vhdx-header", at),
            }
        }
        if let [one, other] = sequences[..]
            && one == other
        {
            let (place, expected) = ("headers", "different sequence numbers");
            self.parts.problem("vhdx-sequence", place, expected, format!("{one} twice"));
        }
        let mut tables = Vec::new();
        for at in region::PLACES {
            match Regions::load(self.file, at)? {
                Some(table) => tables.push(table),
                None => self.damaged("vhdx-region-table", at),
            }
        }
        if let [one, other] = &tables[..]
            && one != other
        {
            let (place, expected) = ("region tables", "the same bytes twice");
            self.parts.problem("vhdx-region-table", place, expected, "others");
        }
        Ok(())
    }

    fn damaged(&mut self, rule: &'static str, at: u64) {
        let expected = "a signature and the checksum";
        self.parts.problem(rule, format!("offset {at}"), expected, "others");
    }

    fn place_regions(&mut self, image: &Image) {
        let Image { header, regions, .. } = image;
        self.place(Part::Header, 0, MIB);
        self.place(Part::Log, header.log_offset, header.log_len.into());
        self.place(Part::Metadata, regions.metadata.offset, regions.metadata.len.into());
        self.place(Part::Table, regions.table.offset, regions.table.len.into());
    }

    fn place_blocks(&mut self, image: &Image) -> Result<(), ReadError> {
        let Image { regions, metadata, .. } = image;
        let (blocks, chunk) = (metadata.blocks(), metadata.chunk());
        let mut entries = vec![0; 1 << 16];
        let mut loaded = 0..0;
        let mut present = 0;
        for number in 0..blocks {
            let at = index(number, chunk) * ENTRY;
            if !loaded.contains(&at) {
                let left = u64::from(regions.table.len) - at;
                entries.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                self.file.read_exact_at(regions.table.offset + at, &mut entries)?;
                loaded = at..at + entries.len() as u64;
            }
            let within = usize::try_from(at - loaded.start).unwrap_or(usize::MAX);
            let entry = u64_at(&entries, within);
            if entry & RESERVED != 0 {
                let place = Part::Block(number).to_string();
                self.parts.problem("vhdx-reserved-bits", place, "zeros", format!("{entry:#x}"));
            }
            match Block::parse(entry) {
                Block::Absent => {}
                Block::At(offset) => {
                    present += 1;
                    if present > BLOCKS {
                        let reason = format!("more than {BLOCKS} blocks, which are checked");
                        return Err(ReadError::invalid("VHDX block allocation table", reason));
                    }
                    self.place(Part::Block(number), offset, metadata.block.into());
                }
                Block::Unreadable(state) => {
                    let place = Part::Block(number).to_string();
                    let expected = "a state without a parent: 0 to 3, or 6";
                    self.parts.problem("vhdx-state", place, expected, state.to_string());
                }
            }
        }
        Ok(())
    }

    fn place(&mut self, part: Part, start: u64, len: u64) {
        let whole = start.is_multiple_of(MIB) && len.is_multiple_of(MIB);
        let end = start.checked_add(len).filter(|end| whole && *end <= self.file.len());
        if let Some(end) = end {
            self.parts.place(part, start, end);
        } else {
            let expected = "whole MiB within the file";
            let found = format!("{len} bytes at {start}");
            self.parts.problem("vhdx-offset", part, expected, found);
        }
    }
}
