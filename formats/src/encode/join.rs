//! Joins segments, in order, into one payload.

use std::{io, thread};

use crate::blob::Blob;
use crate::digest::{Digest, Hasher};
use crate::encode::checkpoint::Checkpoint;
use crate::encode::segment::Packed;
use crate::encode::{Codec, Compression, gzip, xz, zstd};
use crate::rope::Rope;

/// From which length on it pays to hash the bytes of a segment after compression on another thread than those before it.
const WORTH_A_THREAD: usize = 256 << 10;

/// A payload while it grows.
pub(super) struct Joiner {
    rope: Rope,
    /// Computed on the way if they are wanted.
    identities: Option<Identities>,
    /// Takes in the digest of each segment.
    segments: Hasher,
    ending: Ending,
}

/// What tells a payload from others.
#[derive(Default)]
pub(super) struct Identities {
    /// Of the compressed bytes.
    pub(super) compressed: Hasher,
    /// Of the bytes before compression.
    pub(super) raw: Hasher,
}

impl Identities {
    /// Takes in a segment, before and after compression at once if it is long.
    fn update(&mut self, raw: &[u8], compressed: &[u8]) {
        let Self { compressed: of_compressed, raw: of_raw } = self;
        let is_long = raw.len().min(compressed.len()) >= WORTH_A_THREAD;
        let hash = || of_compressed.update(compressed);
        let is_hashed = thread::scope(|scope| {
            let other = is_long.then(|| thread::Builder::new().spawn_scoped(scope, hash));
            of_raw.update(raw);
            other.is_some_and(|other| other.is_ok())
        });
        if !is_hashed {
            of_compressed.update(compressed);
        }
    }

    /// Goes on from a checkpoint; `None` if it is none that hashers can have come to.
    fn resume(checkpoint: &Checkpoint) -> Option<Self> {
        let Checkpoint { raw, compressed, .. } = checkpoint;
        Some(Self { compressed: Hasher::resume(compressed)?, raw: Hasher::resume(raw)? })
    }
}

/// What each codec gathers for the end of the payload.
enum Ending {
    None,
    Gzip(gzip::Trailer),
    Zstd,
    Xz(xz::Index),
}

/// Returns what a payload starts with that stands for `raw_len` bytes.
pub(super) fn head(compression: Compression, raw_len: u64) -> Vec<u8> {
    match compression.codec {
        Codec::None => Vec::new(),
        Codec::Gzip => gzip::HEAD.to_vec(),
        Codec::Zstd => zstd::head(raw_len.min(compression.block_size())),
        Codec::Xz => xz::head(),
    }
}

impl Joiner {
    /// Starts a payload that stands for `raw_len` bytes.
    pub(super) fn new(
        compression: Compression,
        raw_len: u64,
        identities: Option<Identities>,
    ) -> Self {
        let ending = match compression.codec {
            Codec::None => Ending::None,
            Codec::Gzip => Ending::Gzip(gzip::Trailer::default()),
            Codec::Zstd => Ending::Zstd,
            Codec::Xz => Ending::Xz(xz::Index::default()),
        };
        let head = head(compression, raw_len);
        let mut joiner = Self { rope: Rope::new(), identities, segments: Hasher::new(), ending };
        joiner.push(&head);
        joiner
    }

    /// Appends the next segment, with its bytes if identities are computed.
    pub(super) fn add(&mut self, packed: &Packed) {
        match &mut self.ending {
            Ending::None | Ending::Zstd => {}
            Ending::Gzip(trailer) => trailer.add(packed.crc32, packed.raw_len),
            Ending::Xz(index) => index.extend(packed.record),
        }
        if let Some(identities) = &mut self.identities {
            identities.update(packed.raw(), packed.bytes());
        }
        let digest = packed.kept.map_or_else(|| Digest::of(packed.bytes()), |kept| kept.digest);
        self.segments.update(digest.as_bytes());
        self.extend(packed.bytes(), packed.kept);
    }

    /// Computes identities from a checkpoint on; `false` if it is not of the payload so far.
    pub(super) fn resume(&mut self, checkpoint: &Checkpoint) -> bool {
        self.identities = Identities::resume(checkpoint);
        let len = self.identities.as_ref().map(|identities| identities.compressed.len());
        len == Some(self.rope.len()) && checkpoint.segments == Some(self.segments.digest())
    }

    /// Returns what the identities have come to, if they are computed.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        let Identities { compressed, raw } = self.identities.as_ref()?;
        let (raw, compressed) = (raw.checkpoint(), compressed.checkpoint());
        Some(Checkpoint { raw, compressed, segments: Some(self.segments.digest()) })
    }

    /// Returns whether identities of what was joined so far are computed.
    pub(super) fn identifies(&self) -> bool {
        self.identities.is_some()
    }

    /// Ends the payload and returns it.
    pub(super) fn finish(mut self) -> io::Result<(Rope, Option<Identities>)> {
        let tail = match std::mem::replace(&mut self.ending, Ending::None) {
            Ending::None => Vec::new(),
            Ending::Gzip(trailer) => trailer.finish(),
            Ending::Zstd => zstd::TAIL.to_vec(),
            Ending::Xz(index) => index.finish()?,
        };
        self.push(&tail);
        Ok((self.rope, self.identities))
    }

    /// Appends bytes that stand for none before compression.
    fn push(&mut self, bytes: &[u8]) {
        if let Some(identities) = &mut self.identities {
            identities.compressed.update(bytes);
        }
        self.extend(bytes, None);
    }

    fn extend(&mut self, bytes: &[u8], kept: Option<Blob>) {
        match kept {
            Some(blob) => self.rope.push_blob(blob),
            None => self.rope.push_bytes(bytes),
        }
    }
}
