//! Checkpoints: how far the digests of a payload were computed, so that they need not be computed
//! from its first byte again.
//!
//! ```text
//!  segments     │ 1 │ 2 │ 3 │ 4 │ 5 │ 6 │ 7 │
//!  checkpoints              ▲           ▲   ▲ at the end
//!                     key: the settings and the keys of segments 1 to 3
//! ```
//!
//! A checkpoint says what SHA-256 had come to, of the bytes before compression and of those after
//! it. Its key, the chain, covers everything that these bytes follow from, so what stands before a
//! checkpoint need not be read at all. It also says which segments those were: what is found under their
//! keys may be others by now, and then the digest would be of bytes that nobody writes.

use crate::digest::{Digest, Hasher, HasherState};
use crate::encode::segment::{key, settings, update_prefixed};
use crate::encode::{Compression, SegmentCache};
use crate::rope::RopePart;

/// Sets chains apart from every other digest.
const DOMAIN: &str = "bake checkpoint key 1";

/// How many bytes before compression lie between two checkpoints, at least.
pub(super) const EVERY: u64 = 32 << 20;

/// What the record of a checkpoint starts with.
const MAGIC: [u8; 8] = *b"bakemark";

/// The digests of a payload up to one of its segments.
///
/// ```text
/// | "bakemark" | chain (32) | state before compression (103) | state after it (103) | segments (32) | SHA-256 of all |
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    pub(super) raw: HasherState,
    pub(super) compressed: HasherState,
    /// The digest of the digests of all segments so far; a record of an older version has none, and no use.
    pub(super) segments: Option<Digest>,
}

impl Checkpoint {
    /// Returns the record that is kept under a chain.
    pub(super) fn print(&self, chain: &Digest) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(chain.as_bytes());
        bytes.extend(self.raw.as_bytes());
        bytes.extend(self.compressed.as_bytes());
        bytes.extend(self.segments.iter().flat_map(Digest::as_bytes));
        let seal = Digest::of(&bytes);
        bytes.extend(seal.as_bytes());
        bytes
    }

    /// Parses the record kept under a chain; `None` if it is anything else, e.g. that of another
    /// chain, or if a bit of it changed: a wrong state would give wrong digests, and nobody would
    /// know.
    pub fn parse(bytes: &[u8], chain: &Digest) -> Option<Self> {
        let (content, seal) = bytes.split_last_chunk::<32>()?;
        let states = content.strip_prefix(&MAGIC)?.strip_prefix(chain.as_bytes())?;
        let (raw, rest) = states.split_first_chunk()?;
        let (compressed, rest) = rest.split_first_chunk()?;
        let segments = match rest {
            [] => None,
            rest => Some(Digest::from_bytes(rest.try_into().ok()?)),
        };
        if Digest::of(content).as_bytes() != seal {
            return None;
        }
        let (raw, compressed) =
            (HasherState::from_bytes(raw)?, HasherState::from_bytes(compressed)?);
        Some(Self { raw, compressed, segments })
    }
}

/// A place between two segments where a checkpoint is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// How many segments lie before it.
    pub(super) segments: u64,
    /// How many bytes before compression these are.
    pub(super) raw_len: u64,
    /// The key of the checkpoint.
    pub(super) chain: Digest,
}

/// All segments of a payload with their keys, and where its checkpoints are.
#[derive(Debug, Default)]
pub(super) struct Chain<'a> {
    segments: Vec<(Digest, RopePart<'a>)>,
    pub(super) marks: Vec<Mark>,
}

impl<'a> Chain<'a> {
    /// Reads the segments of a payload, never the contents of blobs.
    ///
    /// A mark follows the segment with which `every` bytes were passed since the last one, and the
    /// last segment. Its chain covers, in this order: the domain, the codec, its revision, the
    /// level, the block size, what the payload starts with, and the keys of all segments before it.
    pub(super) fn new(
        cuts: impl Iterator<Item = RopePart<'a>>,
        compression: Compression,
        head: &[u8],
        every: u64,
    ) -> Self {
        let mut hasher = settings(DOMAIN, compression);
        update_prefixed(&mut hasher, head);
        let (mut chain, mut raw_len, mut marked) = (Self::default(), 0, 0);
        for part in cuts {
            let key = key(&part, compression);
            hasher.update(key.as_bytes());
            raw_len += part.len();
            chain.segments.push((key, part));
            if raw_len - marked >= every {
                chain.mark(raw_len, &hasher);
                marked = raw_len;
            }
        }
        if raw_len > marked {
            chain.mark(raw_len, &hasher);
        }
        chain
    }

    /// Returns all segments in order, with their keys.
    pub(super) fn segments(&self) -> Box<dyn Iterator<Item = (Digest, RopePart<'a>)> + '_> {
        Box::new(self.segments.iter().cloned())
    }

    fn mark(&mut self, raw_len: u64, hasher: &Hasher) {
        let (segments, chain) = (self.segments.len() as u64, hasher.digest());
        self.marks.push(Mark { segments, raw_len, chain });
    }

    /// Returns the last checkpoint that is kept, and its mark.
    ///
    /// All are asked for, so that those before it do not count as unused: the next change may lie
    /// before it.
    pub(super) fn resume(&self, cache: &dyn SegmentCache) -> Option<(Mark, Checkpoint)> {
        let kept = self.marks.iter().filter_map(|mark| {
            let checkpoint = Checkpoint::parse(&cache.checkpoint(&mark.chain)?, &mark.chain)?;
            let is_right = checkpoint.raw.len() == mark.raw_len && checkpoint.segments.is_some();
            is_right.then_some((*mark, checkpoint))
        });
        kept.last()
    }

    /// Returns the mark that follows so many segments.
    pub(super) fn mark_after(&self, segments: u64) -> Option<&Mark> {
        let found = self.marks.binary_search_by_key(&segments, |mark| mark.segments).ok()?;
        self.marks.get(found)
    }
}
