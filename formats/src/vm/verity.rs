//! dm-verity: a tree of hashes by which the kernel checks each block as it is read.
//!
//! The device of hashes begins with a superblock in a block of its own; behind it the levels of the
//! tree follow, the smallest first. The hashes of 128 blocks fill one block of the level above:
//!
//! ```text
//! │ superblock, zeros │ level n: one block │ … │ level 1 │ level 0: a hash of each block of data │
//!
//! 0    "verity\0\0"     8    version 1         12   hash type 1    16   UUID
//! 32   "sha256", zeros  64   size of a block of data               68   size of a block of hashes
//! 72   blocks of data   80   length of salt    82   zeros          88   salt, zeros to 512
//! ```
//!
//! (Linux, Documentation/admin-guide/device-mapper/verity.rst; cryptsetup, "DMVerity", section
//! "Verity superblock format".) A hash is SHA-256 of the salt and the block. The root hash is that of the
//! top block, or of the data if that is one block.

use std::io::{self, Read};
use std::sync::Arc;

use crate::blob::BlobStore;
use crate::digest::{Digest, Hasher};
use crate::format::{Problem, ReadError};
use crate::input::{ReadAt, Section};
use crate::rope::Rope;

/// The size of every block in bytes.
const BLOCK: usize = 4096;
/// The length of a hash.
const HASH: usize = 32;
/// Hashes in a block.
const FANOUT: u64 = (BLOCK / HASH) as u64;
/// The length of the superblock's fields.
const SUPERBLOCK: usize = 512;
/// The longest salt.
const SALT_MAX: usize = 256;
/// What is kept as a blob of its own: a part of a level of this length.
const PART: usize = 1 << 20;
/// The name of every problem found here.
const RULE: &str = "vm-verity";

/// The hashes of some data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verity {
    /// The hash by which all others are trusted.
    pub root: Digest,
    /// The bytes of the device of hashes.
    pub device: Rope,
}

