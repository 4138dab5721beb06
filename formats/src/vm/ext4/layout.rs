//! Where a file system's own structures are.
//!
//! ```text
//! group   0                                                      1               2          3
//!         ├ superblock, descriptors, 16 groups' bitmaps and ─┬───┼ copies ┬──────┼──────────┼ copies ┄
//!         │ tables of inodes                                 │   │        │      │          │
//! space                                                      ├───┤        ├──────┼──────────┤
//! ```
//!
//! A group is as many blocks as a block of bitmap has bits. Sixteen groups keep their bitmaps and tables together at the
//! start of the first of them (`flex_bg`), so that contents lie in long stretches. Copies of the superblock and the
//! descriptors are in group 1 and those whose number is a power of 3, 5 or 7 (`sparse_super`).

use mkext4::spec::BLOCKS_PER_GROUP;

use super::BLOCK;
use super::size::Geometry;

/// Blocks in a group: as many as one block of bitmap has bits.
pub(super) const GROUP: u32 = BLOCKS_PER_GROUP;
/// Groups that keep their bitmaps and tables together, as a power of two.
pub(super) const FLEX: u8 = 4;
/// Group descriptors in a block.
const DESCRIPTORS_PER_BLOCK: u32 = 128;
/// Inodes in a block.
pub(super) const INODES_PER_BLOCK: u32 = 16;

/// Where everything is that is no file and no directory.
#[derive(Debug)]
pub(super) struct Layout {
    /// How many blocks there are.
    pub(super) blocks: u32,
    /// How many groups; the last one may be shorter.
    pub(super) groups: u32,
    /// How many inodes each group has: whole blocks of its table.
    pub(super) inodes_per_group: u32,
    /// How many blocks the descriptors of all groups take.
    pub(super) descriptors: u32,
}

/// Blocks that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: u32,
    pub(super) len: u32,
}

impl Run {
    /// Returns the first block behind the run.
    pub(super) fn end(self) -> u32 {
        self.start + self.len
    }
}

/// A structure of the file system's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Structure {
    /// The superblock, or its copy in a group.
    Superblock(u32),
    /// The descriptors of all groups, or a copy.
    Descriptors,
    /// Which blocks of a group are in use.
    BlockBitmap(u32),
    /// Which inodes of a group are in use.
    InodeBitmap(u32),
    /// The inodes of a group.
    InodeTable(u32),
}

impl Layout {
    /// Lays out the groups of a file system.
    pub(super) fn of(geometry: &Geometry) -> Self {
        let blocks = u32::try_from(geometry.file_system / BLOCK).unwrap_or(u32::MAX);
        let groups = blocks.div_ceil(GROUP);
        Self {
            blocks,
            groups,
            inodes_per_group: geometry
                .inodes
                .div_ceil(groups)
                .next_multiple_of(INODES_PER_BLOCK)
                .min(GROUP),
            descriptors: groups.div_ceil(DESCRIPTORS_PER_BLOCK),
        }
    }

    /// Returns how many blocks the table of a group takes.
    pub(super) fn table(&self) -> u32 {
        self.inodes_per_group / INODES_PER_BLOCK
    }

    /// Returns the blocks of a group.
    pub(super) fn group(&self, group: u32) -> Run {
        let start = group * GROUP;
        Run { start, len: GROUP.min(self.blocks - start) }
    }

    /// Returns where the block bitmap, the inode bitmap and the table of a group start.
    pub(super) fn places(&self, group: u32) -> [u32; 3] {
        let first = group >> FLEX << FLEX;
        let together = (self.groups - first).min(1 << FLEX);
        let number = group - first;
        let own = if first == 0 { 1 + self.descriptors } else { 0 };
        let start = first * GROUP + own;
        let tables = start + 2 * together;
        [start + number, start + together + number, tables + number * self.table()]
    }

