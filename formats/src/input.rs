//! Where readers get an artifact's bytes from.

use std::io::{self, Read};
use std::sync::Arc;

use crate::blob::BlobSource;
use crate::rope::Rope;

/// Bytes that can be read at any offset.
pub trait ReadAt: Send + Sync {
    /// Returns how many bytes there are.
    fn len(&self) -> u64;

    /// Returns whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads some bytes at an offset; 0 only at the end or for an empty buffer.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Fills the whole buffer from an offset.
    fn read_exact_at(&self, offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        let mut at = offset;
        while !buffer.is_empty() {
            let count = self.read_at(at, buffer)?;
            if count == 0 {
                let message =
                    format!("the file ends at {}, within what starts at {offset}", self.len());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            at += count as u64;
            buffer = &mut buffer[count..];
        }
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        Vec::len(self) as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(Vec::len(self));
        let mut rest = &self[start..];
        rest.read(buffer)
    }
}

/// A range of other bytes, e.g. a partition of a disk.
pub struct Window {
    input: Arc<dyn ReadAt>,
    offset: u64,
    len: u64,
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { offset, len, .. } = self;
        f.debug_struct("Window").field("offset", offset).field("len", len).finish_non_exhaustive()
    }
}

impl Window {
    /// Returns the bytes from `offset` on, at most `len` and at most to the end.
    pub fn new(input: Arc<dyn ReadAt>, offset: u64, len: u64) -> Self {
        let len = len.min(input.len().saturating_sub(offset));
        Self { input, offset, len }
    }
}

impl ReadAt for Window {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        self.input.read_at(self.offset.saturating_add(offset), &mut buffer[..wanted])
    }
}

/// The bytes that a rope stands for, to be read at any offset.
#[derive(Clone, Copy)]
pub struct Described<'a> {
    rope: &'a Rope,
    blobs: &'a dyn BlobSource,
}

impl std::fmt::Debug for Described<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Described").field("rope", &self.rope).finish_non_exhaustive()
    }
}

impl<'a> Described<'a> {
    /// Returns the bytes of a rope whose blobs come from `blobs`.
    pub fn new(rope: &'a Rope, blobs: &'a dyn BlobSource) -> Self {
        Self { rope, blobs }
    }
}

impl ReadAt for Described<'_> {
    fn len(&self) -> u64 {
        self.rope.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let end = offset.saturating_add(buffer.len() as u64);
        self.rope.slice(offset..end).reader(self.blobs).read(buffer)
    }
}

/// Files by name below a folder, e.g. an OCI image layout.
pub trait Folder: Send + Sync {
    /// Opens a file by its path relative to the folder.
    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadAt>>;
}

/// An artifact to be read.
#[derive(Clone)]
pub enum Source {
    /// One file.
    File(Arc<dyn ReadAt>),
    /// A folder of files.
    Folder(Arc<dyn Folder>),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File(_) => "Source::File",
            Self::Folder(_) => "Source::Folder",
        })
    }
}

impl Source {
    /// Returns a source for bytes in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::File(Arc::new(bytes))
    }

    /// Returns the one file, or an error that says a folder was given.
    pub fn file(&self) -> io::Result<&Arc<dyn ReadAt>> {
        match self {
            Self::File(file) => Ok(file),
            Self::Folder(_) => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a file, found a folder"))
            }
        }
    }
}

/// Reads a range of a [`ReadAt`] as a stream.
pub struct Section {
    input: Arc<dyn ReadAt>,
    at: u64,
    end: u64,
}

impl std::fmt::Debug for Section {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Section")
            .field("at", &self.at)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl Section {
    /// Reads `len` bytes from `offset`; a file that ends earlier is an error when it is reached.
    pub fn new(input: Arc<dyn ReadAt>, offset: u64, len: u64) -> Self {
        Self { input, at: offset, end: offset.saturating_add(len) }
    }

    /// Reads everything.
    pub fn whole(input: Arc<dyn ReadAt>) -> Self {
        let len = input.len();
        Self::new(input, 0, len)
    }

    /// Passes over some bytes, at most to the end.
    pub fn skip(&mut self, bytes: u64) {
        self.at = self.at.saturating_add(bytes).min(self.end);
    }

    /// Returns the offset in the underlying file of the next byte.
    pub fn position(&self) -> u64 {
        self.at
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let count = self.input.read_at(self.at, &mut buffer[..wanted])?;
        if count == 0 && wanted > 0 {
            let message =
                format!("the file ends at {}, expected it to reach {}", self.at, self.end);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{BlobStore, MemoryStore};

    #[test]
    fn a_described_file_is_read_at_any_offset() {
        let store = MemoryStore::new();
        let mut rope = Rope::from(b"head".to_vec());
        rope.push_blob(store.put(b"0123456789").unwrap());
        rope.push_zeros(2);
        let whole = rope.to_vec(&store).unwrap();
        let described = Described::new(&rope, &store);
        for from in 0..whole.len() {
            let mut bytes = vec![1; whole.len() - from];
            described.read_exact_at(from as u64, &mut bytes).unwrap();
            assert_eq!(bytes, whole[from..]);
        }
        assert_eq!(described.read_at(16, &mut [0]).unwrap(), 0);
        assert_eq!(described.read_at(u64::MAX, &mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_window_ends_where_it_or_its_input_ends() {
        let input: Arc<dyn ReadAt> = Arc::new(b"0123456789".to_vec());
        let read = |offset, len| {
            let window: Arc<dyn ReadAt> = Arc::new(Window::new(input.clone(), offset, len));
            let mut text = String::new();
            Section::whole(window).read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(read(2, 3), "234");
        assert_eq!(read(8, 100), "89");
        assert_eq!(read(100, 1), "");
        let window = Window::new(input.clone(), 4, 2);
        assert_eq!(window.read_at(2, &mut [0]).unwrap(), 0);
        assert_eq!(window.read_at(u64::MAX, &mut [0]).unwrap(), 0);
    }
}
