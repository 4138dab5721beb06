//! Where contents are read from: the build output for what was scanned there, ranges of other
//! contents for what lies in an archive, else the store.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bake_formats::blob::{Blob, BlobSource, BlobStore};
use bake_formats::digest::Digest;
use bake_formats::input::ReadAt;
use bake_formats::rope::{Extent, Rope};

use super::source_path::SourcePath;
use crate::report::Reporter;
use crate::store::{Stamp, Store, Verified};
use crate::timings::Bytes;

/// Contents of the build output by digest, with what tells that a file is still the one scanned.
#[derive(Debug, Default, Clone)]
pub struct SourceFiles {
    files: HashMap<Digest, (SourcePath, Stamp)>,
    inline: BTreeMap<Digest, Arc<[u8]>>,
    /// Contents that are described by others: files in a tar archive, which is one blob.
    ropes: BTreeMap<Digest, Rope>,
}

impl SourceFiles {
    /// Starts with nothing, and room for so many files.
    pub(super) fn of_many(files: usize) -> Self {
        Self { files: HashMap::with_capacity(files), ..Self::default() }
    }

    /// Notes that a file holds a content.
    pub fn insert_file(&mut self, digest: Digest, path: SourcePath, stamp: Stamp) {
        self.files.entry(digest).or_insert((path, stamp));
    }

    /// Notes a content that is in memory: rendered units, text from the recipe.
    pub fn insert_bytes(&mut self, bytes: &[u8]) {
        self.inline.entry(Digest::of(bytes)).or_insert_with(|| bytes.into());
    }

    /// Notes that a content is what a rope describes, whose blobs are found as contents are.
    ///
    /// A rope that names the content itself describes nothing.
    pub fn insert_rope(&mut self, digest: Digest, rope: Rope) {
        let itself = |extent| matches!(extent, Extent::Blob { digest: of, .. } if of == digest);
        if !rope.extents().any(itself) {
            self.ropes.entry(digest).or_insert(rope);
        }
    }

    /// Adds what another scan found.
    pub fn extend(&mut self, other: Self) {
        if self.files.is_empty() {
            self.files = other.files;
        } else {
            for (digest, found) in other.files {
                self.files.entry(digest).or_insert(found);
            }
        }
        self.inline.extend(other.inline);
        for (digest, rope) in other.ropes {
            self.ropes.entry(digest).or_insert(rope);
        }
    }

    /// Returns a rope that names no content that is described by others, but what describes it:
    /// files of the build output and blobs of the store, which the next run finds.
    pub fn expand<'r>(&self, rope: &'r Rope) -> Cow<'r, Rope> {
        if self.ropes.is_empty() {
            return Cow::Borrowed(rope);
        }
        Cow::Owned(rope.expand(&|digest| self.rope(digest)))
    }

    /// Returns what describes a content, unless the content is at hand itself.
    fn rope(&self, digest: &Digest) -> Option<&Rope> {
        if self.contains(digest) { None } else { self.ropes.get(digest) }
    }

    /// Returns whether the content of a digest was scanned.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.files.contains_key(digest) || self.inline.contains_key(digest)
    }

    /// Opens a content that was scanned, to be read where wanted.
    pub fn open_at(&self, digest: &Digest) -> io::Result<ScannedBytes<'_>> {
        if let Some(bytes) = self.inline.get(digest) {
            return Ok(ScannedBytes::Inline(bytes));
        }
        let Some((path, stamp)) = self.files.get(digest) else {
            let message = format!("content {digest} was not scanned");
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        };
        let (file, _) = open_unchanged(path, stamp)?.into_parts();
        Ok(ScannedBytes::File { file, path, stamp })
    }
}

/// A content that was scanned, to be read where wanted.
#[derive(Debug)]
pub enum ScannedBytes<'a> {
    /// In memory.
    Inline(&'a [u8]),
    /// In a file of the build output.
    File {
        /// The file.
        file: std::fs::File,
        /// Where it is.
        path: &'a SourcePath,
        /// What it was when it was scanned.
        stamp: &'a Stamp,
    },
}

impl ScannedBytes<'_> {
    /// Fails if somebody changed the file since it was scanned; to be asked after reading.
    pub fn check_unchanged(&self) -> io::Result<()> {
        match self {
            Self::Inline(_) => Ok(()),
            Self::File { file, path, stamp } if Stamp::of(&file.metadata()?) != **stamp => {
                Err(io::Error::other(ChangedFile { path: path.to_path() }))
            }
            Self::File { .. } => Ok(()),
        }
    }
}

impl ReadAt for ScannedBytes<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::File { stamp, .. } => stamp.size,
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Inline(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                (&bytes[start..]).read(buffer)
            }
            Self::File { file, .. } => file.read_at(buffer, offset),
        }
    }
}

/// The blobs that a bake works with.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// The build output.
    pub sources: &'a SourceFiles,
    /// Everything else.
    pub store: &'a Store,
    /// Is told how much was read.
    pub reporter: &'a dyn Reporter,
}

impl std::fmt::Debug for Contents<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Contents<'_> {
    /// Returns whether a blob is one of the store, not of the build output or described by others.
    pub fn is_of_store(&self, digest: &Digest) -> bool {
        !self.sources.contains(digest) && !self.sources.ropes.contains_key(digest)
    }

    /// Opens a content that a rope describes; one that is read whole from the store is verified.
    fn open_rope<'r>(
        &'r self,
        digest: &Digest,
        rope: &'r Rope,
        offset: u64,
    ) -> Box<dyn Read + Send + 'r> {
        let reader = rope.reader_from(self, offset);
        let kept = rope.extents().find_map(|extent| match extent {
            Extent::Blob { digest, .. } => Some(digest).filter(|digest| self.is_of_store(digest)),
            Extent::Inline(_) | Extent::Padding(_) | Extent::Zero(_) => None,
        });
        match kept {
            Some(kept) if offset == 0 => Box::new(Verified::new(reader, digest, rope.len(), &kept)),
            _ => Box::new(reader),
        }
    }
}