/// Hashes data, whose length is a multiple of 4096 and not zero.
///
/// The data is read once. Memory is bounded: large levels are kept in `blobs` part by part.
pub fn hash(
    data: &Rope,
    salt: &[u8; HASH],
    uuid: [u8; 16],
    blobs: &dyn BlobStore,
) -> io::Result<Verity> {
    let mut parts: Vec<Part> = Vec::new();
    let mut keep = |level: usize, _: u64, block: &[u8]| {
        while parts.len() <= level {
            parts.push(Part::default());
        }
        parts[level].push(block, blobs)
    };
    let blocks = data.len() / BLOCK as u64;
    if blocks == 0 || !data.len().is_multiple_of(BLOCK as u64) {
        let message = format!("{} bytes are not some blocks of {BLOCK}", data.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let root = Tree::new(salt, &mut keep).run(data.reader(blobs), blocks)?;
    let superblock = Superblock { uuid, blocks, salt: salt.to_vec() };
    let mut device = Rope::new();
    device.push_bytes(&superblock.encode());
    device.align(BLOCK as u64);
    for part in parts.into_iter().rev() {
        device.push_rope(&part.kept);
        device.push_bytes(&part.rest);
    }
    Ok(Verity { root, device })
}

/// Lists every block of hashes that is not that of the data, and the root hash if it is another.
pub fn check(
    data: &Arc<dyn ReadAt>,
    device: &dyn ReadAt,
    root: &Digest,
) -> Result<Vec<Problem>, ReadError> {
    let superblock = Superblock::read(device)?;
    let most = data.len() / BLOCK as u64;
    if superblock.blocks > most {
        let reason = format!("expected at most {most} blocks, found {}", superblock.blocks);
        return Err(ReadError::invalid("verity superblock", reason));
    }
    let firsts = firsts(superblock.blocks);
    let mut problems = Vec::new();
    let mut compare = |level: usize, index: u64, block: &[u8]| {
        let first = firsts.get(level).copied().unwrap_or_default();
        let place = (first + index) * BLOCK as u64;
        let mut found = [0; BLOCK];
        device.read_exact_at(place, &mut found)?;
        if found != block && problems.len() < Problem::MOST {
            let place = format!("block of hashes at {place}");
            problems.push(Problem::new(RULE, place, "the hashes of the data", "others"));
        }
        Ok(())
    };
    let stream = Section::new(data.clone(), 0, superblock.blocks * BLOCK as u64);
    let found = Tree::new(&superblock.salt, &mut compare).run(stream, superblock.blocks)?;
    if found != *root {
        problems.push(Problem::new(RULE, "root hash", root.hex(), found.hex()));
    }
    Ok(problems)
}

/// Returns the first block of each level on the device, level 0 first.
fn firsts(data: u64) -> Vec<u64> {
    let mut sizes = Vec::new();
    let mut blocks = data;
    while blocks > 1 {
        blocks = blocks.div_ceil(FANOUT);
        sizes.push(blocks);
    }
    let mut next = 1;
    let mut firsts: Vec<u64> = Vec::new();
    for size in sizes.into_iter().rev() {
        firsts.push(next);
        next += size;
    }
    firsts.reverse();
    firsts
}

/// What takes a block of hashes: its level, its index there, its bytes.
type Keep<'a> = dyn FnMut(usize, u64, &[u8]) -> io::Result<()> + 'a;

/// A tree while it grows.
struct Tree<'a, 'b> {
    salted: Hasher,
    /// The hash of a block of zeros, of which disks have many.
    zeros: Digest,
    levels: Vec<Level>,
    keep: &'a mut Keep<'b>,
}

/// A level while it grows: the block that is not full yet.
#[derive(Default)]
struct Level {
    block: Vec<u8>,
    /// How many blocks were full.
    full: u64,
}

impl<'a, 'b> Tree<'a, 'b> {
    fn new(salt: &[u8], keep: &'a mut Keep<'b>) -> Self {
        let mut salted = Hasher::new();
        salted.update(salt);
        let zeros = digest(&salted, &[0; BLOCK]);
        Self { salted, zeros, levels: Vec::new(), keep }
    }

    /// Hashes so many blocks and returns the root hash.
    fn run(mut self, mut data: impl Read, blocks: u64) -> io::Result<Digest> {
        let mut buffer = vec![0; 32 * BLOCK];
        let mut left = blocks;
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len() / BLOCK);
            let bytes = &mut buffer[..count * BLOCK];
            data.read_exact(bytes)?;
            for block in bytes.chunks_exact(BLOCK) {
                let is_empty = block.iter().all(|byte| *byte == 0);
                let hash = if is_empty { self.zeros } else { digest(&self.salted, block) };
                self.push(0, &hash)?;
            }
            left -= count as u64;
        }
        self.finish()
    }

    /// Adds a hash to a level, and what that fills to those above.
    fn push(&mut self, mut level: usize, hash: &Digest) -> io::Result<()> {
        let mut hash = *hash;
        loop {
            if self.levels.len() <= level {
                self.levels.push(Level::default());
            }
            let this = &mut self.levels[level];
            this.block.extend(hash.as_bytes());
            if this.block.len() < BLOCK {
                return Ok(());
            }
            hash = self.close(level)?;
            level += 1;
        }
    }

    /// Gives a level's block away and returns its hash.
    fn close(&mut self, level: usize) -> io::Result<Digest> {
        let this = &mut self.levels[level];
        this.block.resize(BLOCK, 0);
        (self.keep)(level, this.full, &this.block)?;
        let hash = digest(&self.salted, &this.block);
        this.block.clear();
        this.full += 1;
        Ok(hash)
    }

    fn finish(mut self) -> io::Result<Digest> {
        let mut level = 0;
        loop {
            let Some(this) = self.levels.get(level) else {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "no data to be hashed"));
            };
            if let (0, Some(only)) = (this.full, single(&this.block)) {
                return Ok(only);
            }
            if !this.block.is_empty() {
                let hash = self.close(level)?;
                self.push(level + 1, &hash)?;
            }
            level += 1;
        }
    }
}

/// Returns the only hash of a block.
fn single(block: &[u8]) -> Option<Digest> {
    block.try_into().ok().map(Digest::from_bytes)
}

fn digest(salted: &Hasher, block: &[u8]) -> Digest {
    let mut hasher = salted.clone();
    hasher.update(block);
    hasher.digest()
}

/// A level of a tree that is written.
#[derive(Default)]
struct Part {
    kept: Rope,
    rest: Vec<u8>,
}

impl Part {
    fn push(&mut self, block: &[u8], blobs: &dyn BlobStore) -> io::Result<()> {
        self.rest.extend(block);
        if self.rest.len() >= PART {
            self.kept.push_blob(blobs.put(&self.rest)?);
            self.rest.clear();
        }
        Ok(())
    }
}

/// What the device of hashes says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Superblock {
    uuid: [u8; 16],
    /// The blocks of data.
    blocks: u64,
    salt: Vec<u8>,
}

impl Superblock {
    fn encode(&self) -> [u8; SUPERBLOCK] {
        let mut bytes = [0; SUPERBLOCK];
        let size = u32::try_from(BLOCK).unwrap_or_default().to_le_bytes();
        bytes[..8].copy_from_slice(b"verity\0\0");
        bytes[8] = 1;
        bytes[12] = 1;
        bytes[16..32].copy_from_slice(&self.uuid);
        bytes[32..38].copy_from_slice(b"sha256");
        bytes[64..68].copy_from_slice(&size);
        bytes[68..72].copy_from_slice(&size);
        bytes[72..80].copy_from_slice(&self.blocks.to_le_bytes());
        let salt = &self.salt[..self.salt.len().min(SALT_MAX)];
        let len = u16::try_from(salt.len()).unwrap_or_default();
        bytes[80..82].copy_from_slice(&len.to_le_bytes());
        bytes[88..88 + salt.len()].copy_from_slice(salt);
        bytes
    }

