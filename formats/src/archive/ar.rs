//! The common ar archive format, as far as `.deb` files use it: no symbol table, no long names.
//!
//! ```text
//! "!<arch>\n"
//! ┌─────────────┬──────────┬────────┐
//! │ header (60) │ contents │ "\n"?  │   one per member; the line feed if the size is odd
//! └─────────────┴──────────┴────────┘
//!
//! header  offset  size  field, text padded with spaces
//!              0    16  name
//!             16    12  modification time, decimal
//!             28     6  uid, decimal
//!             34     6  gid, decimal
//!             40     8  mode, octal, with the file type
//!             48    10  size, decimal
//!             58     2  "`" and a line feed
//! ```

use std::ops::Range;
use std::sync::Arc;

use crate::format::{Epoch, ReadError, WriteError};
use crate::input::{ReadAt, Section};
use crate::rope::Rope;
use crate::tree::escape;

/// What every archive starts with.
const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: usize = 60;
const NAME: Range<usize> = 0..16;
const MTIME: Range<usize> = 16..28;
const UID: Range<usize> = 28..34;
const GID: Range<usize> = 34..40;
const MODE: Range<usize> = 40..48;
const SIZE: Range<usize> = 48..58;
const END: Range<usize> = 58..60;

/// The longest name, which leaves room for the slash that some writers put after it.
const MAX_NAME: usize = 15;
/// The largest size that ten decimal digits say.
const MAX_SIZE: u64 = 9_999_999_999;
/// The mode of every member: a regular file, 0644.
const FILE_MODE: u32 = 0o100_644;

/// Appends members to a rope; root's, mode 0644, of one modification time.
#[derive(Debug)]
pub struct ArWriter {
    format: &'static str,
    epoch: Epoch,
    rope: Rope,
}

impl ArWriter {
    /// Starts an archive that is part of a `format`, which errors name.
    pub fn new(format: &'static str, epoch: Epoch) -> Self {
        Self { format, epoch, rope: Rope::from(MAGIC.to_vec()) }
    }

    /// Appends a member.
    pub fn append(&mut self, name: &str, contents: &Rope) -> Result<(), WriteError> {
        let format = self.format;
        let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if name.is_empty() || name.len() > MAX_NAME || !is_plain {
            let reason = "expected 1 to 15 printable ASCII characters without a slash".into();
            return Err(WriteError::Field { format, field: format!("member {name}"), reason });
        }
        let found = contents.len();
        if found > MAX_SIZE {
            let what = format!("the size of the member {name}");
            return Err(WriteError::Limit { format, what, limit: MAX_SIZE, found });
        }
        let mtime = self.epoch.0;
        let (uid, gid) = (0, 0);
        let header = format!("{name:<16}{mtime:<12}{uid:<6}{gid:<6}{FILE_MODE:<8o}{found:<10}`\n");
        self.rope.push_bytes(header.as_bytes());
        self.rope.push_rope(contents);
        if found % 2 == 1 {
            self.rope.push_bytes(b"\n");
        }
        Ok(())
    }

    /// Returns the archive.
    pub fn finish(self) -> Rope {
        self.rope
    }
}

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArMember {
    /// The name, without padding.
    pub name: String,
    /// The modification time in seconds since 1970.
    pub mtime: u64,
    /// The owning user's number.
    pub uid: u32,
    /// The owning group's number.
    pub gid: u32,
    /// The mode with the file type.
    pub mode: u32,
    /// Where the header starts in the file.
    pub header: u64,
    /// Where the contents start in the file.
    pub offset: u64,
    /// How many bytes of contents there are.
    pub size: u64,
}

impl ArMember {
    /// Returns whether the owner and the mode are those that [`ArWriter`] gives.
    pub fn is_roots_plain_file(&self) -> bool {
        (self.uid, self.gid, self.mode) == (0, 0, FILE_MODE)
    }
}

