//! A part of a file that somebody else owns.

use std::io::{self, Read};

use crate::input::ReadAt;

/// A range of other bytes, at an offset or as a stream.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    input: &'a dyn ReadAt,
    start: u64,
    len: u64,
}

impl<'a> Part<'a> {
    /// Returns the bytes from `start` on, at most `len` and at most to the end.
    pub(super) fn new(input: &'a dyn ReadAt, start: u64, len: u64) -> Self {
        Self { input, start, len: len.min(input.len().saturating_sub(start)) }
    }
}

impl ReadAt for Part<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        self.input.read_at(self.start.saturating_add(offset), &mut buffer[..wanted])
    }
}

/// Takes what is read off the start.
impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.read_at(0, buffer)?;
        self.start += count as u64;
        self.len -= count as u64;
        Ok(count)
    }
}
