//! The dynamic section (gABI chapter 5, "Dynamic Section"): pairs of tag and value.

use super::blocks::Blocks;
use super::error::ElfError;
use super::header::{Header, Table};
use super::model::Elf;
use super::segments::Segments;

/// Entries of the dynamic section that are looked at; libraries have a few dozen.
const MOST_ENTRIES: u64 = 65_536;
/// Libraries that one file may need; the largest programs need a few hundred.
const MOST_NEEDED: usize = 4096;

const SHT_DYNAMIC: u32 = 6;
const SHT_DYNSYM: u32 = 11;

/// The dynamic section, with what the section headers add to it.
#[derive(Debug, Default)]
pub(super) struct Dynamic {
    /// Offset and size of the string table.
    strings: (u64, u64),
    needed: Vec<u64>,
    soname: Option<u64>,
    rpath: Option<u64>,
    runpath: Option<u64>,
    debug: bool,
    pub(super) hash: Option<u64>,
    gnu_hash: bool,
    /// Address of the symbol table.
    pub(super) symbols: Option<u64>,
    /// Address of the string table.
    pub(super) strings_address: Option<u64>,
    /// How many symbols there are, if the section headers say it.
    pub(super) symbol_count: Option<u64>,
    /// Address of each symbol's version.
    pub(super) symbol_versions: Option<u64>,
    /// Offset and count of the versions that are needed.
    pub(super) required: Option<(u64, u64)>,
    /// Offset and count of the versions that are defined.
    pub(super) defined: Option<(u64, u64)>,
    /// Address, size of all and size of each relocation: with and without addend.
    pub(super) relocations: [(Option<u64>, u64); 2],
}

impl Dynamic {
    /// Reads the dynamic section; `None` if there is none.
    pub(super) fn read(
        blocks: &mut Blocks<'_>,
        header: &Header,
        segments: &Segments,
    ) -> Result<Option<Self>, ElfError> {
        let Some(segment) = segments.dynamic else { return Ok(None) };
        let (has_section, symbol_count) = sections(blocks, header)?;
        // Separate debug information has the program header without the section's bytes.
        if header.sections.count > 0 && !has_section {
            return Ok(None);
        }
        let entry = if header.layout.wide { 16 } else { 8 };
        let count = (segment.size / entry).min(MOST_ENTRIES);
        let table = Table { offset: segment.offset, entry, count };
        let mut dynamic = Self { symbol_count, ..Self::default() };
        let mut addresses = Addresses::default();
        for at in table.offsets("the dynamic section", entry, blocks)? {
            let record = blocks.record("the dynamic section", at, entry, header.layout)?;
            let tag = record.wide(0, 0);
            if tag == 0 {
                break;
            }
            dynamic.take(tag, record.wide(4, 8), &mut addresses)?;
        }
        dynamic.locate(segments, &addresses, blocks)?;
        Ok(Some(dynamic))
    }

    fn take(&mut self, tag: u64, value: u64, addresses: &mut Addresses) -> Result<(), ElfError> {
        match tag {
            1 if self.needed.len() >= MOST_NEEDED => {
                let expected = format!("at most {MOST_NEEDED}");
                return Err(ElfError::invalid("the needed libraries", 0, expected, "more"));
            }
            1 => self.needed.push(value),
            4 => self.hash = Some(value),
            5 => self.strings_address = Some(value),
            6 => self.symbols = Some(value),
            7 => self.relocations[0].0 = Some(value),
            8 => self.relocations[0].1 = value,
            10 => addresses.strings_size = value,
            14 => self.soname = Some(value),
            15 => self.rpath = Some(value),
            17 => self.relocations[1].0 = Some(value),
            18 => self.relocations[1].1 = value,
            21 => self.debug = true,
            29 => self.runpath = Some(value),
            0x6fff_fef5 => self.gnu_hash = true,
            0x6fff_fff0 => self.symbol_versions = Some(value),
            0x6fff_fffc => addresses.defined = Some(value),
            0x6fff_fffd => addresses.defined_count = value,
            0x6fff_fffe => addresses.required = Some(value),
            0x6fff_ffff => addresses.required_count = value,
            _ => {}
        }
        Ok(())
    }

    fn locate(
        &mut self,
        segments: &Segments,
        addresses: &Addresses,
        blocks: &Blocks<'_>,
    ) -> Result<(), ElfError> {
        if let Some(address) = self.strings_address {
            let (offset, there) = segments.locate("the dynamic string table", address)?;
            let size = addresses.strings_size.min(there);
            blocks.check("the dynamic string table", offset, size)?;
            self.strings = (offset, size);
        }
        if let Some(address) = addresses.required {
            let (offset, _) = segments.locate("the needed versions", address)?;
            self.required = Some((offset, addresses.required_count));
        }
        if let Some(address) = addresses.defined {
            let (offset, _) = segments.locate("the defined versions", address)?;
            self.defined = Some((offset, addresses.defined_count));
        }
        Ok(())
    }

    /// Returns where a name of the string table is, and where the table ends.
    pub(super) fn string(&self, what: &'static str, index: u64) -> Result<(u64, u64), ElfError> {
        let (offset, size) = self.strings;
        if index >= size {
            let expected = format!("an index below {size} into the string table");
            return Err(ElfError::invalid(what, offset, expected, index));
        }
        Ok((offset + index, offset + size))
    }

    pub(super) fn text(
        &self,
        blocks: &mut Blocks<'_>,
        what: &'static str,
        index: u64,
    ) -> Result<String, ElfError> {
        let (offset, end) = self.string(what, index)?;
        blocks.text(what, offset, end)
    }

    /// Writes what is known without versions and symbols.
    pub(super) fn describe(&self, blocks: &mut Blocks<'_>, elf: &mut Elf) -> Result<(), ElfError> {
        elf.is_dynamic = true;
        elf.has_hash = self.hash.is_some();
        elf.has_gnu_hash = self.gnu_hash;
        elf.has_debug = self.debug;
        for index in &self.needed {
            elf.needed.push(self.text(blocks, "the name of a needed library", *index)?);
        }
        if let Some(index) = self.soname {
            elf.soname = Some(self.text(blocks, "the soname", index)?);
        }
        if let Some(index) = self.runpath.or(self.rpath) {
            let path = self.text(blocks, "the search path of libraries", index)?;
            let parts = path.split(':').filter(|part| !part.is_empty());
            elf.search = parts.map(str::to_owned).collect();
        }
        Ok(())
    }
}

/// What needs more than one entry to be found.
#[derive(Debug, Default)]
struct Addresses {
    strings_size: u64,
    required: Option<u64>,
    required_count: u64,
    defined: Option<u64>,
    defined_count: u64,
}

/// Returns whether the section headers list a dynamic section, and how many symbols they tell of.
fn sections(blocks: &mut Blocks<'_>, header: &Header) -> Result<(bool, Option<u64>), ElfError> {
    const WHAT: &str = "the section headers";
    let wide = header.layout.wide;
    let size = if wide { 64 } else { 40 };
    let (mut dynamic, mut symbols) = (false, None);
    for at in header.sections.offsets(WHAT, size, blocks)? {
        let record = blocks.record(WHAT, at, size, header.layout)?;
        match record.word(4) {
            SHT_DYNAMIC => dynamic = true,
            SHT_DYNSYM => {
                let each = if wide { 24 } else { 16 };
                symbols = Some(record.wide(20, 32) / each);
            }
            _ => {}
        }
    }
    Ok((dynamic, symbols))
}
