//! Blobs: bytes under the name of their digest, verified whenever they are read whole.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use bake_formats::blob::{Blob, BlobSource, BlobStore};
use bake_formats::checksum::{Checksum, Checksummer};
use bake_formats::digest::{Digest, Hasher};

use super::Store;

/// How much of a blob that comes from elsewhere is held at once.
const COPY_BUFFER: usize = 128 << 10;

impl Store {
    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Returns whether a blob of this size is there; says nothing of its bytes.
    pub fn has(&self, blob: &Blob) -> bool {
        fs_err::metadata(self.blob_path(&blob.digest)).is_ok_and(|found| found.len() == blob.size)
    }

    /// Returns whether a blob is there; says nothing of its bytes.
    pub fn holds(&self, digest: &Digest) -> bool {
        self.blob_path(digest).is_file()
    }

    /// Reads a whole blob of at most `limit` bytes.
    pub fn read(&self, blob: &Blob, limit: u64) -> io::Result<Vec<u8>> {
        if blob.size > limit {
            return Err(damage(&blob.digest, &format!("has {} bytes, limit {limit}", blob.size)));
        }
        let mut bytes = Vec::new();
        self.open(&blob.digest, 0)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Keeps what a reader gives, under the digest that it is expected to have.
    ///
    /// A blob of this size that is there already is left as it is, and nothing is read.
    ///
    /// # Errors
    ///
    /// If the reader fails, or gives other bytes or another number of them than expected; then
    /// nothing is kept. No more than one byte too many is read.
    pub fn put_reader(&self, expected: &Blob, reader: impl Read) -> io::Result<()> {
        if self.has(expected) {
            return Ok(());
        }
        let mut staged = self.stage()?;
        let mut reader =
            Hashing { inner: reader.take(expected.size.saturating_add(1)), hasher: Hasher::new() };
        let mut out = io::BufWriter::with_capacity(COPY_BUFFER, staged.as_file_mut());
        io::copy(&mut reader, &mut out)?;
        out.flush()?;
        drop(out);
        let found = Blob::of_hashed(&reader.hasher);
        if found != *expected {
            let Blob { digest, size } = expected;
            let more = if found.size > *size { "more".to_owned() } else { found.size.to_string() };
            let found = if found.size == *size { found.digest.to_string() } else { more };
            let reason = format!("expected {size} bytes with {digest}, found {found}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        staged.persist(self.blob_path(&expected.digest)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Keeps everything that a reader gives, at most `limit` bytes, and returns its identity.
    pub fn put_stream(&self, reader: impl Read, limit: u64) -> io::Result<Blob> {
        let mut staged = self.stage()?;
        let mut reader =
            Hashing { inner: reader.take(limit.saturating_add(1)), hasher: Hasher::new() };
        let mut out = io::BufWriter::with_capacity(COPY_BUFFER, staged.as_file_mut());
        io::copy(&mut reader, &mut out)?;
        out.flush()?;
        drop(out);
        let blob = Blob::of_hashed(&reader.hasher);
        if blob.size > limit {
            let reason = format!("there are more than {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        staged.persist(self.blob_path(&blob.digest)).map_err(|error| error.error)?;
        Ok(blob)
    }

    /// Opens a blob without hashing what is read of it.
    pub(crate) fn open_sound(
        &self,
        digest: &Digest,
        offset: u64,
    ) -> io::Result<Box<dyn Read + Send + '_>> {
        let mut file = self.open_file(digest)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }

    /// Opens a blob whose bytes have a checksum, which is verified instead of the digest.
    pub(crate) fn open_summed(
        &self,
        digest: &Digest,
        checksum: Checksum,
    ) -> io::Result<Box<dyn Read + Send + '_>> {
        let input = self.open_file(digest)?;
        let left = input.metadata()?.len();
        let check = Check::Checksum(checksum, Box::default());
        Ok(Box::new(Verified { input, check, blamed: *digest, left }))
    }

    /// Opens the file of a blob; one that is gone is as good as damaged, for it can be made again.
    fn open_file(&self, digest: &Digest) -> io::Result<fs_err::File> {
        fs_err::File::open(self.blob_path(digest)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damage(digest, "its file is gone"),
            _ => error,
        })
    }

    /// Returns whether a blob is there and has its digest.
    pub fn is_sound(&self, digest: &Digest) -> io::Result<bool> {
        let read = self.open(digest, 0).and_then(|mut blob| io::copy(&mut blob, &mut io::sink()));
        match read {
            Ok(_) => Ok(true),
            Err(error) if is_damage(&error).is_some() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a blob that turned out to be damaged, so that it is made again.
    pub fn discard(&self, digest: &Digest) -> io::Result<()> {
        match fs_err::remove_file(self.blob_path(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl BlobSource for Store {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        if offset > 0 {
            return self.open_sound(digest, offset);
        }
        let file = self.open_file(digest)?;
        let left = file.metadata()?.len();
        Ok(Box::new(Verified::new(file, digest, left, digest)))
    }
}

impl BlobStore for Store {
    fn put(&self, bytes: &[u8]) -> io::Result<Blob> {
        let blob = Blob::of(bytes);
        // What is there already may be damaged; then it is replaced.
        if !fs_err::read(self.blob_path(&blob.digest)).is_ok_and(|found| found == bytes) {
            let mut staged = self.stage()?;
            staged.write_all(bytes)?;
            staged.persist(self.blob_path(&blob.digest)).map_err(|error| error.error)?;
        }
        Ok(blob)
    }
}

/// Hashes what is read.
struct Hashing<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// What bytes must have, and what they have so far.
enum Check {
    Digest(Digest, Hasher),
    Checksum(Checksum, Box<Checksummer>),
}

impl Check {
    fn of(digest: &Digest) -> Self {
        Self::Digest(*digest, Hasher::new())
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Digest(_, hasher) => hasher.update(bytes),
            Self::Checksum(_, checksummer) => checksummer.update(bytes),
        }
    }

    /// Returns what all bytes have if it is not what they must have.
    fn fault(&self) -> Option<String> {
        match self {
            Self::Digest(expected, hasher) => {
                let found = hasher.digest();
                (found != *expected).then(|| found.to_string())
            }
            Self::Checksum(expected, checksummer) => {
                let found = checksummer.checksum();
                (found != *expected).then(|| format!("the checksum {found}, expected {expected}"))
            }
        }
    }
}

/// Reads bytes from their start and fails with the last one if they do not have their digest or checksum.
///
/// A reader that knows the size never asks for what is behind the last byte.
pub(crate) struct Verified<R> {
    input: R,
    check: Check,
    /// The blob that is damaged if they do not.
    blamed: Digest,
    left: u64,
}

impl<R> Verified<R> {
    /// Expects `len` bytes with a digest, which come from the blob `blamed`.
    pub(crate) fn new(input: R, expected: &Digest, len: u64, blamed: &Digest) -> Self {
        Self { input, check: Check::of(expected), blamed: *blamed, left: len }
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.check.update(&buffer[..count]);
        self.left = self.left.saturating_sub(count as u64);
        let ended = self.left == 0 || (count == 0 && !buffer.is_empty());
        if ended && let Some(found) = self.check.fault() {
            let place = match &self.check {
                Check::Digest(expected, _) if *expected != self.blamed => {
                    format!("what should be content {expected} in it has")
                }
                Check::Digest(..) | Check::Checksum(..) => "its bytes have".to_owned(),
            };
            return Err(damage(&self.blamed, &format!("{place} {found}")));
        }
        Ok(count)
    }
}

/// The error of a blob that does not have its digest.
#[derive(Debug, thiserror::Error)]
#[error("blob {digest} in the store is damaged: {reason}")]
struct DamagedBlob {
    digest: Digest,
    reason: String,
}

pub(super) fn damage(digest: &Digest, reason: &str) -> io::Error {
    let error = DamagedBlob { digest: *digest, reason: reason.into() };
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Returns which blob an error says is damaged, if that is what it says.
pub fn is_damage(error: &(dyn std::error::Error + 'static)) -> Option<Digest> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(damaged) = error.downcast_ref::<DamagedBlob>() {
            return Some(damaged.digest);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(digest) = is_damage(inner)
        {
            return Some(digest);
        }
        current = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_bytes_once_and_gives_them_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let blob = store.put(b"hello").unwrap();
        assert_eq!(store.put(b"hello").unwrap(), blob);
        assert_eq!(store.read(&blob, 100).unwrap(), b"hello");
        let mut tail = Vec::new();
        store.open(&blob.digest, 3).unwrap().read_to_end(&mut tail).unwrap();
        assert_eq!(tail, b"lo");
        assert_eq!(fs_err::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn keeps_a_stream_of_at_most_so_many_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.put_stream(&b"hello"[..], 5).unwrap(), Blob::of(b"hello"));
        assert!(store.has(&Blob::of(b"hello")));
        let error = store.put_stream(&b"hello!"[..], 5).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(!store.holds(&Digest::of(b"hello!")));
    }

    #[test]
    fn keeps_what_a_reader_gives_only_if_it_is_what_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let blob = Blob::of(b"hello");
        let rows: [(Blob, &[u8], &str); 4] = [
            (blob, b"jello", "expected 5 bytes with sha256:2cf24d"),
            (blob, b"hell", "found 4"),
            (blob, b"hello!", "found more"),
            (Blob { size: u64::MAX, ..blob }, b"hello", "found 5"),
        ];
        for (expected, bytes, reason) in rows {
            let error = store.put_reader(&expected, bytes).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(!store.holds(&blob.digest));
        }
        store.put_reader(&blob, &b"hello"[..]).unwrap();
        assert_eq!(store.read(&blob, 100).unwrap(), b"hello");
        // What is there is not read again.
        store.put_reader(&blob, std::io::BufReader::new(Broken)).unwrap();
        let other = Blob::of(b"other");
        let error = store.put_reader(&other, Broken).unwrap_err();
        assert_eq!(error.to_string(), "broken");
        assert_eq!(fs_err::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }

    #[test]
    fn a_damaged_blob_is_found_when_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let blob = store.put(b"hello").unwrap();
        fs_err::write(store.blob_path(&blob.digest), b"jello").unwrap();
        let error = store.read(&blob, 100).unwrap_err();
        assert_eq!(is_damage(&error), Some(blob.digest));
        let mut exactly = [0; 5];
        let error = store.open(&blob.digest, 0).unwrap().read_exact(&mut exactly).unwrap_err();
        assert_eq!(is_damage(&error), Some(blob.digest));
        store.discard(&blob.digest).unwrap();
        assert!(!store.has(&blob));
        assert_eq!(store.put(b"hello").unwrap(), blob);
        fs_err::write(store.blob_path(&blob.digest), b"jello").unwrap();
        assert_eq!(store.put(b"hello").unwrap(), blob);
        assert_eq!(store.read(&blob, 100).unwrap(), b"hello");
    }
}