    /// Reads a superblock, which must be as it is written here.
    fn read(device: &dyn ReadAt) -> Result<Self, ReadError> {
        let mut bytes = [0; SUPERBLOCK];
        device.read_exact_at(0, &mut bytes)?;
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[16..32]);
        let mut blocks = [0; 8];
        blocks.copy_from_slice(&bytes[72..80]);
        let len = usize::from(u16::from_le_bytes([bytes[80], bytes[81]])).min(SALT_MAX);
        let salt = bytes[88..88 + len].to_vec();
        let superblock = Self { uuid, blocks: u64::from_le_bytes(blocks), salt };
        if superblock.encode() != bytes || superblock.blocks == 0 {
            let expected = "version 1 with SHA-256, blocks of 4096 bytes and some data";
            let found = crate::digest::hex(&bytes[..88]);
            return Err(ReadError::malformed("verity superblock", 0, expected, found));
        }
        Ok(superblock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::MemoryStore;

    /// Data in which some blocks are equal and some zeros.
    fn data(blocks: u32) -> Vec<u8> {
        let block = |n: u32| (n % 1000).wrapping_mul(2_654_435_761).to_le_bytes().repeat(BLOCK / 4);
        (0..blocks).flat_map(block).collect()
    }

    fn written(bytes: &[u8]) -> (Digest, Vec<u8>) {
        let store = MemoryStore::new();
        let verity = hash(&Rope::from(bytes.to_vec()), &[5; 32], [3; 16], &store).unwrap();
        (verity.root, verity.device.to_vec(&store).unwrap())
    }

    fn found(data: &[u8], device: &[u8], root: &Digest) -> Result<Vec<Problem>, ReadError> {
        let data: Arc<dyn ReadAt> = Arc::new(data.to_vec());
        check(&data, &device.to_vec(), root)
    }

    /// `veritysetup verify` accepts these.
    #[test]
    fn trees_of_every_height_are_as_pinned() {
        let cases = [
            (1, 1, "5e9e74fae71a4a37b019f5489e75d5a0117dad01eae5f4d97e5b1f705ae2281a"),
            (2, 2, "cdac314dd5b9d0b97e29a0298c744c2eccdde01723551aae7219fa80dbf80113"),
            (128, 2, "cd328edb26841599dcf8f00ea2ea6e291dc75e65921a1c0300c4c3faa7d2b731"),
            (129, 4, "de900ee6fe332492d998d8d4ea21fd73c97aea1854183d6961ab96419f3a54c7"),
            (
                128 * 128 + 1,
                133,
                "99428a51ac7c2bef6c3525ef89e9661d6d7ea50c6791e173d9a267378cd56254",
            ),
        ];
        for (blocks, expected, root) in cases {
            let data = data(blocks);
            let (found_root, device) = written(&data);
            assert_eq!(device.len(), expected * BLOCK, "{blocks}");
            assert_eq!(found_root.hex(), root, "{blocks}");
            assert_eq!(found(&data, &device, &found_root).unwrap(), [], "{blocks}");
        }
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let data = data(130);
        let (root, device) = written(&data);
        let changed = |bytes: &[u8], at: usize| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1;
            bytes
        };
        let notices = |outcome: Result<Vec<Problem>, ReadError>| {
            outcome.map_or(true, |problems| !problems.is_empty())
        };
        for at in (0..data.len()).step_by(5_001) {
            assert!(notices(found(&changed(&data, at), &device, &root)), "{at}");
        }
        // The UUID and what fills the superblock's block are covered by nothing.
        for at in (0..16).chain(32..SUPERBLOCK).chain((BLOCK..device.len()).step_by(97)) {
            assert!(notices(found(&data, &changed(&device, at), &root)), "{at}");
        }
        assert!(notices(found(&data, &device, &Digest::of(b""))));
        for end in [0, 511, BLOCK, device.len() - 1] {
            assert!(found(&data, &device[..end], &root).is_err(), "{end}");
        }
        assert!(found(&data[..data.len() - 1], &device, &root).is_err());
    }

    #[test]
    fn refuses_data_that_is_not_blocks() {
        let store = MemoryStore::new();
        for len in [0, 1, BLOCK + 1] {
            assert!(hash(&Rope::from(vec![1; len]), &[0; 32], [0; 16], &store).is_err(), "{len}");
        }
    }
}
