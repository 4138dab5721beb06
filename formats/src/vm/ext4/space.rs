//! The blocks that files and directories may take: given out once, in order, with what is in them.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::digest::Digest;
use crate::format::WriteError;
use crate::rope::{Rope, is_mark};
use crate::tree::Content;

use super::BLOCK;
use super::layout::{Layout, Run};

/// The most blocks in one extent.
pub(super) const EXTENT: u32 = 32 * 1024;
/// Where contents begin that are marks, in blocks: 64 KiB, which is what containers compress as one.
const ALIGNMENT: u32 = 16;

/// How many bytes there are from one such content to the next, about. What compresses clusters together cuts at marks that
/// are twice as far from each other, which are among these.
const ALIGNED: u64 = 1 << 20;

/// All blocks that are no structure of the file system's own.
#[derive(Debug)]
pub(super) struct Space<'a> {
    format: &'static str,
    /// Contents that no blob store holds.
    inline: &'a BTreeMap<Digest, Vec<u8>>,
    stretches: Vec<Stretch>,
    /// The stretch that the next block is in.
    current: usize,
    used: Used,
}

/// Which of the blocks that are no structures are in use.
#[derive(Debug)]
pub(super) struct Used {
    /// The next block to be given out; all before it were, but for gaps.
    next: u32,
    /// What was passed over, in order.
    gaps: Vec<Run>,
}

/// Blocks between two structures.
#[derive(Debug)]
struct Stretch {
    run: Run,
    contents: Rope,
}

impl<'a> Space<'a> {
    /// Starts with nothing given out.
    pub(super) fn new(
        format: &'static str,
        layout: &Layout,
        inline: &'a BTreeMap<Digest, Vec<u8>>,
    ) -> Self {
        let mut stretches = Vec::new();
        let mut start = 0;
        let end = Run { start: layout.blocks, len: 0 };
        for run in layout.structures().map(|(run, _)| run).chain([end]) {
            if run.start > start {
                let run = Run { start, len: run.start - start };
                stretches.push(Stretch { run, contents: Rope::new() });
            }
            start = run.end();
        }
        let next = stretches.first().map_or(layout.blocks, |stretch| stretch.run.start);
        let used = Used { next, gaps: Vec::new() };
        Self { format, inline, stretches, current: 0, used }
    }

    /// Gives out blocks. Each run of them is filled by whoever asks: its rope ends where the run starts, and may be
    /// appended to up to where the run ends; the rest is zeros.
    pub(super) fn take(
        &mut self,
        blocks: u64,
        mut fill: impl FnMut(&mut Rope, Run, u64),
    ) -> Result<Vec<Run>, WriteError> {
        let mut runs = Vec::new();
        let mut taken = 0;
        while taken < blocks {
            let Some(stretch) = self.stretches.get_mut(self.current) else {
                return Err(WriteError::Field {
                    format: self.format,
                    field: "the file system".into(),
                    reason: "its blocks are used up".into(),
                });
            };
            let left = stretch.run.end() - self.used.next;
            let wanted = u32::try_from(blocks - taken).unwrap_or(u32::MAX);
            let run = Run { start: self.used.next, len: left.min(wanted).min(EXTENT) };
            if run.len > 0 {
                let offset = u64::from(run.start - stretch.run.start) * BLOCK;
                stretch.contents.push_zeros(offset - stretch.contents.len());
                fill(&mut stretch.contents, run, taken * BLOCK);
                runs.push(run);
                taken += u64::from(run.len);
                self.used.next = run.end();
            }
            if self.used.next == stretch.run.end() {
                self.current += 1;
                self.used.next =
                    self.stretches.get(self.current).map_or(self.used.next, |next| next.run.start);
            }
        }
        Ok(runs)
    }

    /// Gives out one block for bytes that it decides on when it knows which block it is.
    pub(super) fn take_one(&mut self, bytes: impl Fn(u32) -> Vec<u8>) -> Result<u32, WriteError> {
        let mut block = 0;
        self.take(1, |rope, run, _| {
            block = run.start;
            rope.push_padded(&bytes(block));
        })?;
        Ok(block)
    }

    /// Gives out the blocks of a directory.
    pub(super) fn take_bytes(&mut self, bytes: &[u8]) -> Result<Vec<Run>, WriteError> {
        self.take((bytes.len() as u64).div_ceil(BLOCK), |rope, run, offset| {
            rope.push_padded(part(bytes, offset, u64::from(run.len) * BLOCK));
        })
    }

    /// Gives out the blocks of a file.
    pub(super) fn take_content(&mut self, content: &Content) -> Result<Vec<Run>, WriteError> {
        if is_aligned(content) {
            self.align();
        }
        let Content { digest, size, .. } = *content;
        let inline = self.inline;
        self.take(size.div_ceil(BLOCK), |rope, run, offset| {
            let len = (u64::from(run.len) * BLOCK).min(size - offset);
            match inline.get(&digest) {
                Some(bytes) => rope.push_bytes(part(bytes, offset, len)),
                None => rope.push_range(digest, offset, len),
            }
        })
    }

    /// Passes over blocks up to a multiple of [`ALIGNMENT`], if that is in the same stretch.
    fn align(&mut self) {
        let aligned = self.used.next.next_multiple_of(ALIGNMENT);
        let end = self.stretches.get(self.current).map_or(0, |stretch| stretch.run.end());
        if aligned < end && aligned > self.used.next {
            self.used.gaps.push(Run { start: self.used.next, len: aligned - self.used.next });
            self.used.next = aligned;
        }
    }

