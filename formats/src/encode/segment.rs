//! One segment: its key, and how it is compressed or found again.

use std::io::{self, Read};
use std::sync::Arc;

use crate::blob::{Blob, BlobStore};
use crate::checksum::Checksum;
use crate::digest::{Digest, Hasher};
use crate::encode::buffers::Buffer;
use crate::encode::{Codec, Compression, Recall, Segment, SegmentCache, Tools, gzip, xz, zstd};
use crate::rope::{Extent, RopePart};

/// A segment from this length on, compressed, is kept; a smaller one is cheaper to make again than
/// to look after.
pub(super) const KEEP: usize = 16 << 10;

/// To open a file takes as long as to expand about so many bytes.
const WORTH_OPENING: u64 = 16 << 10;

/// Sets these keys apart from every other digest.
const DOMAIN: &str = "bake segment key 1";

/// Sets the seals of records apart from every other digest.
const SEAL: &str = "bake segment record 1";

impl Segment {
    /// Returns the record of a segment that is kept under a key: which blob its bytes are, and what they stand for.
    pub fn new(key: &Digest, (blob, bytes): (Blob, &[u8]), raw_len: u64, crc32: u32) -> Self {
        let checksum = Some(Checksum::of(bytes));
        let record = Self { blob, raw_len, crc32, checksum, seal: None };
        Self { seal: Some(record.sealed_for(key)), ..record }
    }

    /// Returns whether a record is what was kept under a key, for a part of `raw_len` bytes.
    ///
    /// A record without a seal is from before there were any. It is good as long as nothing in it
    /// has to be believed, which a CRC-32 would have to be.
    pub(super) fn is_of(&self, key: &Digest, raw_len: u64) -> bool {
        let is_believed = match &self.seal {
            Some(_) => self.is_sealed(key),
            None => self.crc32 == 0,
        };
        is_believed && self.raw_len == raw_len
    }

    /// Returns whether a record is what was kept under a key, to the last bit.
    pub fn is_sealed(&self, key: &Digest) -> bool {
        self.seal == Some(self.sealed_for(key))
    }

    fn sealed_for(&self, key: &Digest) -> Digest {
        let mut hasher = Hasher::new();
        update_prefixed(&mut hasher, SEAL.as_bytes());
        hasher.update(key.as_bytes());
        hasher.update(self.blob.digest.as_bytes());
        hasher.update(&self.blob.size.to_le_bytes());
        hasher.update(&self.raw_len.to_le_bytes());
        hasher.update(&self.crc32.to_le_bytes());
        if let Some(checksum) = self.checksum {
            hasher.update(&checksum.to_bytes());
        }
        hasher.digest()
    }
}

/// What of a segment is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// What joining it takes: nobody asks for digests, or they are known up to a place behind it.
    Description,
    /// Its bytes too, before and after compression.
    Bytes,
}

/// A segment with everything that joining it takes.
#[derive(Debug)]
pub(super) struct Packed {
    /// How many bytes there are before compression.
    pub(super) raw_len: u64,
    /// Their CRC-32 if the format ends with it, else 0.
    pub(super) crc32: u32,
    /// What the index of an xz stream says of the segment.
    pub(super) record: Option<xz::Record>,
    /// The compressed bytes' identity if the blob store holds them.
    pub(super) kept: Option<Blob>,
    bytes: Option<Buffer>,
    raw: Option<Buffer>,
}

impl Packed {
    /// Returns whether there is what is wanted.
    pub(super) fn has(&self, wanted: Wanted) -> bool {
        wanted == Wanted::Description || (self.bytes.is_some() && self.raw.is_some())
    }

    /// Returns the compressed bytes; none if they are kept and not wanted.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }

    /// Returns the bytes before compression; none if they are not wanted.
    pub(super) fn raw(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or_default()
    }
}

/// Makes segments.
#[derive(Clone, Copy)]
pub(super) struct Packer<'a> {
    /// Where contents are read from and segments are kept.
    pub(super) blobs: &'a dyn BlobStore,
    /// Where segments are found again.
    pub(super) cache: &'a dyn SegmentCache,
    /// How segments are compressed.
    pub(super) compression: Compression,
    /// Whether kept segments are read before they are used.
    pub(super) recall: Recall,
    /// What it is done with.
    pub(super) tools: &'a Tools,
}

