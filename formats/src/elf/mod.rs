//! What an ELF file says it needs and offers (System V gABI chapters 4 and 5, LSB core 10.7 for
//! symbol versions).
//!
//! ```text
//! ELF header ──► program headers ──► PT_INTERP, PT_LOAD, PT_DYNAMIC ──► string table, versions
//!           └──► section headers, if there are any: is there a dynamic section, how many symbols
//! ```
//!
//! A file is read where its headers point, through [`crate::input::ReadAt`], never whole: a few
//! blocks of 16 KiB are held, and what is returned is as large as the names in it. The `object`
//! crate would do the parsing, but its cache keeps every range it was asked for, and what a range
//! is lies with the file; here every table is bounded before it is read. Files without section
//! headers work as well, as they do for the loader.
//!
//! Nothing in a file is believed: offsets are checked against the file, counts against limits, and
//! version chains only go forward.

mod blocks;
mod dynamic;
mod error;
mod header;
mod machine;
mod model;
mod sections;
mod segments;
mod symbols;
#[cfg(test)]
mod tests;
mod versions;

use crate::input::ReadAt;

pub use error::ElfError;
pub use header::{Class, Header, Kind};
pub use machine::Machine;
pub use model::{Elf, RequiredLibrary};
pub use sections::section;
pub use symbols::UndefinedSymbol;

use blocks::Blocks;
use dynamic::Dynamic;
use segments::Segments;

/// The first four bytes of every ELF file.
pub const MAGIC: [u8; 4] = *b"\x7fELF";

/// Reads what a file needs and offers.
///
/// Object files, core files and anything without a dynamic section need nothing.
pub fn read(input: &dyn ReadAt) -> Result<Elf, ElfError> {
    let mut blocks = Blocks::new(input);
    let header = Header::read(&mut blocks)?;
    let mut elf = Elf::new(&header);
    if !header.kind.is_loaded() {
        return Ok(elf);
    }
    let segments = Segments::read(&mut blocks, &header)?;
    elf.interpreter = segments.interpreter(&mut blocks)?;
    let Some(dynamic) = Dynamic::read(&mut blocks, &header, &segments)? else { return Ok(elf) };
    dynamic.describe(&mut blocks, &mut elf)?;
    elf.requires = versions::required(&mut blocks, &header, &dynamic)?;
    (elf.version_base, elf.defines) = versions::defined(&mut blocks, &header, &dynamic)?;
    Ok(elf)
}

/// Calls `visit` with every dynamic symbol that a file needs from elsewhere: the undefined ones,
/// and those whose data is copied from a library.
pub fn undefined_symbols(
    input: &dyn ReadAt,
    visit: &mut dyn FnMut(UndefinedSymbol<'_>),
) -> Result<(), ElfError> {
    let mut blocks = Blocks::new(input);
    let header = Header::read(&mut blocks)?;
    if !header.kind.is_loaded() {
        return Ok(());
    }
    let segments = Segments::read(&mut blocks, &header)?;
    match Dynamic::read(&mut blocks, &header, &segments)? {
        Some(dynamic) => symbols::undefined(&mut blocks, &header, &segments, &dynamic, visit),
        None => Ok(()),
    }
}
