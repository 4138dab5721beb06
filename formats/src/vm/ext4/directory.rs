//! The blocks of one directory: a list, or a hash tree if the list is longer than a block.
//!
//! ```text
//! root  │ . │ .. │ hash version, levels │ limit, count, block │ hash, block │ …
//! node  │ an entry that hides the block │ limit, count, block │ hash, block │ …
//! leaf  │ inode, length, kind, name │ …                          │ checksum │
//! ```
//!
//! A leaf holds names whose hashes are from its own up to the next leaf's; where equal hashes go on in the next leaf, that
//! one's hash is odd. (Linux, Documentation/filesystems/ext4/directory.rst.)

use mkext4::csum;
use mkext4::dirhash::{HashSeed, Signedness, half_md4};
use mkext4::spec::{BLOCK_SIZE as LEN, dirent, file_type, htree};

/// Where the checksum of a leaf stands.
const TAIL: usize = LEN - 12;
/// The hash that names are ordered by: half of MD4.
const HALF_MD4: u8 = 1;
/// What a checksum pretends to be the kind of.
const CHECKSUM: u8 = 0xde;

/// A name in a directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) inode: u32,
    /// One of [`file_type`].
    pub(super) kind: u8,
}

/// A directory whose blocks are to be made.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    pub(super) inode: u32,
    pub(super) parent: u32,
    /// What is in it, but for `.` and `..`.
    pub(super) names: &'a [Name<'a>],
}

/// A directory has more names than the largest hash tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyNames;

impl Directory<'_> {
    /// Returns the blocks, one after another; more than one is a hash tree.
    pub(super) fn blocks(&self, seed: u32, hash: &HashSeed) -> Result<Vec<u8>, TooManyNames> {
        let names = self.own().into_iter().chain(self.names.iter().copied());
        if names.map(|name| dirent::rec_len_for(name.bytes.len())).sum::<usize>() <= TAIL {
            return Ok(self.leaf(seed));
        }
        let leaves = Leaves::of(self.names, hash);
        let index = self.index(&leaves.hashes, seed)?;
        let leaves = leaves.names.iter().map(|names| leaf(names.iter().copied(), seed));
        Ok([index].into_iter().chain(leaves).flatten().collect())
    }

    /// Returns the only block of a directory whose names fit into one.
    pub(super) fn leaf(&self, seed: u32) -> Vec<u8> {
        leaf(self.own().into_iter().chain(self.names.iter().copied()), seed)
    }

    fn own(&self) -> [Name<'static>; 2] {
        let directory = |bytes, inode| Name { bytes, inode, kind: file_type::DIR };
        [directory(b".", self.inode), directory(b"..", self.parent)]
    }

    /// Returns the root of the hash tree and its nodes; leaves follow them.
    fn index(&self, hashes: &[u32], seed: u32) -> Result<Vec<u8>, TooManyNames> {
        let (of_root, of_node) = (htree::root_limit(LEN), htree::node_limit(LEN));
        let groups: Vec<_> = hashes.chunks(of_node.into()).collect();
        let nodes = if hashes.len() <= usize::from(of_root) { 0 } else { groups.len() };
        if nodes > usize::from(of_root) {
            return Err(TooManyNames);
        }
        let mut root = vec![0; LEN];
        let [own, parent] = self.own();
        put(&mut root, 0, &own, 12);
        put(&mut root, 12, &parent, LEN - 12);
        root[0x1c..0x1f].copy_from_slice(&[HALF_MD4, 8, u8::from(nodes > 0)]);
        let first_leaf = u32::try_from(1 + nodes).map_err(|_| TooManyNames)?;
        if nodes == 0 {
            let leaves = hashes.iter().copied().zip(first_leaf..);
            fill(&mut root, htree::ROOT_COUNT_OFFSET, of_root, leaves, seed);
            return Ok(root);
        }
        let firsts = groups.iter().filter_map(|group| group.first().copied());
        fill(&mut root, htree::ROOT_COUNT_OFFSET, of_root, firsts.zip(1..), seed);
        let starts = (first_leaf..).step_by(of_node.into());
        for (group, start) in groups.iter().zip(starts) {
            let mut node = vec![0; LEN];
            let hiding = Name { bytes: b"", inode: 0, kind: 0 };
            put(&mut node, 0, &hiding, LEN);
            let leaves = group.iter().copied().zip(start..);
            fill(&mut node, htree::NODE_COUNT_OFFSET, of_node, leaves, seed);
            root.extend(node);
        }
        Ok(root)
    }
}

/// Names in the order of their hashes, as many in each leaf as fit.
struct Leaves<'a> {
    names: Vec<Vec<Name<'a>>>,
    /// The hash that each leaf starts with.
    hashes: Vec<u32>,
}

