//! One gzip member joined from independent deflate segments (RFC 1952, RFC 1951).
//!
//! ```text
//! ┌─────────────┬──────────┬─────┬──────────┬─────────────┬────────┬───────┐
//! │ header (10) │ segment  │  …  │ segment  │ 03 00       │ CRC-32 │ ISIZE │
//! │ 1f 8b 08 …  │ deflate blocks, sync flush│ empty, last │   LE   │  LE   │
//! └─────────────┴──────────┴─────┴──────────┴─────────────┴────────┴───────┘
//! ```
//!
//! A segment ends at a byte because a sync flush appends an empty stored block, and refers to
//! nothing before itself because its compressor started with an empty window.

use std::io;

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress};

/// Magic, deflate, no flags, no time, no extra flags, operating system unknown (RFC 1952, 2.3).
pub(super) const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A last block with fixed codes that holds nothing but the end-of-block code (RFC 1951, 3.2.6).
const LAST_BLOCK: [u8; 2] = [3, 0];

/// Compresses one segment.
///
/// The compressor takes the whole segment in one call: its block boundaries depend on how the
/// input is handed over.
pub(super) fn compress(raw: &[u8], level: u8, out: &mut Vec<u8>) -> io::Result<()> {
    let mut deflate = Compress::new(flate2::Compression::new(level.into()), false);
    out.reserve(raw.len() + raw.len() / 8 + 1024);
    let mut rest = raw;
    loop {
        let before = deflate.total_in();
        deflate.compress_vec(rest, out, FlushCompress::Sync).map_err(io::Error::other)?;
        let taken = usize::try_from(deflate.total_in() - before).unwrap_or(rest.len());
        rest = rest.get(taken..).unwrap_or_default();
        // The flush is complete once there is room left over.
        if rest.is_empty() && out.len() < out.capacity() {
            return Ok(());
        }
        out.reserve(raw.len() / 8 + 1024);
    }
}

/// Undoes what [`compress`] did: fills `raw` with what a segment stands for; `false` if that has another length or CRC-32.
pub(super) fn expand(segment: &[u8], raw: &mut [u8], crc32: u32) -> bool {
    let mut inflate = Decompress::new(false);
    let expanded = inflate.decompress(segment, raw, FlushDecompress::Sync).is_ok();
    expanded && inflate.total_out() == raw.len() as u64 && crc32fast::hash(raw) == crc32
}

/// Sums up the segments for what stands at the end of the member.
#[derive(Default)]
pub(super) struct Trailer {
    crc32: crc32fast::Hasher,
    len: u64,
}

impl Trailer {
    /// Takes in the CRC-32 and the length of the next segment's bytes before compression.
    pub(super) fn add(&mut self, crc32: u32, raw_len: u64) {
        self.crc32.combine(&crc32fast::Hasher::new_with_initial_len(crc32, raw_len));
        self.len += raw_len;
    }

    /// Returns what follows the last segment.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut tail = LAST_BLOCK.to_vec();
        tail.extend(self.crc32.finalize().to_le_bytes());
        // ISIZE is the length modulo 2^32.
        tail.extend(&self.len.to_le_bytes()[..4]);
        tail
    }
}
