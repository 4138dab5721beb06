//! The header structure: tagged values, used twice in a package.
//!
//! ```text
//! offset length
//!      0      3  magic 8e ad e8
//!      3      1  version, 1
//!      4      4  reserved, zeros
//!      8      4  n, the number of index entries
//!     12      4  m, the size of the data
//!     16    16n  index entries: tag, type, offset in the data, count; four bytes each
//!  16+16n     m  data
//! ```
//!
//! All numbers are big-endian. The first index entry is the *region*: its data, the last 16 bytes,
//! is an index entry again, which says by its negative offset how many entries the region covers.
//! In a package that is all of them. The others are sorted by tag, and their data stands in the
//! same order, integers aligned to their own size. Specified in rpm's
//! `docs/manual/format_header.md`; the limits are those of rpm's `lib/header.cc`.

use std::collections::BTreeMap;

use super::tags;
use super::value::{Strings, Value};
use crate::format::{ReadError, WriteError};
use crate::input::ReadAt;

const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
const INTRO: usize = 16;
/// The size of an index entry.
pub(super) const ENTRY: usize = 16;
const ENTRY_COUNT: u32 = 16;

/// Which of a package's two headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Region {
    /// The signature header: `HEADERSIGNATURES`.
    Signature,
    /// The main header: `HEADERIMMUTABLE`.
    Immutable,
}

impl Region {
    fn tag(self) -> u32 {
        match self {
            Self::Signature => tags::signature::HEADERSIGNATURES,
            Self::Immutable => tags::HEADERIMMUTABLE,
        }
    }

    /// Returns how many entries and how many bytes of data there may be.
    fn limits(self) -> (u32, u32) {
        match self {
            Self::Signature => (32, 64 << 20),
            Self::Immutable => (0xffff, 0x0fff_ffff),
        }
    }

    /// Returns how messages call the header.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Signature => "signature header",
            Self::Immutable => "header",
        }
    }

    /// Returns how messages call a tag of the header.
    pub(super) fn describe(self, tag: u32) -> String {
        match self {
            Self::Signature => tags::signature::describe(tag),
            Self::Immutable => tags::describe(tag),
        }
    }
}

/// Tagged values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    region: Region,
    entries: BTreeMap<u32, Value>,
}

fn check_limit(region: Region, tag: u32, found: u64, limit: u64) -> Result<(), WriteError> {
    if found <= limit {
        return Ok(());
    }
    let what = format!("the values of {}", region.describe(tag));
    Err(WriteError::Limit { format: "rpm", what, limit, found })
}

/// One index entry as it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct IndexEntry {
    tag: u32,
    kind: u32,
    offset: u32,
    count: u32,
}

