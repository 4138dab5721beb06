//! Where a rope is cut into segments.
//!
//! ```text
//!  rope      │header│small│header│       large blob        │tail│header│small│ …
//!  segments  │        group      │  block  │  block  │         group          │
//! ```
//!
//! A pure function of the rope, the block size and the length from which a stretch stands alone:
//!
//! - A stretch of a blob (or of zeros) that is long enough to stand alone is cut at multiples of the
//!   block size in the blob's own offsets, so that every rope that holds the blob has the same
//!   blocks. Each block is a segment.
//! - What stands between (headers, small files, tails) is taken together into groups of at most
//!   one block. A group of a quarter of a block or more also ends before a blob that is a mark: a file that
//!   is inserted, removed, longer or shorter then moves the cuts up to one of the next marks only.

use crate::rope::{Extent, Rope, RopeCursor, RopePart, is_mark};

/// How many marks there are in a block, about. With more of them two ropes that were cut at different places would each find
/// one of their own time and again; with fewer most groups would end where the block is full.
const MARKS: u64 = 2;
/// What part of a block a group has at least before it ends at a mark.
const LEAST: u64 = 4;

/// Yields the segments of a rope in order; together they are the rope, and none is empty.
pub(super) struct Cuts<'a> {
    cursor: RopeCursor<'a>,
    block_size: u64,
    alone_from: u64,
}

impl<'a> Cuts<'a> {
    /// Cuts a rope into segments of at most `block_size`, which is at least `alone_from`: the length
    /// from which on a stretch of a blob or of zeros is cut into segments of its own.
    pub(super) fn new(rope: &'a Rope, block_size: u64, alone_from: u64) -> Self {
        Self { cursor: rope.cursor(), block_size, alone_from }
    }

    /// Returns how much of an extent, from its start, belongs together.
    fn stretch(&self, extent: &Extent<'_>) -> u64 {
        let to_block_end = match extent {
            Extent::Inline(_) | Extent::Padding(_) => u64::MAX,
            Extent::Blob { offset, .. } => self.block_size - offset % self.block_size,
            Extent::Zero(_) => self.block_size,
        };
        let len = extent.len();
        if len < self.alone_from { len } else { len.min(to_block_end) }
    }

    /// Returns whether a group of this length ends before an extent.
    ///
    /// Groups of small files have almost two thirds of a block on average; shorter ones would cost
    /// trees of such files some percent in ratio.
    fn is_cut(&self, extent: &Extent<'_>, group: u64) -> bool {
        let distance = self.block_size / MARKS;
        group >= self.block_size / LEAST
            && matches!(extent, Extent::Blob { digest, offset: 0, len } if is_mark(digest, *len, distance))
    }
}

impl<'a> Iterator for Cuts<'a> {
    type Item = RopePart<'a>;

    fn next(&mut self) -> Option<RopePart<'a>> {
        let start = self.cursor.clone();
        let mut len = 0;
        while let Some(extent) = self.cursor.peek() {
            let stretch = self.stretch(&extent);
            let alone = stretch >= self.alone_from
                && !matches!(extent, Extent::Inline(_) | Extent::Padding(_));
            if len > 0 && (alone || self.is_cut(&extent, len)) {
                break;
            }
            let taken = stretch.min(self.block_size - len);
            self.cursor.skip(taken);
            len += taken;
            if alone || len >= self.block_size {
                break;
            }
        }
        (len > 0).then(|| start.part(len))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;

    const MIB: u64 = 1 << 20;
    const BLOCK: u64 = 4 * MIB;

    /// A digest that is no mark, or one that is.
    fn digest(number: u64, mark: bool) -> Digest {
        let mut bytes = *Digest::of(&number.to_le_bytes()).as_bytes();
        bytes[..4].fill(if mark { 0 } else { 0xff });
        Digest::from_bytes(bytes)
    }

