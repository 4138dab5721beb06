//! Compression of ropes block by block, for formats that are read at any place.
//!
//! ```text
//!  rope      │ block │ block │  …  │ block │ block │ block │  …  zeros  …  │ block │
//!  batch     └───────── 4 MiB ─────────────┘                    none       └──── …
//!  its blob  │ packed │ packed │ … │
//!  its index │ len │ len │ …, 4 bytes for each block, a blob of its own │
//! ```
//!
//! A batch is what is kept and found again. It is 4 MiB long, but a blob that begins with a block begins a batch if it is as
//! long itself, or if it is a mark and a quarter of a batch is there: a blob that is inserted, removed or changed then moves
//! the cuts up to the next such blob only. Within a long blob batches end at multiples of 4 MiB of its own. Blocks that begin
//! with a rope's own bytes (tables, copies of a superblock) and others are never in one batch, because they change at other
//! times.
//!
//! A batch's packed blocks follow one another without padding, so that a format which stores them as they are names the whole
//! blob, and so that the blob is verified when it is read.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::iter::Peekable;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::encode::batch::{Batch, Keys, Packer};
use crate::rope::{Extent, Rope, RopeCursor, RopePart, is_mark};

/// How many bytes of a rope make a batch.
const BATCH: u64 = 4 << 20;
/// The largest block: that of qcow2.
const BLOCK_MAX: u64 = 2 << 20;
/// The smallest block: a sector.
const BLOCK_MIN: u64 = 512;

/// How a block is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockCodec {
    /// A deflate stream (RFC 1951) that refers back by 4 KiB at most.
    Deflate,
    /// A zlib stream (RFC 1950).
    Zlib,
    /// A zstd frame (RFC 8878) that says how long its content is.
    Zstd,
}

impl BlockCodec {
    /// Raised whenever equal input would give different bytes; part of every key.
    pub const fn revision(self) -> u32 {
        match self {
            Self::Deflate | Self::Zlib | Self::Zstd => 1,
        }
    }

    /// Returns the word that keys and messages use.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Deflate => "deflate",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }

    /// Returns the level used when none is given, and the highest.
    pub fn levels(self) -> (u8, u8) {
        match self {
            Self::Deflate | Self::Zlib => (6, 9),
            Self::Zstd => (3, 19),
        }
    }
}

/// How a rope is compressed block by block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockSettings {
    /// How many bytes a block has: a power of two from 512 bytes to 2 MiB.
    pub block: u64,
    /// How a block is compressed.
    pub codec: BlockCodec,
    /// The level, in the codec's own numbers.
    pub level: u8,
    /// Whether a block that would not shrink is left as it is.
    pub plain: bool,
}

impl BlockSettings {
    /// Returns how many blocks make a batch.
    pub(super) fn batch(&self) -> u64 {
        BATCH / self.block
    }

    /// Rejects sizes and levels that there are not.
    pub(super) fn check(&self) -> io::Result<()> {
        let Self { block, codec, level, .. } = self;
        let (_, highest) = codec.levels();
        let message = if !block.is_power_of_two() || !(BLOCK_MIN..=BLOCK_MAX).contains(block) {
            format!("block size {block}: expected a power of two, {BLOCK_MIN} to {BLOCK_MAX} bytes")
        } else if !(1..=highest).contains(level) {
            let word = codec.word();
            format!("{word} level {level}: expected a level from 1 to {highest}")
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}

/// What became of one block, or of several alike that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodedBlock {
    /// This many blocks of zeros.
    Zeros(u64),
    /// This many blocks that are left as they are in the rope.
    Plain(u64),
    /// One block, compressed.
    Packed {
        /// The blob that holds it.
        digest: Digest,
        /// Where it starts in the blob.
        offset: u64,
        /// How many compressed bytes there are.
        len: u32,
    },
}

/// The blocks of a rope, compressed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedBlocks {
    parts: Vec<Part>,
}

/// Some blocks that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Zeros(u64),
    Batch(Batch),
}

