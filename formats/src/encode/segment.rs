//! One segment: its key, and how it is compressed or found again.

use std::io::{self, Read};

use crate::blob::{Blob, BlobSource, BlobStore};
use crate::digest::{Digest, Hasher};
use crate::encode::{Codec, Compression, Segment, SegmentCache, gzip, xz, zstd};
use crate::rope::{Extent, Rope};

/// A segment from this length on, compressed, is kept; a smaller one is cheaper to make again than
/// to look after.
pub(super) const KEEP: usize = 16 << 10;

/// Sets these keys apart from every other digest.
const DOMAIN: &str = "bake segment key 1";

/// A segment with everything that joining it takes.
pub(super) struct Packed {
    /// The bytes before compression.
    pub(super) raw: Vec<u8>,
    /// Their CRC-32 if the format has one, else 0.
    pub(super) crc32: u32,
    /// The compressed bytes.
    pub(super) bytes: Vec<u8>,
    /// The compressed bytes' identity if the blob store holds them.
    pub(super) kept: Option<Blob>,
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
}

impl Packer<'_> {
    /// Returns the segment that a part of a rope makes.
    pub(super) fn pack(&self, part: &Rope) -> io::Result<Packed> {
        let raw = read(part, self.blobs)?;
        let crc32 = match self.compression.codec {
            Codec::Gzip | Codec::Xz => crc32fast::hash(&raw),
            Codec::None | Codec::Zstd => 0,
        };
        let key = key(part, self.compression);
        if let Some(segment) = self.cache.get(&key)
            && let Some(bytes) = self.recall(&segment, raw.len(), crc32)
        {
            return Ok(Packed { raw, crc32, bytes, kept: Some(segment.blob) });
        }
        let bytes = self.compress(&raw, crc32)?;
        let kept = if bytes.len() < KEEP {
            None
        } else {
            let blob = self.blobs.put(&bytes)?;
            let crc32 = if self.compression.codec == Codec::Gzip { crc32 } else { 0 };
            self.cache.put(&key, &Segment { blob, raw_len: raw.len() as u64, crc32 })?;
            Some(blob)
        };
        Ok(Packed { raw, crc32, bytes, kept })
    }

    /// Returns a kept segment's bytes, or `None` if they are missing, damaged or of other contents.
    ///
    /// Why they cannot be read does not matter: compressing again mends every case.
    fn recall(&self, segment: &Segment, raw_len: usize, crc32: u32) -> Option<Vec<u8>> {
        let size = usize::try_from(segment.blob.size).ok()?;
        let sized = segment.raw_len == raw_len as u64 && (KEEP..raw_len * 2 + KEEP).contains(&size);
        if !sized || (self.compression.codec == Codec::Gzip && segment.crc32 != crc32) {
            return None;
        }
        let mut bytes = Vec::with_capacity(size);
        let reader = self.blobs.open(&segment.blob.digest, 0).ok()?;
        reader.take(segment.blob.size + 1).read_to_end(&mut bytes).ok()?;
        let whole = Blob::of(&bytes) == segment.blob;
        let fits = self.compression.codec != Codec::Xz
            || xz::Record::of(&bytes, segment.raw_len, crc32).is_some();
        (whole && fits).then_some(bytes)
    }

    fn compress(&self, raw: &[u8], crc32: u32) -> io::Result<Vec<u8>> {
        let level = self.compression.level;
        match self.compression.codec {
            Codec::None => Ok(raw.to_vec()),
            Codec::Gzip => gzip::compress(raw, level),
            Codec::Zstd => zstd::compress(raw, level),
            Codec::Xz => xz::compress(raw, crc32, level),
        }
    }
}

/// Reads a whole part of a rope, which is at most one block.
fn read(part: &Rope, blobs: &dyn BlobSource) -> io::Result<Vec<u8>> {
    let len = usize::try_from(part.len()).map_err(io::Error::other)?;
    let mut raw = Vec::with_capacity(len);
    part.reader(blobs).read_to_end(&mut raw)?;
    if raw.len() == len {
        return Ok(raw);
    }
    let message = format!("expected {len} bytes, found {}", raw.len());
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
}

/// Returns the key of the segment that a part of a rope makes.
///
/// It covers, in this order: the domain, the codec, its revision, the level, the block size, and
/// each extent as its kind, its own length-prefixed bytes or its digest and range, or its length.
/// Contents are never read.
pub(super) fn key(part: &Rope, compression: Compression) -> Digest {
    let mut hasher = Hasher::new();
    for text in [DOMAIN, compression.codec.word()] {
        update_prefixed(&mut hasher, text.as_bytes());
    }
    hasher.update(&compression.codec.revision().to_le_bytes());
    hasher.update(&[compression.level]);
    hasher.update(&compression.block_size().to_le_bytes());
    update_extents(&mut hasher, part);
    hasher.digest()
}

/// Takes in what a rope says, never the contents of blobs.
pub(super) fn update_extents(hasher: &mut Hasher, part: &Rope) {
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
