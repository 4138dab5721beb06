//! Sections by name (gABI chapter 4, "Sections").

use super::blocks::Blocks;
use super::error::ElfError;
use super::header::{Header, Table};
use crate::input::ReadAt;

/// `SHT_NOBITS`: the file has nothing for the section.
const NO_BITS: u32 = 8;
/// Object files with a section for each function have some ten thousand.
const MOST_SECTIONS: u64 = 65_536;

/// Returns the offset and the length of a section's bytes; `None` if there is no such section.
pub fn section(input: &dyn ReadAt, name: &str) -> Result<Option<(u64, u64)>, ElfError> {
    const WHAT: &str = "the section headers";
    let mut blocks = Blocks::new(input);
    let header = Header::read(&mut blocks)?;
    let (wide, Table { offset, count, .. }) = (header.layout.wide, header.sections);
    if count > MOST_SECTIONS {
        return Err(ElfError::invalid(WHAT, offset, format!("at most {MOST_SECTIONS}"), count));
    }
    let size = if wide { 64 } else { 40 };
    let places: Vec<u64> = header.sections.offsets(WHAT, size, &blocks)?.collect();
    let whole = blocks.record("the ELF header", 0, if wide { 64 } else { 52 }, header.layout)?;
    let names = usize::from(whole.half(if wide { 62 } else { 50 }));
    let Some(names) = places.get(names) else { return Ok(None) };
    let names = blocks.record(WHAT, *names, size, header.layout)?;
    let (names, names_len) = (names.wide(16, 24), names.wide(20, 32));
    blocks.check("the names of sections", names, names_len)?;
    for place in places {
        let record = blocks.record(WHAT, place, size, header.layout)?;
        let at = names.saturating_add(record.word(0).into());
        // A name that is too long for what is looked for need not be read to its end.
        let end = (names + names_len).min(at.saturating_add(name.len() as u64 + 1));
        let same = blocks.name("the name of a section", at, end);
        if record.word(4) == NO_BITS || !same.is_ok_and(|found| found == name.as_bytes()) {
            continue;
        }
        let (offset, len) = (record.wide(16, 24), record.wide(20, 32));
        blocks.check("a section", offset, len)?;
        return Ok(Some((offset, len)));
    }
    Ok(None)
}
