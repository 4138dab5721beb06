//! Compression of ropes: deterministic, parallel, and joined from segments that can be kept.
//!
//! A payload is always ONE gzip member, ONE zstd frame or ONE xz stream, because dpkg rejects
//! several. It is joined from segments that were compressed independently of each other: a large
//! blob is cut into blocks of fixed size, small files and headers are taken together. Each segment
//! is kept under a key that covers the encoder's revision, the level and what the segment
//! describes, so that it is compressed once whatever formats ask for it. Where the cuts fall
//! depends on the rope alone, never on threads or buffers.

mod batch;
mod blocks;
mod buffers;
mod checkpoint;
mod compressors;
mod cut;
mod decode;
mod gzip;
mod join;
mod pipeline;
mod room;
mod segment;
mod shared;
mod turn;
mod work;
mod xz;
mod zstd;

#[cfg(test)]
mod block_tests;
#[cfg(test)]
mod reuse_tests;
#[cfg(test)]
mod tests;

use std::io::{self, BufReader, Read};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blob::{Blob, BlobStore};
use crate::checksum::Checksum;
use crate::digest::{Digest, Hasher};
use crate::rope::Rope;

pub use self::blocks::{BlockCodec, BlockSettings, Blocks, EncodedBlock, EncodedBlocks};
use self::buffers::Buffers;
use self::checkpoint::Chain;
pub use self::checkpoint::Checkpoint;
use self::compressors::Compressors;
use self::cut::Cuts;
pub use self::decode::{decoder, member_decoder, sniff};
use self::pipeline::Payload;
use self::room::Room;
use self::segment::Packer;
use self::shared::Shared;
use self::turn::Turns;
use self::work::Counters;
pub use self::work::Work;

/// How much of a rope that is stored as it is is held while it is hashed.
const COPY_BUFFER: usize = 128 << 10;

/// The longest segment before compression, whatever the codec.
const SEGMENT_MAX: usize = 8 << 20;

/// How a payload is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Compression {
    /// The format.
    pub codec: Codec,
    /// The level, in the codec's own numbers; 0 for [`Codec::None`].
    pub level: u8,
}

/// A compression format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Stored as it is.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The .xz file format 1.1.0.
    Xz,
}

impl Codec {
    /// Raised whenever equal input would give different bytes; part of every key.
    pub const fn revision(self) -> u32 {
        match self {
            Self::None => 1,
            Self::Gzip | Self::Zstd | Self::Xz => 3,
        }
    }

    /// Returns the word that recipes use.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
        }
    }

    /// Returns the level used when none is given, and the highest.
    pub fn levels(self) -> (u8, u8) {
        match self {
            Self::None => (0, 0),
            Self::Gzip => (6, 9),
            Self::Zstd => (3, 19),
            Self::Xz => (6, 9),
        }
    }
}

impl Compression {
    /// No compression.
    pub const NONE: Self = Self { codec: Codec::None, level: 0 };
    /// gzip at its default level.
    pub const GZIP: Self = Self { codec: Codec::Gzip, level: 6 };
    /// zstd at its default level.
    pub const ZSTD: Self = Self { codec: Codec::Zstd, level: 3 };
    /// xz at its default level.
    pub const XZ: Self = Self { codec: Codec::Xz, level: 6 };

    /// Returns how many bytes a segment has at most before compression.
    ///
    /// Small enough that one changed byte costs little, large enough that the ratio of one stream
    /// is lost by a percent or two at most.
    fn block_size(self) -> u64 {
        match self.codec {
            Codec::Xz => 8 << 20,
            Codec::Zstd if self.level >= 9 => 8 << 20,
            Codec::None | Codec::Gzip | Codec::Zstd => 4 << 20,
        }
    }

    /// Returns from which length on a stretch of a blob is cut into segments of its own.
    ///
    /// What stands alone is compressed once for all formats; what stands in a group with headers is
    /// compressed for each. On a tree of a Java runtime and 15 000 headers these lengths cost 0.1 %
    /// in size for gzip and 0.2 % for xz against 1 MiB; zstd was measured at level 3, where it is
    /// so fast that to share more would save nothing.
    fn alone_from(self) -> u64 {
        match self.codec {
            Codec::None | Codec::Gzip => 64 << 10,
            Codec::Zstd if self.level >= 9 => 128 << 10,
            Codec::Zstd => 1 << 20,
            Codec::Xz => 256 << 10,
        }
    }

    /// Rejects a level that the codec does not have.
    fn check(self) -> io::Result<()> {
        let (default, highest) = self.codec.levels();
        let lowest = default.min(1);
        if (lowest..=highest).contains(&self.level) {
            return Ok(());
        }
        let (word, level) = (self.codec.word(), self.level);
        let message = format!("{word} level {level}: expected a level from {lowest} to {highest}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.codec {
            Codec::None => f.write_str("none"),
            codec => write!(f, "{}:{}", codec.word(), self.level),
        }
    }
}

