//! Cutting a rope into parts.

use super::{Extent, Extents, Rope, RopePart};

/// Cuts a rope into parts, in order; all parts together take time for the extents once.
#[derive(Clone)]
pub struct RopeCursor<'a> {
    extents: Extents<'a>,
    /// What was cut off and has not been passed on yet.
    next: Option<Extent<'a>>,
    at: u64,
    len: u64,
}

impl std::fmt::Debug for RopeCursor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RopeCursor").field("at", &self.at).field("len", &self.len).finish()
    }
}

impl<'a> RopeCursor<'a> {
    pub(super) fn new(rope: &'a Rope) -> Self {
        Self { extents: rope.extents(), next: None, at: 0, len: rope.len() }
    }

    /// Returns how many bytes lie before the cursor.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Returns how many bytes are left.
    pub fn left(&self) -> u64 {
        self.len - self.at
    }

    /// Returns how many of the next bytes are zeros because the rope says so.
    pub fn zeros(&mut self) -> u64 {
        match self.peek() {
            Some(Extent::Zero(len)) => len,
            _ => 0,
        }
    }

    /// Returns what comes next, as far as it is one extent.
    pub fn peek(&mut self) -> Option<Extent<'a>> {
        self.next = self.next.take().or_else(|| self.extents.next());
        self.next
    }

    /// Returns the next `len` bytes, at most what is left, where they are; the cursor stays before them.
    pub(crate) fn part(&self, len: u64) -> RopePart<'a> {
        RopePart::new(self.next, self.extents.clone(), len.min(self.left()))
    }

    /// Cuts off the next `len` bytes, at most what is left.
    pub fn take(&mut self, len: u64) -> Rope {
        let mut part = Rope::new();
        self.push_to(&mut part, len);
        part
    }

    /// Appends the next `len` bytes, at most what is left, to another rope.
    pub fn push_to(&mut self, rope: &mut Rope, len: u64) {
        self.pass(len, |extent| rope.push_extent(extent));
    }

    /// Passes over the next `len` bytes, at most what is left.
    pub fn skip(&mut self, len: u64) {
        self.pass(len, |_| {});
    }

    fn pass(&mut self, len: u64, mut take: impl FnMut(Extent<'_>)) {
        let mut wanted = len.min(self.left());
        self.at += wanted;
        while wanted > 0
            && let Some(extent) = self.next.take().or_else(|| self.extents.next())
        {
            let (first, rest) = extent.split_at(wanted);
            wanted -= first.len();
            take(first);
            self.next = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::blob::MemoryStore;
    use crate::rope::tests::sample;

    #[test]
    fn a_cursor_cuts_what_slices_would() {
        let store = MemoryStore::new();
        let rope = sample(&store);
        for step in 1..=rope.len() + 1 {
            let mut cursor = rope.cursor();
            while cursor.left() > 0 {
                let from = cursor.position();
                let zeros = cursor.zeros();
                let slice = rope.slice(from..from + zeros);
                assert!(slice.extents().all(|extent| matches!(extent, Extent::Zero(_))));
                let part = cursor.part(step);
                let taken = cursor.take(step);
                assert_eq!(taken, rope.slice(from..from + step));
                let mut copied = Rope::new();
                part.extents().for_each(|extent| copied.push_extent(extent));
                assert_eq!((copied, part.len()), (taken.clone(), taken.len()));
                let mut bytes = Vec::new();
                part.reader(&store).read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes, taken.to_vec(&store).unwrap());
                cursor.skip(1);
            }
            assert_eq!(cursor.position(), rope.len());
            assert!(cursor.take(1).is_empty());
        }
        let mut cursor = rope.cursor();
        cursor.skip(15);
        assert_eq!(cursor.zeros(), 2);
    }
}
