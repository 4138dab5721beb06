//! Runs segments through worker threads and joins them in order.
//!
//! ```text
//!            jobs (bounded)          results (bounded)
//!  cuts ──► ┌──────────────┐ ──► workers ──► ┌─────────┐ ──► wait for their turn ──► joiner
//!           └──────────────┘                 └─────────┘
//! ```
//!
//! The calling thread cuts, hashes and joins. It hands out a job only while fewer than
//! `threads + 1` segments are on their way, from being handed out to being joined, in all payloads
//! that are made at the same time together, or if its payload has none on the way. A segment that
//! equals one on its way is not handed out but waits for that one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::digest::Digest;
use crate::encode::Compression;
use crate::encode::checkpoint::{Chain, Checkpoint, Mark};
use crate::encode::cut::Cuts;
use crate::encode::join::{Identities, Joiner, head};
use crate::encode::room::Held;
use crate::encode::segment::{Packed, Packer, Wanted, key};
use crate::rope::{Rope, RopePart};

/// One segment to be made.
struct Job<'a> {
    number: u64,
    offset: u64,
    part: RopePart<'a>,
    key: Digest,
    wanted: Wanted,
}

/// One segment made, or why not.
struct Outcome {
    key: Digest,
    wanted: Wanted,
    packed: io::Result<Arc<Packed>>,
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

/// A payload to be made.
pub(super) struct Payload<'a> {
    /// The bytes before compression.
    pub(super) rope: &'a Rope,
    /// Who makes the segments.
    pub(super) packer: Packer<'a>,
    /// With how many workers at most.
    pub(super) threads: usize,
}

/// Segments in order, with their keys.
type Segments<'s, 'a> = Box<dyn Iterator<Item = (Digest, RopePart<'a>)> + 's>;

/// A payload that was made.
pub(super) type Joined = (Rope, Option<Identities>);

impl<'a> Payload<'a> {
    /// Compresses the rope.
    pub(super) fn describe(&self) -> io::Result<Rope> {
        let joiner = Joiner::new(self.packer.compression, self.rope.len(), None);
        let segments = self.cuts().map(|part| (key(&part, self.packer.compression), part));
        let joined = self.join(joiner, Box::new(segments), &Chain::default(), None)?;
        Ok(joined.ok_or_else(unfit)?.0)
    }

    /// Compresses the rope and computes both identities, from the last checkpoint on that is kept;
    /// there are checkpoints `every` so many bytes.
    pub(super) fn identify(&self, every: u64) -> io::Result<(Rope, Identities)> {
        let (compression, raw_len) = (self.packer.compression, self.rope.len());
        let chain = Chain::new(self.cuts(), compression, &head(compression, raw_len), every);
        if let Some(resumed) = &chain.resume(self.packer.cache) {
            let joiner = Joiner::new(compression, raw_len, None);
            let joined = self.join(joiner, chain.segments(), &chain, Some(resumed))?;
            if let Some((rope, Some(identities))) = joined {
                return Ok((rope, identities));
            }
            // What does not fit a checkpoint was not made by this encoder: begin at the beginning.
        }
        let joiner = Joiner::new(compression, raw_len, Some(Identities::default()));
        let joined = self.join(joiner, chain.segments(), &chain, None)?;
        let (rope, identities) = joined.ok_or_else(unfit)?;
        Ok((rope, identities.unwrap_or_default()))
    }

    fn cuts(&self) -> Cuts<'a> {
        let compression = self.packer.compression;
        Cuts::new(self.rope, compression.block_size(), compression.alone_from())
    }

    /// Makes and joins all segments; `None` if those before the checkpoint do not fit it.
    fn join(
        &self,
        joiner: Joiner,
        segments: Segments<'_, 'a>,
        chain: &Chain<'_>,
        resumed: Option<&(Mark, Checkpoint)>,
    ) -> io::Result<Option<Joined>> {
        let packer = self.packer;
        // Two neighbouring segments have at least what stands alone together.
        let alone = packer.compression.alone_from();
        let most = usize::try_from(self.rope.len() / alone * 2 + 1).unwrap_or(usize::MAX);
        let workers = self.threads.min(most);
        let room = workers + 1;
        let bytes_from = match resumed {
            Some((mark, _)) => mark.segments,
            None if joiner.identifies() => 0,
            None => u64::MAX,
        };
        let segments = Jobs { segments, bytes_from, number: 0, offset: 0 };
        let line = Line {
            packer,
            held: packer.tools.room.enter(),
            chain,
            resumed,
            joiner,
            joined: 0,
            waiting: BTreeMap::new(),
            early: BTreeMap::new(),
        };
        let (jobs, handed_out) = sync_channel(room);
        let (outcomes, results) = sync_channel(room);
        let worker = Worker { packer, jobs: Mutex::new(handed_out), stop: AtomicBool::new(false) };
        thread::scope(|scope| {
            let worker = &worker;
            for _ in 0..workers {
                let outcomes = outcomes.clone();
                thread::Builder::new().spawn_scoped(scope, move || worker.run(&outcomes))?;
            }
            drop(outcomes);
            let joined = line.run(segments, jobs, &results);
            if !matches!(joined, Ok(Some(_))) {
                worker.stop.store(true, Ordering::Relaxed);
            }
            joined
        })
    }
}

