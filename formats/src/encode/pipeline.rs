//! Runs segments through worker threads and joins them in order.
//!
//! ```text
//!            jobs (bounded)          results (bounded)
//!  cuts ──► ┌──────────────┐ ──► workers ──► ┌─────────┐ ──► wait for their turn ──► joiner
//!           └──────────────┘                 └─────────┘
//! ```
//!
//! The calling thread cuts, hashes and joins. It hands out a job only while fewer than
//! `threads + 2` segments are on their way, from being handed out to being joined.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::encode::Compression;
use crate::encode::cut::Cuts;
use crate::encode::join::{Identities, Joiner};
use crate::encode::segment::{Packed, Packer};
use crate::rope::Rope;

/// One segment to be made.
struct Job {
    number: u64,
    offset: u64,
    part: Rope,
}

/// One segment made, or why not.
struct Outcome {
    number: u64,
    packed: io::Result<Packed>,
}

/// Why a segment could not be made.
#[derive(Debug, thiserror::Error)]
#[error("compressing {len} bytes at offset {offset} as {compression}")]
struct SegmentError {
    compression: Compression,
    offset: u64,
    len: u64,
    source: io::Error,
}

/// Compresses a rope with up to `threads` workers.
pub(super) fn run(
    rope: &Rope,
    joiner: Joiner,
    packer: Packer<'_>,
    threads: usize,
) -> io::Result<(Rope, Option<Identities>)> {
    // Two neighbouring segments have at least what stands alone together.
    let alone = packer.compression.alone_from();
    let segments = usize::try_from(rope.len() / alone * 2 + 1).unwrap_or(usize::MAX);
    let workers = threads.min(segments);
    let room = workers + 2;
    let (jobs, waiting) = sync_channel(room);
    let (outcomes, results) = sync_channel(room);
    let worker = Worker { packer, jobs: Mutex::new(waiting), stop: AtomicBool::new(false) };
    thread::scope(|scope| {
        let worker = &worker;
        for _ in 0..workers {
            let outcomes = outcomes.clone();
            thread::Builder::new().spawn_scoped(scope, move || worker.run(&outcomes))?;
        }
        drop(outcomes);
        let cuts = Cuts::new(rope, packer.compression.block_size(), alone);
        let joined = feed(cuts, joiner, room, jobs, &results);
        if joined.is_err() {
            worker.stop.store(true, Ordering::Relaxed);
        }
        joined
    })
}

/// Hands out jobs and joins what comes back; the workers end when this returns.
fn feed(
    mut cuts: Cuts<'_>,
    mut joiner: Joiner,
    room: usize,
    jobs: SyncSender<Job>,
    results: &Receiver<Outcome>,
) -> io::Result<(Rope, Option<Identities>)> {
    let mut jobs = Some(jobs);
    let mut early = BTreeMap::new();
    let (mut handed_out, mut joined, mut offset) = (0_u64, 0_u64, 0_u64);
    loop {
        while let Some(open) = &jobs
            && handed_out - joined < room as u64
        {
            let Some(part) = cuts.next() else {
                jobs = None;
                break;
            };
            let len = part.len();
            open.send(Job { number: handed_out, offset, part }).map_err(|_| gone())?;
            handed_out += 1;
            offset += len;
        }
        if joined == handed_out {
            return joiner.finish();
        }
        let outcome = results.recv().map_err(|_| gone())?;
        early.insert(outcome.number, outcome.packed?);
        while let Some(packed) = early.remove(&joined) {
            joiner.add(&packed)?;
            joined += 1;
        }
    }
}

/// Workers end early only by a panic, which the scope passes on.
fn gone() -> io::Error {
    io::Error::other("the compressing threads have ended early")
}

/// What all workers share.
struct Worker<'a> {
    packer: Packer<'a>,
    jobs: Mutex<Receiver<Job>>,
    stop: AtomicBool,
}

impl Worker<'_> {
    fn run(&self, outcomes: &SyncSender<Outcome>) {
        while let Some(job) = self.next() {
            let Job { number, offset, part } = job;
            // A panic must not leave the calling thread waiting for this segment.
            let packed = catch_unwind(AssertUnwindSafe(|| self.packer.pack(&part)));
            let (packed, panic) = match packed {
                Ok(packed) => (packed, None),
                Err(panic) => (Err(gone()), Some(panic)),
            };
            let packed = packed.map_err(|source| self.explain(source, offset, part.len()));
            let unwanted = outcomes.send(Outcome { number, packed }).is_err();
            if let Some(panic) = panic {
                resume_unwind(panic);
            }
            if unwanted {
                return;
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let job = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()?;
        (!self.stop.load(Ordering::Relaxed)).then_some(job)
    }

    fn explain(&self, source: io::Error, offset: u64, len: u64) -> io::Error {
        let compression = self.packer.compression;
        io::Error::new(source.kind(), SegmentError { compression, offset, len, source })
    }
}
