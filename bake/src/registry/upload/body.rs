//! A stretch of a blob on its way: read when the wire wants it, counted, never held.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bake_formats::blob::{Blob, BlobSource};

use crate::registry::error::RegistryError;
use crate::registry::progress::Progress;

/// Why a source failed.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    /// What happened, in words.
    pub(super) reason: String,
    /// What to do about it, if the source is another registry.
    pub(super) hint: Option<String>,
}

/// A stretch of a blob, to be sent in one request.
pub(super) struct Stretch<'s> {
    pub(super) blob: Blob,
    pub(super) range: Range<u64>,
    pub(super) source: &'s dyn BlobSource,
    pub(super) progress: &'s dyn Progress,
    /// How many bytes the wire took since it last began.
    taken: AtomicU64,
    /// Why the source failed, which the wire cannot tell from a broken connection.
    fault: Mutex<Option<Broken>>,
}

impl<'s> Stretch<'s> {
    pub(super) fn new(
        blob: Blob,
        range: Range<u64>,
        source: &'s dyn BlobSource,
        progress: &'s dyn Progress,
    ) -> Self {
        Self { blob, range, source, progress, taken: AtomicU64::new(0), fault: Mutex::new(None) }
    }

    pub(super) fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Returns how many bytes the wire took, and so may have arrived.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Returns why the source failed, if it did.
    pub(super) fn fault(&self) -> Option<Broken> {
        self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Opens the stretch at its beginning. What was taken before does not count any more.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        let before = self.taken.swap(0, Ordering::Relaxed);
        if before > 0 {
            self.progress.set_back(before);
        }
        let opened = self.source.open(&self.blob.digest, self.range.start);
        let inner = opened.map_err(|error| self.failed(error))?;
        Ok(Box::new(Counted { stretch: self, left: self.len(), inner }))
    }

    fn failed(&self, error: io::Error) -> io::Error {
        let mut fault = self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        fault.get_or_insert_with(|| Broken {
            reason: error.to_string(),
            hint: RegistryError::within(&error).and_then(|error| error.hint.clone()),
        });
        error
    }
}

/// Reads a stretch.
struct Counted<'s> {
    stretch: &'s Stretch<'s>,
    left: u64,
    inner: Box<dyn Read + Send + 's>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if room == 0 {
            return Ok(0);
        }
        let count = match self.inner.read(&mut buffer[..room]) {
            Ok(0) => {
                let (Blob { digest, size }, range) = (self.stretch.blob, &self.stretch.range);
                let found = range.end - self.left;
                let text = format!("expected {size} bytes of blob {digest}, found only {found}");
                return Err(self
                    .stretch
                    .failed(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.stretch.failed(error)),
        };
        self.left -= count as u64;
        self.stretch.taken.fetch_add(count as u64, Ordering::Relaxed);
        self.stretch.progress.advanced(count as u64);
        Ok(count)
    }
}
