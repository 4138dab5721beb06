//! The backing file: what an overlay lies on.

use serde::Serialize;

use super::header::Header;
use crate::format::{ReadError, WriteError};
use crate::input::ReadAt;

/// The header extension that names the backing file's format.
const FORMAT: u32 = 0xe279_2aca;
/// The extension that ends the list.
const END: u32 = 0;
/// The longest name.
const NAME_MAX: u32 = 1023;
/// The longest name of a format that is looked at.
const FORMAT_MAX: u32 = 15;

/// A file that an overlay lies on: a cluster that the overlay does not have is there.
///
/// The name is a path relative to the overlay's folder and leads nowhere else: not to the root, not
/// to a parent, not through one of QEMU's protocols. Nothing here ever opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backing {
    name: String,
    format: BackingFormat,
}

/// The format of a backing file; one that is not named would be guessed from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackingFormat {
    /// Byte n of the file is byte n of the disk.
    Raw,
    /// A qcow2 image.
    Qcow2,
}

impl BackingFormat {
    /// Returns the word that QEMU knows the format by.
    pub fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// A name that no backing file may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{name}`")]
pub struct BackingError {
    expected: &'static str,
    name: String,
}

impl From<BackingError> for WriteError {
    fn from(error: BackingError) -> Self {
        let reason = error.to_string();
        Self::Field { format: "qcow2", field: "backing file".into(), reason }
    }
}

impl Backing {
    /// Returns the backing file of a name that leads to nowhere but below the overlay's folder.
    pub fn new(name: &str, format: BackingFormat) -> Result<Self, BackingError> {
        let fail = |expected| {
            let name = name.chars().take(80).flat_map(char::escape_default).collect();
            Err(BackingError { expected, name })
        };
        if name.is_empty() || name.len() > NAME_MAX as usize {
            return fail("a name of 1 to 1023 bytes");
        }
        if name.contains(|c: char| c == ':' || c == '\\' || c.is_control()) {
            return fail("a name without colons, backslashes and control characters");
        }
        if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return fail("a path below the folder of the overlay");
        }
        Ok(Self { name: name.into(), format })
    }

    /// Returns the path, relative to the overlay's folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the format.
    pub fn format(&self) -> BackingFormat {
        self.format
    }

    /// Appends the extensions and the name to a header; returns where the name is and how long.
    pub(super) fn push_to(&self, header: &mut Vec<u8>) -> (u64, u32) {
        let format = self.format.word().as_bytes();
        header.extend(FORMAT.to_be_bytes());
        header.extend(length(format).to_be_bytes());
        header.extend(format);
        header.resize(header.len().next_multiple_of(8), 0);
        header.extend([END.to_be_bytes(), [0; 4]].concat());
        let place = header.len() as u64;
        header.extend(self.name.as_bytes());
        (place, length(self.name.as_bytes()))
    }

    /// Reads what a header says of the backing file, which is checked as any other name.
    pub(super) fn parse(file: &dyn ReadAt, header: &Header) -> Result<Option<Self>, ReadError> {
        let (place, len) = header.backing;
        if place == 0 {
            return Ok(None);
        }
        let inside = place >= header.extensions
            && place.checked_add(len.into()).is_some_and(|end| end <= header.cluster());
        if !inside || len > NAME_MAX {
            let found = format!("{len} bytes at {place}");
            let expected = "a backing file's name within the first cluster, of 1023 bytes at most";
            return Err(ReadError::malformed("qcow2 header", 8, expected, found));
        }
        let mut name = vec![0; len as usize];
        file.read_exact_at(place, &mut name)?;
        let name = String::from_utf8_lossy(&name);
        let format = parse_format(file, header, place)?;
        let backing = Self::new(&name, format)
            .map_err(|error| ReadError::invalid("qcow2 backing file", error.to_string()))?;
        Ok(Some(backing))
    }
}

/// Looks for the backing file's format among the header extensions, which end before `end`.
fn parse_format(file: &dyn ReadAt, header: &Header, end: u64) -> Result<BackingFormat, ReadError> {
    let what = "qcow2 header extension";
    let mut at = header.extensions;
    while at + 8 <= end {
        let mut head = [0; 8];
        file.read_exact_at(at, &mut head)?;
        let [kind, len] = [&head[..4], &head[4..]]
            .map(|field| field.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
        if kind == END {
            break;
        }
        let next = at + 8 + u64::from(len).next_multiple_of(8);
        if next > end {
            return Err(ReadError::malformed(
                what,
                at + 4,
                format!("an end by {end}"),
                len.to_string(),
            ));
        }
        if kind == FORMAT {
            let mut word = vec![0; len.min(FORMAT_MAX) as usize];
            file.read_exact_at(at + 8, &mut word)?;
            let formats = [BackingFormat::Raw, BackingFormat::Qcow2];
            let known = formats.into_iter().find(|format| format.word().as_bytes() == word);
            return known.ok_or_else(|| {
                let found = word.escape_ascii().to_string();
                ReadError::malformed(what, at + 8, "the format raw or qcow2", found)
            });
        }
        at = next;
    }
    let reason =
        "its format is not named, and bytes that a guest wrote are no place to guess it from";
    Err(ReadError::invalid("qcow2 backing file", reason))
}

/// Returns the length of what is known to be short.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
