//! Compressors that are used for one segment after another.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::encode::{Codec, Compression, gzip, xz, zstd};

/// Room for so many segments to be compressed at a time, whoever asks: compressors are most of an encoder's memory.
pub(super) struct Compressors {
    free: Mutex<Vec<Compressor>>,
    returned: Condvar,
}

/// What compresses a segment in any codec; what it works in is made when it is needed, and kept.
#[derive(Default)]
struct Compressor {
    zstd: Option<zstd::Compressor>,
    scratch: Vec<u8>,
}

impl Compressors {
    /// Lets so many segments be compressed at a time.
    pub(super) fn new(threads: usize) -> Self {
        let free = (0..threads).map(|_| Compressor::default()).collect();
        Self { free: Mutex::new(free), returned: Condvar::new() }
    }

    /// Compresses a segment, which has this CRC-32 if the codec needs one, and does something with what came of it.
    pub(super) fn compress<T>(
        &self,
        raw: &[u8],
        crc32: u32,
        compression: Compression,
        take: impl FnOnce(&[u8]) -> T,
    ) -> io::Result<T> {
        let level = compression.level;
        self.with(|Compressor { zstd, scratch }| {
            scratch.clear();
            match compression.codec {
                Codec::None => return Ok(take(raw)),
                Codec::Gzip => gzip::compress(raw, level, scratch)?,
                Codec::Zstd => compress_zstd(zstd, raw, level, scratch)?,
                Codec::Xz => return Ok(take(&xz::compress(raw, crc32, level)?)),
            }
            Ok(take(scratch))
        })
    }

    /// Does something that takes as much as compressing a segment does, with an empty buffer that has room.
    pub(super) fn scratch<T>(&self, act: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.with(|compressor| {
            compressor.scratch.clear();
            act(&mut compressor.scratch)
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Compressor) -> T) -> T {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .returned
            .wait_while(free, |free| free.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        let compressor = free.pop().unwrap_or_default();
        drop(free);
        let mut borrowed = Borrowed { compressors: self, compressor };
        act(&mut borrowed.compressor)
    }
}

/// Goes back when it is dropped, even by a panic: somebody may wait for it.
struct Borrowed<'a> {
    compressors: &'a Compressors,
    compressor: Compressor,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let compressor = std::mem::take(&mut self.compressor);
        self.compressors.free.lock().unwrap_or_else(PoisonError::into_inner).push(compressor);
        self.compressors.returned.notify_one();
    }
}

/// Compresses with a context that is there, or a new one; one that failed is not used again.
fn compress_zstd(
    kept: &mut Option<zstd::Compressor>,
    raw: &[u8],
    level: u8,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let mut zstd = match kept.take() {
        Some(zstd) => zstd,
        None => zstd::Compressor::new()?,
    };
    zstd.compress(raw, level, out)?;
    *kept = Some(zstd);
    Ok(())
}
