//! Does what no baker can do without, and nothing else, so that bakers can be compared with it.
//!
//! ```text
//! floor cold --codec gzip:6 --threads N DIR…   reads, hashes and compresses every file
//! floor differ OLD NEW                         prints where each file of NEW first differs
//! floor changed --into DIR --payloads N TREE FROM <LIST
//!                                              copies files, hashes them from there on; and hashes N payloads: all
//!                                              files of a tree from one on
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
        ["changed", "--into", folder, "--payloads", count, tree, from] => {
            changed(Path::new(folder), count, (Path::new(tree), Path::new(from)))
        }
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

/// What is done for one changed file.
enum Work<'a> {
    /// A digest of the contents that a format asks for.
    Payload(&'a [PathBuf]),
    /// An output, and its first byte that is another.
    Output(u64, &'a str),
}

/// Copies the files that are listed on the standard input, and hashes each from its byte on; and so many payloads, in which a
/// tree's files are from one on.
fn changed(into: &Path, count: &str, (tree, from): (&Path, &Path)) -> io::Result<()> {
    let list = io::read_to_string(io::stdin())?;
    let mut found = Vec::new();
    files(tree, &mut found)?;
    let behind = found.into_iter().map(|(path, _)| path).filter(|path| *path >= tree.join(from));
    let mut contents: Vec<_> = behind.collect();
    contents.sort();
    // What takes longest first.
    let mut all: Vec<Work<'_>> = Vec::new();
    all.resize_with(count.parse().map_err(io::Error::other)?, || Work::Payload(&contents));
    for (same, path) in list.lines().filter_map(|line| line.split_once('\t')) {
        all.push(Work::Output(same.parse().map_err(io::Error::other)?, path));
    }
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism()?.get();
    fs::create_dir_all(into)?;
    thread::scope(|scope| {
        let work = || {
            while let Some((number, work)) = take(&next, &all) {
                let mut hasher = Sha256::new();
                match work {
                    Work::Payload(contents) => {
                        contents.iter().try_for_each(|path| hash(path, 0, &mut hasher))?;
                    }
                    Work::Output(same, path) => {
                        // `copy` asks the kernel for `copy_file_range`.
                        io::copy(
                            &mut File::open(path)?,
                            &mut File::create(into.join(number.to_string()))?,
                        )?;
                        hash(Path::new(path), *same, &mut hasher)?;
                    }
                }
                std::hint::black_box(hasher.finalize());
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
fn hash(path: &Path, from: u64, hasher: &mut Sha256) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = fill(&mut file, &mut buffer)?;
        hasher.update(&buffer[..count]);
        if count < BUFFER {
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
