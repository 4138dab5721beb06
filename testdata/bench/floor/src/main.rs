//! The least that a bake could do, for its benchmark to be compared with. It writes nothing but what it counts.
//!
//! ```text
//! floor cold CODEC:LEVEL THREADS DIR   every file read once, SHA-256 and MD5 of it, all compressed twice: in blocks of
//!                                      4 MiB as payloads are, and in clusters of 64 KiB as disks are
//! floor copy OLD NEW COPY              every file of NEW copied, and hashed from where it first differs from OLD's
//! floor stat DIR                       every entry listed and looked at
//! ```

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::Digest as _;

const BLOCK: usize = 4 << 20;
const CLUSTER: usize = 64 << 10;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["cold", compression, threads, folder] => {
            cold(compression, threads.parse()?, Path::new(folder))
        }
        ["copy", old, new, to] => copy(Path::new(old), Path::new(new), Path::new(to)),
        ["stat", folder] => {
            let (mut files, mut bytes) = (0_u64, 0);
            look(Path::new(folder), &mut |_, metadata| {
                files += 1;
                bytes += metadata.len();
            })?;
            println!("{files} entries, {bytes} bytes");
            Ok(())
        }
        _ => Err("expected cold, copy or stat".into()),
    }
}

fn look(folder: &Path, see: &mut dyn FnMut(PathBuf, &fs::Metadata)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            look(&entry.path(), see)?;
        }
        see(entry.path(), &metadata);
    }
    Ok(())
}

/// Returns the regular files of a folder, the largest first.
fn files(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    look(folder, &mut |path, metadata| {
        if metadata.is_file() {
            files.push((metadata.len(), path));
        }
    })?;
    files.sort_by(|one, other| other.cmp(one));
    Ok(files)
}

fn cold(compression: &str, threads: usize, folder: &Path) -> Result<()> {
    let (codec, level) = compression.split_once(':').ok_or("expected CODEC:LEVEL")?;
    let level: u32 = level.parse()?;
    let files = files(folder)?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<usize> {
        let (mut packer, mut small) = (Packer { codec, level, packed: 0 }, Vec::new());
        let mut buffer = vec![0; BLOCK];
        while let Some((size, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (mut sha256, mut md5) = (sha2::Sha256::new(), md5::Md5::new());
            let mut file = File::open(path)?;
            let mut left = *size;
            while left > 0 {
                let want = usize::try_from(left)?.min(BLOCK);
                let block = &mut buffer[..want];
                file.read_exact(block)?;
                sha256.update(&block);
                md5.update(&block);
                left -= want as u64;
                if want < CLUSTER {
                    small.extend_from_slice(block);
                } else {
                    packer.pack(block)?;
                }
                if small.len() >= BLOCK {
                    packer.pack(&small)?;
                    small.clear();
                }
            }
            std::hint::black_box((sha256.finalize(), md5.finalize()));
        }
        packer.pack(&small)?;
        Ok(packer.packed)
    };
    let packed = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .map(|one| one.join().map_err(|_| "a thread panicked")?)
            .sum::<Result<usize>>()
    })?;
    println!("{packed} bytes");
    Ok(())
}

/// Compresses as payloads and as disks are.
struct Packer<'a> {
    codec: &'a str,
    level: u32,
    packed: usize,
}

impl Packer<'_> {
    fn pack(&mut self, block: &[u8]) -> Result<()> {
        let raw = match self.codec {
            "zstd" => zstd::bulk::compress(block, i32::try_from(self.level)?)?.len(),
            "gzip" => deflate(block, self.level, 15)?,
            _ => return Err("expected gzip or zstd".into()),
        };
        self.packed += raw;
        let mut zstd = zstd::bulk::Compressor::new(i32::try_from(self.level)?)?;
        for cluster in block.chunks(CLUSTER) {
            self.packed += match self.codec {
                "zstd" => zstd.compress(cluster)?.len(),
                _ => deflate(cluster, self.level, 12)?,
            };
        }
        Ok(())
    }
}

fn deflate(bytes: &[u8], level: u32, window: u8) -> Result<usize> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 1024);
    let level = flate2::Compression::new(level);
    let mut compress = flate2::Compress::new_with_window_bits(level, false, window);
    compress.compress_vec(bytes, &mut out, flate2::FlushCompress::Finish)?;
    Ok(out.len())
}

/// Copies the files of a folder, and hashes each from where it first differs from the one of the same path in another.
fn copy(old: &Path, new: &Path, to: &Path) -> Result<()> {
    for (_, path) in files(new)? {
        let relative = path.strip_prefix(new)?;
        let target = to.join(relative);
        fs::create_dir_all(target.parent().ok_or("no folder")?)?;
        fs::copy(&path, &target)?;
        let mut file = File::open(&target)?;
        file.seek(SeekFrom::Start(same(&old.join(relative), &path)?))?;
        let (mut sha256, mut buffer) = (sha2::Sha256::new(), vec![0; 256 << 10]);
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            sha256.update(&buffer[..count]);
        }
        std::hint::black_box(sha256.finalize());
    }
    Ok(())
}

/// Returns how many bytes two files begin with in common: their sizes tell nothing.
fn same(one: &Path, other: &Path) -> Result<u64> {
    let (Ok(mut one), mut other) = (File::open(one), File::open(other)?) else { return Ok(0) };
    let (mut here, mut there, mut at) = (vec![0; 256 << 10], vec![0; 256 << 10], 0);
    loop {
        let count = one.read(&mut here)?;
        let read = other.read(&mut there[..count.max(1)])?;
        let common = here[..count].iter().zip(&there[..read]).take_while(|(a, b)| a == b).count();
        at += common as u64;
        if common < count || count == 0 {
            return Ok(at);
        }
    }
}
