//! Bytes described, not held.
//!
//! A `.deb`'s data.tar, an rpm's cpio, an OCI layer's tar and an ext4 disk are the same file
//! contents with different bytes in between. A [`Rope`] says so: an ordered list of extents, each
//! one of bytes of its own, a range of a blob that is kept elsewhere, or zeros. A layer of 800 MiB
//! is a few kilobytes until somebody needs its bytes.

mod expand;

use std::io::{self, Read, Write};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::blob::{Blob, BlobSource};
use crate::digest::{Digest, Hasher};

/// A sequence of bytes, described by where they come from.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rope {
    /// The bytes of all inline extents, one after another.
    #[serde(with = "hex_bytes")]
    inline: Vec<u8>,
    pieces: Vec<Piece>,
    len: u64,
}

/// One extent as it is stored: inline bytes are a length into the rope's own buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Piece {
    Inline(u64),
    Blob(Digest, u64, u64),
    Zero(u64),
}

/// One stretch of a rope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent<'a> {
    /// Bytes that the rope itself holds: headers, padding, metadata blocks.
    Inline(&'a [u8]),
    /// A range of a blob.
    Blob {
        /// The whole blob's digest.
        digest: Digest,
        /// Where the range starts in the blob.
        offset: u64,
        /// How long the range is.
        len: u64,
    },
    /// This many zero bytes; a hole where the destination can have one.
    Zero(u64),
}

impl<'a> Extent<'a> {
    /// Returns how many bytes the extent stands for.
    pub fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Blob { len, .. } | Self::Zero(len) => *len,
        }
    }

    /// Returns whether the extent stands for no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the first `at` bytes, and what follows them if anything does.
    pub fn split_at(self, at: u64) -> (Extent<'a>, Option<Extent<'a>>) {
        let len = self.len();
        if at >= len {
            return (self, None);
        }
        (clip(self, 0, at), Some(clip(self, at, len)))
    }
}

impl std::fmt::Debug for Rope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rope")
            .field("len", &self.len)
            .field("extents", &self.pieces.len())
            .field("inline", &self.inline.len())
            .finish()
    }
}

impl From<Vec<u8>> for Rope {
    fn from(bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        let pieces = if len == 0 { Vec::new() } else { vec![Piece::Inline(len)] };
        Self { inline: bytes, pieces, len }
    }
}

impl From<Blob> for Rope {
    fn from(blob: Blob) -> Self {
        let mut rope = Self::new();
        rope.push_blob(blob);
        rope
    }
}

