//! How large the file system is: the room its tree takes and the room its own structures take.

use crate::format::WriteError;
use crate::tree::{Entry, FileTree, Node, TreePath};

use super::super::model::DiskSize;
use super::BLOCK;
use super::attributes::Attributes;
use super::space::gap_before;
use super::tables::SHORT_TARGET;

/// Blocks in a block group.
const GROUP: u64 = super::layout::GROUP as u64;
/// Blocks in a MiB, the unit of disk sizes.
const MIB: u64 = (1 << 20) / BLOCK;
/// The smallest file system with a journal of the smallest size, in blocks.
const MIN: u64 = 4 * 1024;
/// One less than 2^32 - 1: beyond, block numbers need the `64bit` feature.
const MAX: u64 = u32::MAX as u64 - 1;
/// The fewest blocks that the last of several groups has, so that its metadata fits.
const MIN_LAST_GROUP: u64 = 4096;
/// The most inodes per group, so that the tables of 16 groups lie within the first of them.
const MAX_INODES: u64 = 30 * 1024;
/// Inodes in a block.
const INODES_PER_BLOCK: u64 = super::layout::INODES_PER_BLOCK as u64;
/// The inodes that every file system has: ten reserved ones and `lost+found`.
const OWN_INODES: u64 = 11;
/// The blocks of `lost+found`.
pub(super) const LOST_AND_FOUND_BLOCKS: u64 = 4;
/// And with a block for the journal's extents, and two in reserve.
const OWN_BLOCKS: u64 = LOST_AND_FOUND_BLOCKS + 1 + 2;
/// The most blocks in one extent.
const EXTENT: u64 = super::space::EXTENT as u64;
/// Extents in a block of an extent tree.
const EXTENTS_PER_BLOCK: u64 = 340;
/// Bytes for entries in a directory block; the checksum takes the rest.
const DIRECTORY_BLOCK: u64 = BLOCK - 12;
/// Children of an interior block of a directory's hash tree.
const HASH_TREE_FANOUT: u64 = 507;
/// What is limited when a file system is too small.
pub(in super::super) const NEEDED: &str = "the size of the disk in bytes that the tree needs";

/// What a tree takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Need {
    blocks: u64,
    inodes: u64,
}

/// What the file system is laid out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// The length of the disk in bytes.
    pub(super) disk: u64,
    /// The length of the file system in bytes; a last group that is too small is left out.
    pub(super) file_system: u64,
    /// How many inodes there are at least.
    pub(super) inodes: u32,
    /// The length of the journal in blocks.
    pub(super) journal: u32,
}

impl Need {
    /// Adds up what a tree takes, never too little.
    pub(super) fn of(format: &'static str, tree: &FileTree) -> Result<Self, WriteError> {
        let mut need = Self { blocks: OWN_BLOCKS, inodes: OWN_INODES };
        // The open directories: bytes of entries and the longest entry so far.
        let mut open: Vec<(TreePath, u64, u64)> = Vec::new();
        for (path, entry) in tree.iter() {
            while open.last().is_some_and(|(directory, ..)| !path.is_below(directory)) {
                need.close(open.pop().as_ref());
            }
            if let Some((_, bytes, longest)) = open.last_mut() {
                let len = (8 + path.name().len() as u64).next_multiple_of(4);
                *bytes += len;
                *longest = len.max(*longest);
            }
            if entry.is_directory() {
                // `.`, `..`, and in the root `lost+found`.
                open.push((path.clone(), 12 + 12 + 20, 20));
            }
            need.add(format, path, entry)?;
        }
        while !open.is_empty() {
            need.close(open.pop().as_ref());
        }
        Ok(need)
    }

    fn add(
        &mut self,
        format: &'static str,
        path: &TreePath,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        if matches!(entry.node, Node::HardLink(_)) {
            return Ok(());
        }
        self.inodes += 1;
        self.take(Attributes::of(format, path, entry)?.need_block().into());
        match &entry.node {
            Node::File(content) => self.take(file_blocks(content.size) + gap_before(content)),
            Node::Symlink(target) if target.len() > SHORT_TARGET => self.take(1),
            _ => {}
        }
        Ok(())
    }

