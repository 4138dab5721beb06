//! What is read at offsets: block devices, and bytes in tests.

use std::fs::File;
use std::io;

/// Bytes that can be read anywhere.
pub trait ReadAt {
    /// Fills a buffer from an offset.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).ok().filter(|start| *start <= self.len());
        let bytes = start.and_then(|start| self[start..].get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Returns the bytes of a fixed field at an offset of a larger one.
///
/// The offset is one of the format's, so it lies within.
pub fn field<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[offset..offset + N]);
    field
}
