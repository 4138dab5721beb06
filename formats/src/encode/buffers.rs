//! Buffers that are used for one segment after another: memory that was never used costs more than to read into it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers that nobody uses right now.
///
/// They are all as large as the largest that is asked for may be, so that none is replaced by a larger one: what is not
/// used of a buffer takes no memory, but the C library keeps what is given back to it for smaller things.
#[derive(Debug)]
pub(super) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
    size: usize,
}

/// Bytes in a buffer that is used again once this is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    home: Arc<Buffers>,
}

impl Buffers {
    /// Starts without buffers; they will have this size.
    pub(super) fn new(size: usize) -> Self {
        Self { free: Mutex::default(), size }
    }

    /// Returns a buffer of so many bytes, whatever they are.
    pub(super) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let fits = |bytes: &Vec<u8>| bytes.len() >= len;
        let bytes = free.filter(fits).unwrap_or_else(|| vec![0; len.max(self.size)]);
        Buffer { bytes, len, home: Arc::clone(self) }
    }

    /// Returns a buffer that holds some bytes.
    pub(super) fn hold(self: &Arc<Self>, bytes: &[u8]) -> Buffer {
        let mut buffer = self.take(bytes.len());
        buffer.copy_from_slice(bytes);
        buffer
    }
}

impl Buffer {
    /// Leaves only the first bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_as_long_as_was_asked_whoever_used_it_before() {
        let buffers = Arc::new(Buffers::new(4));
        for len in [3, 5, 0, 2, 5] {
            let mut buffer = buffers.take(len);
            buffer.fill(7);
            assert_eq!(*buffer, vec![7; len]);
        }
        assert_eq!(buffers.free.lock().unwrap().len(), 1);
        let both = [buffers.take(1), buffers.take(1)];
        assert_eq!(both.map(|buffer| buffer.len()), [1, 1]);
        assert_eq!(buffers.free.lock().unwrap().len(), 2);
    }
}