    fn take(&mut self, blocks: u64) {
        self.blocks = self.blocks.saturating_add(blocks);
    }

    /// Adds a directory's own blocks: each is filled until the next entry does not fit.
    fn close(&mut self, directory: Option<&(TreePath, u64, u64)>) {
        let Some((_, bytes, longest)) = directory else { return };
        let leaves = bytes.div_ceil(DIRECTORY_BLOCK - (longest - 4));
        let index = if leaves > 1 { 2 + leaves / HASH_TREE_FANOUT } else { 0 };
        self.take(file_blocks((leaves + index) * BLOCK));
    }
}

/// Returns the blocks of a file of this size and of its extent tree.
fn file_blocks(size: u64) -> u64 {
    let blocks = size.div_ceil(BLOCK);
    // Runs end at the longest extent and where a group's own structures interrupt them.
    let runs = 2 * (blocks / EXTENT) + 3;
    if runs <= 4 {
        return blocks;
    }
    let leaves = runs.div_ceil(EXTENTS_PER_BLOCK);
    let index = if leaves > 4 { leaves.div_ceil(EXTENTS_PER_BLOCK) } else { 0 };
    blocks + leaves + index
}

impl Geometry {
    /// Finds the layout for a size, or says how large the disk must be.
    pub(super) fn choose(
        format: &'static str,
        size: DiskSize,
        need: Need,
    ) -> Result<Self, WriteError> {
        let limit = |limit, found| WriteError::Limit { format, what: NEEDED.into(), limit, found };
        let roomy = || {
            let roomy = Need { blocks: need.blocks.saturating_add(need.blocks / 16), ..need };
            smallest(roomy).ok_or_else(|| limit(MAX * BLOCK, need.blocks.saturating_mul(BLOCK)))
        };
        let size = match size {
            DiskSize::Multiple(unit) => DiskSize::Bytes((roomy()? * BLOCK).next_multiple_of(unit)),
            other => other,
        };
        let (disk, blocks) = match size {
            DiskSize::Minimal => {
                let blocks = roomy()?;
                (blocks * BLOCK, blocks)
            }
            DiskSize::Bytes(bytes) | DiskSize::Multiple(bytes) => {
                if bytes / BLOCK > MAX {
                    return Err(WriteError::Limit {
                        format,
                        what: "the size of the disk in bytes".into(),
                        limit: MAX / MIB * MIB * BLOCK,
                        found: bytes,
                    });
                }
                let blocks = without_small_group(bytes / BLOCK);
                let fits = blocks >= MIN && required(blocks, need).is_some_and(|n| n <= blocks);
                if !fits {
                    let found = smallest(need).unwrap_or(need.blocks).saturating_mul(BLOCK);
                    return Err(limit(bytes, found));
                }
                (bytes, blocks)
            }
        };
        Ok(Self {
            disk,
            file_system: blocks * BLOCK,
            inodes: u32::try_from(inodes(blocks, need)).unwrap_or(u32::MAX),
            journal: journal(blocks),
        })
    }
}

/// Returns the smallest size in blocks, whole MiB, in which everything fits.
fn smallest(need: Need) -> Option<u64> {
    let mut blocks = MIN;
    while blocks <= MAX {
        let wanted = match required(blocks, need) {
            Some(wanted) if wanted <= blocks => return Some(blocks),
            Some(wanted) => wanted,
            // More groups for more inodes.
            None => blocks + GROUP,
        };
        let rounded = wanted.checked_next_multiple_of(MIB)?;
        blocks = with_full_group(rounded.max(blocks + MIB));
    }
    None
}

/// Returns a size whose last group is large enough: this one, or a little more.
fn with_full_group(blocks: u64) -> u64 {
    let last = blocks % GROUP;
    if blocks > GROUP && (1..MIN_LAST_GROUP).contains(&last) {
        return blocks - last + MIN_LAST_GROUP;
    }
    blocks
}

