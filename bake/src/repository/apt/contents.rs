//! The index `Contents-ARCH.gz`: which package brings which file.
//!
//! It has one line per file, with no versions in it, so that it cannot be updated by itself. The
//! same with versions stands in `bake-contents.zst`, sorted, a line for each file of each package:
//! path, label, name, version, architecture, separated by tabs. An update merges it with the files
//! of the new packages, line by line.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use bake_formats::blob::Blob;
use bake_formats::deb::Listing;
use bake_formats::digest::Hasher;
use bake_formats::encode::{Codec, Compression, decoder};

use super::packages::{ALL, Record};
use super::release::expect;
use crate::error::Error;
use crate::repository::index::{IndexWriter, compress};
use crate::repository::refuse;

/// The file with versions, in a component's folder.
pub(super) const FILE: &str = "bake-contents.zst";
/// The longest line that is read, in bytes.
const MAX_LINE: usize = 1 << 16;
/// Where Debian's own indices start the second column.
const COLUMN: usize = 55;

/// A package by what its lines end with.
pub(super) type Key = String;

/// Returns what the lines of a package end with.
pub(super) fn key(record: &Record) -> Key {
    format!("{}\t{}\t{}", record.name, record.version, record.architecture)
}

/// Returns the lines of a package.
pub(super) fn lines(listing: &Listing) -> Vec<String> {
    let Listing { name, version, architecture, control, files, .. } = listing;
    let section = control.get("Section").filter(|text| !text.contains(char::is_whitespace));
    let label = section.map_or_else(|| name.clone(), |section| format!("{section}/{name}"));
    let line = |file| format!("{file}\t{label}\t{name}\t{version}\t{architecture}");
    files.iter().map(line).collect()
}

/// What becomes of a component's contents.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    /// The file with versions as it was published, and its identity.
    pub(super) old: Option<(&'a Path, Blob)>,
    /// The packages whose lines are kept.
    pub(super) kept: HashSet<Key>,
    /// The lines of new packages, sorted.
    pub(super) new: Vec<String>,
    /// The architectures that have an index.
    pub(super) architectures: &'a BTreeSet<String>,
    /// How many threads may compress.
    pub(super) threads: usize,
}

impl Merge<'_> {
    /// Writes the file with versions and the plain indices to a component's staged folder; returns
    /// the identity of the first, and by architecture those of the others: plain and compressed.
    pub(super) fn write(self, folder: &Path) -> Result<(Blob, BTreeMap<String, [Blob; 2]>), Error> {
        let scratch = tempfile::tempdir_in(folder)?;
        let versions = scratch.path().join("versions");
        let mut out = IndexWriter::create(&versions)?;
        let mut indices = Indices::create(scratch.path(), self.architectures)?;
        let mut old = self.old.map(|(path, blob)| Old::open(path, blob)).transpose()?;
        let mut new = self.new.into_iter().peekable();
        let mut pending = None;
        loop {
            if pending.is_none() {
                pending = next_kept(old.as_mut(), &self.kept)?;
            }
            let line = match (&pending, new.peek()) {
                (None, None) => break,
                (Some(kept), Some(line)) if kept > line => new.next(),
                (Some(_), _) => pending.take(),
                (None, Some(_)) => new.next(),
            };
            let line = line.unwrap_or_default();
            writeln!(out, "{line}")?;
            indices.add(&line)?;
        }
        let plain = out.finish()?;
        let packed =
            compress((&versions, plain), &folder.join(FILE), Compression::ZSTD, self.threads)?;
        let mut files = BTreeMap::new();
        for (architecture, (path, blob)) in indices.finish()? {
            let to = folder.join(format!("Contents-{architecture}.gz"));
            let packed = compress((&path, blob), &to, Compression::GZIP, self.threads)?;
            files.insert(architecture, [blob, packed]);
        }
        Ok((packed, files))
    }
}

