//! What an encoder did, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What an encoder did so far; all but the last two are bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Read before compression.
    pub raw_read: u64,
    /// Given to compressors.
    pub compressed_in: u64,
    /// What compressors made of them.
    pub compressed_out: u64,
    /// What segments and batches stand for that were found again, before compression.
    pub reused: u64,
    /// Hashed for the identities of payloads, before and after compression.
    pub hashed: u64,
    /// How many segments and batches were compressed.
    pub segments_compressed: u64,
    /// How many segments and batches were found again.
    pub segments_reused: u64,
}

/// Counts from several threads.
#[derive(Debug, Default)]
pub(super) struct Counters {
    raw_read: AtomicU64,
    compressed_in: AtomicU64,
    compressed_out: AtomicU64,
    reused: AtomicU64,
    hashed: AtomicU64,
    segments_compressed: AtomicU64,
    segments_reused: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self, bytes: u64) {
        self.raw_read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn compressed(&self, raw: u64, compressed: u64) {
        self.compressed_in.fetch_add(raw, Ordering::Relaxed);
        self.compressed_out.fetch_add(compressed, Ordering::Relaxed);
        self.segments_compressed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reused(&self, raw: u64) {
        self.reused.fetch_add(raw, Ordering::Relaxed);
        self.segments_reused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn hashed(&self, bytes: u64) {
        self.hashed.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns the counts; those of work that is going on may be of different moments.
    pub(super) fn work(&self) -> Work {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Work {
            raw_read: get(&self.raw_read),
            compressed_in: get(&self.compressed_in),
            compressed_out: get(&self.compressed_out),
            reused: get(&self.reused),
            hashed: get(&self.hashed),
            segments_compressed: get(&self.segments_compressed),
            segments_reused: get(&self.segments_reused),
        }
    }
}