/// Returns a size whose last group is large enough: this one, or a little less.
fn without_small_group(blocks: u64) -> u64 {
    let last = blocks % GROUP;
    if blocks > GROUP && last < MIN_LAST_GROUP { blocks - last } else { blocks }
}

/// Returns how many inodes a file system has: one for 16 KiB, and a quarter more than the tree's.
fn inodes(blocks: u64, need: Need) -> u64 {
    let roomy = need.inodes.saturating_add(need.inodes / 4 + 64);
    let most = blocks.div_ceil(GROUP) * MAX_INODES;
    roomy.max(blocks / 4).min(most)
}

/// Returns the blocks that the tree and the file system's own structures take, or nothing if there
/// cannot be enough inodes.
fn required(blocks: u64, need: Need) -> Option<u64> {
    let inodes = inodes(blocks, need);
    if inodes < need.inodes {
        return None;
    }
    let groups = blocks.div_ceil(GROUP);
    let tables = inodes.div_ceil(groups).div_ceil(INODES_PER_BLOCK);
    let descriptors = (groups * 32).div_ceil(BLOCK);
    let own = (1 + backups(groups)) * (1 + descriptors)
        + groups * (2 + tables)
        + u64::from(journal(blocks));
    own.checked_add(need.blocks)
}

/// Returns how many groups hold a copy of the superblock: 1 and the powers of 3, 5 and 7.
fn backups(groups: u64) -> u64 {
    let powers = |base: u64| {
        std::iter::successors(Some(base), move |power| power.checked_mul(base))
            .take_while(|power| *power < groups)
            .count() as u64
    };
    u64::from(groups > 1) + powers(3) + powers(5) + powers(7)
}

/// Returns the length of the journal in blocks: the sizes that mke2fs gives it.
fn journal(blocks: u64) -> u32 {
    const STEPS: [(u64, u32); 7] = [
        (32_768, 1_024),
        (262_144, 4_096),
        (524_288, 8_192),
        (4_194_304, 16_384),
        (8_388_608, 32_768),
        (16_777_216, 65_536),
        (33_554_432, 131_072),
    ];
    let step = STEPS.iter().find(|(below, _)| blocks < *below);
    step.map_or(262_144, |(_, journal)| *journal)
}

#[cfg(test)]
mod tests {
    use super::super::layout::holds_copy;
    use super::*;

    #[test]
    fn the_last_group_is_never_too_small() {
        for blocks in [MIN, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP + 4095, 3 * GROUP + 4096] {
            for settled in [with_full_group(blocks), without_small_group(blocks)] {
                let last = settled % GROUP;
                assert!(settled <= GROUP || last == 0 || last >= MIN_LAST_GROUP, "{blocks}");
            }
            assert!(with_full_group(blocks) >= blocks && without_small_group(blocks) <= blocks);
        }
    }

    #[test]
    fn the_smallest_size_is_enough_and_not_a_group_too_much() {
        for blocks in [1, 2_000, 30_000, 33_000, 1 << 20, 1 << 28] {
            for inodes in [1, 30_000, 1 << 20, 1 << 22] {
                let need = Need { blocks, inodes };
                let size = smallest(need).unwrap();
                assert!(required(size, need).unwrap() <= size);
                let less = without_small_group(size.saturating_sub(GROUP));
                let enough = required(less, need).is_some_and(|n| n <= less);
                assert!(less < MIN || !enough, "{blocks} {inodes}: {size}");
            }
        }
    }

    #[test]
    fn counts_the_copies_of_the_superblock() {
        for groups in [1, 2, 4, 8, 50, 512, 3000] {
            let copies = (1..groups).filter(|group| holds_copy(*group)).count();
            assert_eq!(backups(groups.into()), copies as u64, "{groups}");
        }
    }

    #[test]
    fn what_cannot_fit_is_not_searched_for_ever() {
        assert_eq!(smallest(Need { blocks: u64::MAX, inodes: 1 }), None);
        assert_eq!(smallest(Need { blocks: 1, inodes: u64::MAX }), None);
        assert_eq!(smallest(Need { blocks: MAX, inodes: 1 }), None);
    }
}