impl IndexEntry {
    fn to_bytes(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        let numbers = [self.tag, self.kind, self.offset, self.count];
        for (chunk, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            chunk.copy_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    fn parse(bytes: &[u8]) -> Self {
        let number = |at: usize| be32(bytes.get(at..).unwrap_or_default());
        Self { tag: number(0), kind: number(4), offset: number(8), count: number(12) }
    }

    /// Returns the region's trailer for an index of so many entries.
    fn trailer(region: Region, entries: u32) -> Self {
        let offset = (entries * ENTRY_COUNT).wrapping_neg();
        Self { tag: region.tag(), kind: super::value::BIN, offset, count: ENTRY_COUNT }
    }
}

/// Returns a length as a header has it; what does not fit is far over every limit.
fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Returns the number in the first four bytes.
fn be32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

impl Header {
    /// Starts empty.
    pub(super) fn new(region: Region) -> Self {
        Self { region, entries: BTreeMap::new() }
    }

    /// Sets a tag; no values at all leave it out, because rpm refuses a count of 0.
    pub(super) fn put(&mut self, tag: u32, value: Value) {
        if value.count() > 0 {
            self.entries.insert(tag, value);
        }
    }

    /// Removes a tag and returns what it was.
    pub(super) fn remove(&mut self, tag: u32) -> Option<Value> {
        self.entries.remove(&tag)
    }

    /// Sets a tag to one string.
    pub(super) fn put_string(&mut self, tag: u32, text: &str) {
        self.put(tag, Value::String(text.as_bytes().to_vec()));
    }

    /// Sets a tag to one string that could be translated; `HEADERI18NTABLE` names the locales.
    pub(super) fn put_i18n(&mut self, tag: u32, text: &str) {
        self.put(tag, Value::I18nString(std::iter::once(text.as_bytes()).collect()));
    }

    /// Sets a tag to one number.
    pub(super) fn put_int32(&mut self, tag: u32, number: u32) {
        self.put(tag, Value::Int32(vec![number]));
    }

    /// Returns all tags in order with their values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Value)> + '_ {
        self.entries.iter().map(|(tag, value)| (*tag, value))
    }

    /// Returns the header's bytes, without padding. Of a package of many files they are many, so each value is gone once
    /// it is written.
    pub(super) fn into_bytes(self) -> Result<Vec<u8>, WriteError> {
        let Self { region, entries } = self;
        let mut index = Vec::new();
        let mut data = Vec::new();
        for (tag, value) in entries {
            check_limit(region, tag, value.count() as u64, value.max_count())?;
            value.align(&mut data);
            let (kind, offset, count) = (value.kind(), number(data.len()), number(value.count()));
            index.push(IndexEntry { tag, kind, offset, count });
            value.write(&mut data);
        }
        let (max_entries, max_data) = region.limits();
        let (count, size) = (number(index.len() + 1), number(data.len() + ENTRY));
        for (what, found, limit) in [("entries", count, max_entries), ("data", size, max_data)] {
            if found > limit {
                let what = format!("the {what} of the {}", region.what());
                let (limit, found) = (u64::from(limit), u64::from(found));
                return Err(WriteError::Limit { format: "rpm", what, limit, found });
            }
        }

        let (tag, kind, offset) = (region.tag(), super::value::BIN, number(data.len()));
        let mut head = Vec::with_capacity(INTRO + ENTRY * (index.len() + 1));
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&count.to_be_bytes());
        head.extend_from_slice(&size.to_be_bytes());
        let own = IndexEntry { tag, kind, offset, count: ENTRY_COUNT };
        for entry in std::iter::once(own).chain(index) {
            head.extend_from_slice(&entry.to_bytes());
        }
        data.reserve_exact(head.len() + ENTRY);
        data.extend_from_slice(&IndexEntry::trailer(region, count).to_bytes());
        data.splice(0..0, head);
        Ok(data)
    }

