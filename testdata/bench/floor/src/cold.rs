//! Reads every file once, hashes it with SHA-256 and MD5, and compresses it twice, on all threads.
//!
//! Large files are read in blocks of 4 MiB, small ones share a block. A block is compressed as a
//! payload, and its clusters of 64 KiB as a qcow2 has them. The hashes of one file come one block
//! after another; everything else has no order, and nothing waits for anything else.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::thread;

use flate2::{Compress, Compression, FlushCompress, Status};
use md5::Md5;
use sha2::{Digest, Sha256};

/// What the payload is compressed by.
const BLOCK: usize = 4 << 20;
/// What a qcow2 is compressed by.
const CLUSTER: usize = 64 << 10;
/// The window of deflate in a qcow2, as a power of two.
const CLUSTER_WINDOW: u8 = 12;

/// How everything is compressed.
#[derive(Clone, Copy)]
enum Codec {
    Gzip(u32),
    Zstd(i32),
}

/// Something to read and hash, a block at a time.
enum Source {
    Large { file: File, sha256: Sha256, md5: Md5 },
    Small(Vec<PathBuf>),
}

/// What there is to do.
#[derive(Default)]
struct Queue {
    sources: VecDeque<Source>,
    blocks: VecDeque<Vec<u8>>,
    /// How many threads are reading, and may have more blocks.
    reading: usize,
}

/// One thing to do.
enum Task {
    Read(Source),
    Compress(Vec<u8>),
}

/// Reads, hashes and compresses all files below some folders.
pub fn run(codec: &str, threads: &str, folders: &[&str]) -> io::Result<()> {
    let codec =
        parse(codec).ok_or_else(|| io::Error::other("expected gzip:LEVEL or zstd:LEVEL"))?;
    let threads: usize = threads.parse().map_err(io::Error::other)?;
    let queue = Queue { sources: sources(folders)?, ..Queue::default() };
    let shared = (Mutex::new(queue), Condvar::new());
    thread::scope(|scope| {
        let all: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| work(codec, threads, &shared))).collect();
        all.into_iter().try_for_each(|one| one.join().expect("no thread panics"))
    })
}

fn parse(codec: &str) -> Option<Codec> {
    match codec.split_once(':')? {
        ("gzip", level) => level.parse().ok().map(Codec::Gzip),
        ("zstd", level) => level.parse().ok().map(Codec::Zstd),
        _ => None,
    }
}

/// Returns what is to be read, the largest first: its hashes take longest.
fn sources(folders: &[&str]) -> io::Result<VecDeque<Source>> {
    let mut found = Vec::new();
    for folder in folders {
        crate::files(Path::new(folder), &mut found)?;
    }
    found.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let (mut sources, mut small, mut filled) = (VecDeque::new(), Vec::new(), 0);
    for (path, size) in found {
        if size >= BLOCK as u64 {
            let (file, sha256, md5) = (File::open(path)?, Sha256::new(), Md5::new());
            sources.push_back(Source::Large { file, sha256, md5 });
            continue;
        }
        if filled + size > BLOCK as u64 {
            sources.push_back(Source::Small(std::mem::take(&mut small)));
            filled = 0;
        }
        small.push(path);
        filled += size;
    }
    sources.push_back(Source::Small(small));
    Ok(sources)
}

/// Does what there is to do until nothing is left.
fn work(codec: Codec, threads: usize, shared: &(Mutex<Queue>, Condvar)) -> io::Result<()> {
    let (queue, changed) = shared;
    let mut packer = Packer::new(codec)?;
    while let Some(task) = next(queue, changed, threads) {
        let source = match task {
            Task::Compress(block) => {
                packer.pack(&block)?;
                continue;
            }
            Task::Read(source) => source,
        };
        let (block, rest) = read(source)?;
        let mut queue = queue.lock().expect("no thread panics");
        queue.reading -= 1;
        queue.blocks.push_back(block);
        // What was begun goes on first, as its hashes cannot be shared.
        if let Some(source) = rest {
            queue.sources.push_front(source);
        }
        changed.notify_all();
    }
    Ok(())
}

/// Returns the next thing to do, or `None` once all is done.
fn next(queue: &Mutex<Queue>, changed: &Condvar, threads: usize) -> Option<Task> {
    let mut queue = queue.lock().expect("no thread panics");
    loop {
        // Few blocks wait: they are what takes memory.
        let full = queue.blocks.len() > threads;
        if !full && let Some(source) = queue.sources.pop_front() {
            queue.reading += 1;
            return Some(Task::Read(source));
        }
        if let Some(block) = queue.blocks.pop_front() {
            return Some(Task::Compress(block));
        }
        if queue.reading == 0 && queue.sources.is_empty() {
            return None;
        }
        queue = changed.wait(queue).expect("no thread panics");
    }
}

/// Reads and hashes the next block; returns it, and what is left to read.
fn read(source: Source) -> io::Result<(Vec<u8>, Option<Source>)> {
    let mut block = vec![0; BLOCK];
    match source {
        Source::Large { mut file, mut sha256, mut md5 } => {
            let count = crate::fill(&mut file, &mut block)?;
            block.truncate(count);
            sha256.update(&block);
            md5.update(&block);
            if count == BLOCK {
                return Ok((block, Some(Source::Large { file, sha256, md5 })));
            }
            std::hint::black_box((sha256.finalize(), md5.finalize()));
        }
        Source::Small(paths) => {
            let mut filled = 0;
            for path in paths {
                let count = crate::fill(&mut File::open(path)?, &mut block[filled..])?;
                let content = &block[filled..filled + count];
                std::hint::black_box((Sha256::digest(content), Md5::digest(content)));
                filled += count;
            }
            block.truncate(filled);
        }
    }
    Ok((block, None))
}

/// What one thread compresses with.
enum Packer {
    Gzip { both: Box<[Compress; 2]>, out: Vec<u8> },
    Zstd { compressor: zstd::bulk::Compressor<'static>, out: Vec<u8> },
}

impl Packer {
    fn new(codec: Codec) -> io::Result<Self> {
        let out = Vec::with_capacity(BLOCK + BLOCK / 8);
        Ok(match codec {
            Codec::Gzip(level) => {
                let level = Compression::new(level);
                let cluster = Compress::new_with_window_bits(level, false, CLUSTER_WINDOW);
                Self::Gzip { both: Box::new([Compress::new(level, false), cluster]), out }
            }
            Codec::Zstd(level) => {
                Self::Zstd { compressor: zstd::bulk::Compressor::new(level)?, out }
            }
        })
    }

    /// Compresses a block as a payload and as clusters.
    fn pack(&mut self, block: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip { both, out } => {
                let [payload, cluster] = &mut **both;
                deflate(payload, block, out)?;
                block.chunks(CLUSTER).try_for_each(|part| deflate(cluster, part, out))
            }
            Self::Zstd { compressor, out } => {
                compressor.compress_to_buffer(block, out)?;
                block
                    .chunks(CLUSTER)
                    .try_for_each(|part| compressor.compress_to_buffer(part, out).map(drop))
            }
        }
    }
}

fn deflate(compress: &mut Compress, raw: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    compress.reset();
    out.clear();
    let status = compress.compress_vec(raw, out, FlushCompress::Finish);
    match status.map_err(io::Error::other)? {
        Status::StreamEnd => Ok(()),
        Status::Ok | Status::BufError => Err(io::Error::other("there is not room enough")),
    }
}
