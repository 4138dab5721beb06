//! Reading the bytes that a rope stands for.

use std::io::{self, Read};

use crate::blob::BlobSource;
use crate::digest::Digest;
use crate::rope::Extent;

/// Reads the bytes that a rope stands for.
///
/// A blob of which the rope holds one range after another is opened once, whatever stands between
/// them, so that a source which checks whole blobs checks this one too.
pub struct RopeReader<'a> {
    extents: Box<dyn Iterator<Item = Extent<'a>> + Send + 'a>,
    source: &'a dyn BlobSource,
    current: Current<'a>,
    opened: Option<OpenedBlob<'a>>,
}

enum Current<'a> {
    None,
    Inline(&'a [u8]),
    /// How many bytes of the opened blob are left.
    Blob(u64),
    Zero(u64),
}

/// The blob that was read last.
struct OpenedBlob<'a> {
    digest: Digest,
    /// The offset up to which the extents so far reach.
    end: u64,
    reader: Box<dyn Read + Send + 'a>,
}

impl OpenedBlob<'_> {
    /// Reads some of the next `left` bytes, of which there is at least one.
    fn read(&mut self, left: &mut u64, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = clamp(*left, buffer.len());
        let count = self.reader.read(&mut buffer[..wanted])?;
        if count == 0 {
            let message = format!("blob {} ends {left} bytes early", self.digest);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        *left -= count as u64;
        Ok(count)
    }
}

impl std::fmt::Debug for RopeReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RopeReader").finish_non_exhaustive()
    }
}

impl<'a> RopeReader<'a> {
    pub(super) fn new(
        extents: Box<dyn Iterator<Item = Extent<'a>> + Send + 'a>,
        source: &'a dyn BlobSource,
    ) -> Self {
        Self { extents, source, current: Current::None, opened: None }
    }

    fn advance(&mut self) -> io::Result<bool> {
        let Some(extent) = self.extents.next() else { return Ok(false) };
        self.current = match extent {
            Extent::Inline(bytes) => Current::Inline(bytes),
            Extent::Padding(len) | Extent::Zero(len) => Current::Zero(len),
            Extent::Blob { digest, offset, len } => {
                let end = offset.saturating_add(len);
                match &mut self.opened {
                    Some(opened) if (opened.digest, opened.end) == (digest, offset) => {
                        opened.end = end;
                    }
                    _ => {
                        let reader = self.source.open(&digest, offset)?;
                        self.opened = Some(OpenedBlob { digest, end, reader });
                    }
                }
                Current::Blob(len)
            }
        };
        Ok(true)
    }
}

impl Read for RopeReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let count = match &mut self.current {
                Current::None => 0,
                Current::Inline(bytes) => bytes.read(buffer)?,
                Current::Zero(left) => {
                    let count = clamp(*left, buffer.len());
                    buffer[..count].fill(0);
                    *left -= count as u64;
                    count
                }
                Current::Blob(left) => match &mut self.opened {
                    Some(opened) if *left > 0 => opened.read(left, buffer)?,
                    _ => 0,
                },
            };
            if count > 0 {
                return Ok(count);
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

fn clamp(left: u64, room: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(room)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::blob::{Blob, MemoryStore};
    use crate::rope::Rope;

    /// Counts how often a blob is opened.
    struct Counting(MemoryStore, AtomicUsize);

    impl BlobSource for Counting {
        fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.open(digest, offset)
        }
    }

    #[test]
    fn ranges_that_follow_one_another_are_read_by_one_reader() {
        let blob = Blob::of(b"0123456789");
        let rows = [
            // ranges, how often the blob is opened
            (vec![(0, 3), (3, 4), (7, 3)], 1),
            (vec![(0, 3), (4, 2), (6, 1)], 2),
            (vec![(2, 3), (2, 3)], 2),
        ];
        for (ranges, opened) in rows {
            let mut rope = Rope::new();
            let mut expected: Vec<u8> = Vec::new();
            for (offset, len) in ranges {
                rope.push_range(blob.digest, offset, len);
                rope.push_bytes(b"between");
                rope.push_zeros(2);
                let range =
                    usize::try_from(offset).unwrap()..usize::try_from(offset + len).unwrap();
                expected.extend_from_slice(&b"0123456789"[range]);
                expected.extend_from_slice(b"between\0\0");
            }
            let source = Counting(store_with(b"0123456789"), AtomicUsize::default());
            assert_eq!(rope.to_vec(&source).unwrap(), expected);
            assert_eq!(source.1.into_inner(), opened);
        }
    }

    fn store_with(bytes: &[u8]) -> MemoryStore {
        let store = MemoryStore::new();
        crate::blob::BlobStore::put(&store, bytes).unwrap();
        store
    }
}