impl Rope {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many bytes the rope stands for.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether the rope stands for no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends bytes of the rope's own.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        let added = bytes.len() as u64;
        if added == 0 {
            return;
        }
        self.inline.extend_from_slice(bytes);
        self.len += added;
        if let Some(Piece::Inline(len)) = self.pieces.last_mut() {
            *len += added;
        } else {
            self.pieces.push(Piece::Inline(added));
        }
    }

    /// Appends a whole blob.
    pub fn push_blob(&mut self, blob: Blob) {
        self.push_range(blob.digest, 0, blob.size);
    }

    /// Appends a range of a blob.
    pub fn push_range(&mut self, digest: Digest, offset: u64, len: u64) {
        if len == 0 {
            return;
        }
        self.len += len;
        match self.pieces.last_mut() {
            Some(Piece::Blob(last, start, length))
                if *last == digest && *start + *length == offset =>
            {
                *length += len;
            }
            _ => self.pieces.push(Piece::Blob(digest, offset, len)),
        }
    }

    /// Appends zeros.
    pub fn push_zeros(&mut self, len: u64) {
        if len == 0 {
            return;
        }
        self.len += len;
        if let Some(Piece::Zero(length)) = self.pieces.last_mut() {
            *length += len;
        } else {
            self.pieces.push(Piece::Zero(len));
        }
    }

    /// Appends zeros until the length is a multiple of `alignment`.
    pub fn align(&mut self, alignment: u64) {
        self.push_zeros(self.len.next_multiple_of(alignment) - self.len);
    }

    /// Makes room for bytes of the rope's own, so that it need not grow to them by doubling.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.inline.reserve(bytes);
    }

    /// Appends everything another rope stands for.
    pub fn push_rope(&mut self, other: &Rope) {
        self.reserve(other.inline.len());
        for extent in other.extents() {
            self.push_extent(extent);
        }
    }

    /// Appends one extent.
    pub fn push_extent(&mut self, extent: Extent<'_>) {
        match extent {
            Extent::Inline(bytes) => self.push_bytes(bytes),
            Extent::Blob { digest, offset, len } => self.push_range(digest, offset, len),
            Extent::Zero(len) => self.push_zeros(len),
        }
    }

    /// Returns the extents in order; none is empty.
    pub fn extents(&self) -> impl Iterator<Item = Extent<'_>> + '_ {
        let mut inline = self.inline.as_slice();
        self.pieces.iter().map(move |piece| match *piece {
            Piece::Inline(len) => {
                let len = usize::try_from(len).unwrap_or(usize::MAX).min(inline.len());
                let (bytes, rest) = inline.split_at(len);
                inline = rest;
                Extent::Inline(bytes)
            }
            Piece::Blob(digest, offset, len) => Extent::Blob { digest, offset, len },
            Piece::Zero(len) => Extent::Zero(len),
        })
    }

    /// Starts cutting the rope into parts, from its start on.
    pub fn cursor(&self) -> RopeCursor<'_> {
        RopeCursor { extents: Box::new(self.extents()), next: None, at: 0, len: self.len }
    }

    /// Returns the part of the rope within `range`, clipped to what there is.
    pub fn slice(&self, range: Range<u64>) -> Rope {
        let mut part = Rope::new();
        let mut start = 0;
        for extent in self.extents() {
            let end = start + extent.len();
            let from = range.start.clamp(start, end) - start;
            let to = range.end.clamp(start, end) - start;
            if from < to {
                part.push_extent(clip(extent, from, to));
            }
            start = end;
            if start >= range.end {
                break;
            }
        }
        part
    }

    /// Returns whether the rope is consistent, which one that was read from a file need not be.
    pub fn is_consistent(&self) -> bool {
        let inline = self.pieces.iter().try_fold(0_u64, |sum, piece| match piece {
            Piece::Inline(len) => sum.checked_add(*len),
            _ => Some(sum),
        });
        let len = self.pieces.iter().try_fold(0_u64, |sum, piece| match piece {
            Piece::Inline(len) | Piece::Blob(_, _, len) | Piece::Zero(len) => sum.checked_add(*len),
        });
        inline == Some(self.inline.len() as u64) && len == Some(self.len)
    }

    /// Opens the rope for reading; blobs come from `source`.
    pub fn reader<'a>(&'a self, source: &'a dyn BlobSource) -> RopeReader<'a> {
        RopeReader::new(Box::new(self.extents()), source)
    }

    /// Opens the rope for reading from an offset; nothing before it is opened.
    pub fn reader_from<'a>(&'a self, source: &'a dyn BlobSource, offset: u64) -> RopeReader<'a> {
        let mut before = offset;
        let extents = self.extents().filter_map(move |extent| {
            let skipped = before.min(extent.len());
            before -= skipped;
            let rest = clip(extent, skipped, extent.len());
            (!rest.is_empty()).then_some(rest)
        });
        RopeReader::new(Box::new(extents), source)
    }

    /// Writes everything the rope stands for.
    pub fn write_to(&self, source: &dyn BlobSource, mut out: impl Write) -> io::Result<()> {
        let copied = io::copy(&mut self.reader(source), &mut out)?;
        if copied == self.len { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Returns all bytes; only for ropes known to be small.
    pub fn to_vec(&self, source: &dyn BlobSource) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write_to(source, &mut bytes)?;
        Ok(bytes)
    }

    /// Returns the digest and size of everything the rope stands for.
    pub fn blob(&self, source: &dyn BlobSource) -> io::Result<Blob> {
        let mut hasher = Hasher::new();
        self.write_to(source, &mut hasher)?;
        Ok(Blob { digest: hasher.digest(), size: hasher.len() })
    }
}

/// Returns the part of an extent from `from` to `to`, which lie within it.
fn clip(extent: Extent<'_>, from: u64, to: u64) -> Extent<'_> {
    match extent {
        Extent::Inline(bytes) => {
            let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
            Extent::Inline(&bytes[at(from)..at(to)])
        }
        Extent::Blob { digest, offset, .. } => {
            Extent::Blob { digest, offset: offset + from, len: to - from }
        }
        Extent::Zero(_) => Extent::Zero(to - from),
    }
}

/// Cuts a rope into parts, in order; all parts together take time for the extents once.
pub struct RopeCursor<'a> {
    extents: Box<dyn Iterator<Item = Extent<'a>> + Send + 'a>,
    /// What was cut off and has not been passed on yet.
    next: Option<Extent<'a>>,
    at: u64,
    len: u64,
}

impl std::fmt::Debug for RopeCursor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RopeCursor").field("at", &self.at).field("len", &self.len).finish()
    }
}

