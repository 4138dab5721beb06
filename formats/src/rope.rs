//! Bytes described, not held.
//!
//! A `.deb`'s data.tar, an rpm's cpio, an OCI layer's tar and an ext4 disk are the same file
//! contents with different bytes in between. A [`Rope`] says so: an ordered list of extents, each
//! one of bytes of its own, a range of a blob that is kept elsewhere, or zeros. A layer of 800 MiB
//! is a few kilobytes until somebody needs its bytes.

mod cursor;
mod expand;
mod mark;
mod part;
mod pieces;
mod reader;

use std::io::{self, Write};
use std::ops::Range;

use crate::blob::{Blob, BlobSource};
use crate::digest::{Digest, Hasher};

pub use self::cursor::RopeCursor;
pub(crate) use self::mark::is_mark;
pub(crate) use self::part::RopePart;
use self::pieces::{Piece, Pieces};
pub use self::reader::RopeReader;

/// As many zeros in a row take less memory as padding.
const WORTH_PADDING: usize = 16;

/// A sequence of bytes, described by where they come from. Two are equal if they are described alike.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rope {
    /// The bytes of all inline extents, one after another.
    inline: Vec<u8>,
    /// All extents but the last.
    pieces: Pieces,
    /// The last extent, which may still grow.
    last: Option<Piece>,
    len: u64,
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
    /// This many zeros between bytes that the rope itself holds: bytes like those, and no hole.
    Padding(u64),
    /// This many zero bytes; a hole where the destination can have one.
    Zero(u64),
}

impl<'a> Extent<'a> {
    /// Returns how many bytes the extent stands for.
    pub fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Blob { len, .. } | Self::Padding(len) | Self::Zero(len) => *len,
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

/// Yields the extents of a rope in order.
#[derive(Debug, Clone)]
pub struct Extents<'a> {
    inline: &'a [u8],
    pieces: pieces::Iter<'a>,
    last: Option<Piece>,
}

impl<'a> Iterator for Extents<'a> {
    type Item = Extent<'a>;

    fn next(&mut self) -> Option<Extent<'a>> {
        Some(match self.pieces.next().or_else(|| self.last.take())? {
            Piece::Inline(len) => {
                let len = usize::try_from(len).unwrap_or(usize::MAX).min(self.inline.len());
                let (bytes, rest) = self.inline.split_at(len);
                self.inline = rest;
                Extent::Inline(bytes)
            }
            Piece::Blob(digest, offset, len) => Extent::Blob { digest, offset, len },
            Piece::Padding(len) => Extent::Padding(len),
            Piece::Zero(len) => Extent::Zero(len),
        })
    }
}

impl std::fmt::Debug for Rope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rope")
            .field("len", &self.len)
            .field("extents", &self.extents().count())
            .field("inline", &self.inline.len())
            .finish_non_exhaustive()
    }
}

impl From<Vec<u8>> for Rope {
    fn from(bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        let last = (len > 0).then_some(Piece::Inline(len));
        Self { inline: bytes, pieces: Pieces::default(), last, len }
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
        match &mut self.last {
            Some(Piece::Inline(len)) => grow(len, added),
            _ => self.push_piece(Piece::Inline(added)),
        }
        grow(&mut self.len, added);
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
        match &mut self.last {
            Some(Piece::Blob(last, start, length))
                if *last == digest && start.checked_add(*length) == Some(offset) =>
            {
                grow(length, len);
            }
            _ => self.push_piece(Piece::Blob(digest, offset, len)),
        }
        grow(&mut self.len, len);
    }

    /// Appends zeros.
    pub fn push_zeros(&mut self, len: u64) {
        if len == 0 {
            return;
        }
        match &mut self.last {
            Some(Piece::Zero(length)) => grow(length, len),
            _ => self.push_piece(Piece::Zero(len)),
        }
        grow(&mut self.len, len);
    }

    /// Appends bytes of the rope's own, among which runs of zeros take no memory.
    ///
    /// They are bytes like others and no zeros that a destination may have a hole for: where payloads are cut and what
    /// disks hold does not depend on how bytes are kept.
    pub(crate) fn push_padded(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<WORTH_PADDING>();
        for part in words.chunk_by(|one, other| is_padding(one) == is_padding(other)) {
            let bytes = part.as_flattened();
            if part.first().is_some_and(is_padding) {
                self.push_padding(bytes.len() as u64);
            } else {
                self.push_bytes(bytes);
            }
        }
        self.push_bytes(rest);
    }