/// Reads the members of an archive in order.
pub struct ArReader {
    input: Arc<dyn ReadAt>,
    at: u64,
}

impl std::fmt::Debug for ArReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArReader").field("at", &self.at).finish_non_exhaustive()
    }
}

impl ArReader {
    /// Checks the start of the archive.
    pub fn new(input: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let mut magic = [0; MAGIC.len()];
        let len = magic.len().min(usize::try_from(input.len()).unwrap_or(usize::MAX));
        input.read_exact_at(0, &mut magic[..len])?;
        if magic != *MAGIC {
            let found = format!("`{}`", escape(&magic[..len]));
            return Err(ReadError::malformed("ar archive", 0, "`!<arch>\\012`", found));
        }
        Ok(Self { input, at: MAGIC.len() as u64 })
    }

    /// Moves to the next member; `None` at the end.
    pub fn next_member(&mut self) -> Result<Option<ArMember>, ReadError> {
        let header = self.at;
        let left = self.input.len().saturating_sub(header);
        if left == 0 {
            return Ok(None);
        }
        if left < HEADER as u64 {
            let found = format!("{left} bytes");
            return Err(ReadError::malformed("ar member header", header, "60 bytes", found));
        }
        let mut block = [0; HEADER];
        self.input.read_exact_at(header, &mut block)?;
        let member = parse_header(&block, header)?;
        if member.size > left - HEADER as u64 {
            let what = format!("size of ar member {}", member.name);
            let limit = format!("at most {}", left - HEADER as u64);
            let place = header + SIZE.start as u64;
            return Err(ReadError::malformed(what, place, limit, member.size.to_string()));
        }
        self.at = member.offset + member.size;
        if member.size % 2 == 1 {
            self.skip_padding(&member)?;
        }
        Ok(Some(member))
    }

    /// Returns a member's contents as a stream.
    pub fn open(&self, member: &ArMember) -> Section {
        Section::new(self.input.clone(), member.offset, member.size)
    }

    fn skip_padding(&mut self, member: &ArMember) -> Result<(), ReadError> {
        let mut padding = [0];
        let is_there = self.input.read_at(self.at, &mut padding)? == 1;
        if !is_there || padding != *b"\n" {
            let what = format!("padding of ar member {}", member.name);
            let found = if is_there { escape(&padding) } else { "the end of the file".into() };
            return Err(ReadError::malformed(what, self.at, "a line feed", found));
        }
        self.at += 1;
        Ok(())
    }
}

fn parse_header(block: &[u8; HEADER], offset: u64) -> Result<ArMember, ReadError> {
    let fail = |field: &str, range: &Range<usize>, expected: &str| {
        let found = format!("`{}`", escape(&block[range.clone()]));
        let what = format!("ar member header field {field}");
        ReadError::malformed(what, offset + range.start as u64, expected, found)
    };
    if block[END] != *b"`\n" {
        return Err(fail("end", &END, "`\\140\\012`"));
    }
    let end = block[NAME].iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    let name = &block[NAME][..end];
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let is_plain = name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'/');
    let name = std::str::from_utf8(name)
        .ok()
        .filter(|name| !name.is_empty() && is_plain)
        .ok_or_else(|| fail("name", &NAME, "a short name"))?;
    let number = |field: &str, range: Range<usize>, radix: u32| {
        parse_number(&block[range.clone()], radix)
            .ok_or_else(|| fail(field, &range, "a number padded with spaces"))
    };
    let narrow = |field: &str, range: Range<usize>, radix| {
        let number = number(field, range.clone(), radix)?;
        u32::try_from(number).map_err(|_| fail(field, &range, "a number below 2^32"))
    };
    Ok(ArMember {
        name: name.into(),
        mtime: number("mtime", MTIME, 10)?,
        uid: narrow("uid", UID, 10)?,
        gid: narrow("gid", GID, 10)?,
        mode: narrow("mode", MODE, 8)?,
        size: number("size", SIZE, 10)?,
        header: offset,
        offset: offset + HEADER as u64,
    })
}