impl RopeCursor<'_> {
    /// Returns how many bytes lie before the cursor.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Returns how many bytes are left.
    pub fn left(&self) -> u64 {
        self.len - self.at
    }

    /// Returns how many of the next bytes are zeros because the rope says so.
    pub fn zeros(&mut self) -> u64 {
        self.next = self.next.take().or_else(|| self.extents.next());
        match self.next {
            Some(Extent::Zero(len)) => len,
            _ => 0,
        }
    }

    /// Cuts off the next `len` bytes, at most what is left.
    pub fn take(&mut self, len: u64) -> Rope {
        let mut part = Rope::new();
        self.push_to(&mut part, len);
        part
    }

    /// Appends the next `len` bytes, at most what is left, to another rope.
    pub fn push_to(&mut self, rope: &mut Rope, len: u64) {
        self.pass(len, |extent| rope.push_extent(extent));
    }

    /// Passes over the next `len` bytes, at most what is left.
    pub fn skip(&mut self, len: u64) {
        self.pass(len, |_| {});
    }

    fn pass(&mut self, len: u64, mut take: impl FnMut(Extent<'_>)) {
        let mut wanted = len.min(self.left());
        self.at += wanted;
        while wanted > 0
            && let Some(extent) = self.next.take().or_else(|| self.extents.next())
        {
            let (first, rest) = extent.split_at(wanted);
            wanted -= first.len();
            take(first);
            self.next = rest;
        }
    }
}

/// Reads the bytes that a rope stands for.
///
/// A blob of which the rope holds one range after another is opened once, whatever stands between
/// them, so that a source which checks whole blobs checks this one too.
pub struct RopeReader<'a> {
    extents: Box<dyn Iterator<Item = Extent<'a>> + Send + 'a>,
    source: &'a dyn BlobSource,
    current: Current<'a>,
    opened: Option<OpenedBlob<'a>>,
}

enum Current<'a> {
    None,
    Inline(&'a [u8]),
    /// How many bytes of the opened blob are left.
    Blob(u64),
    Zero(u64),
}

/// The blob that was read last.
struct OpenedBlob<'a> {
    digest: Digest,
    /// The offset up to which the extents so far reach.
    end: u64,
    reader: Box<dyn Read + Send + 'a>,
}

impl OpenedBlob<'_> {
    /// Reads some of the next `left` bytes, of which there is at least one.
    fn read(&mut self, left: &mut u64, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = clamp(*left, buffer.len());
        let count = self.reader.read(&mut buffer[..wanted])?;
        if count == 0 {
            let message = format!("blob {} ends {left} bytes early", self.digest);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        *left -= count as u64;
        Ok(count)
    }
}

impl std::fmt::Debug for RopeReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RopeReader").finish_non_exhaustive()
    }
}

impl<'a> RopeReader<'a> {
    fn new(
        extents: Box<dyn Iterator<Item = Extent<'a>> + Send + 'a>,
        source: &'a dyn BlobSource,
    ) -> Self {
        Self { extents, source, current: Current::None, opened: None }
    }

    fn advance(&mut self) -> io::Result<bool> {
        let Some(extent) = self.extents.next() else { return Ok(false) };
        self.current = match extent {
            Extent::Inline(bytes) => Current::Inline(bytes),
            Extent::Zero(len) => Current::Zero(len),
            Extent::Blob { digest, offset, len } => {
                let end = offset.saturating_add(len);
                match &mut self.opened {
                    Some(opened) if (opened.digest, opened.end) == (digest, offset) => {
                        opened.end = end;
                    }
                    _ => {
                        let reader = self.source.open(&digest, offset)?;
                        self.opened = Some(OpenedBlob { digest, end, reader });
                    }
                }
                Current::Blob(len)
            }
        };
        Ok(true)
    }
}