/// Text that names no compression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a compression: {reason}")]
pub struct CompressionError {
    text: String,
    reason: String,
}

impl FromStr for Compression {
    type Err = CompressionError;

    /// Parses `CODEC` or `CODEC:LEVEL`, e.g. `zstd:9`.
    fn from_str(text: &str) -> Result<Self, CompressionError> {
        let fail = |reason: String| CompressionError { text: text.into(), reason };
        let (word, level) = match text.split_once(':') {
            Some((word, level)) => (word, Some(level)),
            None => (text, None),
        };
        let codecs = [Codec::None, Codec::Gzip, Codec::Zstd, Codec::Xz];
        let Some(codec) = codecs.into_iter().find(|codec| codec.word() == word) else {
            return Err(fail("expected none, gzip, zstd or xz".into()));
        };
        let (default, highest) = codec.levels();
        let lowest = default.min(1);
        let level = match level.map(str::parse) {
            None => default,
            Some(Ok(level)) if (lowest..=highest).contains(&level) => level,
            Some(_) => {
                return Err(fail(format!("expected a level from {lowest} to {highest}")));
            }
        };
        Ok(Self { codec, level })
    }
}

/// A compressed payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The compressed bytes, described.
    pub rope: Rope,
    /// The identity of the compressed bytes.
    pub blob: Blob,
    /// The identity of the bytes before compression.
    pub raw: Blob,
}

/// One independently compressed part of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The compressed bytes.
    pub blob: Blob,
    /// How many bytes they stand for.
    pub raw_len: u64,
    /// The CRC-32 of the bytes they stand for, for gzip's trailer; 0 elsewhere.
    pub crc32: u32,
    /// The checksum of the compressed bytes, with which whoever reads them sees damage; a record of an older version has
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// A digest of the key and all of the above: nobody reads the bytes to see whether they are
    /// what the record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Digest>,
}

/// Where segments and checkpoints are found again.
pub trait SegmentCache: Sync {
    /// Returns the segment kept under a key, if a blob of its size is still there; whether that has
    /// the right bytes is seen by who reads it.
    fn get(&self, key: &Digest) -> Option<Segment>;

    /// Keeps a segment whose bytes are in the blob store.
    fn put(&self, key: &Digest, segment: &Segment) -> io::Result<()>;

    /// Returns the record of a [`Checkpoint`] kept under a chain; it is checked by who asks.
    fn checkpoint(&self, _chain: &Digest) -> Option<Vec<u8>> {
        None
    }

    /// Keeps the record of a checkpoint, some 300 bytes.
    fn put_checkpoint(&self, _chain: &Digest, _record: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// A cache that keeps nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoCache;

impl SegmentCache for NoCache {
    fn get(&self, _key: &Digest) -> Option<Segment> {
        None
    }

    fn put(&self, _key: &Digest, _segment: &Segment) -> io::Result<()> {
        Ok(())
    }
}

/// Whether what is kept is read before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recall {
    /// Only if its bytes are needed: whoever reads the payload sees damage.
    Trusting,
    Checking,
}

/// Compresses ropes, on several threads at once if somebody wants to; what they all need is compressed once.
pub struct Encoder<'a> {
    blobs: &'a dyn BlobStore,
    cache: &'a dyn SegmentCache,
    threads: usize,
    recall: Recall,
    /// How many bytes lie between two checkpoints, at least.
    checkpoint_every: u64,
    tools: Tools,
}

/// What all threads that work for an encoder share.
struct Tools {
    counters: Counters,
    turns: Turns,
    shared: Shared,
    compressors: Compressors,
    room: Room,
    /// For bytes before compression.
    raw: Arc<Buffers>,
    /// For bytes after it.
    packed: Arc<Buffers>,
}

impl std::fmt::Debug for Encoder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl<'a> Encoder<'a> {
    /// Returns an encoder that reads contents from and keeps segments in `blobs`.
    pub fn new(blobs: &'a dyn BlobStore, cache: &'a dyn SegmentCache, threads: usize) -> Self {
        Self {
            blobs,
            cache,
            threads: threads.max(1),
            recall: Recall::Trusting,
            checkpoint_every: checkpoint::EVERY,
            tools: Tools {
                counters: Counters::default(),
                turns: Turns::default(),
                shared: Shared::default(),
                compressors: Compressors::new(threads.max(1)),
                room: Room::new(threads.max(1) + 1),
                raw: Arc::new(Buffers::new(SEGMENT_MAX)),
                packed: Arc::new(Buffers::new(SEGMENT_MAX + SEGMENT_MAX / 8)),
            },
        }
    }

    /// Lets the encoder read all of what is kept before it uses it, and compress again what is
    /// damaged: for a blob store in which damage was found.
    #[must_use]
    pub fn checking(self) -> Self {
        Self { recall: Recall::Checking, ..self }
    }

