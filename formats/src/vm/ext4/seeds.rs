//! What the structures of one file system differ by from those of others.

use mkext4::csum;
use mkext4::dirhash::HashSeed;

use super::Identity;

/// What structures are told apart by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seeds {
    /// Of all checksums.
    pub(super) checksum: u32,
    /// Of the hash that orders large directories.
    pub(super) hash: HashSeed,
}

impl Seeds {
    /// Takes both from what orders directories. Checksums could follow from the UUID, too, but that differs from tree to tree,
    /// and with it every structure would.
    pub(super) fn of(identity: &Identity) -> Self {
        let mut hash = [0; 4];
        for (word, bytes) in hash.iter_mut().zip(identity.hash_seed.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self { checksum: csum::crc32c_raw(!0, &identity.hash_seed), hash }
    }

    /// Returns the seed of an inode's checksums.
    pub(super) fn of_inode(&self, number: u32) -> u32 {
        csum::inode_seed(self.checksum, number, 0)
    }
}
