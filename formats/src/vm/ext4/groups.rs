//! What is in use in each group, and the descriptors that say where that is written.

use std::ops::Range;

use mkext4::csum;
use mkext4::spec::{BLOCK_SIZE, GroupDesc, bg_flags};

use super::layout::{GROUP, Layout};
use super::space::Used;
use super::tables::Tables;

/// Bytes of a group descriptor.
const DESCRIPTOR: usize = 32;

/// The descriptors of all groups, and what they add up to.
#[derive(Debug)]
pub(super) struct Groups {
    /// The descriptors, in whole blocks.
    pub(super) descriptors: Vec<u8>,
    /// How many blocks nothing uses.
    pub(super) free_blocks: u64,
}

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
        let used = used_inodes(layout, tables, group);
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

    fn count(&self) -> u32 {
        self.0.iter().map(|byte| byte.count_ones()).sum()
    }
}

impl Groups {
    /// Describes all groups.
    pub(super) fn of(layout: &Layout, used: &Used, tables: &Tables<'_>, seed: u32) -> Self {
        let mut descriptors = Vec::with_capacity(layout.descriptors as usize * BLOCK_SIZE);
        let mut free_blocks = 0;
        for group in 0..layout.groups {
            let blocks = Bitmap::of_blocks(layout, used, group);
            let inodes = Bitmap::of_inodes(layout, tables, group);
            let free = GROUP - blocks.count();
            free_blocks += u64::from(free);
            let unused = layout.inodes_per_group - used_inodes(layout, tables, group);
            let is_unused = unused == layout.inodes_per_group;
            let [block_bitmap, inode_bitmap, inode_table] = layout.places(group).map(u64::from);
            let per_group = layout.inodes_per_group;
            let mut descriptor = GroupDesc {
                block_bitmap,
                inode_bitmap,
                inode_table,
                free_blocks_count: free,
                free_inodes_count: unused,
                used_dirs_count: tables.directories(group),
                flags: bg_flags::INODE_ZEROED | if is_unused { bg_flags::INODE_UNINIT } else { 0 },
                exclude_bitmap: 0,
                block_bitmap_csum: csum::block_bitmap(seed, blocks.bytes()).into(),
                inode_bitmap_csum: if is_unused {
                    0
                } else {
                    csum::inode_bitmap(seed, inodes.bytes(), per_group).into()
                },
                itable_unused: unused,
                checksum: 0,
            };
            let mut bytes = [0; DESCRIPTOR];
            descriptor.encode32(&mut bytes);
            descriptor.checksum = csum::group_desc(seed, group, &bytes);
            descriptor.encode32(&mut bytes);
            descriptors.extend(bytes);
        }
        descriptors.resize(layout.descriptors as usize * BLOCK_SIZE, 0);
        Self { descriptors, free_blocks }
    }
}

/// Returns how many inodes of a group are in use: all before the last one are.
fn used_inodes(layout: &Layout, tables: &Tables<'_>, group: u32) -> u32 {
    let before = group.saturating_mul(layout.inodes_per_group);
    tables.used().saturating_sub(before).min(layout.inodes_per_group)
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