impl Read for RopeReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let count = match &mut self.current {
                Current::None => 0,
                Current::Inline(bytes) => bytes.read(buffer)?,
                Current::Zero(left) => {
                    let count = clamp(*left, buffer.len());
                    buffer[..count].fill(0);
                    *left -= count as u64;
                    count
                }
                Current::Blob(left) => match &mut self.opened {
                    Some(opened) if *left > 0 => opened.read(left, buffer)?,
                    _ => 0,
                },
            };
            if count > 0 {
                return Ok(count);
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

fn clamp(left: u64, room: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(room)
}

/// Inline bytes as text in a rope's JSON form: hex is plain, and most inline parts are small.
mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::digest::hex(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(d)?;
        let byte = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(text, 16).ok()
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        bytes.ok_or_else(|| serde::de::Error::custom("expected hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::blob::{BlobStore, MemoryStore};

    fn sample(store: &MemoryStore) -> Rope {
        let blob = store.put(b"0123456789").unwrap();
        let mut rope = Rope::new();
        rope.push_bytes(b"head");
        rope.push_blob(blob);
        rope.push_zeros(3);
        rope.push_range(blob.digest, 2, 4);
        rope.push_bytes(b"tail");
        rope
    }

    #[test]
    fn reads_what_it_describes() {
        let store = MemoryStore::new();
        let rope = sample(&store);
        assert_eq!(rope.to_vec(&store).unwrap(), b"head0123456789\0\0\x002345tail");
        assert_eq!(rope.len(), 25);
    }

    #[test]
    fn every_slice_equals_the_slice_of_the_bytes() {
        let store = MemoryStore::new();
        let rope = sample(&store);
        let bytes = rope.to_vec(&store).unwrap();
        for from in 0..=bytes.len() {
            for to in from..=bytes.len() {
                let slice = rope.slice(from as u64..to as u64);
                assert_eq!(slice.to_vec(&store).unwrap(), &bytes[from..to]);
            }
        }
    }

    #[test]
    fn a_cursor_cuts_what_slices_would() {
        let store = MemoryStore::new();
        let rope = sample(&store);
        for step in 1..=rope.len() + 1 {
            let mut cursor = rope.cursor();
            while cursor.left() > 0 {
                let from = cursor.position();
                let zeros = cursor.zeros();
                let slice = rope.slice(from..from + zeros);
                assert!(slice.extents().all(|extent| matches!(extent, Extent::Zero(_))));
                assert_eq!(cursor.take(step), rope.slice(from..from + step));
                cursor.skip(1);
            }
            assert_eq!(cursor.position(), rope.len());
            assert!(cursor.take(1).is_empty());
        }
        let mut cursor = rope.cursor();
        cursor.skip(15);
        assert_eq!(cursor.zeros(), 2);
    }

    /// Counts how often a blob is opened.
    struct Counting(MemoryStore, AtomicUsize);

    impl BlobSource for Counting {
        fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.open(digest, offset)
        }
    }

    #[test]
    fn ranges_that_follow_one_another_are_read_by_one_reader() {
        let blob = Blob::of(b"0123456789");
        let rows = [
            // ranges, how often the blob is opened
            (vec![(0, 3), (3, 4), (7, 3)], 1),
            (vec![(0, 3), (4, 2), (6, 1)], 2),
            (vec![(2, 3), (2, 3)], 2),
        ];
        for (ranges, opened) in rows {
            let mut rope = Rope::new();
            let mut expected: Vec<u8> = Vec::new();
            for (offset, len) in ranges {
                rope.push_range(blob.digest, offset, len);
                rope.push_bytes(b"between");
                rope.push_zeros(2);
                let range =
                    usize::try_from(offset).unwrap()..usize::try_from(offset + len).unwrap();
                expected.extend_from_slice(&b"0123456789"[range]);
                expected.extend_from_slice(b"between\0\0");
            }
            let source = Counting(store_with(b"0123456789"), AtomicUsize::default());
            assert_eq!(rope.to_vec(&source).unwrap(), expected);
            assert_eq!(source.1.into_inner(), opened);
        }
    }

    fn store_with(bytes: &[u8]) -> MemoryStore {
        let store = MemoryStore::new();
        crate::blob::BlobStore::put(&store, bytes).unwrap();
        store
    }

    #[test]
    fn reading_from_an_offset_skips_as_many_bytes() {
        let store = MemoryStore::new();
        let rope = sample(&store);
        let bytes = rope.to_vec(&store).unwrap();
        for offset in 0..bytes.len() + 2 {
            let mut rest = Vec::new();
            rope.reader_from(&store, offset as u64).read_to_end(&mut rest).unwrap();
            assert_eq!(rest, &bytes[offset.min(bytes.len())..], "{offset}");
        }
    }

    #[test]
    fn neighbours_are_merged() {
        let store = MemoryStore::new();
        let blob = store.put(b"0123456789").unwrap();
        let mut rope = Rope::new();
        rope.push_range(blob.digest, 0, 4);
        rope.push_range(blob.digest, 4, 6);
        rope.push_bytes(b"a");
        rope.push_bytes(b"b");
        rope.push_zeros(1);
        rope.push_zeros(2);
        assert_eq!(rope.extents().count(), 3);
    }

    #[test]
    fn survives_its_json_form() {
        let store = MemoryStore::new();
        let rope = sample(&store);
        let text = serde_json::to_string(&rope).unwrap();
        let back: Rope = serde_json::from_str(&text).unwrap();
        assert_eq!(back, rope);
        assert!(back.is_consistent());
    }

    #[test]
    fn a_short_blob_is_an_error() {
        let store = MemoryStore::new();
        let blob = store.put(b"abc").unwrap();
        let mut rope = Rope::new();
        rope.push_range(blob.digest, 0, 4);
        let error = rope.to_vec(&store).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
