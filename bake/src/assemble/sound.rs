//! Blobs that one bake put into the store itself, and need not hash again to trust.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use bake_formats::blob::{Blob, BlobSource, BlobStore};
use bake_formats::digest::Digest;

use super::contents::Contents;

/// Contents of a bake that remember what was put among them.
///
/// A segment is hashed as it is put into the store; who writes it to an output moments later reads what the same
/// process wrote. Whatever was in the store before is hashed as it is read.
pub struct Sound<'a> {
    contents: Contents<'a>,
    put: Mutex<HashSet<Digest>>,
}

impl std::fmt::Debug for Sound<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sound").field("contents", &self.contents).finish_non_exhaustive()
    }
}

impl<'a> Sound<'a> {
    /// Starts with nothing that was put.
    pub fn new(contents: Contents<'a>) -> Self {
        Self { contents, put: Mutex::default() }
    }

    /// Forgets what was put: something among it turned out to be damaged.
    pub fn forget(&self) {
        self.put.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn has(&self, digest: &Digest) -> bool {
        self.put.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }
}

impl BlobSource for Sound<'_> {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        if self.has(digest) && self.contents.is_of_store(digest) {
            return self.contents.store.open_sound(digest, offset);
        }
        self.contents.open(digest, offset)
    }
}

impl BlobStore for Sound<'_> {
    fn put(&self, bytes: &[u8]) -> io::Result<Blob> {
        let blob = self.contents.put(bytes)?;
        self.put.lock().unwrap_or_else(PoisonError::into_inner).insert(blob.digest);
        Ok(blob)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assemble::SourceFiles;
    use crate::report::Silent;
    use crate::store::{Store, is_damage};

    #[test]
    fn only_what_was_there_before_is_hashed_as_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let old = store.put(b"old").unwrap();
        let sources = SourceFiles::default();
        let contents = Contents { sources: &sources, store: &store, reporter: &Silent };
        let sound = Sound::new(contents);
        let new = sound.put(b"new").unwrap();
        for blob in [old, new] {
            let path = folder.path().join("blobs/sha256").join(blob.digest.hex());
            fs_err::write(path, b"odd").unwrap();
        }
        let read = |blob: &Blob| {
            let mut bytes = Vec::new();
            sound.open(&blob.digest, 0)?.read_to_end(&mut bytes)?;
            Ok::<_, io::Error>(bytes)
        };
        assert_eq!(is_damage(&read(&old).unwrap_err()), Some(old.digest));
        assert_eq!(read(&new).unwrap(), b"odd");
        sound.forget();
        assert_eq!(is_damage(&read(&new).unwrap_err()), Some(new.digest));
    }
}
