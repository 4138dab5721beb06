//! The superblock, its copies, and the head of the journal.

use mkext4::csum;
use mkext4::spec::{
    BLOCK_SIZE, JOURNAL_INO, JournalSuperblock, Superblock, compat, incompat, ro_compat,
};

use super::layout::{FLEX, GROUP, Layout};
use super::own::Own;
use super::seeds::Seeds;
use super::{BLOCK, Volume};

/// The features of every file system that is written: checksums do not depend on the UUID, so that it can be changed, and so
/// that structures that are alike in two file systems have the same bytes.
pub(super) const INCOMPATIBLE: u32 = incompat::WRITER | incompat::CSUM_SEED;
/// Where the superblock is.
pub(super) const PLACE: usize = 1024;
/// The size of a block, as how many times 1024 is doubled.
const LOG_BLOCK: u32 = 2;
/// No count of mounts makes a check due.
const NEVER: u16 = 0xffff;
/// It was unmounted cleanly.
const CLEAN: u16 = 1;
/// Errors do not stop the kernel.
const CONTINUE: u16 = 1;
/// The version that has features.
const DYNAMIC: u32 = 1;
/// Attributes of users and access control lists.
const MOUNT_OPTIONS: u32 = 0x0c;
/// Names are hashed as signed characters.
const SIGNED_HASH: u32 = 1;
/// Half of MD4.
const HASH: u8 = 1;
/// CRC-32C.
const CHECKSUM: u8 = 1;
/// The inode of the journal is kept in [`Superblock::jnl_blocks`], too.
const JOURNAL_KEPT: u8 = 1;

/// Returns the superblock of a file system.
#[expect(clippy::too_many_lines, reason = "there is a line for each field, and nothing else")]
pub(super) fn superblock(
    layout: &Layout,
    volume: &Volume<'_>,
    seeds: &Seeds,
    own: &Own,
    free: (u64, u32),
) -> Superblock {
    let (free_blocks_count, free_inodes_count) = free;
    let epoch = volume.epoch.0;
    let mut volume_name = [0; 16];
    let label = volume.label.unwrap_or_default().as_bytes();
    for (place, byte) in volume_name.iter_mut().zip(label) {
        *place = *byte;
    }
    let mut jnl_blocks = [0; 17];
    for (place, word) in jnl_blocks.iter_mut().zip(own.journal.root.as_chunks().0) {
        *place = u32::from_le_bytes(*word);
    }
    // The two halves of its size stand behind, the higher first.
    let size = u64::from(own.journal_blocks) * BLOCK;
    let half = |half: u64| u32::try_from(half).unwrap_or(u32::MAX);
    (jnl_blocks[15], jnl_blocks[16]) = (half(size >> 32), half(size & u64::from(u32::MAX)));
    let structures: u32 = layout.structures().map(|(run, _)| run.len).sum();
    Superblock {
        inodes_count: layout.inodes_per_group * layout.groups,
        blocks_count: layout.blocks.into(),
        r_blocks_count: 0,
        free_blocks_count,
        free_inodes_count,
        first_data_block: 0,
        log_block_size: LOG_BLOCK,
        log_cluster_size: LOG_BLOCK,
        blocks_per_group: GROUP,
        clusters_per_group: GROUP,
        inodes_per_group: layout.inodes_per_group,
        mtime: 0,
        wtime: epoch,
        mnt_count: 0,
        max_mnt_count: NEVER,
        state: CLEAN,
        errors: CONTINUE,
        minor_rev_level: 0,
        lastcheck: epoch,
        checkinterval: 0,
        creator_os: 0,
        rev_level: DYNAMIC,
        def_resuid: 0,
        def_resgid: 0,
        first_ino: 11,
        inode_size: 256,
        block_group_nr: 0,
        feature_compat: compat::WRITER,
        feature_incompat: INCOMPATIBLE,
        feature_ro_compat: ro_compat::WRITER,
        uuid: volume.identity.uuid,
        volume_name,
        last_mounted: [0; 64],
        reserved_gdt_blocks: 0,
        journal_uuid: [0; 16],
        journal_inum: JOURNAL_INO,
        journal_dev: 0,
        last_orphan: 0,
        hash_seed: seeds.hash,
        def_hash_version: HASH,
        jnl_backup_type: JOURNAL_KEPT,
        desc_size: 0,
        default_mount_opts: MOUNT_OPTIONS,
        first_meta_bg: 0,
        mkfs_time: epoch,
        jnl_blocks,
        min_extra_isize: 32,
        want_extra_isize: 32,
        flags: SIGNED_HASH,
        log_groups_per_flex: FLEX,
        checksum_type: CHECKSUM,
        kbytes_written: 0,
        overhead_clusters: structures + own.journal_blocks,
        lpf_ino: 0,
        checksum_seed: seeds.checksum,
        checksum: 0,
    }
}

/// Returns the block that holds the superblock, or its copy in a group.
pub(super) fn block(superblock: &Superblock, group: u32) -> Vec<u8> {
    let mut superblock = superblock.clone();
    superblock.block_group_nr = group.try_into().unwrap_or(u16::MAX);
    superblock.checksum = 0;
    let mut bytes = vec![0; Superblock::LEN];
    superblock.encode(&mut bytes);
    superblock.checksum = csum::superblock(&bytes);
    superblock.encode(&mut bytes);
    let before = if group == 0 { PLACE } else { 0 };
    let mut block = vec![0; BLOCK_SIZE];
    block[before..before + bytes.len()].copy_from_slice(&bytes);
    block
}

/// Returns the first block of a journal that holds nothing.
pub(super) fn journal(blocks: u32, uuid: [u8; 16]) -> Vec<u8> {
    let head = JournalSuperblock {
        // The second version.
        blocktype: 4,
        blocksize: 1 << (10 + LOG_BLOCK),
        maxlen: blocks,
        first: 1,
        sequence: 1,
        start: 0,
        errno: 0,
        feature_compat: 0,
        feature_incompat: 0,
        feature_ro_compat: 0,
        uuid,
        nr_users: 1,
        dynsuper: 0,
        max_transaction: 0,
        max_trans_data: 0,
        checksum_type: 0,
        num_fc_blocks: 0,
        head: 0,
        checksum: 0,
    };
    let mut block = vec![0; BLOCK_SIZE];
    head.encode(&mut block);
    block
}