    /// Appends zeros that are the rope's own bytes until the length is a multiple of `alignment`.
    pub(crate) fn pad(&mut self, alignment: u64) {
        self.push_padding(self.len.next_multiple_of(alignment) - self.len);
    }

    fn push_padding(&mut self, len: u64) {
        if len == 0 {
            return;
        }
        match &mut self.last {
            Some(Piece::Padding(length)) => grow(length, len),
            _ => self.push_piece(Piece::Padding(len)),
        }
        grow(&mut self.len, len);
    }

    /// Starts another extent.
    fn push_piece(&mut self, piece: Piece) {
        if let Some(complete) = self.last.replace(piece) {
            self.pieces.push(complete);
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

    /// Returns how many bytes of its own the rope has.
    pub(crate) fn inline_len(&self) -> usize {
        self.inline.len()
    }

    /// Appends everything another rope stands for.
    pub fn push_rope(&mut self, other: &Rope) {
        self.reserve(other.inline_len());
        other.extents().for_each(|extent| self.push_extent(extent));
    }

    /// Appends one extent.
    pub fn push_extent(&mut self, extent: Extent<'_>) {
        match extent {
            Extent::Inline(bytes) => self.push_bytes(bytes),
            Extent::Blob { digest, offset, len } => self.push_range(digest, offset, len),
            Extent::Padding(len) => self.push_padding(len),
            Extent::Zero(len) => self.push_zeros(len),
        }
    }

    /// Returns the extents in order; none is empty.
    pub fn extents(&self) -> Extents<'_> {
        Extents { inline: &self.inline, pieces: self.pieces.iter(), last: self.last }
    }

    /// Starts cutting the rope into parts, from its start on.
    pub fn cursor(&self) -> RopeCursor<'_> {
        RopeCursor::new(self)
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

    /// Returns whether the length can be said, which it need not be if somebody else says how long ranges are.
    pub fn is_consistent(&self) -> bool {
        self.len < u64::MAX
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

/// Adds to a length; what is too long for one is as long as can be said, and so is the whole rope.
fn grow(len: &mut u64, added: u64) {
    *len = len.saturating_add(added);
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
        Extent::Padding(_) => Extent::Padding(to - from),
        Extent::Zero(_) => Extent::Zero(to - from),
    }
}

fn is_padding(word: &[u8; WORTH_PADDING]) -> bool {
    u128::from_ne_bytes(*word) == 0
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::blob::{BlobStore, MemoryStore};

    pub(super) fn sample(store: &MemoryStore) -> Rope {
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
    fn padding_is_bytes_that_take_no_memory() {
        let store = MemoryStore::new();
        for zeros in [0, 1, 15, 16, 17, 511, 512, 513, 3000] {
            let bytes = [b"name".as_slice(), &vec![0; zeros], b"0644\0", &vec![0; zeros]].concat();
            let mut rope = sample(&store);
            rope.push_padded(&bytes);
            rope.push_bytes(b"end");
            let plain = [sample(&store).to_vec(&store).unwrap(), bytes, b"end".to_vec()].concat();
            assert_eq!(rope.to_vec(&store).unwrap(), plain);
            assert!(rope.is_consistent() && rope.inline_len() < 90);
            let mut again = Rope::new();
            again.push_rope(&rope);
            assert!(again == rope);
            let zeros = rope.extents().filter(|extent| matches!(extent, Extent::Zero(_))).count();
            assert_eq!(zeros, 1, "those of the sample");
            assert_eq!(rope.slice(0..rope.len()).to_vec(&store).unwrap(), plain);
        }
    }

    #[test]
    fn lengths_that_do_not_add_up_are_noticed() {
        let digest = Digest::of(b"x");
        for lengths in [[u64::MAX, 0], [u64::MAX - 1, 1], [1 << 63, 1 << 63]] {
            for offset in [0, 1, u64::MAX] {
                let (mut zeros, mut ranges) = (Rope::new(), Rope::new());
                for len in lengths {
                    zeros.push_zeros(len);
                    ranges.push_range(digest, offset, len);
                }
                assert!(!zeros.is_consistent() && !ranges.is_consistent(), "{lengths:?}");
            }
        }
        let mut rope = Rope::new();
        rope.push_zeros(u64::MAX - 1);
        assert!(rope.is_consistent());
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
    fn a_short_blob_is_an_error() {
        let store = MemoryStore::new();
        let blob = store.put(b"abc").unwrap();
        let mut rope = Rope::new();
        rope.push_range(blob.digest, 0, 4);
        let error = rope.to_vec(&store).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
