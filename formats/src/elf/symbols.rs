//! Dynamic symbols that come from elsewhere (gABI chapter 4, "Symbol Table").
//!
//! ```text
//! 32 bit  name (4)  value (4)  size (4)  info (1)  other (1)  section (2)
//! 64 bit  name (4)  info (1)  other (1)  section (2)  value (8)  size (8)
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::blocks::Blocks;
use super::dynamic::Dynamic;
use super::error::ElfError;
use super::header::{Header, Table};
use super::segments::Segments;
use super::versions;

/// Symbols that are looked at; the largest libraries have some hundred thousand.
const MOST_SYMBOLS: u64 = 1 << 24;

/// A dynamic symbol that comes from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndefinedSymbol<'a> {
    /// The name as it is in the file, mangled if it is of C++.
    pub name: &'a str,
    /// The version that is needed, if there is one.
    pub version: Option<&'a str>,
    /// Whether the file can do without.
    pub weak: bool,
}

/// Calls `visit` with each symbol that comes from elsewhere.
pub(super) fn undefined(
    blocks: &mut Blocks<'_>,
    header: &Header,
    segments: &Segments,
    dynamic: &Dynamic,
    visit: &mut dyn FnMut(UndefinedSymbol<'_>),
) -> Result<(), ElfError> {
    const WHAT: &str = "the dynamic symbols";
    let Some(address) = dynamic.symbols else { return Ok(()) };
    let (offset, there) = segments.locate(WHAT, address)?;
    let wide = header.layout.wide;
    let entry = if wide { 24 } else { 16 };
    let count = count(blocks, header, segments, dynamic)?.min(there / entry);
    if count > MOST_SYMBOLS {
        return Err(ElfError::invalid(WHAT, offset, format!("at most {MOST_SYMBOLS}"), count));
    }
    let names = version_names(blocks, header, dynamic)?;
    let copied = copied(blocks, header, segments, dynamic)?;
    let version_table = match dynamic.symbol_versions {
        Some(address) => Some(segments.locate("the versions of symbols", address)?.0),
        None => None,
    };
    let table = Table { offset, entry, count };
    for (number, at) in (0_u64..).zip(table.offsets(WHAT, entry, blocks)?).skip(1) {
        let record = blocks.record(WHAT, at, entry, header.layout)?;
        let section = record.half(if wide { 6 } else { 14 });
        if section != 0 && !copied.contains(&number) {
            continue;
        }
        let (start, end) = dynamic.string("the name of a symbol", record.word(0).into())?;
        let name = blocks.name("the name of a symbol", start, end)?;
        if name.is_empty() {
            continue;
        }
        let version = match version_table {
            Some(table) => {
                let at = table.saturating_add(number * 2);
                let record = blocks.record("the versions of symbols", at, 2, header.layout)?;
                names.get(&(record.half(0) & 0x7fff)).map(String::as_str)
            }
            None => None,
        };
        let weak = record.byte(if wide { 4 } else { 12 }) >> 4 == 2;
        visit(UndefinedSymbol { name: &String::from_utf8_lossy(&name), version, weak });
    }
    Ok(())
}

/// Returns how many symbols there are. Only the hash table for all symbols and the section headers
/// say it; without both the string table follows the symbols, as linkers lay them out.
fn count(
    blocks: &mut Blocks<'_>,
    header: &Header,
    segments: &Segments,
    dynamic: &Dynamic,
) -> Result<u64, ElfError> {
    const WHAT: &str = "the hash table of symbols";
    if let Some(count) = dynamic.symbol_count {
        return Ok(count);
    }
    if let Some(address) = dynamic.hash {
        let (offset, _) = segments.locate(WHAT, address)?;
        // Words of 64 bits on Alpha and S/390.
        let wide = header.layout.wide && matches!(header.machine.number, 22 | 0x9026);
        let record = blocks.record(WHAT, offset, if wide { 16 } else { 8 }, header.layout)?;
        return Ok(if wide { record.long(8) } else { record.word(4).into() });
    }
    let entry = if header.layout.wide { 24 } else { 16 };
    match (dynamic.symbols, dynamic.strings_address) {
        (Some(symbols), Some(strings)) if strings > symbols => Ok((strings - symbols) / entry),
        _ => Ok(0),
    }
}

/// Returns the names of versions by the numbers that symbols have for them.
fn version_names(
    blocks: &mut Blocks<'_>,
    header: &Header,
    dynamic: &Dynamic,
) -> Result<BTreeMap<u16, String>, ElfError> {
    let mut names = BTreeMap::new();
    for required in versions::required_numbers(blocks, header, dynamic)? {
        names.insert(required.number, required.version);
    }
    for defined in versions::defined_numbers(blocks, header, dynamic)? {
        // Number 1 is the file itself.
        if !defined.is_parent && defined.number > 1 {
            names.insert(defined.number, defined.version);
        }
    }
    Ok(names)
}

/// Returns the symbols whose data is copied out of a library when the program starts.
fn copied(
    blocks: &mut Blocks<'_>,
    header: &Header,
    segments: &Segments,
    dynamic: &Dynamic,
) -> Result<BTreeSet<u64>, ElfError> {
    const WHAT: &str = "the relocations";
    let mut symbols = BTreeSet::new();
    let Some(copy) = header.machine.copy_relocation() else { return Ok(symbols) };
    let wide = header.layout.wide;
    for ((address, size), entry) in
        dynamic.relocations.into_iter().zip(if wide { [24, 16] } else { [12, 8] })
    {
        let Some(address) = address.filter(|_| size > 0) else { continue };
        let (offset, there) = segments.locate(WHAT, address)?;
        let table = Table { offset, entry, count: size.min(there) / entry };
        for at in table.offsets(WHAT, entry, blocks)? {
            let record = blocks.record(WHAT, at, entry, header.layout)?;
            let info = record.wide(4, 8);
            let (symbol, kind) = match (header.machine.number, wide) {
                (_, false) => (info >> 8, info & 0xff),
                // MIPS splits the kind in bytes, the symbol always first.
                (8, true) if !header.layout.big_endian => (info & 0xffff_ffff, info >> 56),
                (8, true) => (info >> 32, info & 0xff),
                (_, true) => (info >> 32, info & 0xffff_ffff),
            };
            if kind == u64::from(copy) {
                symbols.insert(symbol);
            }
        }
    }
    Ok(symbols)
}