impl EncodedBlocks {
    /// Returns all blocks in order; neighbours that are zeros or plain are one item.
    pub fn iter(&self) -> Blocks<'_> {
        let blocks = self.parts.iter().flat_map(|part| match part {
            Part::Zeros(count) => Box::new(std::iter::once(EncodedBlock::Zeros(*count))),
            Part::Batch(batch) => {
                Box::new(batch.blocks()) as Box<dyn Iterator<Item = EncodedBlock> + '_>
            }
        });
        let blocks: Box<dyn Iterator<Item = EncodedBlock> + '_> = Box::new(blocks);
        Blocks(blocks.peekable())
    }
}

impl<'a> IntoIterator for &'a EncodedBlocks {
    type Item = EncodedBlock;
    type IntoIter = Blocks<'a>;

    fn into_iter(self) -> Blocks<'a> {
        self.iter()
    }
}

/// Yields blocks in order.
pub struct Blocks<'a>(Peekable<Box<dyn Iterator<Item = EncodedBlock> + 'a>>);

impl std::fmt::Debug for Blocks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocks").finish_non_exhaustive()
    }
}

impl Iterator for Blocks<'_> {
    type Item = EncodedBlock;

    fn next(&mut self) -> Option<EncodedBlock> {
        let mut block = self.0.next()?;
        loop {
            block = match (block, self.0.peek()) {
                (EncodedBlock::Zeros(count), Some(EncodedBlock::Zeros(more))) => {
                    EncodedBlock::Zeros(count + more)
                }
                (EncodedBlock::Plain(count), Some(EncodedBlock::Plain(more))) => {
                    EncodedBlock::Plain(count + more)
                }
                _ => return Some(block),
            };
            self.0.next();
        }
    }
}

/// Why a batch could not be made.
#[derive(Debug, thiserror::Error)]
#[error("compressing {len} bytes at offset {offset} as {codec}:{level}")]
struct BatchError {
    codec: &'static str,
    level: u8,
    offset: u64,
    len: u64,
    source: io::Error,
}

