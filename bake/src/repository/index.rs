//! Index files: written once, plain, then compressed from there.

use std::collections::BTreeMap;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bake_formats::blob::{Blob, BlobSource, BlobStore};
use bake_formats::digest::{Digest, Hasher};
use bake_formats::encode::{Compression, Encoder, NoCache};
use bake_formats::rope::Rope;

/// Writes a file and hashes it on the way.
#[derive(Debug)]
pub(super) struct IndexWriter {
    file: BufWriter<fs_err::File>,
    hasher: Hasher,
}

impl IndexWriter {
    /// Makes a file, and the folders that lead to it.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let file = BufWriter::with_capacity(1 << 16, fs_err::File::create(path)?);
        Ok(Self { file, hasher: Hasher::new() })
    }

    /// Makes sure that the file is on the disk and returns its identity.
    pub(super) fn finish(self) -> io::Result<Blob> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(Blob { digest: self.hasher.digest(), size: self.hasher.len() })
    }
}

impl Write for IndexWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a file that is already in memory and returns its identity.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<Blob> {
    let mut writer = IndexWriter::create(path)?;
    writer.write_all(bytes)?;
    writer.finish()
}

/// Compresses a file, whose identity is known, to another; returns the other's identity.
///
/// The bytes depend on those of the file and the compression alone.
pub(super) fn compress(
    plain: (&Path, Blob),
    to: &Path,
    compression: Compression,
    threads: usize,
) -> io::Result<Blob> {
    let scratch = tempfile::tempdir_in(to.parent().unwrap_or(Path::new(".")))?;
    let (path, blob) = plain;
    let blobs = Files {
        folder: scratch.path().into(),
        known: Mutex::new(BTreeMap::from([(blob.digest, path.into())])),
    };
    let encoder = Encoder::new(&blobs, &NoCache, threads);
    let encoded = encoder.encode(&Rope::from(blob), compression)?;
    let mut writer = IndexWriter::create(to)?;
    io::copy(&mut encoded.rope.reader(&blobs), &mut writer)?;
    writer.finish()
}

/// Blobs that are files: the index, and parts of it that were compressed.
#[derive(Debug)]
struct Files {
    folder: PathBuf,
    known: Mutex<BTreeMap<Digest, PathBuf>>,
}

impl BlobSource for Files {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = known.get(digest) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no blob {digest}")));
        };
        let mut file = fs_err::File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(BufReader::new(file)))
    }
}

impl BlobStore for Files {
    fn put(&self, bytes: &[u8]) -> io::Result<Blob> {
        let blob = Blob::of(bytes);
        let path = self.folder.join(blob.digest.hex());
        fs_err::write(&path, bytes)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(blob.digest).or_insert(path);
        Ok(blob)
    }
}
