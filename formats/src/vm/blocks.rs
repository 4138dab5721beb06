//! The blocks of a disk that hold anything, which is all that sparse containers store.

use crate::rope::{Rope, RopeCursor};

/// Passes over a disk block by block and leaves out those that are wholly holes.
///
/// Yields the number of each block and its bytes, the last one filled up with zeros. Takes time for
/// the extents and the blocks that are left, however large the holes are.
pub(super) struct Blocks<'a> {
    cursor: RopeCursor<'a>,
    size: u64,
}

impl<'a> Blocks<'a> {
    /// Cuts a disk into blocks of `size` bytes.
    pub(super) fn of(disk: &'a Rope, size: u64) -> Self {
        Self { cursor: disk.cursor(), size }
    }
}

impl Iterator for Blocks<'_> {
    type Item = (u64, Rope);

    fn next(&mut self) -> Option<(u64, Rope)> {
        let holes = self.cursor.zeros();
        if holes == self.cursor.left() {
            return None;
        }
        self.cursor.skip(holes - holes % self.size);
        let number = self.cursor.position() / self.size;
        let mut block = self.cursor.take(self.size);
        block.push_zeros(self.size - block.len());
        Some((number, block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{BlobStore, MemoryStore};

    /// Returns the blocks that a copy of the whole disk has.
    fn expected(bytes: &[u8], holes: &[u8], size: usize) -> Vec<(u64, Vec<u8>)> {
        let blocks = (0..).zip(bytes.chunks(size).zip(holes.chunks(size)));
        let kept = blocks.filter(|(_, (_, holes))| holes.contains(&0));
        kept.map(|(number, (block, _))| {
            let mut block = block.to_vec();
            block.resize(size, 0);
            (number, block)
        })
        .collect()
    }

    #[test]
    fn every_block_that_is_no_hole_comes_once() {
        let store = MemoryStore::new();
        let blob = store.put(b"0123456789abcdefghij").unwrap();
        // Lengths of data and holes by turns, around the borders of blocks of 8.
        for lengths in [[3, 5, 8, 8, 1], [8, 16, 8, 3, 2], [1, 30, 20, 1, 7], [0, 7, 1, 8, 9]] {
            let (mut disk, mut holes) = (Rope::new(), Vec::new());
            for (index, len) in lengths.into_iter().enumerate() {
                let is_hole = index % 2 == 1;
                holes.extend(std::iter::repeat_n(u8::from(is_hole), len));
                match index {
                    1 | 3 => disk.push_zeros(len as u64),
                    2 => disk.push_range(blob.digest, 0, len as u64),
                    _ => disk.push_bytes(&vec![b'x'; len]),
                }
            }
            let bytes = disk.to_vec(&store).unwrap();
            for size in [1, 2, 8, 64] {
                let blocks: Vec<(u64, Vec<u8>)> = Blocks::of(&disk, size)
                    .map(|(number, block)| (number, block.to_vec(&store).unwrap()))
                    .collect();
                let size = usize::try_from(size).unwrap();
                assert!(blocks == expected(&bytes, &holes, size), "{lengths:?} {size}");
            }
        }
    }

    #[test]
    fn a_hole_of_any_length_takes_no_time() {
        let mut disk = Rope::from(vec![1]);
        disk.push_zeros(u64::MAX / 2);
        disk.push_bytes(&[2]);
        let numbers: Vec<u64> = Blocks::of(&disk, 1 << 16).map(|(number, _)| number).collect();
        assert_eq!(numbers, [0, 1 << 47]);
    }
}