/// Makes jobs of segments.
struct Jobs<'s, 'a> {
    segments: Segments<'s, 'a>,
    /// The first segment whose bytes are wanted.
    bytes_from: u64,
    /// The number of the next segment.
    number: u64,
    offset: u64,
}

impl<'a> Iterator for Jobs<'_, 'a> {
    type Item = Job<'a>;

    fn next(&mut self) -> Option<Job<'a>> {
        let (key, part) = self.segments.next()?;
        let Self { number, offset, .. } = *self;
        let wanted = if number < self.bytes_from { Wanted::Description } else { Wanted::Bytes };
        self.number += 1;
        self.offset += part.len();
        Some(Job { number, offset, part, key, wanted })
    }
}

/// Where segments come together.
struct Line<'a> {
    packer: Packer<'a>,
    /// The segments that are on their way.
    held: Held<'a>,
    chain: &'a Chain<'a>,
    /// Where digests go on instead of at the start.
    resumed: Option<&'a (Mark, Checkpoint)>,
    joiner: Joiner,
    /// How many segments were joined.
    joined: u64,
    /// Which segments a job is on its way for: equal ones are made once.
    waiting: BTreeMap<(Digest, Wanted), Vec<u64>>,
    /// What was made before its turn.
    early: BTreeMap<u64, Arc<Packed>>,
}

impl Line<'_> {
    /// Hands out jobs and joins what comes back; the workers end when this returns.
    fn run<'r>(
        mut self,
        mut segments: Jobs<'_, 'r>,
        jobs: SyncSender<Job<'r>>,
        results: &Receiver<Outcome>,
    ) -> io::Result<Option<Joined>> {
        let mut jobs = Some(jobs);
        loop {
            while let Some(open) = &jobs
                && self.held.take()
            {
                let Some(job) = segments.next() else {
                    self.held.give_back();
                    jobs = None;
                    break;
                };
                match self.waiting.entry((job.key, job.wanted)) {
                    Entry::Occupied(mut numbers) => numbers.get_mut().push(job.number),
                    Entry::Vacant(numbers) => {
                        numbers.insert(vec![job.number]);
                        open.send(job).map_err(|_| gone())?;
                    }
                }
            }
            if self.joined == segments.number {
                return self.joiner.finish().map(Some);
            }
            let outcome = results.recv().map_err(|_| gone())?;
            let packed = outcome.packed?;
            let numbers = self.waiting.remove(&(outcome.key, outcome.wanted)).unwrap_or_default();
            for _ in numbers.iter().skip(1) {
                self.packer.tools.counters.reused(packed.raw_len);
            }
            self.early.extend(numbers.into_iter().map(|number| (number, Arc::clone(&packed))));
            drop(packed);
            while let Some(packed) = self.early.remove(&self.joined) {
                if !self.add(&packed)? {
                    return Ok(None);
                }
            }
        }
    }

    /// Joins the next segment; `false` if those so far do not fit the checkpoint behind them.
    fn add(&mut self, packed: &Packed) -> io::Result<bool> {
        self.joiner.add(packed);
        self.joined += 1;
        self.held.give_back();
        if let Some((mark, checkpoint)) = self.resumed
            && mark.segments == self.joined
        {
            return Ok(self.joiner.resume(checkpoint));
        }
        if !self.joiner.identifies() {
            return Ok(true);
        }
        self.packer.tools.counters.hashed((packed.raw().len() + packed.bytes().len()) as u64);
        if let Some(mark) = self.chain.mark_after(self.joined)
            && let Some(checkpoint) = self.joiner.checkpoint()
        {
            self.packer.cache.put_checkpoint(&mark.chain, &checkpoint.print(&mark.chain))?;
        }
        Ok(true)
    }
}

/// No checkpoint was asked for, so there is none that could not fit.
fn unfit() -> io::Error {
    io::Error::other("the segments do not fit a checkpoint")
}

/// Workers end early only by a panic, which the scope passes on.
fn gone() -> io::Error {
    io::Error::other("the compressing threads have ended early")
}

/// What all workers share.
struct Worker<'a> {
    packer: Packer<'a>,
    jobs: Mutex<Receiver<Job<'a>>>,
    stop: AtomicBool,
}

impl<'a> Worker<'a> {
    fn run(&self, outcomes: &SyncSender<Outcome>) {
        while let Some(job) = self.next() {
            let Job { offset, part, key, wanted, .. } = job;
            // A panic must not leave the calling thread waiting for this segment.
            let packed = catch_unwind(AssertUnwindSafe(|| self.packer.pack(&part, &key, wanted)));
            let (packed, panic) = match packed {
                Ok(packed) => (packed, None),
                Err(panic) => (Err(gone()), Some(panic)),
            };
            let packed = packed.map_err(|source| self.explain(source, offset, part.len()));
            let unwanted = outcomes.send(Outcome { key, wanted, packed }).is_err();
            if let Some(panic) = panic {
                resume_unwind(panic);
            }
            if unwanted {
                return;
            }
        }
    }

    fn next(&self) -> Option<Job<'a>> {
        let job = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()?;
        (!self.stop.load(Ordering::Relaxed)).then_some(job)
    }

    fn explain(&self, source: io::Error, offset: u64, len: u64) -> io::Error {
        let compression = self.packer.compression;
        io::Error::new(source.kind(), SegmentError { compression, offset, len, source })
    }
}
