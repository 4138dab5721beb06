//! A file system as its bytes say it is: single structures, checked before they are used.

use std::sync::Arc;

use mkext4::reader::{DirEntry, FileExtent, Fs};
use mkext4::spec::inode::FileType;
use mkext4::spec::{self, DirentIter, DxRootView, Inode, Superblock};

use crate::format::ReadError;
use crate::input::ReadAt;

use super::BLOCK;
use super::superblock::INCOMPATIBLE;

/// Where the superblock is.
const SUPERBLOCK: u64 = 1024;
/// The most extents that a directory may have.
const DIRECTORY_EXTENTS: usize = 512;
/// What a directory may take: the largest hash tree of two levels.
const DIRECTORY_BLOCKS: u64 = 1 << 19;

/// An open file system of the kind that is written here.
pub(in super::super) struct Image {
    pub(super) fs: Fs<Adapter>,
    pub(super) disk: Arc<dyn ReadAt>,
    /// How many blocks the file system has.
    pub(super) blocks: u64,
}

/// The disk, as the crate's reader wants it.
pub(super) struct Adapter(Arc<dyn ReadAt>);

impl mkext4::reader::ReadAt for Adapter {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(offset, buffer)
    }
}

/// Makes one of our errors of one of the crate's.
pub(super) fn foreign(error: mkext4::Error) -> ReadError {
    match error {
        mkext4::Error::Io(error) => ReadError::Io(error),
        mkext4::Error::Corrupt { what, why } => ReadError::invalid(what, why),
        other => ReadError::invalid("ext4", other.to_string()),
    }
}

impl Image {
    /// Returns whether bytes at the superblock's place have its magic number.
    pub(in super::super) fn is_at_start_of(disk: &dyn ReadAt) -> bool {
        let mut magic = [0; 2];
        let found = disk.read_exact_at(SUPERBLOCK + 0x38, &mut magic);
        found.is_ok() && u16::from_le_bytes(magic) == spec::SB_MAGIC
    }

    /// Opens a file system; one with other features than ours is an error.
    pub(in super::super) fn open(disk: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let mut bytes = [0; Superblock::LEN];
        disk.read_exact_at(SUPERBLOCK, &mut bytes)?;
        let superblock = Superblock::decode(&bytes).map_err(foreign)?;
        check_geometry(&superblock, disk.len())?;
        let fs = Fs::open(Adapter(disk.clone())).map_err(foreign)?;
        Ok(Self { fs, disk, blocks: superblock.blocks_count })
    }

    /// Returns the length of the file system in bytes.
    pub(in super::super) fn size(&self) -> u64 {
        self.blocks * BLOCK
    }

    /// Returns the UUID.
    pub(in super::super) fn uuid(&self) -> [u8; 16] {
        self.fs.superblock().uuid
    }

    /// Returns the seed of the directory hash.
    pub(in super::super) fn hash_seed(&self) -> [u8; 16] {
        let mut seed = [0; 16];
        for (bytes, word) in seed.chunks_exact_mut(4).zip(self.fs.superblock().hash_seed) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        seed
    }

