//! Where everything stands, decided from sizes alone.

use std::collections::BTreeMap;

use super::inode::{Inode, Layout};
use super::namespace::{Named, Namespace};
use super::superblock::{LEN, SUPERBLOCK};
use super::{BLOCK, SLOT, directory};
use crate::tree::{Content, Node};

/// Where everything of a tree stands.
pub(super) struct Plan {
    /// One for each inode of the namespace.
    pub(super) places: Vec<Place>,
    /// The block in which file contents begin.
    pub(super) contents: u64,
    /// The number of all blocks.
    pub(super) blocks: u64,
    /// The contents in the order of their blocks, none twice.
    pub(super) files: Vec<(u64, Content)>,
}

/// Where one inode and its contents stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the inode.
    pub(super) slot: u64,
    /// The length of the inode without attributes.
    pub(super) len: usize,
    /// The length of the contents.
    pub(super) size: u64,
    pub(super) layout: Layout,
    /// The first block of the contents; 0 if there is none.
    pub(super) block: u64,
}

impl Plan {
    pub(super) fn of(namespace: &Namespace<'_>) -> Self {
        let mut at = SUPERBLOCK + LEN as u64;
        let mut places: Vec<Place> =
            namespace.inodes.iter().map(|named| place(named, &mut at)).collect();
        let mut blocks = at.div_ceil(BLOCK);
        for (place, named) in places.iter_mut().zip(&namespace.inodes) {
            let taken = match place.layout {
                Layout::Plain => place.size.div_ceil(BLOCK),
                Layout::Inline => place.size / BLOCK,
            };
            if !matches!(named.entry.node, Node::File(_)) && taken > 0 {
                place.block = blocks;
                blocks += taken;
            }
        }
        let contents = blocks;
        let mut files = Vec::new();
        let mut known = BTreeMap::new();
        for (place, named) in places.iter_mut().zip(&namespace.inodes) {
            let Node::File(content) = &named.entry.node else { continue };
            if content.size == 0 {
                continue;
            }
            place.block = *known.entry((content.digest, content.size)).or_insert_with(|| {
                let block = blocks;
                files.push((block, *content));
                blocks = blocks.saturating_add(content.size.div_ceil(BLOCK));
                block
            });
        }
        Self { places, contents, blocks, files }
    }
}

/// Places an inode behind others.
fn place(named: &Named<'_>, at: &mut u64) -> Place {
    let entry = named.entry;
    let (size, in_metadata) = match &entry.node {
        Node::Directory => (directory::size(named.names.iter().map(|(name, _)| *name)), true),
        Node::Symlink(target) => (target.len() as u64, true),
        Node::File(content) => (content.size, false),
        Node::HardLink(_) | Node::Device { .. } | Node::Fifo => (0, false),
    };
    let len = Inode::len_for(named.links, size, entry.owner.id, entry.group.id);
    let without_tail = (len + named.attributes.len()) as u64;
    let tail = size % BLOCK;
    // What is inline may not begin in one block and end in another, and neither may an inode.
    let inline = in_metadata && tail > 0 && without_tail + tail <= BLOCK;
    let whole = if inline { without_tail + tail } else { without_tail };
    let undivided = if whole <= BLOCK { whole } else { len as u64 };
    let mut start = at.next_multiple_of(SLOT);
    if start % BLOCK + undivided > BLOCK {
        start = start.next_multiple_of(BLOCK);
    }
    *at = start + whole;
    let layout = if inline { Layout::Inline } else { Layout::Plain };
    Place { slot: start / SLOT, len, size, layout, block: 0 }
}
