//! Bytes by identity, and where such bytes can be had.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher};

/// Bytes by identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// The digest of all bytes.
    pub digest: Digest,
    /// How many bytes there are.
    pub size: u64,
}

impl Blob {
    /// Returns the identity of bytes that are in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::of(bytes), size: bytes.len() as u64 }
    }

    /// Returns the identity of everything that a hasher took in.
    pub fn of_hashed(hasher: &Hasher) -> Self {
        Self { digest: hasher.digest(), size: hasher.len() }
    }
}

/// A place that holds the bytes of blobs.
///
/// An implementation reports bytes that no longer match what it promised (a damaged blob, a source
/// file that changed after it was hashed) as an error, at the latest at the end of the range read.
pub trait BlobSource: Sync {
    /// Opens a blob for reading, from `offset` to the end.
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>>;
}

/// A place that takes in blobs and then holds them.
pub trait BlobStore: BlobSource {
    /// Keeps bytes and returns their identity.
    fn put(&self, bytes: &[u8]) -> io::Result<Blob>;
}

/// A blob store in memory, for tests and for small artifacts.
#[derive(Debug, Default)]
pub struct MemoryStore {
    blobs: Mutex<BTreeMap<Digest, Vec<u8>>>,
}

impl MemoryStore {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, Vec<u8>>> {
        self.blobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl BlobSource for MemoryStore {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let blobs = self.lock();
        let Some(bytes) = blobs.get(digest) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("no blob {digest}")));
        };
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Ok(Box::new(Cursor::new(bytes[offset..].to_vec())))
    }
}

impl BlobStore for MemoryStore {
    fn put(&self, bytes: &[u8]) -> io::Result<Blob> {
        let blob = Blob::of(bytes);
        self.lock().entry(blob.digest).or_insert_with(|| bytes.to_vec());
        Ok(blob)
    }
}
