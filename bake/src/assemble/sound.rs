//! What a bake knows of the blobs in its store: which it put there itself or read whole, and checksums of others.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bake_formats::blob::{Blob, BlobSource, BlobStore};
use bake_formats::checksum::Checksum;
use bake_formats::digest::Digest;
use bake_formats::encode::{Segment, SegmentCache};

use super::contents::Contents;

/// Contents and segments of a bake, which remembers what was put among them, and what was found to be as it should.
///
/// A segment is hashed as it is put into the store; who writes it to an output moments later reads what the same
/// process wrote. Whatever was in the store before is verified as it is read, once however many outputs hold it: a
/// segment by the checksum in the record under which it was found, all else by its digest. The record is sealed; who
/// could forge it could as well let it name other bytes, which have their digest.
pub struct Sound<'a> {
    contents: Contents<'a>,
    known: Mutex<HashMap<Digest, Known>>,
}

/// What is known of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Its bytes are what they should be.
    Sound,
    /// They are if they have this checksum.
    Checksum(Checksum),
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

    fn known(&self) -> MutexGuard<'_, HashMap<Digest, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlobSource for Sound<'_> {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        if !self.contents.is_of_store(digest) {
            return self.contents.open(digest, offset);
        }
        let store = self.contents.store;
        let known = self.known().get(digest).copied();
        let reader = match known {
            Some(Known::Sound) => return store.open_sound(digest, offset),
            // Nobody verifies a part.
            _ if offset > 0 => return store.open_sound(digest, offset),
            Some(Known::Checksum(checksum)) => store.open_summed(digest, checksum)?,
            None => store.open(digest, offset)?,
        };
        Ok(Box::new(Whole { reader, digest: *digest, sound: self }))
    }
}

impl BlobStore for Sound<'_> {
    fn put(&self, bytes: &[u8]) -> io::Result<Blob> {
        let blob = self.contents.put(bytes)?;
        self.known().insert(blob.digest, Known::Sound);
        Ok(blob)
    }
}

impl SegmentCache for Sound<'_> {
    fn get(&self, key: &Digest) -> Option<Segment> {
        let segment = self.contents.store.get(key)?;
        if let Some(checksum) = segment.checksum.filter(|_| segment.is_sealed(key)) {
            self.known().entry(segment.blob.digest).or_insert(Known::Checksum(checksum));
        }
        Some(segment)
    }

    fn put(&self, key: &Digest, segment: &Segment) -> io::Result<()> {
        SegmentCache::put(self.contents.store, key, segment)
    }

    fn checkpoint(&self, chain: &Digest) -> Option<Vec<u8>> {
        self.contents.store.checkpoint(chain)
    }

    fn put_checkpoint(&self, chain: &Digest, record: &[u8]) -> io::Result<()> {
        self.contents.store.put_checkpoint(chain, record)
    }
}

/// A blob of the store that is verified as it is read, and known to be sound if that comes to its end.
struct Whole<'a> {
    reader: Box<dyn Read + Send + 'a>,
    digest: Digest,
    sound: &'a Sound<'a>,
}

impl Read for Whole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.sound.known().insert(self.digest, Known::Sound);
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
        let blob = BlobStore::put(&store, bytes).unwrap();
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
        let new = BlobStore::put(&sound, b"new").unwrap();
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
        assert!(!sound.known().contains_key(&blob.digest));
        assert_eq!(read(&sound, &blob).unwrap(), b"old");
        damage(&folder, &blob);
        assert_eq!(read(&sound, &blob).unwrap(), b"odd");
        sound.forget();
        assert_eq!(is_damage(&read(&sound, &blob).unwrap_err()), Some(blob.digest));
    }

    #[test]
    fn a_segment_is_verified_by_the_checksum_of_a_record_that_is_sealed() {
        let (folder, store, blob) = store_with(b"old");
        let sources = SourceFiles::default();
        let (key, other) = (Digest::of(b"key"), Digest::of(b"other"));
        let record = |bytes: &[u8]| Segment::new(&key, (blob, bytes), 9, 0);
        let found = |key: &Digest, record: &Segment, bytes: &[u8]| {
            SegmentCache::put(&store, key, record).unwrap();
            fs_err::write(folder.path().join("blobs/sha256").join(blob.digest.hex()), bytes)
                .unwrap();
            let contents = Contents { sources: &sources, store: &store, reporter: &Silent };
            let sound = Sound::new(contents);
            assert!(sound.get(key).is_some());
            let result = read(&sound, &blob);
            if result.is_ok() {
                // Another time it is not verified at all.
                assert_eq!(sound.known()[&blob.digest], Known::Sound);
            }
            result.map_err(|error| is_damage(&error))
        };
        assert_eq!(found(&key, &record(b"old"), b"old"), Ok(b"old".to_vec()));
        assert_eq!(found(&key, &record(b"old"), b"odd"), Err(Some(blob.digest)));
        // That it is the checksum which is asked: here only that is of the bytes.
        assert_eq!(found(&key, &record(b"odd"), b"odd"), Ok(b"odd".to_vec()));
        // Of another key, or without a seal or a checksum, the digest is.
        for record in [
            record(b"odd"),
            Segment { seal: None, ..record(b"odd") },
            Segment { checksum: None, ..record(b"odd") },
        ] {
            assert_eq!(found(&other, &record, b"odd"), Err(Some(blob.digest)));
            assert_eq!(found(&other, &record, b"old"), Ok(b"old".to_vec()));
        }
    }

    #[test]
    fn a_blob_known_to_be_sound_is_not_verified_again_because_a_record_is_found() {
        let (_folder, store, _) = store_with(b"old");
        let sources = SourceFiles::default();
        let sound = Sound::new(Contents { sources: &sources, store: &store, reporter: &Silent });
        let blob = BlobStore::put(&sound, b"new").unwrap();
        let key = Digest::of(b"key");
        SegmentCache::put(&sound, &key, &Segment::new(&key, (blob, b"new"), 9, 0)).unwrap();
        assert!(sound.get(&key).is_some());
        assert_eq!(sound.known()[&blob.digest], Known::Sound);
    }
}
