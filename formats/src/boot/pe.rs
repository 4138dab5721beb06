//! Headers of PE/COFF images: what UEFI loads, and what kernels are that UEFI can load.
//!
//! ```text
//!      0  "MZ" … 60: offset of the PE header (4)
//!      n  "PE\0\0"
//!    n+4  COFF header: machine (2) sections (2) time (4) symbol table (4) symbols (4)
//!         size of the optional header (2) characteristics (2)
//!   n+24  optional header: 0: magic (2)  8: SizeOfInitializedData  16: AddressOfEntryPoint
//!         32: SectionAlignment  36: FileAlignment  56: SizeOfImage  60: SizeOfHeaders
//!         64: CheckSum  68: Subsystem (2)  92 or 108: number of data directories, then those:
//!         address (4) and size (4) each; the fifth is the place of signatures in the file
//!      m  a header of 40 bytes for each section: name (8) VirtualSize VirtualAddress
//!         SizeOfRawData PointerToRawData, 12 bytes for object files, characteristics (4)
//! ```
//!
//! (Microsoft, "PE Format".) Only headers are read, and all of them lie in the first few KiB.

use super::fields::{half, word};
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::tree::escape;

/// The offset of the field that holds the offset of the PE header.
const HEADER_POINTER: usize = 60;
/// The most bytes before the PE header; the stubs of DOS programs have a few hundred.
const HEADER_OFFSET_MAX: u32 = 1 << 16;
/// The sizes of the fixed headers.
pub(super) const COFF_LEN: usize = 24;
const OPTIONAL_MIN: usize = 96;
const OPTIONAL_MAX: usize = 1024;
/// The size of a section header.
pub(super) const SECTION_LEN: usize = 40;
/// The most sections that Windows loads.
const SECTIONS_MAX: u16 = 96;

/// Offsets of fields in the COFF header, from "PE\0\0" on.
pub(super) mod coff {
    pub(in super::super) const SECTIONS: usize = 6;
    pub(in super::super) const SYMBOLS_AT: usize = 12;
    pub(in super::super) const SYMBOLS: usize = 16;
}

/// Offsets of fields in the optional header.
pub(super) mod optional {
    pub(in super::super) const DATA_SIZE: usize = 8;
    pub(in super::super) const IMAGE_SIZE: usize = 56;
    pub(in super::super) const HEADERS_SIZE: usize = 60;
    pub(in super::super) const CHECKSUM: usize = 64;
}

/// The headers of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The number of the machine it runs on.
    pub machine: u16,
    /// What it runs under; 10 is an EFI application.
    pub subsystem: u16,
    /// The alignment of sections in memory, a power of two.
    pub section_alignment: u32,
    /// The alignment of sections in the file, a power of two.
    pub file_alignment: u32,
    /// How many bytes it takes in memory.
    pub size_of_image: u32,
    /// How many bytes of the file are headers, as the image says.
    pub size_of_headers: u32,
    /// The place in the file and the size of its signatures.
    pub signatures: (u32, u32),
    /// The place in the file and the number of its symbols.
    pub symbols: (u32, u32),
    /// The sections, in the order of their headers.
    pub sections: Vec<Section>,
    /// The offset of "PE\0\0".
    pub(super) header: usize,
    /// The offset of the first section header.
    pub(super) section_table: usize,
}

/// One section of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The name, e.g. `.text`.
    pub name: String,
    /// How many bytes it takes in memory.
    pub virtual_size: u32,
    /// Where it is in memory, from the start of the image.
    pub virtual_address: u32,
    /// How many bytes it takes in the file.
    pub raw_size: u32,
    /// Where it is in the file.
    pub offset: u32,
    /// What it holds and how it may be used.
    pub characteristics: u32,
}

impl Image {
    /// Returns whether a file starts like an image.
    pub fn is_at_start_of(input: &dyn ReadAt) -> bool {
        let mut magic = [0; 2];
        input.read_exact_at(0, &mut magic).is_ok() && magic == *b"MZ"
    }

    /// Reads the headers.
    pub fn read(input: &dyn ReadAt) -> Result<Self, ReadError> {
        let dos = header(input, "DOS header", 0, 64)?;
        if !dos.starts_with(b"MZ") {
            return Err(malformed("DOS header", 0, "`MZ`", escape(&dos[..2])));
        }
        let at = word(&dos, HEADER_POINTER);
        if at > HEADER_OFFSET_MAX {
            let expected = format!("a PE header within the first {HEADER_OFFSET_MAX} bytes");
            return Err(malformed("DOS header", HEADER_POINTER as u64, expected, at));
        }
        let coff = header(input, "PE header", at.into(), COFF_LEN)?;
        if !coff.starts_with(b"PE\0\0") {
            return Err(malformed("PE header", at.into(), "`PE\\0\\0`", escape(&coff[..4])));
        }
        let optional_len = usize::from(half(&coff, 20));
        if !(OPTIONAL_MIN..=OPTIONAL_MAX).contains(&optional_len) {
            let expected = format!("an optional header of {OPTIONAL_MIN} to {OPTIONAL_MAX} bytes");
            return Err(malformed("PE header", u64::from(at) + 20, expected, optional_len));
        }
        let optional_at = u64::from(at) + COFF_LEN as u64;
        let optional = header(input, "PE optional header", optional_at, optional_len)?;
        let mut image = Self::of_headers(&coff, &optional, optional_at)?;
        image.header = at as usize;
        image.section_table = at as usize + COFF_LEN + optional_len;
        image.read_sections(input, half(&coff, coff::SECTIONS))?;
        Ok(image)
    }

