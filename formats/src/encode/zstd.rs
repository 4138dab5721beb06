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
use ::zstd::zstd_safe::{self, CCtx, CParameter, InBuffer, OutBuffer};

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

/// Compresses one segment.
///
/// The context is new each time, so that the bytes are a function of the segment and the level
/// alone. It holds a copy of the segment, the output and the tables: some 15 MiB at level 3, some
/// 100 MiB at level 19.
pub(super) fn compress(raw: &[u8], level: u8) -> io::Result<Vec<u8>> {
    let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
    let job_size = u32::try_from(raw.len() + 1).map_err(io::Error::other)?;
    let parameters = [
        CParameter::CompressionLevel(level.into()),
        CParameter::WindowLog(window_log(raw.len() as u64)),
        CParameter::ContentSizeFlag(false),
        CParameter::ChecksumFlag(false),
        CParameter::NbWorkers(1),
        CParameter::OverlapSizeLog(NO_OVERLAP),
        CParameter::JobSize(job_size),
    ];
    for parameter in parameters {
        context.set_parameter(parameter).map_err(error)?;
    }
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(raw.len()) + 1024);
    flush(&mut context, &[0], &mut out)?;
    out.clear();
    flush(&mut context, raw, &mut out)?;
    Ok(out)
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