impl BlobSource for Contents<'_> {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        if let Some(bytes) = self.sources.inline.get(digest) {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            return Ok(Box::new(&bytes[start..]));
        }
        if let Some(rope) = self.sources.rope(digest) {
            return Ok(self.open_rope(digest, rope, offset));
        }
        let Some((path, stamp)) = self.sources.files.get(digest) else {
            return self.store.open(digest, offset);
        };
        let mut file = open_unchanged(path, stamp)?;
        if offset > 0 {
            file.seek(SeekFrom::Start(offset))?;
        }
        let left = stamp.size.saturating_sub(offset);
        Ok(Box::new(Watched { file, path, stamp, left, reporter: self.reporter }))
    }
}

impl BlobStore for Contents<'_> {
    fn put(&self, bytes: &[u8]) -> io::Result<Blob> {
        let blob = self.store.put(bytes)?;
        if let Some(timings) = self.reporter.timings() {
            timings.add(Bytes::Stored, blob.size);
        }
        Ok(blob)
    }
}

/// Opens a file and checks that it is the one that was scanned.
pub(super) fn open_unchanged(path: &SourcePath, stamp: &Stamp) -> io::Result<fs_err::File> {
    let file = fs_err::File::open(path.to_path())?;
    check_unchanged(&file, path, stamp)?;
    Ok(file)
}

/// Fails if a file is no longer the one that was scanned.
pub(super) fn check_unchanged(
    file: &fs_err::File,
    path: &SourcePath,
    stamp: &Stamp,
) -> io::Result<()> {
    if Stamp::of(&file.metadata()?) == *stamp {
        return Ok(());
    }
    Err(io::Error::other(ChangedFile { path: path.to_path() }))
}

/// A source file that is no longer what was scanned.
#[derive(Debug, thiserror::Error)]
#[error("`{}` changed while it was being read", path.display())]
pub struct ChangedFile {
    path: PathBuf,
}

impl ChangedFile {
    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads a source file and checks at the end of what was asked that nobody changed it meanwhile.
struct Watched<'a> {
    file: fs_err::File,
    path: &'a SourcePath,
    stamp: &'a Stamp,
    left: u64,
    reporter: &'a dyn Reporter,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            // Everything was read and checked.
            return Ok(0);
        }
        let count = self.file.read(buffer)?;
        self.reporter.advanced(count as u64);
        if let Some(timings) = self.reporter.timings() {
            timings.add(Bytes::Read, count as u64);
        }
        self.left = self.left.saturating_sub(count as u64);
        if self.left == 0 || count == 0 {
            check_unchanged(&self.file, self.path, self.stamp)?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Silent;

    #[test]
    fn a_content_in_an_archive_is_read_through_it_and_verified() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let archive = store.put(b"..hello..").unwrap();
        let digest = Digest::of(b"hello");
        let mut sources = SourceFiles::default();
        let mut rope = Rope::new();
        rope.push_range(archive.digest, 2, 5);
        sources.insert_rope(digest, rope.clone());
        let read = |offset| {
            let contents = Contents { sources: &sources, store: &store, reporter: &Silent };
            let mut text = String::new();
            contents.open(&digest, offset)?.read_to_string(&mut text)?;
            Ok::<_, io::Error>(text)
        };
        assert_eq!((read(0).unwrap().as_str(), read(3).unwrap().as_str()), ("hello", "lo"));
        let mut disk = Rope::from(b"head".to_vec());
        disk.push_range(digest, 0, 5);
        let mut recorded = Rope::from(b"head".to_vec());
        recorded.push_rope(&rope);
        assert_eq!(*sources.expand(&disk), recorded);

        let path = folder.path().join("blobs/sha256").join(archive.digest.hex());
        fs_err::write(&path, b"..jello..").unwrap();
        let error = read(0).unwrap_err();
        assert_eq!(crate::store::is_damage(&error), Some(archive.digest), "{error}");
        // What is at hand itself is not read from the archive.
        sources.insert_bytes(b"hello");
        assert_eq!(*sources.expand(&disk), disk);
    }

    #[test]
    fn a_file_changed_after_the_scan_is_an_error_not_other_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let path = folder.path().join("file");
        fs_err::write(&path, b"hello").unwrap();
        let stamp = Stamp::of(&fs_err::metadata(&path).unwrap());
        let digest = Digest::of(b"hello");
        let mut sources = SourceFiles::default();
        sources.insert_file(digest, path.as_path().into(), stamp);
        let contents = Contents { sources: &sources, store: &store, reporter: &Silent };
        let mut text = String::new();
        contents.open(&digest, 1).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "ello");

        let mut reader = contents.open(&digest, 0).unwrap();
        fs_err::write(&path, b"hello, world").unwrap();
        let error = reader.read_to_string(&mut text).unwrap_err().to_string();
        assert!(error.contains("changed while it was being read"), "{error}");
        drop(reader);
        let error = contents.open(&digest, 0).err().unwrap().to_string();
        assert!(error.contains("changed while it was being read"), "{error}");
    }
}
