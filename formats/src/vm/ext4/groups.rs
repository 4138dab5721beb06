//! The descriptors of groups: where their bitmaps and tables are, and how much of them is in use.

use mkext4::csum;
use mkext4::spec::{BLOCK_SIZE, GroupDesc, bg_flags};

use super::bitmap::Bitmap;
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
            let unused = layout.inodes_per_group - tables.used_in(group);
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