fn next_kept(old: Option<&mut Old>, kept: &HashSet<Key>) -> Result<Option<String>, Error> {
    let Some(old) = old else { return Ok(None) };
    while let Some(line) = old.next()? {
        let key = line.splitn(3, '\t').nth(2).unwrap_or_default();
        if kept.contains(key) {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

/// The lines that were published.
struct Old {
    place: String,
    reader: BufReader<Box<dyn std::io::Read>>,
    last: String,
}

impl Old {
    fn open(path: &Path, expected: Blob) -> Result<Self, Error> {
        let place = path.display().to_string();
        let mut hasher = Hasher::new();
        std::io::copy(&mut fs_err::File::open(path)?, &mut hasher)?;
        expect(&place, expected, Blob { digest: hasher.digest(), size: hasher.len() })?;
        let reader = decoder(Codec::Zstd, fs_err::File::open(path)?)?;
        Ok(Self { place, reader: BufReader::new(reader), last: String::new() })
    }

    fn next(&mut self) -> Result<Option<String>, Error> {
        let mut line = String::new();
        let limit = MAX_LINE as u64;
        std::io::Read::take(&mut self.reader, limit).read_line(&mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.pop() != Some('\n') || line <= self.last {
            return Err(refuse(&*self.place, "its lines are not sorted, or one has no end"));
        }
        self.last.clone_from(&line);
        Ok(Some(line))
    }
}

/// The plain indices that are being written, by architecture.
struct Indices {
    files: BTreeMap<String, (std::path::PathBuf, IndexWriter)>,
    path: String,
    /// The packages that bring the path: label and architecture.
    labels: BTreeSet<(String, String)>,
}

impl Indices {
    fn create(folder: &Path, architectures: &BTreeSet<String>) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        for architecture in architectures {
            let path = folder.join(format!("Contents-{architecture}"));
            let writer = IndexWriter::create(&path)?;
            files.insert(architecture.clone(), (path, writer));
        }
        Ok(Self { files, path: String::new(), labels: BTreeSet::new() })
    }

    fn add(&mut self, line: &str) -> Result<(), Error> {
        let mut columns = line.split('\t');
        let (path, label) =
            (columns.next().unwrap_or_default(), columns.next().unwrap_or_default());
        let architecture = columns.nth(2).unwrap_or_default();
        if path != self.path {
            self.flush()?;
            path.clone_into(&mut self.path);
        }
        self.labels.insert((label.into(), architecture.into()));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let labels = std::mem::take(&mut self.labels);
        for (architecture, (_, writer)) in &mut self.files {
            let here = labels.iter().filter(|(_, of)| of == architecture || of == ALL);
            let here: BTreeSet<&str> = here.map(|(label, _)| label.as_str()).collect();
            if !here.is_empty() {
                let here = here.into_iter().collect::<Vec<_>>().join(",");
                writeln!(writer, "{:<COLUMN$} {here}", self.path)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<BTreeMap<String, (std::path::PathBuf, Blob)>, Error> {
        self.flush()?;
        let files = self.files.into_iter();
        files
            .map(|(architecture, (path, writer))| Ok((architecture, (path, writer.finish()?))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn gunzip(path: &Path) -> String {
        let mut text = String::new();
        let file = fs_err::File::open(path).unwrap();
        decoder(Codec::Gzip, file).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn line(file: &str, name: &str, version: &str, architecture: &str) -> String {
        format!("{file}\tnet/{name}\t{name}\t{version}\t{architecture}")
    }

    fn merge(folder: &Path, old: Option<(&Path, Blob)>, kept: &[&str], new: Vec<String>) -> Blob {
        let architectures: BTreeSet<String> = ["all".into(), "amd64".into(), "arm64".into()].into();
        let kept = kept.iter().map(|key| (*key).to_owned()).collect();
        let merge = Merge { old, kept, new, architectures: &architectures, threads: 1 };
        merge.write(folder).unwrap().0
    }

    #[test]
    fn what_remains_is_what_would_have_been_written_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, at_once] = ["1", "2", "3"].map(|name| {
            let path = folder.path().join(name);
            fs_err::create_dir(&path).unwrap();
            path
        });
        let old = vec![
            line("usr/bin/a b", "a", "1", "amd64"),
            line("usr/bin/b", "b", "1", "arm64"),
            line("usr/share/c", "c", "1", "all"),
        ];
        let new =
            vec![line("usr/bin/a", "a", "2", "amd64"), line("usr/share/c", "d", "1", "amd64")];
        let blob = merge(&first, None, &[], old.clone());
        let path = first.join(FILE);
        let kept = ["b\t1\tarm64", "c\t1\tall"];
        let updated = merge(&second, Some((&path, blob)), &kept, new.clone());
        let mut all = [&old[1..], &new].concat();
        all.sort();
        assert_eq!(updated, merge(&at_once, None, &[], all));
        let amd64 = gunzip(&second.join("Contents-amd64.gz"));
        let rows: Vec<Vec<&str>> = amd64.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(rows, [["usr/bin/a", "net/a"], ["usr/share/c", "net/c,net/d"]]);
        assert!(gunzip(&second.join("Contents-all.gz")).ends_with(" net/c\n"));
        assert_eq!(fs_err::read_dir(&second).unwrap().count(), 4);
    }

    #[test]
    fn damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let blob = merge(folder.path(), None, &[], vec![line("a", "a", "1", "all")]);
        let path = folder.path().join(FILE);
        let mut bytes = fs_err::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs_err::write(&path, bytes).unwrap();
        assert!(Old::open(&path, blob).is_err());
    }
}
