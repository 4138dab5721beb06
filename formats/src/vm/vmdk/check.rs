//! Checking a file's structure: every grain is where it says it is, and none shares a place.

use std::fmt;

use super::header::{ENTRIES, Header, u32_at};
use super::read::{GRAIN_MARKER, grain_len, parse};
use super::{Marker, SECTOR, SECTOR_LEN};
use crate::format::{Problem, ReadError};
use crate::input::ReadAt;
use crate::vm::parts::Parts;

/// The most grains that are checked.
const GRAINS: usize = 1 << 21;

/// Lists every rule of the container that a file breaks.
pub fn check(file: &dyn ReadAt) -> Result<Vec<Problem>, ReadError> {
    let header = parse(file)?;
    let mut check = Check { file, header, parts: Parts::new() };
    if header.is_compressed() {
        check.check_end()?;
    }
    check.place(Part::Header, 0, SECTOR);
    let (place, sectors) = header.descriptor;
    check.place(Part::Descriptor, place * SECTOR, sectors * SECTOR);
    check.place(Part::Directory, header.directory * SECTOR, header.tables() * 4);
    check.place_tables()?;
    Ok(check.parts.finish("vmdk-overlap"))
}

/// What has a place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Header,
    Descriptor,
    Directory,
    Table(u64),
    Grain(u64),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the header"),
            Self::Descriptor => f.write_str("the descriptor"),
            Self::Directory => f.write_str("the grain directory"),
            Self::Table(number) => write!(f, "grain table {number}"),
            Self::Grain(number) => write!(f, "grain {number}"),
        }
    }
}

struct Check<'a> {
    file: &'a dyn ReadAt,
    header: Header,
    parts: Parts<Part>,
}

impl Check<'_> {
    /// Checks the last sector of a stream.
    fn check_end(&mut self) -> Result<(), ReadError> {
        let mut last = [0; SECTOR_LEN];
        self.file.read_exact_at(self.file.len().saturating_sub(SECTOR), &mut last)?;
        if last != Marker::EndOfStream.encode(0) {
            let place = format!("offset {}", self.file.len() - SECTOR);
            let expected = "the marker of the end";
            self.parts.problem("vmdk-end-of-stream", place, expected, "other bytes");
        }
        Ok(())
    }

    /// Reads numbers of 4 bytes; those beyond the end of the file are none.
    fn read(&self, at: u64, count: u64) -> Result<Vec<u32>, ReadError> {
        let mut bytes = vec![0; usize::try_from(count * 4).unwrap_or(0)];
        self.file.read_exact_at(at, &mut bytes)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| u32_at(bytes, 0)).collect())
    }

    fn place_tables(&mut self) -> Result<(), ReadError> {
        let tables = self.header.tables();
        for first in (0..tables).step_by(4096) {
            let count = (tables - first).min(4096);
            let places = self.read(self.header.directory * SECTOR + first * 4, count)?;
            for (number, place) in (first..).zip(places) {
                let at = u64::from(place) * SECTOR;
                if place != 0 && self.place(Part::Table(number), at, ENTRIES * 4) {
                    self.place_grains(number, at)?;
                }
            }
        }
        Ok(())
    }

    fn place_grains(&mut self, table: u64, at: u64) -> Result<(), ReadError> {
        for (number, entry) in (table * ENTRIES..).zip(self.read(at, ENTRIES)?) {
            if self.header.is_zeros(entry) {
                continue;
            }
            if self.parts.len() > GRAINS {
                let reason = format!("more than {GRAINS} grains, which are checked");
                return Err(ReadError::invalid("VMDK file", reason));
            }
            let (part, at) = (Part::Grain(number), u64::from(entry) * SECTOR);
            let len = if self.header.is_compressed() {
                grain_len(self.file, &self.header, number, at).map(|len| GRAIN_MARKER as u64 + len)
            } else {
                Ok(self.header.grain_len())
            };
            match len {
                Ok(len) => {
                    self.place(part, at, len);
                }
                Err(error) => {
                    let expected = format!("a marker of sector {}", number * self.header.grain);
                    self.parts.problem("vmdk-grain-marker", part, expected, error.to_string());
                }
            }
        }
        Ok(())
    }

    /// Notes where a part is; returns whether that is within the file.
    fn place(&mut self, part: Part, start: u64, len: u64) -> bool {
        let end = start.checked_add(len).filter(|end| *end <= self.file.len());
        let Some(end) = end else {
            let expected = format!("{len} bytes within the file");
            self.parts.problem("vmdk-offset", part, expected, format!("a start at {start}"));
            return false;
        };
        self.parts.place(part, start, end);
        true
    }
}