impl Packer<'_> {
    /// Returns the segment that a part of a rope makes, which has this key.
    pub(super) fn pack(
        &self,
        part: &RopePart<'_>,
        key: &Digest,
        wanted: Wanted,
    ) -> io::Result<Arc<Packed>> {
        let _turn = self.tools.turns.take(key);
        if let Some(packed) = self.tools.shared.find(key, wanted) {
            self.tools.counters.reused(packed.raw_len);
            return Ok(packed);
        }
        let packed = match self.find(key, part.len(), wanted) {
            Some(packed) => {
                self.tools.counters.reused(packed.raw_len);
                self.complete(part, packed, wanted)?
            }
            None => self.make(part, key, wanted)?,
        };
        let packed = Arc::new(packed);
        self.tools.shared.note(key, &packed);
        Ok(packed)
    }

    /// Adds the bytes before compression to a segment that was found, if they are wanted.
    fn complete(&self, part: &RopePart<'_>, packed: Packed, wanted: Wanted) -> io::Result<Packed> {
        if wanted == Wanted::Description {
            return Ok(packed);
        }
        let raw = match self.expand(part, &packed) {
            Some(raw) => raw,
            None => self.read(part)?,
        };
        Ok(Packed { raw: Some(raw), ..packed })
    }

    /// Returns a kept segment without its bytes before compression, or `None` if it is missing,
    /// damaged or of other contents.
    ///
    /// Why it cannot be used does not matter: compressing again mends every case. Of a segment
    /// whose bytes are not wanted almost nothing is read; whether they are damaged is found when the
    /// payload is written.
    fn find(&self, key: &Digest, raw_len: u64, wanted: Wanted) -> Option<Packed> {
        let segment = self.cache.get(key)?;
        let Segment { blob, crc32, .. } = segment;
        let sizes = KEEP as u64..raw_len.checked_mul(2)?.checked_add(KEEP as u64)?;
        if !segment.is_of(key, raw_len) || !sizes.contains(&blob.size) {
            return None;
        }
        let bytes = match (wanted, self.recall) {
            (Wanted::Description, Recall::Trusting) => None,
            (Wanted::Bytes, _) | (_, Recall::Checking) => {
                let bytes = self.recall(&blob, blob.size)?;
                let is_right = self.recall == Recall::Trusting || Blob::of(&bytes) == blob;
                Some((is_right && bytes.len() as u64 == blob.size).then_some(bytes)?)
            }
        };
        let record = match (self.compression.codec, &bytes) {
            (Codec::Xz, Some(bytes)) => Some(xz::Record::of_start(bytes, blob.size, raw_len)?),
            (Codec::Xz, None) => {
                let start = self.recall(&blob, xz::BLOCK_HEADER_MAX - 1)?;
                Some(xz::Record::of_start(&start, blob.size, raw_len)?)
            }
            (Codec::None | Codec::Gzip | Codec::Zstd, _) => None,
        };
        let bytes = bytes.filter(|_| wanted == Wanted::Bytes);
        Some(Packed { raw_len, crc32, record, kept: Some(blob), bytes, raw: None })
    }

    /// Reads the start of a kept blob, up to one byte more than `limit`; `None` if that fails.
    fn recall(&self, blob: &Blob, limit: u64) -> Option<Buffer> {
        // One more shows whether the blob ends where it should.
        let mut bytes = self.tools.packed.take(usize::try_from(limit).ok()? + 1);
        let mut reader = self.blobs.open(&blob.digest, 0).ok()?;
        let mut filled = 0;
        while filled < bytes.len() {
            match reader.read(&mut bytes[filled..]).ok()? {
                0 => break,
                count => filled += count,
            }
        }
        bytes.truncate(filled);
        Some(bytes)
    }

    /// Compresses a segment and keeps it.
    fn make(&self, part: &RopePart<'_>, key: &Digest, wanted: Wanted) -> io::Result<Packed> {
        let raw = self.read(part)?;
        let raw_len = part.len();
        let crc32 = match self.compression.codec {
            Codec::Gzip | Codec::Xz => crc32fast::hash(&raw),
            Codec::None | Codec::Zstd => 0,
        };
        let hold = |bytes: &[u8]| self.tools.packed.hold(bytes);
        let bytes = self.tools.compressors.compress(&raw, crc32, self.compression, hold)?;
        self.tools.counters.compressed(raw_len, bytes.len() as u64);
        let record = match self.compression.codec {
            Codec::Xz => Some(
                xz::Record::of(&bytes, raw_len, crc32)
                    .ok_or_else(|| io::Error::other("the encoder made no valid xz block"))?,
            ),
            Codec::None | Codec::Gzip | Codec::Zstd => None,
        };
        let crc32 = if self.compression.codec == Codec::Gzip { crc32 } else { 0 };
        let kept = if bytes.len() < KEEP {
            None
        } else {
            let blob = self.blobs.put(&bytes)?;
            self.cache.put(key, &Segment::new(key, (blob, &bytes), raw_len, crc32))?;
            Some(blob)
        };
        let bytes = Some(bytes).filter(|_| wanted == Wanted::Bytes || kept.is_none());
        let raw = Some(raw).filter(|_| wanted == Wanted::Bytes);
        Ok(Packed { raw_len, crc32, record, kept, bytes, raw })
    }

    /// Returns the bytes before compression of a segment that was found whole, if to expand it is faster than to read
    /// what it was made of: many small files.
    fn expand(&self, part: &RopePart<'_>, packed: &Packed) -> Option<Buffer> {
        let files = part.extents().filter(|extent| matches!(extent, Extent::Blob { .. })).count();
        // To expand a block of xz would take a stream made around it.
        if self.compression.codec == Codec::Xz || files as u64 * WORTH_OPENING < part.len() {
            return None;
        }
        let mut raw = self.tools.raw.take(usize::try_from(part.len()).ok()?);
        let is_whole = match self.compression.codec {
            Codec::Gzip => gzip::expand(packed.bytes(), &mut raw, packed.crc32),
            Codec::Zstd => self
                .tools
                .compressors
                .scratch(|frame| zstd::expand(packed.bytes(), &mut raw, frame)),
            Codec::None | Codec::Xz => false,
        };
        is_whole.then_some(raw)
    }

    /// Reads a whole part of a rope, which is at most one block.
    fn read(&self, part: &RopePart<'_>) -> io::Result<Buffer> {
        let len = usize::try_from(part.len()).map_err(io::Error::other)?;
        let mut raw = self.tools.raw.take(len);
        let mut reader = part.reader(self.blobs);
        reader.read_exact(&mut raw)?;
        // At its end, a reader finds out whether it gave what it promised.
        if reader.read(&mut [0])? > 0 {
            return Err(io::Error::other(format!("expected {len} bytes, found more")));
        }
        self.tools.counters.read(raw.len() as u64);
        Ok(raw)
    }
}

