//! Joins segments, in order, into one payload.

use std::io;

use crate::blob::Blob;
use crate::digest::Hasher;
use crate::encode::segment::Packed;
use crate::encode::{Codec, Compression, gzip, xz, zstd};
use crate::rope::Rope;

/// A payload while it grows.
pub(super) struct Joiner {
    rope: Rope,
    /// Computed on the way if they are wanted.
    identities: Option<Identities>,
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

/// What each codec gathers for the end of the payload.
enum Ending {
    None,
    Gzip(gzip::Trailer),
    Zstd,
    Xz(xz::Index),
}

impl Joiner {
    /// Starts a payload that stands for `raw_len` bytes.
    pub(super) fn new(
        compression: Compression,
        raw_len: u64,
        identities: Option<Identities>,
    ) -> Self {
        let longest = raw_len.min(compression.block_size());
        let (head, ending) = match compression.codec {
            Codec::None => (Vec::new(), Ending::None),
            Codec::Gzip => (gzip::HEAD.to_vec(), Ending::Gzip(gzip::Trailer::default())),
            Codec::Zstd => (zstd::head(longest), Ending::Zstd),
            Codec::Xz => (xz::head(), Ending::Xz(xz::Index::default())),
        };
        let mut joiner = Self { rope: Rope::new(), identities, ending };
        joiner.push(&head, None);
        joiner
    }

    /// Appends the next segment.
    pub(super) fn add(&mut self, packed: &Packed) -> io::Result<()> {
        let raw_len = packed.raw.len() as u64;
        if let Some(identities) = &mut self.identities {
            identities.raw.update(&packed.raw);
        }
        match &mut self.ending {
            Ending::None | Ending::Zstd => {}
            Ending::Gzip(trailer) => trailer.add(packed.crc32, raw_len),
            Ending::Xz(index) => {
                let record = xz::Record::of(&packed.bytes, raw_len, packed.crc32)
                    .ok_or_else(|| io::Error::other("the encoder made no valid xz block"))?;
                index.add(record);
            }
        }
        self.push(&packed.bytes, packed.kept);
        Ok(())
    }

    /// Ends the payload and returns it.
    pub(super) fn finish(mut self) -> io::Result<(Rope, Option<Identities>)> {
        let tail = match std::mem::replace(&mut self.ending, Ending::None) {
            Ending::None => Vec::new(),
            Ending::Gzip(trailer) => trailer.finish(),
            Ending::Zstd => zstd::TAIL.to_vec(),
            Ending::Xz(index) => index.finish()?,
        };
        self.push(&tail, None);
        Ok((self.rope, self.identities))
    }

    fn push(&mut self, bytes: &[u8], kept: Option<Blob>) {
        if let Some(identities) = &mut self.identities {
            identities.compressed.update(bytes);
        }
        match kept {
            Some(blob) => self.rope.push_blob(blob),
            None => self.rope.push_bytes(bytes),
        }
    }
}