    /// Returns the header's bytes as [`Header::into_bytes`] does.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, WriteError> {
        self.clone().into_bytes()
    }

    /// Reads a header; returns it and its bytes.
    pub(super) fn read(
        input: &dyn ReadAt,
        offset: u64,
        region: Region,
    ) -> Result<(Self, Vec<u8>), ReadError> {
        let what = region.what();
        let fail = |at: u64, expected: String, found: String| {
            Err(ReadError::malformed(what, at, expected, found))
        };
        let left = input.len().saturating_sub(offset);
        if left < INTRO as u64 {
            return fail(offset, format!("{INTRO} bytes"), format!("{left} bytes"));
        }
        let mut intro = [0; INTRO];
        input.read_exact_at(offset, &mut intro)?;
        if intro[..8] != MAGIC {
            let expected = format!("the magic {}", crate::digest::hex(&MAGIC));
            return fail(offset, expected, crate::digest::hex(&intro[..8]));
        }
        let (entries, size) = (be32(&intro[8..]), be32(&intro[12..]));
        let (max_entries, max_data) = region.limits();
        if entries == 0 || entries > max_entries {
            return fail(offset + 8, format!("1 to {max_entries} entries"), entries.to_string());
        }
        if size < ENTRY_COUNT || size > max_data {
            let expected = format!("{ENTRY} to {max_data} bytes of data");
            return fail(offset + 12, expected, size.to_string());
        }
        let total = INTRO as u64 + ENTRY as u64 * u64::from(entries) + u64::from(size);
        if total > left {
            return fail(offset, format!("{total} bytes"), format!("{left} bytes"));
        }
        let mut bytes = vec![0; usize::try_from(total).unwrap_or(usize::MAX)];
        input.read_exact_at(offset, &mut bytes)?;
        let header = Self::parse(&bytes, entries, offset, region)?;
        Ok((header, bytes))
    }

    /// Parses a whole header whose intro was checked.
    fn parse(bytes: &[u8], entries: u32, start: u64, region: Region) -> Result<Self, ReadError> {
        let (index, data) =
            bytes.get(INTRO..).unwrap_or_default().split_at(ENTRY * entries as usize);
        let (data, trailer) = data.split_at(data.len().saturating_sub(ENTRY));
        let mut index = index.chunks_exact(ENTRY).map(IndexEntry::parse);

        let offset = number(data.len());
        let (kind, count) = (super::value::BIN, ENTRY_COUNT);
        let expected = IndexEntry { tag: region.tag(), kind, offset, count };
        let found = index.next().unwrap_or(IndexEntry { tag: 0, ..expected });
        expect_entry(region, start + INTRO as u64, expected, found)?;
        let at = start + (bytes.len() - ENTRY) as u64;
        let found = IndexEntry::parse(trailer);
        expect_entry(region, at, IndexEntry::trailer(region, entries), found)?;

        let mut header = Self::new(region);
        let mut end = 0;
        for (number, entry) in index.enumerate() {
            let at = start + (INTRO + ENTRY * (number + 1)) as u64;
            let value = entry_value(entry, data, &mut end).map_err(|(expected, found)| {
                let what = format!("{} in the {}", region.describe(entry.tag), region.what());
                ReadError::malformed(what, at, expected, found)
            })?;
            if header.entries.insert(entry.tag, value).is_some() {
                let what = format!("{} in the {}", region.describe(entry.tag), region.what());
                return Err(ReadError::malformed(what, at, "one entry", "a second one"));
            }
        }
        Ok(header)
    }

    /// Returns the value of a tag.
    pub(super) fn get(&self, tag: u32) -> Option<&Value> {
        self.entries.get(&tag)
    }

    /// Returns the one string of a tag.
    pub(super) fn string(&self, tag: u32) -> Result<Option<String>, ReadError> {
        let bytes = match self.get(tag) {
            None => return Ok(None),
            Some(Value::String(bytes)) => bytes.as_slice(),
            Some(Value::I18nString(strings)) => strings.iter().next().unwrap_or_default(),
            Some(other) => return Err(self.wrong_type(tag, "a string", other)),
        };
        self.text(tag, bytes).map(Some)
    }

    /// Returns the one string of a tag that must be there.
    pub(super) fn required_string(&self, tag: u32) -> Result<String, ReadError> {
        self.string(tag)?.ok_or_else(|| self.invalid(tag, "it is missing"))
    }

    /// Returns the strings of a tag; a single string counts as one.
    pub(super) fn strings(&self, tag: u32) -> Result<Strings, ReadError> {
        match self.get(tag) {
            None => Ok(Strings::default()),
            Some(Value::StringArray(strings)) => Ok(strings.clone()),
            Some(Value::String(bytes)) => Ok(std::iter::once(bytes.as_slice()).collect()),
            Some(other) => Err(self.wrong_type(tag, "strings", other)),
        }
    }

    /// Returns the strings of a tag as text.
    pub(super) fn texts(&self, tag: u32) -> Result<Vec<String>, ReadError> {
        self.strings(tag)?.iter().map(|bytes| self.text(tag, bytes)).collect()
    }

    /// Returns the 32-bit numbers of a tag.
    pub(super) fn int32s(&self, tag: u32) -> Result<&[u32], ReadError> {
        match self.get(tag) {
            None => Ok(&[]),
            Some(Value::Int32(numbers)) => Ok(numbers),
            Some(other) => Err(self.wrong_type(tag, "32-bit numbers", other)),
        }
    }

    /// Returns the 16-bit numbers of a tag.
    pub(super) fn int16s(&self, tag: u32) -> Result<&[u16], ReadError> {
        match self.get(tag) {
            None => Ok(&[]),
            Some(Value::Int16(numbers)) => Ok(numbers),
            Some(other) => Err(self.wrong_type(tag, "16-bit numbers", other)),
        }
    }

    /// Returns the numbers that either of two tags holds, the first in 32 and the second in 64
    /// bits.
    pub(super) fn sizes(&self, short: u32, long: u32) -> Result<Vec<u64>, ReadError> {
        match self.get(long) {
            None => Ok(self.int32s(short)?.iter().copied().map(u64::from).collect()),
            Some(Value::Int64(numbers)) => Ok(numbers.clone()),
            Some(other) => Err(self.wrong_type(long, "64-bit numbers", other)),
        }
    }

    fn text(&self, tag: u32, bytes: &[u8]) -> Result<String, ReadError> {
        String::from_utf8(bytes.to_vec()).map_err(|_| {
            let shown = crate::tree::escape(&bytes[..bytes.len().min(100)]);
            self.invalid(tag, format!("expected UTF-8, found `{shown}`"))
        })
    }

    fn wrong_type(&self, tag: u32, expected: &str, found: &Value) -> ReadError {
        self.invalid(tag, format!("expected {expected}, found type {}", found.kind()))
    }

    /// Returns an error about the value of a tag.
    pub(super) fn invalid(&self, tag: u32, reason: impl Into<String>) -> ReadError {
        ReadError::invalid(self.region.describe(tag), reason)
    }
}