/// Parses digits with nothing but spaces after them.
fn parse_number(field: &[u8], radix: u32) -> Option<u64> {
    let end = field.iter().position(|byte| *byte == b' ').unwrap_or(field.len());
    let (digits, padding) = field.split_at(end);
    let is_number = digits.iter().all(|byte| char::from(*byte).is_digit(radix));
    if !is_number || padding.iter().any(|byte| *byte != b' ') {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::blob::MemoryStore;

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ArWriter::new("test", Epoch(1_700_000_000));
        for (name, contents) in members {
            writer.append(name, &Rope::from(contents.to_vec())).unwrap();
        }
        writer.finish().to_vec(&MemoryStore::new()).unwrap()
    }

    fn read(bytes: Vec<u8>) -> Result<Vec<(ArMember, Vec<u8>)>, ReadError> {
        let mut reader = ArReader::new(Arc::new(bytes))?;
        let mut members = Vec::new();
        while let Some(member) = reader.next_member()? {
            let mut contents = Vec::new();
            reader.open(&member).read_to_end(&mut contents)?;
            members.push((member, contents));
        }
        Ok(members)
    }

    #[test]
    fn writes_the_documented_bytes() {
        let bytes = archive(&[("debian-binary", b"2.0\n"), ("odd", b"x")]);
        let expected = "!<arch>\n\
            debian-binary   1700000000  0     0     100644  4         `\n2.0\n\
            odd             1700000000  0     0     100644  1         `\nx\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn reading_undoes_writing() {
        let members = read(archive(&[("a", b"1"), ("b", b""), ("c", b"333")])).unwrap();
        let seen: Vec<_> = members.iter().map(|(m, c)| (m.name.as_str(), c.as_slice())).collect();
        assert_eq!(seen, [("a", &b"1"[..]), ("b", b""), ("c", b"333")]);
        assert!(members.iter().all(|(member, _)| member.is_roots_plain_file()));
        assert_eq!(members[1].0.header, 8 + 60 + 2);
        assert!(read(MAGIC.to_vec()).unwrap().is_empty());
    }

    #[test]
    fn accepts_a_slash_after_the_name() {
        let mut bytes = archive(&[("a", b"1")]);
        bytes[9] = b'/';
        assert_eq!(read(bytes).unwrap()[0].0.name, "a");
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = archive(&[("a", b"1"), ("b", b"22")]);
        let ends = [8, 70, bytes.len()];
        for len in 0..=bytes.len() {
            assert_eq!(read(bytes[..len].to_vec()).is_ok(), ends.contains(&len), "cut to {len}");
        }
    }

    #[test]
    fn rejects_malformed_headers() {
        let cases = [
            (0, b"?", "ar archive"),
            (8, b" ", "field name"),
            (9, b"\n", "field name"),
            (24, b"-", "field mtime"),
            (36, b" ", "field uid"),
            (48, b"9", "field mode"),
            (56, b"9", "size of ar member"),
            (58, b"1", "field size"),
            (66, b" ", "field end"),
            (69, b" ", "padding"),
        ];
        for (at, byte, what) in cases {
            let mut bytes = archive(&[("a", b"1")]);
            bytes[at] = byte[0];
            let error = read(bytes).unwrap_err().to_string();
            assert!(error.contains(what), "{at}: {error}");
        }
    }

    #[test]
    fn refuses_names_and_sizes_without_room() {
        let mut writer = ArWriter::new("test", Epoch(0));
        for name in ["", "sixteen-letters-", "a/b", "a b", "ä"] {
            assert!(writer.append(name, &Rope::new()).is_err(), "{name}");
        }
        let mut rope = Rope::new();
        rope.push_zeros(MAX_SIZE + 1);
        let error = writer.append("data.tar", &rope).unwrap_err();
        assert!(matches!(error, WriteError::Limit { limit: MAX_SIZE, .. }), "{error}");
    }
}
