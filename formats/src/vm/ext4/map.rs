//! Where a file's blocks are, as its inode says: the root of an extent tree, and the tree's blocks.

use mkext4::csum;
use mkext4::spec::{BLOCK_SIZE, Extent, ExtentHeader, ExtentIdx};

use crate::format::WriteError;

use super::layout::Run;
use super::space::Space;

/// Entries in the root, which stands in the inode.
const ROOT: usize = 4;

/// What an inode says of its content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Map {
    /// The root of the extent tree.
    pub(super) root: [u8; 60],
    /// How many blocks the content and the tree take.
    pub(super) blocks: u64,
}

impl Map {
    /// Says where runs are, in the order of the content; a tree that does not fit into the inode takes blocks.
    pub(super) fn of(runs: &[Run], seed: u32, space: &mut Space<'_>) -> Result<Self, WriteError> {
        let mut logical = 0;
        let mut blocks = 0;
        let mut entries = Vec::new();
        for run in runs {
            let mut entry = [0; ExtentHeader::ENTRY_LEN];
            // An extent is at most 32768 blocks long.
            let raw_len = run.len.try_into().unwrap_or(u16::MAX);
            Extent { logical, raw_len, start: run.start.into() }.encode(&mut entry);
            entries.push((logical, entry));
            logical += run.len;
            blocks += u64::from(run.len);
        }
        let mut depth = 0;
        while entries.len() > ROOT {
            let mut above = Vec::new();
            for children in entries.chunks(ExtentIdx::node_capacity(BLOCK_SIZE)) {
                let leaf = space.take_one(|_| {
                    let mut node = node(children, depth, BLOCK_SIZE);
                    let checksum = csum::extent_block(seed, &node).to_le_bytes();
                    node.truncate(BLOCK_SIZE - checksum.len());
                    node.extend(checksum);
                    node
                })?;
                blocks += 1;
                let first = children.first().map_or(0, |(logical, _)| *logical);
                let mut entry = [0; ExtentHeader::ENTRY_LEN];
                ExtentIdx { logical: first, leaf: leaf.into() }.encode(&mut entry);
                above.push((first, entry));
            }
            entries = above;
            depth += 1;
        }
        let mut root = [0; 60];
        root.copy_from_slice(&node(&entries, depth, 60));
        Ok(Self { root, blocks })
    }
}

/// Returns a node of the tree with room for as many entries as fit.
fn node(entries: &[(u32, [u8; ExtentHeader::ENTRY_LEN])], depth: u16, len: usize) -> Vec<u8> {
    let room = (len - ExtentHeader::LEN) / ExtentHeader::ENTRY_LEN;
    let number = |count: usize| count.try_into().unwrap_or(u16::MAX);
    let header =
        ExtentHeader { entries: number(entries.len()), max: number(room), depth, generation: 0 };
    let mut node = vec![0; len];
    header.encode(&mut node);
    let places = node[ExtentHeader::LEN..].chunks_exact_mut(ExtentHeader::ENTRY_LEN);
    for (place, (_, entry)) in places.zip(entries) {
        place.copy_from_slice(entry);
    }
    node
}