impl<'a> Leaves<'a> {
    fn of(names: &[Name<'a>], seed: &HashSeed) -> Self {
        let hash = |name: &Name<'a>| (half_md4(seed, Signedness::Signed, name.bytes), *name);
        let mut hashed: Vec<_> = names.iter().map(hash).collect();
        hashed.sort_unstable_by_key(|(hash, name)| (*hash, name.bytes));
        let mut leaves = Self { names: Vec::new(), hashes: Vec::new() };
        let (mut left, mut last) = (0, None);
        for ((hash, _), name) in hashed {
            let len = dirent::rec_len_for(name.bytes.len());
            if len > left || leaves.names.is_empty() {
                leaves.hashes.push(hash | u32::from(last == Some(hash)));
                leaves.names.push(Vec::new());
                left = TAIL;
            }
            left -= len;
            last = Some(hash);
            if let Some(leaf) = leaves.names.last_mut() {
                leaf.push(name);
            }
        }
        leaves
    }
}

/// Returns a block of names; the last one takes what is left.
pub(super) fn leaf<'a>(names: impl Iterator<Item = Name<'a>>, seed: u32) -> Vec<u8> {
    let mut block = vec![0; LEN];
    let mut names = names.peekable();
    let mut at = 0;
    if names.peek().is_none() {
        put(&mut block, 0, &Name { bytes: b"", inode: 0, kind: 0 }, TAIL);
    }
    while let Some(name) = names.next() {
        let len = dirent::rec_len_for(name.bytes.len());
        put(&mut block, at, &name, if names.peek().is_some() { len } else { TAIL - at });
        at += len;
    }
    put(&mut block, TAIL, &Name { bytes: b"", inode: 0, kind: CHECKSUM }, LEN - TAIL);
    let checksum = csum::dirent_block(seed, &block).to_le_bytes();
    block[TAIL + 8..].copy_from_slice(&checksum);
    block
}

/// Writes an entry that takes `len` bytes.
fn put(block: &mut [u8], at: usize, name: &Name<'_>, len: usize) {
    let entry = &mut block[at..at + len];
    entry[..4].copy_from_slice(&name.inode.to_le_bytes());
    entry[4..6].copy_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes());
    entry[6] = name.bytes.len().try_into().unwrap_or(u8::MAX);
    entry[7] = name.kind;
    entry[8..8 + name.bytes.len()].copy_from_slice(name.bytes);
}

/// Writes the entries of an index block from `at` on, of which there are at most `limit`, and its checksum.
fn fill(
    block: &mut [u8],
    at: usize,
    limit: u16,
    children: impl Iterator<Item = (u32, u32)>,
    seed: u32,
) {
    let mut count = 0_u16;
    for (place, (hash, child)) in block[at..].chunks_exact_mut(8).zip(children) {
        place[..4].copy_from_slice(&hash.to_le_bytes());
        place[4..].copy_from_slice(&child.to_le_bytes());
        count += 1;
    }
    // The first hash is that of all names before the second; its place has the counts.
    block[at..at + 2].copy_from_slice(&limit.to_le_bytes());
    block[at + 2..at + 4].copy_from_slice(&count.to_le_bytes());
    let checksum = csum::dx_block(seed, block, at, count, limit);
    let tail = at + usize::from(limit) * 8;
    block[tail + 4..tail + 8].copy_from_slice(&checksum.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use mkext4::spec::htree::DxEntry;
    use mkext4::spec::{DirentIter, DxNodeView, DxRootView};

    use super::*;

    const SEED: u32 = 7;
    const HASH: HashSeed = [1, 2, 3, 4];

    fn names(count: u32) -> Vec<String> {
        (0..count).map(|number| format!("{number:0200}")).collect()
    }

    fn blocks(names: &[String]) -> Vec<u8> {
        let name = |(name, inode): (&'_ String, u32)| (name.clone(), inode);
        let kept: Vec<_> = names.iter().zip(20..).map(name).collect();
        let names: Vec<_> = kept
            .iter()
            .map(|(name, inode)| Name {
                bytes: name.as_bytes(),
                inode: *inode,
                kind: file_type::REG,
            })
            .collect();
        Directory { inode: 12, parent: 2, names: &names }.blocks(SEED, &HASH).unwrap()
    }

    fn block(blocks: &[u8], number: u32) -> &[u8] {
        &blocks[number as usize * LEN..][..LEN]
    }

    #[test]
    fn what_fits_into_a_block_is_a_list() {
        let list = blocks(&names(19));
        assert_eq!(list.len(), LEN);
        let found: Vec<_> = DirentIter::new(&list).map(|entry| entry.unwrap().inode).collect();
        assert_eq!(found, [vec![12, 2], (20..39).collect()].concat());
        assert_eq!(list[TAIL + 8..], csum::dirent_block(SEED, &list).to_le_bytes());
        assert!(blocks(&names(20)).len() > LEN);
    }

    #[test]
    fn every_name_is_in_the_leaf_that_its_hash_leads_to() {
        for (count, levels) in [(20, 0), (5_000, 0), (60_000, 1)] {
            let blocks = blocks(&names(count));
            let root = DxRootView::parse(block(&blocks, 0)).unwrap();
            assert_eq!(root.info.indirect_levels, levels, "{count}");
            let leaves: Vec<DxEntry> = if levels == 0 {
                root.entries
            } else {
                let below = root.entries.iter().flat_map(|above| {
                    let node = DxNodeView::parse(block(&blocks, above.block)).unwrap();
                    let mut entries = node.entries;
                    // The first hash of a node stands above it.
                    entries[0].hash = above.hash;
                    entries
                });
                below.collect()
            };
            assert!(leaves.is_sorted_by_key(|leaf| leaf.hash));
            let ends = leaves.iter().skip(1).map(|leaf| leaf.hash).chain([u32::MAX]);
            let mut found = 0;
            for (leaf, end) in leaves.iter().zip(ends) {
                for entry in DirentIter::new(block(&blocks, leaf.block)) {
                    let (hash, _) = half_md4(&HASH, Signedness::Signed, entry.unwrap().name);
                    assert!(hash >= leaf.hash & !1 && hash <= end, "{hash:x} {leaf:?} {end:x}");
                    found += 1;
                }
            }
            assert_eq!(found, count);
        }
    }
}