    fn of_headers(coff: &[u8], optional: &[u8], at: u64) -> Result<Self, ReadError> {
        let directories = match half(optional, 0) {
            0x10b => 92,
            0x20b => 108,
            found => {
                let expected = "the magic 0x10b or 0x20b";
                return Err(malformed("PE optional header", at, expected, format!("{found:#x}")));
            }
        };
        let alignment = |field: usize| match word(optional, field) {
            found if found.is_power_of_two() && found <= 1 << 24 => Ok(found),
            found => {
                let expected = "an alignment that is a power of two up to 16 MiB";
                Err(malformed("PE optional header", at + field as u64, expected, found))
            }
        };
        // The fifth data directory; a header that is too short for it reads as zeros.
        let signatures =
            if word(optional, directories) > 4 { directories + 4 + 4 * 8 } else { 1024 };
        Ok(Self {
            machine: half(coff, 4),
            subsystem: half(optional, 68),
            section_alignment: alignment(32)?,
            file_alignment: alignment(36)?,
            size_of_image: word(optional, optional::IMAGE_SIZE),
            size_of_headers: word(optional, optional::HEADERS_SIZE),
            signatures: (word(optional, signatures), word(optional, signatures + 4)),
            symbols: (word(coff, coff::SYMBOLS_AT), word(coff, coff::SYMBOLS)),
            sections: Vec::new(),
            header: 0,
            section_table: 0,
        })
    }

    fn read_sections(&mut self, input: &dyn ReadAt, count: u16) -> Result<(), ReadError> {
        if count > SECTIONS_MAX {
            let at = (self.header + coff::SECTIONS) as u64;
            let expected = format!("at most {SECTIONS_MAX} sections");
            return Err(malformed("PE header", at, expected, count));
        }
        let len = usize::from(count) * SECTION_LEN;
        let table = header(input, "PE section headers", self.section_table as u64, len)?;
        for (number, row) in table.chunks_exact(SECTION_LEN).enumerate() {
            let section = Section::of_header(row);
            let end = u64::from(section.offset) + u64::from(section.raw_size);
            if section.raw_size > 0 && end > input.len() {
                let at = (self.section_table + number * SECTION_LEN) as u64;
                let expected = format!("section `{}` within {} bytes", section.name, input.len());
                return Err(malformed("PE section headers", at, expected, format!("end {end}")));
            }
            self.sections.push(section);
        }
        Ok(())
    }

    /// Returns the section of a name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Returns where the last section or signature ends in the file.
    pub fn end(&self) -> u64 {
        let sections = self.sections.iter().filter(|section| section.raw_size > 0);
        let ends = sections.map(|section| (section.offset, section.raw_size));
        let ends = ends.chain([self.signatures]).map(|(at, len)| u64::from(at) + u64::from(len));
        ends.max().unwrap_or(0).max(self.size_of_headers.into())
    }
}

impl Section {
    fn of_header(row: &[u8]) -> Self {
        let end = row[..8].iter().position(|byte| *byte == 0).unwrap_or(8);
        Self {
            name: escape(&row[..end]),
            virtual_size: word(row, 8),
            virtual_address: word(row, 12),
            raw_size: word(row, 16),
            offset: word(row, 20),
            characteristics: word(row, 36),
        }
    }

    /// Returns how many bytes of the file belong to the section: what is padding does not.
    pub fn len(&self) -> u32 {
        if self.virtual_size == 0 { self.raw_size } else { self.raw_size.min(self.virtual_size) }
    }

    /// Returns whether the file has nothing for the section.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn header(
    input: &dyn ReadAt,
    what: &'static str,
    at: u64,
    len: usize,
) -> Result<Vec<u8>, ReadError> {
    if at + len as u64 > input.len() {
        let found = format!("the end of the file at {}", input.len());
        return Err(malformed(what, at, format!("{len} bytes"), found));
    }
    let mut bytes = vec![0; len];
    input.read_exact_at(at, &mut bytes)?;
    Ok(bytes)
}

#[expect(clippy::needless_pass_by_value, reason = "callers pass what they have at hand")]
fn malformed(
    what: &str,
    offset: u64,
    expected: impl Into<String>,
    found: impl ToString,
) -> ReadError {
    ReadError::malformed(what, offset, expected, found.to_string())
}