fn expect_entry(
    region: Region,
    at: u64,
    expected: IndexEntry,
    found: IndexEntry,
) -> Result<(), ReadError> {
    if expected == found {
        return Ok(());
    }
    let what = format!("region of the {}", region.what());
    Err(ReadError::malformed(what, at, format!("{expected:?}"), format!("{found:?}")))
}

/// Parses the value of an index entry, whose data starts at or after `end`, and moves `end`.
fn entry_value(entry: IndexEntry, data: &[u8], end: &mut usize) -> Result<Value, (String, String)> {
    let offset = entry.offset as usize;
    if offset < *end || offset > data.len() {
        let expected = format!("an offset from {end} to {}", data.len());
        return Err((expected, offset.to_string()));
    }
    let (value, size) = Value::parse(entry.kind, offset, entry.count, &data[offset..])?;
    *end = offset + size;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Header {
        let mut header = Header::new(Region::Immutable);
        header.put_string(tags::NAME, "hello");
        header.put_int32(tags::EPOCH, 7);
        header.put_i18n(tags::SUMMARY, "x");
        header.put(tags::LONGSIZE, Value::Int64(vec![1 << 40]));
        header.put(tags::FILEMODES, Value::Int16(vec![1, 2, 3]));
        header.put(
            tags::BASENAMES,
            Value::StringArray([&b"a"[..], b"", b"bc"].into_iter().collect()),
        );
        header.put(tags::DIRNAMES, Value::StringArray(Strings::default()));
        header
    }

    fn read(bytes: &[u8]) -> Result<Header, ReadError> {
        Header::read(&bytes.to_vec(), 0, Region::Immutable).map(|(header, _)| header)
    }

    #[test]
    fn reads_what_it_writes() {
        let header = sample();
        assert_eq!(header.get(tags::DIRNAMES), None, "nothing is written with a count of 0");
        let bytes = header.to_bytes().unwrap();
        assert_eq!(read(&bytes).unwrap(), header);
    }

    #[test]
    fn draws_the_bytes_of_the_specification() {
        let mut header = Header::new(Region::Signature);
        header.put_string(1004, "ab");
        header.put_int32(1000, 5);
        let expected = "8eade80100000000\
                        0000000300000017\
                        0000003e000000070000000700000010\
                        000003e8000000040000000000000001\
                        000003ec000000060000000400000001\
                        00000005616200\
                        0000003e00000007ffffffd000000010";
        assert_eq!(crate::digest::hex(&header.to_bytes().unwrap()), expected);
    }

    #[test]
    fn rejects_hostile_headers() {
        let good = sample().to_bytes().unwrap();
        let patch = |at: usize, with: &[u8]| {
            let mut bad = good.clone();
            bad[at..at + with.len()].copy_from_slice(with);
            bad
        };
        let huge = [0xff; 4];
        // The first entry after the region starts at 32: tag, type, offset, count.
        let cases = [
            ("magic", patch(0, &[0])),
            ("no entries", patch(8, &[0; 4])),
            ("too many entries", patch(8, &huge)),
            ("more entries than bytes", patch(8, &[0, 0, 0xff, 0])),
            ("no data", patch(12, &[0; 4])),
            ("too much data", patch(12, &huge)),
            ("more data than bytes", patch(12, &[0, 0xff, 0, 0])),
            ("region tag", patch(19, &[62])),
            ("region offset", patch(24, &huge)),
            ("trailer", patch(good.len() - 8, &[0])),
            ("type", patch(36, &[0, 0, 0, 10])),
            ("offset past the data", patch(40, &huge)),
            ("two strings as one", patch(44, &[0, 0, 0, 2])),
            ("count of 0", patch(44, &[0; 4])),
            ("unaligned number", patch(32 + 16 + 8, &[0, 0, 0, 7])),
            ("huge count", patch(32 + 16 + 12, &huge)),
            ("same tag twice", patch(32 + 16, &good[32..36])),
        ];
        for (what, bad) in cases {
            assert!(matches!(read(&bad), Err(ReadError::Malformed { .. })), "{what}");
        }
        for len in 0..good.len() {
            assert!(read(&good[..len]).is_err(), "{len} bytes");
        }
    }
}
