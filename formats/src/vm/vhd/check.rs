//! Checking a file's structure: both footers say the same, and no two parts share a place.

use std::fmt;

use super::dynamic::{self, Header, UNUSED};
use super::footer::{self, Footer};
use super::{Kind, SECTOR};
use crate::format::{Problem, ReadError};
use crate::input::ReadAt;
use crate::vm::parts::Parts;

/// The most blocks that are checked: those of the largest disk are fewer.
const BLOCKS: u32 = 1 << 21;

/// Lists every rule of the container that a file breaks.
pub fn check(file: &dyn ReadAt) -> Result<Vec<Problem>, ReadError> {
    let footer = Footer::parse(file)?;
    let end = file.len() - SECTOR;
    match footer.kind {
        Kind::Fixed if footer.size != end => {
            let expected = format!("the {end} bytes before the footer");
            Ok(vec![Problem::new("vhd-size", "footer", expected, footer.size.to_string())])
        }
        Kind::Fixed => Ok(Vec::new()),
        Kind::Dynamic => {
            let mut check = Check { file, end, parts: Parts::new() };
            check.compare_footers()?;
            check.place_parts(&footer)?;
            Ok(check.parts.finish("vhd-overlap"))
        }
    }
}

/// What has a place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    FooterCopy,
    Header,
    Table,
    Block(u32),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FooterCopy => f.write_str("the copy of the footer"),
            Self::Header => f.write_str("the header"),
            Self::Table => f.write_str("the block allocation table"),
            Self::Block(number) => write!(f, "block {number}"),
        }
    }
}

struct Check<'a> {
    file: &'a dyn ReadAt,
    /// Where the footer starts.
    end: u64,
    parts: Parts<Part>,
}

impl Check<'_> {
    fn compare_footers(&mut self) -> Result<(), ReadError> {
        let (mut first, mut last) = ([0; footer::LEN], [0; footer::LEN]);
        self.file.read_exact_at(0, &mut first)?;
        self.file.read_exact_at(self.end, &mut last)?;
        if first != last {
            let expected = "the bytes of the footer".to_owned();
            self.parts.problem("vhd-footer-copy", Part::FooterCopy, expected, "others");
        }
        Ok(())
    }

    fn place_parts(&mut self, footer: &Footer) -> Result<(), ReadError> {
        let header = Header::parse(self.file, footer)?;
        if header.entries > BLOCKS {
            let reason = format!("{} blocks, more than are checked", header.entries);
            return Err(ReadError::invalid("VHD block allocation table", reason));
        }
        let table = u64::from(header.entries) * 4;
        self.place(Part::FooterCopy, 0, SECTOR);
        self.place(Part::Header, footer.header, dynamic::LEN as u64);
        self.place(Part::Table, header.table, table);
        let mut entries = vec![0; usize::try_from(table).unwrap_or(0)];
        self.file.read_exact_at(header.table, &mut entries)?;
        for (number, entry) in (0..).zip(entries.as_chunks::<4>().0) {
            let entry = u32::from_be_bytes(*entry);
            if entry != UNUSED {
                let len = header.bitmap() + u64::from(header.block);
                self.place(Part::Block(number), u64::from(entry) * SECTOR, len);
            }
        }
        Ok(())
    }

    fn place(&mut self, part: Part, start: u64, len: u64) {
        if let Some(end) = start.checked_add(len).filter(|end| *end <= self.end) {
            self.parts.place(part, start, end);
        } else {
            let expected = format!("{len} bytes that end by {}", self.end);
            self.parts.problem("vhd-offset", part, expected, format!("a start at {start}"));
        }
    }
}