    /// Returns what is in each stretch, in order and as long as the stretch, and which blocks are in use.
    pub(super) fn finish(self) -> (impl Iterator<Item = (Run, Rope)>, Used) {
        let contents = self.stretches.into_iter().map(|Stretch { run, mut contents }| {
            contents.push_zeros(u64::from(run.len) * BLOCK - contents.len());
            (run, contents)
        });
        (contents, self.used)
    }

    /// Returns how many bytes the contents hold that no blob does.
    pub(super) fn inline_len(&self) -> usize {
        self.stretches.iter().map(|stretch| stretch.contents.inline_len()).sum()
    }
}

impl Used {
    /// Returns the first block that is not in use, as none behind it is.
    pub(super) fn end(&self) -> u32 {
        self.next
    }

    /// Returns what of some blocks before the end is not in use, in order.
    pub(super) fn gaps(&self, blocks: Range<u32>) -> impl Iterator<Item = Range<u32>> + '_ {
        let first = self.gaps.partition_point(|gap| gap.end() <= blocks.start);
        let gaps = self.gaps.iter().skip(first).take_while(move |gap| gap.start < blocks.end);
        gaps.map(move |gap| gap.start.max(blocks.start)..gap.end().min(blocks.end))
    }
}

/// Returns whether a content begins at a multiple of [`ALIGNMENT`].
///
/// What stands behind it then lies in clusters as it did, whatever before it grew or shrank, and compressed clusters are
/// found again. It leaves 3 % of the blocks unused and costs no byte.
fn is_aligned(content: &Content) -> bool {
    is_mark(&content.digest, content.size, ALIGNED)
}

/// Returns the most blocks that are passed over before a content.
pub(super) fn gap_before(content: &Content) -> u64 {
    if is_aligned(content) { u64::from(ALIGNMENT) - 1 } else { 0 }
}

fn part(bytes: &[u8], offset: u64, len: u64) -> &[u8] {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
    &bytes[at(offset)..at(offset.saturating_add(len))]
}

#[cfg(test)]
mod tests {
    use super::super::layout::GROUP;
    use super::super::size::Geometry;
    use super::*;
    use crate::rope::Extent;

    fn layout(blocks: u32) -> Layout {
        let file_system = u64::from(blocks) * BLOCK;
        Layout::of(&Geometry { disk: file_system, file_system, inodes: 16, journal: 0 })
    }

    fn content(digest: u8, blocks: u64) -> Content {
        Content { digest: Digest::from_bytes([digest; 32]), size: blocks * BLOCK, md5: [0; 16] }
    }

    #[test]
    fn runs_end_where_structures_begin_and_where_an_extent_must() {
        let layout = layout(10 * GROUP);
        let nothing = BTreeMap::new();
        let mut space = Space::new("test", &layout, &nothing);
        let first = space.used.end();
        assert_eq!(first, 2 + 20 + 10, "superblock, descriptors, bitmaps, tables");
        let runs = space.take(u64::from(4 * GROUP), |_, _, _| {}).unwrap();
        let copies = 2;
        assert_eq!(runs[0], Run { start: first, len: GROUP - first });
        assert_eq!(runs[1], Run { start: GROUP + copies, len: EXTENT });
        assert_eq!(runs.iter().map(|run| run.len).sum::<u32>(), 4 * GROUP);
        assert!(runs.iter().all(|run| run.len <= EXTENT));
        assert!(!runs.iter().any(|run| (run.start..run.end()).contains(&(3 * GROUP))));
        let error = space.take(u64::from(10 * GROUP), |_, _, _| {}).unwrap_err();
        assert!(error.to_string().contains("used up"), "{error}");
    }

    #[test]
    fn a_mark_begins_at_a_cluster_and_what_is_passed_over_is_known() {
        let layout = layout(GROUP);
        let nothing = BTreeMap::new();
        let mut space = Space::new("test", &layout, &nothing);
        let first = space.used.end();
        let small = space.take_content(&content(0xff, 1)).unwrap();
        assert_eq!(small, [Run { start: first, len: 1 }]);
        assert_eq!((gap_before(&content(0xff, 1)), gap_before(&content(0, 2))), (0, 15));
        let marked = space.take_content(&content(0, 2)).unwrap();
        let start = (first + 1).next_multiple_of(ALIGNMENT);
        assert_eq!(marked, [Run { start, len: 2 }]);
        let (mut contents, used) = space.finish();
        assert_eq!(used.end(), start + 2);
        assert_eq!(used.gaps(0..GROUP).next(), Some(first + 1..start));
        assert_eq!(used.gaps(0..first + 2).next(), Some(first + 1..first + 2));
        assert_eq!(used.gaps(start..GROUP).count(), 0);
        let (run, rope) = contents.next().unwrap();
        assert_eq!(run, Run { start: first, len: GROUP - first });
        assert_eq!(rope.len(), u64::from(run.len) * BLOCK);
        let kinds: Vec<_> =
            rope.extents().map(|extent| matches!(extent, Extent::Zero(_))).collect();
        assert_eq!(kinds, [false, true, false, true]);
    }
}
