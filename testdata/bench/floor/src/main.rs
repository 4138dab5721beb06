//! Does what no baker can do without, and nothing else, so that bakers can be compared with it.
//!
//! ```text
//! floor cold --codec gzip:6 --threads N DIR…   reads, hashes and compresses every file
//! floor differ OLD NEW                         prints where each file of NEW first differs
//! floor changed --into DIR <LIST               copies files, hashes them from there on
//! floor stat DIR                               walks and stats every entry, on one thread
//! ```
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "the rules of bake's crates; paths are known here")]

mod cold;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sha2::{Digest, Sha256};

/// How much is read at once where nothing says otherwise.
const BUFFER: usize = 1 << 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["cold", "--codec", codec, "--threads", threads, folders @ ..] => {
            cold::run(codec, threads, folders)
        }
        ["differ", old, new] => differ(Path::new(old), Path::new(new)),
        ["changed", "--into", folder] => changed(Path::new(folder)),
        ["stat", folder] => stat(Path::new(folder)),
        _ => Err(io::Error::other("usage: floor cold|differ|changed|stat …, see its source")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns all files below a folder with their sizes.
fn files(folder: &Path, found: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push((entry.path(), entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// Fills the buffer as far as there is something to read.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// Prints a line for each file of a folder: its first byte that the old one has not, and its path.
///
/// This is what `changed` takes; finding it out is no part of what is measured.
fn differ(old: &Path, new: &Path) -> io::Result<()> {
    let mut found = Vec::new();
    files(new, &mut found)?;
    for (path, _) in found {
        let before = old.join(path.strip_prefix(new).map_err(io::Error::other)?);
        let same = if before.exists() { common(&before, &path)? } else { 0 };
        println!("{same}\t{}", path.display());
    }
    Ok(())
}

/// Returns how many bytes two files have in common at their start.
fn common(one: &Path, other: &Path) -> io::Result<u64> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut left, mut right, mut same) = (vec![0; BUFFER], vec![0; BUFFER], 0);
    loop {
        let (here, there) = (fill(&mut one, &mut left)?, fill(&mut other, &mut right)?);
        let count = here.min(there);
        let at = (0..count).find(|at| left[*at] != right[*at]).unwrap_or(count);
        same += at as u64;
        if at < count || count < BUFFER {
            return Ok(same);
        }
    }
}

/// Copies the files that are listed on the standard input, and hashes each from its byte on.
fn changed(into: &Path) -> io::Result<()> {
    let list = io::read_to_string(io::stdin())?;
    let list: Vec<(&str, &str)> = list.lines().filter_map(|line| line.split_once('\t')).collect();
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism()?.get();
    fs::create_dir_all(into)?;
    thread::scope(|scope| {
        let work = || {
            while let Some((number, (same, path))) = take(&next, &list) {
                // `copy` asks the kernel for `copy_file_range`.
                io::copy(
                    &mut File::open(path)?,
                    &mut File::create(into.join(number.to_string()))?,
                )?;
                hash(Path::new(path), same.parse().map_err(io::Error::other)?)?;
            }
            Ok(())
        };
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().try_for_each(|one| one.join().expect("no thread panics"))
    })
}

/// Returns the next item of a list that several threads work on.
fn take<'a, T>(next: &AtomicUsize, list: &'a [T]) -> Option<(usize, &'a T)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    list.get(number).map(|item| (number, item))
}

/// Hashes a file from a byte on.
fn hash(path: &Path, from: u64) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
    loop {
        let count = fill(&mut file, &mut buffer)?;
        hasher.update(&buffer[..count]);
        if count < BUFFER {
            std::hint::black_box(hasher.finalize());
            return Ok(());
        }
    }
}

/// Lists every folder and stats every entry.
fn stat(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if std::hint::black_box(entry.metadata()?).is_dir() {
            stat(&entry.path())?;
        }
    }
    Ok(())
}