/// Returns the key of the segment that a part of a rope makes.
///
/// It covers, in this order: the domain, the codec, its revision, the level, the block size, and
/// each extent as its kind, its own length-prefixed bytes or its digest and range, or its length.
/// Equal bytes that are described in another way have another key: they are compressed once more, to the same.
/// Contents are never read.
pub(super) fn key(part: &RopePart<'_>, compression: Compression) -> Digest {
    let mut hasher = settings(DOMAIN, compression);
    update_extents(&mut hasher, part);
    hasher.digest()
}

/// Starts a key that covers, in this order: its domain, the codec, its revision, the level, the block
/// size.
pub(super) fn settings(domain: &str, compression: Compression) -> Hasher {
    let mut hasher = Hasher::new();
    for text in [domain, compression.codec.word()] {
        update_prefixed(&mut hasher, text.as_bytes());
    }
    hasher.update(&compression.codec.revision().to_le_bytes());
    hasher.update(&[compression.level]);
    hasher.update(&compression.block_size().to_le_bytes());
    hasher
}

/// Takes in what a rope says, never the contents of blobs.
pub(super) fn update_extents(hasher: &mut Hasher, part: &RopePart<'_>) {
    for extent in part.extents() {
        match extent {
            Extent::Inline(bytes) => {
                hasher.update(b"i");
                update_prefixed(hasher, bytes);
            }
            Extent::Blob { digest, offset, len } => {
                hasher.update(b"b");
                hasher.update(digest.as_bytes());
                hasher.update(&offset.to_le_bytes());
                hasher.update(&len.to_le_bytes());
            }
            Extent::Padding(len) => {
                hasher.update(b"p");
                hasher.update(&len.to_le_bytes());
            }
            Extent::Zero(len) => {
                hasher.update(b"z");
                hasher.update(&len.to_le_bytes());
            }
        }
    }
}

pub(super) fn update_prefixed(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}