    /// Returns all structures with the blocks that they take, in order.
    pub(super) fn structures(&self) -> impl Iterator<Item = (Run, Structure)> + '_ {
        (0..self.groups).flat_map(|group| self.structures_in(group))
    }

    /// Returns the structures that lie in a group.
    pub(super) fn structures_in(&self, group: u32) -> impl Iterator<Item = (Run, Structure)> + '_ {
        let is_first = group.is_multiple_of(1 << FLEX);
        let copies = holds_copy(group).then(|| self.copies(group));
        let together = is_first.then(|| self.together(group));
        copies.into_iter().flatten().chain(together.into_iter().flatten())
    }

    fn copies(&self, group: u32) -> impl Iterator<Item = (Run, Structure)> {
        let start = group * GROUP;
        [
            (Run { start, len: 1 }, Structure::Superblock(group)),
            (Run { start: start + 1, len: self.descriptors }, Structure::Descriptors),
        ]
        .into_iter()
    }

    fn together(&self, first: u32) -> impl Iterator<Item = (Run, Structure)> + '_ {
        let groups = first..self.groups.min(first + (1 << FLEX));
        let one = |group, part: usize| self.places(group)[part];
        let blocks = groups.clone().map(move |group| {
            (Run { start: one(group, 0), len: 1 }, Structure::BlockBitmap(group))
        });
        let inodes = groups.clone().map(move |group| {
            (Run { start: one(group, 1), len: 1 }, Structure::InodeBitmap(group))
        });
        let tables = groups.map(move |group| {
            (Run { start: one(group, 2), len: self.table() }, Structure::InodeTable(group))
        });
        blocks.chain(inodes).chain(tables)
    }
}

/// Returns whether a group holds the superblock and the descriptors, or a copy: 0, 1 and the powers of 3, 5 and 7.
pub(super) fn holds_copy(group: u32) -> bool {
    let is_power = |base: u32| {
        let powers = std::iter::successors(Some(base), |power| power.checked_mul(base));
        powers.take_while(|power| *power <= group).any(|power| power == group)
    };
    group <= 1 || [3, 5, 7].into_iter().any(is_power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(blocks: u32, inodes: u32) -> Layout {
        let file_system = u64::from(blocks) * BLOCK;
        Layout::of(&Geometry { disk: file_system, file_system, inodes, journal: 1024 })
    }

    #[test]
    fn structures_are_in_order_apart_and_inside() {
        for (blocks, inodes) in [
            (4096, 300),
            (GROUP, 30 << 10),
            (GROUP + 4096, 60 << 10),
            (17 * GROUP, 17 * (30 << 10)),
            (16 * GROUP + 4096, 17 * (30 << 10)),
            (700 * GROUP, 100_000),
            (u32::MAX - 1, u32::MAX >> 4),
        ] {
            let layout = layout(blocks, inodes);
            let (mut end, mut seen, mut tables) = (0, 0, 0);
            for (group, (run, structure)) in (0..layout.groups)
                .flat_map(|group| layout.structures_in(group).map(move |found| (group, found)))
            {
                assert!(run.start >= end && run.end() <= blocks, "{blocks}: {structure:?} {run:?}");
                assert!(run.start >= layout.group(group).start);
                assert!(run.end() <= layout.group(group).end());
                end = run.end();
                seen += 1;
                if let Structure::InodeTable(group) = structure {
                    assert_eq!(layout.places(group)[2], run.start);
                    tables += run.len;
                }
            }
            let copies = (0..layout.groups).filter(|group| holds_copy(*group)).count();
            assert_eq!(seen, 3 * layout.groups as usize + 2 * copies);
            assert!(tables >= inodes.min(layout.groups * (30 << 10)) / INODES_PER_BLOCK);
        }
    }

    #[test]
    fn copies_are_where_they_are_looked_for() {
        let found: Vec<_> = (0..100).filter(|group| holds_copy(*group)).collect();
        assert_eq!(found, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81]);
    }
}
