//! The ELF header (gABI chapter 4, "ELF Header").
//!
//! ```text
//! 0  7f 45 4c 46  class  data  version  ABI   16  type (2)  machine (2)  version (4)
//! 24 entry, phoff, shoff (4 or 8 each)  flags (4)  ehsize phentsize phnum shentsize shnum shstrndx (2)
//! ```

use serde::{Deserialize, Serialize};

use super::MAGIC;
use super::blocks::{Blocks, Record};
use super::error::ElfError;
use super::machine::Machine;

/// How wide addresses are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// `ELFCLASS32`
    Elf32,
    /// `ELFCLASS64`
    Elf64,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// `ET_EXEC`: a program at a fixed address.
    Executable,
    /// `ET_DYN`: a library, or a program at any address.
    Shared,
    /// Anything else: an object file, a core.
    Other,
}

impl Kind {
    /// Returns whether a loader would load the file.
    pub fn is_loaded(self) -> bool {
        match self {
            Self::Executable | Self::Shared => true,
            Self::Other => false,
        }
    }
}

/// How fields are laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Whether addresses have 8 bytes rather than 4.
    pub(super) wide: bool,
    pub(super) big_endian: bool,
}

/// The ELF header.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// How wide addresses are.
    pub class: Class,
    /// What it runs on.
    pub machine: Machine,
    /// What it is for.
    pub kind: Kind,
    pub(super) layout: Layout,
    pub(super) programs: Table,
    pub(super) sections: Table,
}

/// A table of records of one size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) offset: u64,
    pub(super) entry: u64,
    pub(super) count: u64,
}

impl Header {
    pub(super) fn read(blocks: &mut Blocks<'_>) -> Result<Self, ElfError> {
        let plain = Layout { wide: false, big_endian: false };
        let ident = blocks.record("the ELF identification", 0, 16, plain)?;
        let magic = [ident.byte(0), ident.byte(1), ident.byte(2), ident.byte(3)];
        if magic != MAGIC {
            let found = magic.escape_ascii();
            return Err(ElfError::invalid("the magic number", 0, "\\x7fELF", found));
        }
        let class = match ident.byte(4) {
            1 => Class::Elf32,
            2 => Class::Elf64,
            found => return Err(ElfError::invalid("the class", 4, "1 or 2", found)),
        };
        let big_endian = match ident.byte(5) {
            1 => false,
            2 => true,
            found => return Err(ElfError::invalid("the data encoding", 5, "1 or 2", found)),
        };
        let layout = Layout { wide: class == Class::Elf64, big_endian };
        let size = if layout.wide { 64 } else { 52 };
        let record = blocks.record("the ELF header", 0, size, layout)?;
        let kind = match record.half(16) {
            2 => Kind::Executable,
            3 => Kind::Shared,
            _ => Kind::Other,
        };
        let tail = if layout.wide { 48 } else { 36 };
        let table = |at32, at64, field: usize| Table {
            offset: record.wide(at32, at64),
            entry: record.half(tail + field).into(),
            count: record.half(tail + field + 2).into(),
        };
        let machine = Machine::new(&record, layout, record.word(tail));
        let mut header = Self {
            class,
            machine,
            kind,
            layout,
            programs: table(28, 32, 6),
            sections: table(32, 40, 10),
        };
        header.extend(blocks, &record)?;
        Ok(header)
    }

    /// Takes counts that do not fit their fields from the first section header (gABI, `e_shnum`).
    fn extend(&mut self, blocks: &mut Blocks<'_>, record: &Record) -> Result<(), ElfError> {
        let wide = self.layout.wide;
        if self.sections.offset == 0 || record.half(if wide { 58 } else { 46 }) == 0 {
            self.sections.count = 0;
            return Ok(());
        }
        if self.sections.count > 0 && self.programs.count != 0xffff {
            return Ok(());
        }
        let size = if wide { 64 } else { 40 };
        let first =
            blocks.record("the first section header", self.sections.offset, size, self.layout)?;
        if self.sections.count == 0 {
            self.sections.count = first.wide(20, 32);
        }
        if self.programs.count == 0xffff {
            self.programs.count = first.word(if wide { 44 } else { 28 }).into();
        }
        Ok(())
    }
}

impl Table {
    /// Returns the offset of each record, or says that the table is not in the file.
    pub(super) fn offsets(
        &self,
        what: &'static str,
        least: u64,
        blocks: &Blocks<'_>,
    ) -> Result<impl Iterator<Item = u64> + use<>, ElfError> {
        let Self { offset, entry, count } = *self;
        if count > 0 && entry < least {
            let expected = format!("records of {least} bytes");
            return Err(ElfError::invalid(what, offset, expected, format!("{entry}")));
        }
        let size = entry.saturating_mul(count);
        if count > 0 {
            blocks.check(what, offset, size)?;
        }
        Ok((0..count).map(move |number| offset + number * entry))
    }
}
