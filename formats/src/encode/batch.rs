//! One batch of blocks: its key, and how it is compressed or found again.

use std::io::{self, Read};

use flate2::{Compress, FlushCompress, Status};

use crate::blob::{Blob, BlobStore};
use crate::digest::{Digest, Hasher};
use crate::encode::blocks::{BlockCodec, BlockSettings, EncodedBlock};
use crate::encode::segment::{update_extents, update_prefixed};
use crate::encode::{Recall, Segment, SegmentCache, Tools};
use crate::rope::RopePart;

/// Sets the keys of packed blocks apart from every other digest.
const BLOCKS: &str = "bake block batch key 1";
/// Sets the keys of their lengths apart.
const INDEX: &str = "bake block index key 2";

/// What the index says of a block of zeros.
const ZEROS: u32 = 0;
/// What the index says of a block that is left as it is; no compressed block is that long.
const PLAIN: u32 = u32::MAX;

/// The window of [`BlockCodec::Deflate`], as a power of two.
const DEFLATE_WINDOW: u8 = 12;
/// The window of [`BlockCodec::Zlib`], as a power of two: the largest.
const ZLIB_WINDOW: u8 = 15;

/// Some blocks that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// The blob that holds the compressed blocks, one after another.
    digest: Digest,
    /// For each block the length of what it became, or [`ZEROS`] or [`PLAIN`].
    index: Vec<u32>,
}

impl Batch {
    /// Returns the blocks in order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = EncodedBlock> + '_ {
        let (digest, mut offset) = (self.digest, 0);
        self.index.iter().map(move |len| match *len {
            ZEROS => EncodedBlock::Zeros(1),
            PLAIN => EncodedBlock::Plain(1),
            len => {
                let block = EncodedBlock::Packed { digest, offset, len };
                offset += u64::from(len);
                block
            }
        })
    }
}

/// Makes batches.
#[derive(Clone, Copy)]
pub(super) struct Packer<'a> {
    /// Where contents are read from and batches are kept.
    pub(super) blobs: &'a dyn BlobStore,
    /// Where batches are found again.
    pub(super) cache: &'a dyn SegmentCache,
    /// How blocks are compressed.
    pub(super) settings: BlockSettings,
    /// Whether kept batches are read before they are used.
    pub(super) recall: Recall,
    /// What it is done with.
    pub(super) tools: &'a Tools,
}

impl Packer<'_> {
    /// Returns the batch that a part of a rope makes, which has these keys.
    pub(super) fn pack(&self, part: &RopePart<'_>, keys: &Keys) -> io::Result<Batch> {
        let _turn = self.tools.turns.take(&keys.packed);
        if let Some(batch) = self.find(keys, part.len()) {
            self.tools.counters.reused(part.len());
            return Ok(batch);
        }
        let (packed, index) = self.tools.compressors.scratch(|bytes| {
            let index = self.compress(part, bytes)?;
            Ok::<_, io::Error>((self.keep(&keys.packed, bytes, part.len())?, index))
        })?;
        self.tools.counters.read(part.len());
        self.tools.counters.compressed(part.len(), packed.blob.size);
        let lens: Vec<u8> = index.iter().flat_map(|len| len.to_le_bytes()).collect();
        let lens = self.keep(&keys.index, &lens, part.len())?;
        self.cache.put(&keys.index, &lens)?;
        self.cache.put(&keys.packed, &packed)?;
        Ok(Batch { digest: packed.blob.digest, index })
    }

    /// Keeps bytes and returns the record that names them.
    fn keep(&self, key: &Digest, bytes: &[u8], raw_len: u64) -> io::Result<Segment> {
        Ok(Segment::new(key, (self.blobs.put(bytes)?, bytes), raw_len, 0))
    }

    /// Returns a kept batch, or `None` if it is missing, of other blocks, or damaged as far as it is
    /// read: whether the packed blocks are is found when the file is written.
    ///
    /// Why it cannot be used does not matter: compressing again mends every case.
    fn find(&self, keys: &Keys, raw_len: u64) -> Option<Batch> {
        let packed = self.cache.get(&keys.packed)?;
        let lens = self.cache.get(&keys.index)?;
        let blocks = raw_len.div_ceil(self.settings.block);
        let fits = packed.is_of(&keys.packed, raw_len)
            && lens.is_of(&keys.index, raw_len)
            && packed.blob.size <= raw_len.checked_mul(2)?.checked_add(self.settings.block)?
            && lens.blob.size == blocks * 4;
        if !fits {
            return None;
        }
        let lens = self.read(&lens.blob)?;
        let index: Vec<u32> =
            lens.as_chunks().0.iter().map(|len| u32::from_le_bytes(*len)).collect();
        let held: u64 = index.iter().filter(|len| **len != PLAIN).map(|len| u64::from(*len)).sum();
        let is_whole = match self.recall {
            Recall::Trusting => true,
            Recall::Checking => self.read(&packed.blob).is_some(),
        };
        (packed.blob.size == held && is_whole)
            .then_some(Batch { digest: packed.blob.digest, index })
    }

    /// Reads a whole blob; `None` if it is not what it should be.
    fn read(&self, blob: &Blob) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(blob.size).ok()?);
        let reader = self.blobs.open(&blob.digest, 0).ok()?;
        reader.take(blob.size + 1).read_to_end(&mut bytes).ok()?;
        (Blob::of(&bytes) == *blob).then_some(bytes)
    }

    /// Appends all blocks, compressed, in order and returns what became of each.
    ///
    /// The compressor is new for each batch, so that the bytes are a function of the batch alone
    /// even if a compressor should remember more than it says.
    fn compress(&self, part: &RopePart<'_>, bytes: &mut Vec<u8>) -> io::Result<Vec<u32>> {
        let size = usize::try_from(self.settings.block).map_err(io::Error::other)?;
        let mut compressor = Compressor::new(self.settings)?;
        let mut reader = part.reader(self.blobs);
        let (mut block, mut packed) = (vec![0; size], Vec::with_capacity(bound(size)));
        let (mut index, mut left) = (Vec::new(), part.len());
        while left > 0 {
            let there = usize::try_from(left).unwrap_or(size).min(size);
            reader.read_exact(&mut block[..there])?;
            block[there..].fill(0);
            left -= there as u64;
            if is_zeros(&block) {
                index.push(ZEROS);
                continue;
            }
            compressor.compress(&block, &mut packed)?;
            if self.settings.plain && packed.len() >= size {
                index.push(PLAIN);
                continue;
            }
            index.push(u32::try_from(packed.len()).map_err(io::Error::other)?);
            bytes.extend_from_slice(&packed);
        }
        Ok(index)
    }
}