    /// Returns what the encoder did so far.
    pub fn work(&self) -> Work {
        self.tools.counters.work()
    }

    /// Compresses a rope; the result depends on the rope and the compression alone.
    ///
    /// At most `threads + 1` segments are held at a time by all who use the encoder, and one more for
    /// each of them who would have none; each of at most 4 MiB (8 MiB for xz and
    /// from zstd level 9 up) and its compressed bytes. Each thread's compressor comes on top: less
    /// than 1 MiB for gzip, some 15 MiB for zstd at its default level and 100 MiB at its highest,
    /// 94 MiB for xz. Segments that are worth it are kept in the blob store and in the cache.
    ///
    /// Up to the last checkpoint that is kept nothing is read but segments that are not kept. What
    /// follows is read, before and after compression, because both digests go through it; a kept
    /// segment that turns out damaged there is compressed again.
    pub fn encode(&self, rope: &Rope, compression: Compression) -> io::Result<Encoded> {
        check(rope, compression)?;
        match compression.codec {
            Codec::None => self.describe(rope),
            Codec::Gzip | Codec::Zstd | Codec::Xz => {
                let payload = self.payload(rope, compression);
                let (rope, identities) = payload.identify(self.checkpoint_every)?;
                let blob = Blob::of_hashed(&identities.compressed);
                Ok(Encoded { rope, blob, raw: Blob::of_hashed(&identities.raw) })
            }
        }
    }

    /// Compresses a rope as [`Encoder::encode`] does, for formats that name neither the compressed
    /// bytes nor those before compression: it spares both digests, and of what is kept it reads
    /// next to nothing. Damage is found when the rope is read.
    pub fn compress(&self, rope: &Rope, compression: Compression) -> io::Result<Rope> {
        check(rope, compression)?;
        match compression.codec {
            Codec::None => Ok(rope.clone()),
            Codec::Gzip | Codec::Zstd | Codec::Xz => self.payload(rope, compression).describe(),
        }
    }

    /// Compresses each block of a rope on its own; the result depends on the rope and the settings
    /// alone.
    ///
    /// The last block is filled up with zeros. Blocks are compressed in batches of 4 MiB of the
    /// rope, and each thread holds one batch's compressed bytes at a time. All of them are kept in
    /// the blob store and in the cache; a batch of zeros costs nothing, and one that occurs again
    /// neither. Of a kept batch only the lengths of its blocks are read; damage to the blocks is
    /// found when the file is read.
    pub fn encode_blocks(&self, rope: &Rope, settings: BlockSettings) -> io::Result<EncodedBlocks> {
        settings.check()?;
        check_consistency(rope)?;
        let Self { blobs, cache, recall, ref tools, .. } = *self;
        let packer = batch::Packer { blobs, cache, settings, recall, tools };
        blocks::run(rope, packer, self.threads)
    }

    fn payload<'r>(&'r self, rope: &'r Rope, compression: Compression) -> Payload<'r> {
        let Self { blobs, cache, recall, ref tools, threads, .. } = *self;
        let packer = Packer { blobs, cache, compression, recall, tools };
        Payload { rope, packer, threads }
    }

    /// Computes the identity of a rope that is stored as it is, from the last checkpoint on that is
    /// kept.
    fn describe(&self, rope: &Rope) -> io::Result<Encoded> {
        let stored = Compression::NONE;
        let cuts = Cuts::new(rope, stored.block_size(), stored.alone_from());
        let chain = Chain::new(cuts, stored, &[], self.checkpoint_every);
        let resumed = chain.resume(self.cache);
        let resumed = resumed.and_then(|(_, checkpoint)| Hasher::resume(&checkpoint.raw));
        let mut hasher = resumed.unwrap_or_default();
        let start = hasher.len();
        let mut reader = rope.reader_from(self.blobs, start);
        for mark in chain.marks.iter().filter(|mark| mark.raw_len > start) {
            let len = mark.raw_len - hasher.len();
            let mut part = BufReader::with_capacity(COPY_BUFFER, (&mut reader).take(len));
            if io::copy(&mut part, &mut hasher)? < len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let raw = hasher.checkpoint();
            // What is stored has no segments that could be others by the next time.
            let checkpoint = Checkpoint { raw, compressed: raw, segments: Some(Digest::of(&[])) };
            let record = checkpoint.print(&mark.chain);
            self.cache.put_checkpoint(&mark.chain, &record)?;
        }
        self.tools.counters.read(hasher.len() - start);
        self.tools.counters.hashed(hasher.len() - start);
        let blob = Blob::of_hashed(&hasher);
        Ok(Encoded { rope: rope.clone(), blob, raw: blob })
    }
}

/// Rejects what cannot be compressed.
fn check(rope: &Rope, compression: Compression) -> io::Result<()> {
    compression.check()?;
    check_consistency(rope)
}

fn check_consistency(rope: &Rope) -> io::Result<()> {
    if rope.is_consistent() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the rope is not consistent"))
}
