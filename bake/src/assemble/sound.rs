//! Blobs that one bake put into the store itself or read whole, and need not hash again to trust.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bake_formats::blob::{Blob, BlobSource, BlobStore};
use bake_formats::digest::Digest;

use super::contents::Contents;

/// Contents of a bake that remember what was put among them, and what was found to be as it should.
///
/// A segment is hashed as it is put into the store; who writes it to an output moments later reads what the same
/// process wrote. Whatever was in the store before is hashed as it is read, once however many outputs hold it.
pub struct Sound<'a> {
    contents: Contents<'a>,
    known: Mutex<HashSet<Digest>>,
}

impl std::fmt::Debug for Sound<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sound").field("contents", &self.contents).finish_non_exhaustive()
    }
}

impl<'a> Sound<'a> {
    /// Starts with nothing that is known.
    pub fn new(contents: Contents<'a>) -> Self {
        Self { contents, known: Mutex::default() }
    }

    /// Forgets what was known: something among it turned out to be damaged.
    pub fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlobSource for Sound<'_> {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        if !self.contents.is_of_store(digest) {
            return self.contents.open(digest, offset);
        }
        let is_known = self.known().contains(digest);
        if is_known {
            return self.contents.store.open_sound(digest, offset);
        }
        let reader = self.contents.open(digest, offset)?;
        if offset > 0 {
            // Nobody hashes a part.
            return Ok(reader);
        }
        Ok(Box::new(Whole { reader, digest: *digest, sound: self }))
    }
}

impl BlobStore for Sound<'_> {
    fn put(&self, bytes: &[u8]) -> io::Result<Blob> {
        let blob = self.contents.put(bytes)?;
        self.known().insert(blob.digest);
        Ok(blob)
    }
}

/// A blob of the store that is hashed as it is read, and known to be sound if that comes to its end.
struct Whole<'a> {
    reader: Box<dyn Read + Send + 'a>,
    digest: Digest,
    sound: &'a Sound<'a>,
}

impl Read for Whole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.sound.known().insert(self.digest);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assemble::SourceFiles;
    use crate::report::Silent;
    use crate::store::{Store, is_damage};

    /// A store with a blob in it, and a folder that it goes with.
    fn store_with(bytes: &[u8]) -> (tempfile::TempDir, Store, Blob) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let blob = store.put(bytes).unwrap();
        (folder, store, blob)
    }

    fn damage(folder: &tempfile::TempDir, blob: &Blob) {
        fs_err::write(folder.path().join("blobs/sha256").join(blob.digest.hex()), b"odd").unwrap();
    }

    fn read(sound: &Sound<'_>, blob: &Blob) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        sound.open(&blob.digest, 0)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn only_what_was_there_before_is_hashed_as_it_is_read() {
        let (folder, store, old) = store_with(b"old");
        let sources = SourceFiles::default();
        let sound = Sound::new(Contents { sources: &sources, store: &store, reporter: &Silent });
        let new = sound.put(b"new").unwrap();
        damage(&folder, &old);
        damage(&folder, &new);
        assert_eq!(is_damage(&read(&sound, &old).unwrap_err()), Some(old.digest));
        assert_eq!(read(&sound, &new).unwrap(), b"odd");
        sound.forget();
        assert_eq!(is_damage(&read(&sound, &new).unwrap_err()), Some(new.digest));
    }

    #[test]
    fn what_was_read_to_its_end_is_not_hashed_again() {
        let (folder, store, blob) = store_with(b"old");
        let sources = SourceFiles::default();
        let sound = Sound::new(Contents { sources: &sources, store: &store, reporter: &Silent });
        let mut part = [0; 2];
        sound.open(&blob.digest, 0).unwrap().read_exact(&mut part).unwrap();
        sound.open(&blob.digest, 1).unwrap().read_to_end(&mut Vec::new()).unwrap();
        assert!(!sound.known().contains(&blob.digest));
        assert_eq!(read(&sound, &blob).unwrap(), b"old");
        damage(&folder, &blob);
        assert_eq!(read(&sound, &blob).unwrap(), b"odd");
        sound.forget();
        assert_eq!(is_damage(&read(&sound, &blob).unwrap_err()), Some(blob.digest));
    }
}
