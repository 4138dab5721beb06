//! Which blocks or inodes of a group are in use.

use std::ops::Range;

use mkext4::spec::BLOCK_SIZE;

use super::layout::{GROUP, Layout};
use super::space::Used;
use super::tables::Tables;

/// A block of bits, one for each block or inode of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bitmap(Vec<u8>);

impl Bitmap {
    fn new() -> Self {
        Self(vec![0; BLOCK_SIZE])
    }

    /// Returns which blocks of a group are in use. What is behind the last block of all counts as used.
    pub(super) fn of_blocks(layout: &Layout, used: &Used, group: u32) -> Self {
        let run = layout.group(group);
        let (start, end) = (run.start, run.end());
        let within = |range: Range<u32>| {
            let at = |block: u32| block.clamp(start, end) - start;
            at(range.start)..at(range.end)
        };
        let mut bits = Self::new();
        bits.set(within(0..used.end()));
        for gap in used.gaps(start..end) {
            bits.clear(within(gap));
        }
        for (run, _) in layout.structures_in(group) {
            bits.set(within(run.start..run.end()));
        }
        bits.set(run.len..GROUP);
        bits
    }

    /// Returns which inodes of a group are in use.
    pub(super) fn of_inodes(layout: &Layout, tables: &Tables<'_>, group: u32) -> Self {
        let mut bits = Self::new();
        let used = tables.used_in(group);
        if used > 0 {
            bits.set(0..used);
            bits.set(layout.inodes_per_group..GROUP);
        }
        bits
    }

    /// Returns the block.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn set(&mut self, bits: Range<u32>) {
        self.each(bits, |byte, mask| *byte |= mask);
    }

    fn clear(&mut self, bits: Range<u32>) {
        self.each(bits, |byte, mask| *byte &= !mask);
    }

    fn each(&mut self, bits: Range<u32>, change: impl Fn(&mut u8, u8)) {
        let low = |bits: u32| 1_u8.checked_shl(bits).map_or(u8::MAX, |next| next - 1);
        let first = bits.start / 8;
        let starts = (first * 8..bits.end).step_by(8);
        for (start, byte) in starts.zip(self.0.iter_mut().skip(first as usize)) {
            let within = |bit: u32| bit.clamp(start, start + 8) - start;
            change(byte, low(within(bits.end)) & !low(within(bits.start)));
        }
    }

    /// Returns how many bits are set.
    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|byte| byte.count_ones()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_bits_are_set_and_cleared() {
        for (start, end) in [(0, 0), (0, 8), (3, 5), (7, 9), (1, 32768), (32760, 32768), (8, 24)] {
            let mut bits = Bitmap::new();
            bits.set(start..end);
            assert_eq!(bits.count(), end - start);
            let found = |bit: u32| bits.bytes()[bit as usize / 8] >> (bit % 8) & 1 == 1;
            assert!((0..GROUP).all(|bit| found(bit) == (start..end).contains(&bit)));
            bits.clear(start..end);
            assert_eq!(bits, Bitmap::new());
        }
    }
}
