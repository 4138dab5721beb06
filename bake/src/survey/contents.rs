//! What one content says that matters to whoever runs the image.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bake_formats::elf::{self, Elf};
use bake_formats::input::ReadAt;
use bake_formats::tree::{Content, TreePath};
use serde::{Deserialize, Serialize};

use super::error::LayerFault;
use crate::needs::{LONGEST_SHEBANG, shebang};

/// The longest text that is kept, in bytes.
const LONGEST_TEXT: u64 = 4 << 20;
/// Contents up to this size are held in memory while they are looked at, larger ones in a file.
const IN_MEMORY: usize = 1 << 20;

/// What one content says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facts {
    /// It is a program or library.
    Elf(Box<Elf>),
    /// It begins like an ELF file, and this is wrong with it.
    DamagedElf(String),
    /// It begins with `#!` and these words.
    Script(Vec<String>),
    /// It is a text that is read for what it says, by its path.
    Text(Text),
}

/// A text as it stands in a file; nearly always in UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// In UTF-8.
    Plain(String),
    /// In something else.
    Bytes(Vec<u8>),
}

impl Text {
    /// Returns the bytes of the file.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Plain(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Plain)
    }
}

impl Facts {
    /// Returns about how many bytes this takes.
    pub(super) fn weight(&self) -> u64 {
        let sum = |texts: &[String]| texts.iter().map(|text| text.len() + 24).sum::<usize>();
        let bytes = match self {
            Self::Elf(elf) => {
                let required = elf.requires.iter().map(|required| sum(&required.versions));
                sum(&elf.needed) + sum(&elf.search) + sum(&elf.defines) + required.sum::<usize>()
            }
            Self::DamagedElf(text) => text.len(),
            Self::Text(text) => text.as_bytes().len(),
            Self::Script(words) => sum(words),
        };
        bytes as u64 + 256
    }
}

/// Returns whether the text of a file is kept because of its path.
fn is_text(path: &TreePath) -> bool {
    match path.relative() {
        b"etc/passwd"
        | b"etc/group"
        | b"etc/os-release"
        | b"usr/lib/os-release"
        | b"etc/ld.so.conf" => true,
        other => {
            let has_extension = |extension: &[u8]| other.ends_with(extension);
            let in_etc = |start: &[u8]| other.starts_with(start);
            (in_etc(b"etc/ld.so.conf.d/") && has_extension(b".conf"))
                || (in_etc(b"etc/ld-musl-") && has_extension(b".path"))
        }
    }
}

/// Reads a content to its end: its identity, and what it says if that matters.
pub(super) fn read(
    path: &TreePath,
    mut contents: impl Read,
    size: u64,
    scratch: &Path,
) -> Result<(Content, Option<Facts>), LayerFault> {
    if is_text(path) {
        if size > LONGEST_TEXT {
            return Err(LayerFault::Limit { what: "bytes of a text in /etc", limit: LONGEST_TEXT });
        }
        let mut bytes = Vec::new();
        contents.read_to_end(&mut bytes)?;
        return Ok((Content::of(&bytes), Some(Facts::Text(bytes.into()))));
    }
    let mut head = Vec::new();
    contents.by_ref().take(LONGEST_SHEBANG as u64).read_to_end(&mut head)?;
    let whole = head.as_slice().chain(contents);
    if !head.starts_with(&elf::MAGIC) {
        return Ok((Content::of_reader(whole)?, shebang(&head).map(Facts::Script)));
    }
    let mut spool = Spool::new(scratch);
    let content = Content::of_reader(Tee { input: whole, copy: &mut spool })?;
    Ok((content, elf_facts(&spool)?))
}

/// Reads an ELF file; what no loader loads says nothing.
fn elf_facts(spool: &Spool<'_>) -> io::Result<Option<Facts>> {
    match elf::read(spool) {
        Ok(elf) if elf.kind.is_loaded() => Ok(Some(Facts::Elf(Box::new(elf)))),
        Ok(_) => Ok(None),
        Err(elf::ElfError::Io(error)) => Err(error),
        Err(error) => Ok(Some(Facts::DamagedElf(error.to_string()))),
    }
}

/// Copies what is read.
struct Tee<'a, R, W> {
    input: R,
    copy: &'a mut W,
}

impl<R: Read, W: Write> Read for Tee<'_, R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.copy.write_all(&buffer[..count])?;
        Ok(count)
    }
}

/// A content that is read at offsets: in memory while it is small, else in a file without a name.
struct Spool<'a> {
    scratch: &'a Path,
    memory: Vec<u8>,
    file: Option<File>,
    len: u64,
}

impl<'a> Spool<'a> {
    fn new(scratch: &'a Path) -> Self {
        Self { scratch, memory: Vec::new(), file: None, len: 0 }
    }
}

impl Write for Spool<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.memory.len() + bytes.len() > IN_MEMORY {
            let mut file = tempfile::tempfile_in(self.scratch)?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => self.memory.extend_from_slice(bytes),
        }
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for Spool<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.file {
            Some(file) => FileExt::read_at(file, buffer, offset),
            None => self.memory.read_at(offset, buffer),
        }
    }
}