    /// Returns the label's bytes.
    pub(in super::super) fn label(&self) -> &[u8] {
        let name = &self.fs.superblock().volume_name;
        name.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// Returns an inode whose checksum is right.
    pub(super) fn checked_inode(&self, number: u32) -> Result<Inode, ReadError> {
        self.fs.inode(number).map_err(foreign)
    }

    /// Returns a directory's entries without `.` and `..`, at most `limit` of them.
    pub(super) fn directory(
        &self,
        number: u32,
        inode: &Inode,
        limit: usize,
    ) -> Result<Vec<DirEntry>, ReadError> {
        let what = || format!("directory inode {number}");
        let extents = self.directory_extents(number, inode)?;
        let hashed = inode.flags & spec::iflags::INDEX != 0;
        let mut entries = Vec::new();
        let blocks = extents.iter().flat_map(|extent| extent.physical..end(extent));
        for (index, block) in blocks.enumerate() {
            let bytes = self.fs.read_block(block).map_err(foreign)?;
            if hashed && index == 0 {
                DxRootView::parse(&bytes).map_err(foreign)?;
                continue;
            }
            // An inner block of a hash tree looks like one unused entry, so nothing comes of it.
            for entry in DirentIter::new(&bytes) {
                let entry = entry.map_err(foreign)?;
                if entry.name == b"." || entry.name == b".." {
                    continue;
                }
                if entries.len() == limit {
                    return Err(ReadError::invalid(what(), "too many entries"));
                }
                entries.push(DirEntry {
                    inode: entry.inode,
                    file_type: entry.file_type,
                    name: entry.name.to_vec(),
                });
            }
        }
        Ok(entries)
    }

    /// Returns a directory's extents, which must cover it without a hole.
    pub(super) fn directory_extents(
        &self,
        number: u32,
        inode: &Inode,
    ) -> Result<Vec<FileExtent>, ReadError> {
        let fail = |reason: &str| ReadError::invalid(format!("directory inode {number}"), reason);
        if inode.file_type() != FileType::Dir {
            return Err(fail("not a directory"));
        }
        if !inode.size.is_multiple_of(BLOCK) || inode.size / BLOCK > DIRECTORY_BLOCKS {
            return Err(fail("impossible size"));
        }
        let extents = self.extents(number, inode)?;
        let mut next = 0;
        for extent in &extents {
            if u64::from(extent.logical) != next || extent.unwritten {
                return Err(fail("a hole in a directory"));
            }
            next += u64::from(extent.len);
        }
        if next != inode.size / BLOCK || extents.len() > DIRECTORY_EXTENTS {
            return Err(fail("its size and its extents disagree"));
        }
        Ok(extents)
    }
}

/// Returns the block after an extent's last.
pub(super) fn end(extent: &FileExtent) -> u64 {
    extent.physical + u64::from(extent.len)
}

/// Checks everything that later arithmetic relies on.
fn check_geometry(superblock: &Superblock, disk: u64) -> Result<(), ReadError> {
    use spec::{incompat, ro_compat};
    let rule = |holds: bool, what: &str, found: u64| {
        if holds {
            return Ok(());
        }
        Err(ReadError::invalid("superblock", format!("unexpected {what} {found}")))
    };
    let found = superblock;
    let blocks = found.blocks_count;
    let per_group = u64::from(spec::BLOCKS_PER_GROUP);
    let groups = blocks.div_ceil(per_group);
    let inodes = u64::from(found.inodes_per_group) * groups;
    // Until revision 2 checksums depended on the UUID.
    rule(
        [incompat::WRITER, INCOMPATIBLE].contains(&found.feature_incompat),
        "incompatible features",
        found.feature_incompat.into(),
    )?;
    rule(
        found.feature_ro_compat == ro_compat::WRITER,
        "read-only compatible features",
        found.feature_ro_compat.into(),
    )?;
    rule(found.log_block_size == 2, "block size exponent", found.log_block_size.into())?;
    rule(found.first_data_block == 0, "first block", found.first_data_block.into())?;
    rule(found.desc_size == 0, "descriptor size", found.desc_size.into())?;
    rule(
        found.journal_inum == spec::JOURNAL_INO,
        "inode of the journal",
        found.journal_inum.into(),
    )?;
    rule(found.inode_size == 256, "inode size", found.inode_size.into())?;
    rule(
        u64::from(found.blocks_per_group) == per_group,
        "number of blocks in a group",
        found.blocks_per_group.into(),
    )?;
    rule(blocks > 0 && blocks <= disk / BLOCK, "number of blocks", blocks)?;
    rule(
        found.inodes_per_group.is_multiple_of(16)
            && (16..=per_group).contains(&u64::from(found.inodes_per_group)),
        "number of inodes in a group",
        found.inodes_per_group.into(),
    )?;
    rule(inodes == u64::from(found.inodes_count), "number of inodes", found.inodes_count.into())
}
