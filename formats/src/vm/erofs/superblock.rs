//! The superblock ("Core on-disk format", section "Superblock").

use super::fields::{field, u16_at, u32_at, u64_at};
use crate::format::ReadError;

/// Where the superblock is.
pub(super) const SUPERBLOCK: u64 = 1024;
/// The length of the superblock.
pub(super) const LEN: usize = 128;
/// The magic number.
pub(super) const MAGIC: u32 = 0xe0f5_e1e2;

/// The superblock has a checksum.
pub(super) const COMPAT_CHECKSUM: u32 = 1;
/// Times are those of the last change of contents.
const COMPAT_MTIME: u32 = 1 << 1;
/// Compressed files begin with padding; also set where nothing is compressed.
const INCOMPAT_ZERO_PADDING: u32 = 1;

/// The fields of the superblock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) checksum: u32,
    pub(super) compatible: u32,
    pub(super) block_bits: u8,
    /// The inode of the root directory.
    pub(super) root: u16,
    pub(super) inodes: u64,
    /// The time of everything that has a compact inode.
    pub(super) build_time: u64,
    pub(super) build_time_nanoseconds: u32,
    pub(super) blocks: u32,
    /// The block from which inodes are counted.
    pub(super) metadata: u32,
    /// The block from which shared attributes are counted.
    pub(super) attributes: u32,
    pub(super) uuid: [u8; 16],
    pub(super) name: [u8; 16],
    pub(super) incompatible: u32,
}

impl Superblock {
    /// Returns a superblock of what is written here.
    pub(super) fn new(root: u16, inodes: u64, blocks: u32, build_time: u32) -> Self {
        Self {
            checksum: 0,
            compatible: COMPAT_CHECKSUM | COMPAT_MTIME,
            block_bits: 12,
            root,
            inodes,
            build_time: build_time.into(),
            build_time_nanoseconds: 0,
            blocks,
            metadata: 0,
            attributes: 0,
            uuid: [0; 16],
            name: [0; 16],
            incompatible: 0,
        }
    }

    pub(super) fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.compatible.to_le_bytes());
        bytes[12] = self.block_bits;
        bytes[14..16].copy_from_slice(&self.root.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.inodes.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.build_time.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.build_time_nanoseconds.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.blocks.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.metadata.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.attributes.to_le_bytes());
        bytes[48..64].copy_from_slice(&self.uuid);
        bytes[64..80].copy_from_slice(&self.name);
        bytes[80..84].copy_from_slice(&self.incompatible.to_le_bytes());
        bytes
    }

    /// Parses a superblock; one of a file system that cannot be read here is an error.
    pub(super) fn parse(bytes: &[u8; LEN]) -> Result<Self, ReadError> {
        let magic = u32_at(bytes, 0);
        if magic != MAGIC {
            let expected = format!("the magic number {MAGIC:#x}");
            let found = format!("{magic:#x}");
            return Err(ReadError::malformed("EROFS superblock", SUPERBLOCK, expected, found));
        }
        let superblock = Self {
            checksum: u32_at(bytes, 4),
            compatible: u32_at(bytes, 8),
            block_bits: bytes[12],
            root: u16_at(bytes, 14),
            inodes: u64_at(bytes, 16),
            build_time: u64_at(bytes, 24),
            build_time_nanoseconds: u32_at(bytes, 32),
            blocks: u32_at(bytes, 36),
            metadata: u32_at(bytes, 40),
            attributes: u32_at(bytes, 44),
            uuid: field(bytes, 48),
            name: field(bytes, 64),
            incompatible: u32_at(bytes, 80),
        };
        if superblock.incompatible & !INCOMPAT_ZERO_PADDING != 0 {
            let found = superblock.incompatible;
            let reason = format!(
                "expected a file system without compression, chunks and other devices, found the \
                 features {found:#x}"
            );
            return Err(ReadError::invalid("EROFS superblock", reason));
        }
        if !(9..=16).contains(&superblock.block_bits) || bytes[90] != 0 {
            let reason = format!("blocks of 2^{} bytes", superblock.block_bits);
            return Err(ReadError::invalid("EROFS superblock", reason));
        }
        Ok(superblock)
    }

    /// Returns the checksum of a first block, in which the checksum itself counts as zero.
    ///
    /// It is CRC-32C without the inversion at the end, from the superblock to the end of its block.
    pub(super) fn checksum_of(block: &[u8]) -> u32 {
        let start = usize::try_from(SUPERBLOCK).unwrap_or_default();
        // A block that is not larger than what precedes the superblock is another one.
        let covered = block.get(start..).unwrap_or(block);
        let (head, rest) = covered.split_at(covered.len().min(4));
        let seed = mkext4::csum::crc32c_raw(!0, head);
        let seed = mkext4::csum::crc32c_raw(seed, &[0; 4]);
        mkext4::csum::crc32c_raw(seed, rest.get(4..).unwrap_or_default())
    }

    /// Returns the label's bytes.
    pub(super) fn label(&self) -> &[u8] {
        self.name.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}