    fn cuts(rope: &Rope) -> Vec<Rope> {
        let own = |part: RopePart<'_>| {
            let mut own = Rope::new();
            part.extents().for_each(|extent| own.push_extent(extent));
            own
        };
        Cuts::new(rope, BLOCK, MIB).map(own).collect()
    }

    fn lengths(rope: &Rope) -> Vec<u64> {
        cuts(rope).iter().map(Rope::len).collect()
    }

    #[test]
    fn an_empty_rope_has_no_segments() {
        assert_eq!(cuts(&Rope::new()), []);
    }

    #[test]
    fn a_large_blob_is_cut_at_its_own_offsets() {
        let blob = digest(1, false);
        let rows = [
            // offset, len, segments
            (0, 9 * MIB, vec![4 * MIB, 4 * MIB, MIB]),
            (0, 9 * MIB + 1, vec![4 * MIB, 4 * MIB, MIB + 1]),
            (0, 9 * MIB - 1, vec![4 * MIB, 4 * MIB, MIB - 1]),
            (2 * MIB, 7 * MIB, vec![2 * MIB, 4 * MIB, MIB]),
            (4 * MIB - 5, 8 * MIB + 5, vec![5, 4 * MIB, 4 * MIB]),
            (0, MIB - 1, vec![MIB - 1]),
            (4 * MIB - 5, MIB - 1, vec![MIB - 1]),
        ];
        for (offset, len, expected) in rows {
            let mut rope = Rope::new();
            rope.push_range(blob, offset, len);
            assert_eq!(lengths(&rope), expected, "{offset} {len}");
        }
    }

    #[test]
    fn a_group_ends_before_a_large_blob_and_takes_its_tail() {
        let mut rope = Rope::new();
        rope.push_bytes(&[1; 512]);
        rope.push_range(digest(1, false), 0, 4 * MIB + 100);
        rope.push_zeros(412);
        rope.push_bytes(&[2; 512]);
        assert_eq!(lengths(&rope), [512, 4 * MIB, 1024]);
    }

    #[test]
    fn a_group_ends_when_it_reaches_the_block_size() {
        let mut rope = Rope::new();
        for number in 0..9 {
            rope.push_range(digest(number, false), 0, MIB - 1);
        }
        rope.push_bytes(&vec![0; 5 << 20]);
        assert_eq!(lengths(&rope), [4 * MIB, 4 * MIB, 4 * MIB, 2 * MIB - 9]);
    }

    #[test]
    fn a_group_ends_before_a_mark_once_it_is_large() {
        let small = MIB / 2;
        let mut rope = Rope::new();
        let marks = [true, true, true, true, true, false, false, false, false, true, false];
        for (number, mark) in marks.into_iter().enumerate() {
            rope.push_range(digest(number as u64, mark), 0, small);
        }
        assert_eq!(lengths(&rope), [2 * small, 2 * small, 5 * small, 2 * small]);
    }

    #[test]
    fn long_zeros_are_cut_into_equal_segments() {
        let mut rope = Rope::new();
        rope.push_bytes(b"head");
        rope.push_zeros(9 * MIB - 5);
        assert_eq!(lengths(&rope), [4, 4 * MIB, 4 * MIB, MIB - 5]);
        assert_eq!(cuts(&rope)[1], cuts(&rope)[2]);
    }

    #[test]
    fn a_change_leaves_most_segments_as_they_are() {
        for size in [1_000_u64, 5_000, 100_000] {
            let files = |changed: Option<(u64, u64)>| {
                let mut rope = Rope::new();
                for number in 0..120 * MIB / size {
                    if let Some((at, len)) = changed
                        && at == number
                    {
                        rope.push_bytes(b"header");
                        rope.push_range(Digest::of(b"new"), 0, len);
                    }
                    rope.push_bytes(&number.to_le_bytes());
                    rope.push_range(Digest::of(&number.to_le_bytes()), 0, size + number % 7);
                }
                cuts(&rope)
            };
            let before = files(None);
            for at in [0, 100, 300, 599] {
                for len in [100, 3_000, 200_000, 900_000] {
                    let after = files(Some((at, len)));
                    let changed = after.iter().filter(|cut| !before.contains(cut)).count();
                    assert!(changed <= 8, "{changed} of {}: {len} bytes at {at}", after.len());
                }
            }
            assert!(before.len() > 35, "{}", before.len());
        }
    }

    fn extent() -> impl Strategy<Value = (u8, u64, u64)> {
        let len = prop_oneof![1..2000_u64, 1..9 * MIB, Just(MIB), Just(BLOCK)];
        let offset = prop_oneof![Just(0), 0..9 * MIB];
        (0..9_u8, offset, len)
    }

    proptest! {
        #[test]
        fn segments_are_bounded_and_together_are_the_rope(
            extents in prop::collection::vec(extent(), 0..20),
        ) {
            let mut rope = Rope::new();
            for (kind, offset, len) in extents {
                match kind {
                    0 => rope.push_bytes(&vec![kind; usize::try_from(len / 4).unwrap()]),
                    1 => rope.push_zeros(len),
                    kind => rope.push_range(digest(kind.into(), kind < 4), offset, len),
                }
            }
            let mut joined = Rope::new();
            for cut in cuts(&rope) {
                prop_assert!(!cut.is_empty() && cut.len() <= BLOCK);
                joined.push_rope(&cut);
            }
            prop_assert_eq!(joined, rope);
        }
    }
}