/// Returns more than a block can become, whatever the codec.
fn bound(block: usize) -> usize {
    block + block / 8 + 1024
}

fn is_zeros(block: &[u8]) -> bool {
    let (chunks, rest) = block.as_chunks::<32>();
    rest.iter().all(|byte| *byte == 0) && chunks.iter().all(|chunk| *chunk == [0; 32])
}

/// Compresses one block after another.
enum Compressor {
    Deflate(Compress),
    Zstd(::zstd::bulk::Compressor<'static>),
}

impl Compressor {
    fn new(settings: BlockSettings) -> io::Result<Self> {
        let level = flate2::Compression::new(settings.level.into());
        let deflate =
            |header, window| Self::Deflate(Compress::new_with_window_bits(level, header, window));
        Ok(match settings.codec {
            BlockCodec::Deflate => deflate(false, DEFLATE_WINDOW),
            BlockCodec::Zlib => deflate(true, ZLIB_WINDOW),
            BlockCodec::Zstd => Self::Zstd(::zstd::bulk::Compressor::new(settings.level.into())?),
        })
    }

    /// Replaces the contents of a buffer that has room for [`bound`] bytes.
    fn compress(&mut self, block: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        out.clear();
        match self {
            Self::Deflate(deflate) => {
                deflate.reset();
                let status = deflate.compress_vec(block, out, FlushCompress::Finish);
                match status.map_err(io::Error::other)? {
                    Status::StreamEnd => Ok(()),
                    Status::Ok | Status::BufError => Err(io::ErrorKind::WriteZero.into()),
                }
            }
            Self::Zstd(zstd) => {
                zstd.compress_to_buffer(block, out)?;
                Ok(())
            }
        }
    }
}

/// The two keys of a batch: of its packed blocks and of its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Keys {
    packed: Digest,
    index: Digest,
}

impl Keys {
    /// Returns the keys of the batch that a part of a rope makes.
    ///
    /// The first covers, in this order: its domain, the codec, its revision, the level, whether blocks may stay plain, the
    /// block size, and each extent as a segment's key does. The second covers its domain and the first.
    pub(super) fn of(part: &RopePart<'_>, settings: BlockSettings) -> Self {
        let BlockSettings { block, codec, level, plain } = settings;
        let mut hasher = Hasher::new();
        for text in [BLOCKS, codec.word()] {
            update_prefixed(&mut hasher, text.as_bytes());
        }
        hasher.update(&codec.revision().to_le_bytes());
        hasher.update(&[level, u8::from(plain)]);
        hasher.update(&block.to_le_bytes());
        update_extents(&mut hasher, part);
        let packed = hasher.digest();
        let mut hasher = Hasher::new();
        update_prefixed(&mut hasher, INDEX.as_bytes());
        hasher.update(packed.as_bytes());
        Self { packed, index: hasher.digest() }
    }
}