/// Compresses the blocks of a rope with up to `threads` workers.
pub(super) fn run(rope: &Rope, packer: Packer<'_>, threads: usize) -> io::Result<EncodedBlocks> {
    let queue = Queue::new(rope, packer.settings);
    let batches = usize::try_from(rope.len() / BATCH + 1).unwrap_or(usize::MAX);
    let workers = Workers { packer, queue: Mutex::new(queue), stop: AtomicBool::new(false) };
    let mut made = thread::scope(|scope| {
        let mut running = Vec::new();
        for _ in 0..threads.min(batches) {
            match thread::Builder::new().spawn_scoped(scope, || workers.run()) {
                Ok(worker) => running.push(worker),
                Err(error) => {
                    workers.stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        let mut made = Vec::new();
        for worker in running {
            made.extend(worker.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(made)
    })?;
    let queue = workers.queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    made.sort_unstable_by_key(|(number, _)| *number);
    let mut repeated = Vec::new();
    for (number, first) in queue.repeats {
        let found = made.binary_search_by_key(&first, |(number, _)| *number).ok();
        if let Some((_, Part::Batch(batch))) = found.and_then(|found| made.get(found)) {
            packer.tools.counters.reused(batch.blocks().count() as u64 * packer.settings.block);
            repeated.push((number, Part::Batch(batch.clone())));
        }
    }
    made.append(&mut repeated);
    made.extend(queue.zeros.into_iter().map(|(number, count)| (number, Part::Zeros(count))));
    made.sort_unstable_by_key(|(number, _)| *number);
    Ok(EncodedBlocks { parts: made.into_iter().map(|(_, part)| part).collect() })
}

/// What all workers share.
struct Workers<'a> {
    packer: Packer<'a>,
    queue: Mutex<Queue<'a>>,
    stop: AtomicBool,
}

impl<'a> Workers<'a> {
    /// Makes batches until none are left or one cannot be made.
    fn run(&self) -> io::Result<Vec<(u64, Part)>> {
        let mut made = Vec::new();
        while let Some(job) = self.next() {
            let batch = self.packer.pack(&job.part, &job.keys).map_err(|source| {
                self.stop.store(true, Ordering::Relaxed);
                self.explain(source, &job)
            })?;
            made.push((job.number, Part::Batch(batch)));
        }
        Ok(made)
    }

    fn next(&self) -> Option<Job<'a>> {
        let job = self.queue.lock().unwrap_or_else(PoisonError::into_inner).next()?;
        (!self.stop.load(Ordering::Relaxed)).then_some(job)
    }

    fn explain(&self, source: io::Error, job: &Job<'_>) -> io::Error {
        let BlockSettings { codec, level, .. } = self.packer.settings;
        let (codec, offset, len) = (codec.word(), job.offset, job.part.len());
        io::Error::new(source.kind(), BatchError { codec, level, offset, len, source })
    }
}

/// One batch to be made.
struct Job<'a> {
    number: u64,
    offset: u64,
    part: RopePart<'a>,
    keys: Keys,
}

/// Cuts a rope into batches.
struct Queue<'a> {
    cursor: RopeCursor<'a>,
    settings: BlockSettings,
    /// The number of the next part, a batch or zeros.
    number: u64,
    /// Parts that are zeros: their numbers, and how many blocks they are.
    zeros: Vec<(u64, u64)>,
    /// The numbers of all batches that were handed out.
    seen: BTreeMap<Keys, u64>,
    /// Batches that equal one that was handed out: their numbers, and the number of that one.
    repeats: Vec<(u64, u64)>,
}

impl<'a> Queue<'a> {
    fn new(rope: &'a Rope, settings: BlockSettings) -> Self {
        Self {
            cursor: rope.cursor(),
            settings,
            number: 0,
            zeros: Vec::new(),
            seen: BTreeMap::new(),
            repeats: Vec::new(),
        }
    }

    /// Cuts off the next batch, whatever is in it, after zeros that fill whole blocks.
    fn cut(&mut self) -> Option<Job<'a>> {
        let block = self.settings.block;
        let (left, zeros) = (self.cursor.left(), self.cursor.zeros());
        let whole = if zeros == left { left } else { zeros - zeros % block };
        if whole > 0 {
            self.cursor.skip(whole);
            self.zeros.push((self.number, whole.div_ceil(block)));
            self.number += 1;
        }
        let offset = self.cursor.position();
        let part = self.batch();
        let (number, keys) = (self.number, Keys::of(&part, self.settings));
        self.number += 1;
        (part.len() > 0).then_some(Job { number, offset, part, keys })
    }

    /// Cuts off as many blocks as make a batch.
    fn batch(&mut self) -> RopePart<'a> {
        let block = self.settings.block;
        let batch = self.settings.batch() * block;
        let (start, mut len) = (self.cursor.clone(), 0);
        // Whether the last block begins with bytes of the rope's own.
        let mut is_own = None;
        while len < batch
            && let Some(extent) = self.cursor.peek()
        {
            let at = len % block;
            if at == 0 {
                let begins_own = match extent {
                    Extent::Inline(_) | Extent::Padding(_) => Some(true),
                    Extent::Blob { .. } => Some(false),
                    Extent::Zero(_) => is_own,
                };
                let turns = is_own.is_some() && begins_own != is_own;
                if len > 0 && (turns || self.begins_batch(&extent, len)) {
                    break;
                }
                is_own = begins_own;
            }
            let most = match extent {
                Extent::Blob { offset, .. } if at == 0 => {
                    (batch - offset % batch).next_multiple_of(block).min(batch - len)
                }
                Extent::Zero(_) if is_own.is_none() => batch - len,
                _ => block - at,
            };
            let taken = extent.len().min(most);
            self.cursor.skip(taken);
            len += taken;
        }
        start.part(len)
    }

    /// Returns whether an extent begins a batch, where one of this length could end.
    fn begins_batch(&self, extent: &Extent<'_>, len: u64) -> bool {
        let block = self.settings.block;
        let batch = self.settings.batch() * block;
        match extent {
            Extent::Blob { digest, offset: 0, len: blob } => {
                *blob >= batch || len >= batch / 4 && is_mark(digest, *blob, batch / 2)
            }
            // A long blob is cut at its own offsets, wherever something interrupts it.
            Extent::Blob { offset, .. } => *offset >= batch && offset % batch < block,
            _ => false,
        }
    }
}

impl<'a> Iterator for Queue<'a> {
    type Item = Job<'a>;

    fn next(&mut self) -> Option<Job<'a>> {
        loop {
            let job = self.cut()?;
            match self.seen.entry(job.keys) {
                Entry::Occupied(first) => self.repeats.push((job.number, *first.get())),
                Entry::Vacant(place) => {
                    place.insert(job.number);
                    return Some(job);
                }
            }
        }
    }
}
