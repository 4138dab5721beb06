//! One zstd frame joined from independent runs of blocks (RFC 8878).
//!
//! ```text
//! ┌─────────────┬────┬───────────────────┬─────────┬─────┬─────────┬───────────────────┐
//! │ 28 b5 2f fd │ 00 │ window descriptor │ segment │  …  │ segment │ 01 00 00          │
//! │    magic    │ no size, no checksum   │   blocks, none of them last │ last block, empty │
//! └─────────────┴────┴───────────────────┴─────────┴─────┴─────────┴───────────────────┘
//! ```
//!
//! A decoder carries three things from one block to the next: the window, the repeat offsets and
//! the entropy tables. A segment uses none that it has not set itself, so that it means the same
//! wherever it stands. That is what zstd's own multi-threaded compressor makes of every job but
//! the first when jobs do not overlap; here a first job of one byte comes before each segment and
//! is dropped.

use std::io;

use ::zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use ::zstd::zstd_safe::{self, CCtx, CParameter, InBuffer, OutBuffer, ResetDirective};

/// The frame's magic number (RFC 8878, 3.1.1), little-endian.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A raw block of no bytes with the last-block flag (RFC 8878, 3.1.1.2).
pub(super) const TAIL: [u8; 3] = [1, 0, 0];

/// The smallest window that the format can say, as a power of two (RFC 8878, 3.1.1.1.2).
const WINDOW_LOG_MIN: u32 = 10;

/// `ZSTD_c_overlapLog`: a job sees nothing of the job before it. 0 would mean the default.
const NO_OVERLAP: u32 = 1;

/// Returns the window that covers `len` bytes, as a power of two.
fn window_log(len: u64) -> u32 {
    len.next_power_of_two().trailing_zeros().max(WINDOW_LOG_MIN)
}

/// Returns the frame header for segments that are at most `len` bytes long before compression.
pub(super) fn head(len: u64) -> Vec<u8> {
    let exponent = window_log(len) - WINDOW_LOG_MIN;
    let mut head = MAGIC.to_vec();
    head.push(0);
    head.extend(&(exponent << 3).to_le_bytes()[..1]);
    head
}

/// A compressor of one segment after another. It works in some 15 MiB at level 3 and some 100 MiB at level 19, which it
/// would be a waste to get from the system anew for each.
pub(super) struct Compressor(CCtx<'static>);

impl Compressor {
    /// Makes a compressor for any level.
    pub(super) fn new() -> io::Result<Self> {
        let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        let parameters = [
            CParameter::ContentSizeFlag(false),
            CParameter::ChecksumFlag(false),
            CParameter::NbWorkers(1),
            CParameter::OverlapSizeLog(NO_OVERLAP),
        ];
        for parameter in parameters {
            context.set_parameter(parameter).map_err(error)?;
        }
        Ok(Self(context))
    }

    /// Compresses one segment into a buffer, whose contents are lost. The bytes are a function of the segment and the
    /// level alone, whatever was compressed before.
    pub(super) fn compress(&mut self, raw: &[u8], level: u8, out: &mut Vec<u8>) -> io::Result<()> {
        let Self(context) = self;
        context.reset(ResetDirective::SessionOnly).map_err(error)?;
        let job_size = u32::try_from(raw.len() + 1).map_err(io::Error::other)?;
        let parameters = [
            CParameter::CompressionLevel(level.into()),
            CParameter::WindowLog(window_log(raw.len() as u64)),
            CParameter::JobSize(job_size),
        ];
        for parameter in parameters {
            context.set_parameter(parameter).map_err(error)?;
        }
        out.clear();
        out.reserve(zstd_safe::compress_bound(raw.len()) + 1024);
        flush(context, &[0], out)?;
        out.clear();
        flush(context, raw, out)
    }
}

/// Undoes what [`Compressor::compress`] did: fills `raw` with what a segment stands for; `false` if that is not as long.
/// The frame that the segment makes alone is put together in an empty buffer.
pub(super) fn expand(segment: &[u8], raw: &mut [u8], frame: &mut Vec<u8>) -> bool {
    for part in [&head(raw.len() as u64), segment, &TAIL] {
        frame.extend_from_slice(part);
    }
    zstd_safe::decompress(raw, frame) == Ok(raw.len())
}

/// Hands over one job and appends everything that comes of it.
fn flush(context: &mut CCtx<'_>, job: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut input = InBuffer::around(job);
    loop {
        let at = out.len();
        let mut output = OutBuffer::around_pos(out, at);
        let left = context
            .compress_stream2(&mut output, &mut input, ZSTD_EndDirective::ZSTD_e_flush)
            .map_err(error)?;
        if left == 0 {
            return Ok(());
        }
        if out.len() == out.capacity() {
            out.reserve(left);
        }
    }
}

fn error(code: usize) -> io::Error {
    io::Error::other(zstd_safe::get_error_name(code))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes that repeat themselves now and then, at short distances and at long ones.
    fn segment() -> impl Strategy<Value = Vec<u8>> {
        let piece = (any::<u8>(), 1_usize..3000, 0_usize..4);
        proptest::collection::vec(piece, 0..60).prop_map(|pieces| {
            let mut bytes: Vec<u8> = Vec::new();
            for (seed, len, kind) in pieces {
                let start = bytes.len() * kind / 4;
                let again: Vec<u8> = bytes.iter().skip(start).take(len).copied().collect();
                bytes.extend(again);
                bytes.extend(
                    (0..len / 4).map(|at| seed.wrapping_mul(at.to_le_bytes()[0]).rotate_left(3)),
                );
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_was_compressed_before_makes_no_difference(
            segments in proptest::collection::vec((segment(), 1_u8..=19), 1..6),
        ) {
            let mut used = Compressor::new().unwrap();
            for (raw, level) in segments {
                let (mut expected, mut found) = (Vec::new(), vec![1; 10]);
                Compressor::new().unwrap().compress(&raw, level, &mut expected).unwrap();
                used.compress(&raw, level, &mut found).unwrap();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
