//! Hostile file systems: every checksum is right, and what they say is not.

use std::sync::Arc;

use mkext4::csum;
use mkext4::spec::{ExtentHeader, ExtentIdx, Inode, ROOT_INO, iflags};

use super::super::walk::walk;
use super::*;
use crate::blob::MemoryStore;
use crate::tree::{Content, Entry, Mode, Owner, TreeBuilder, TreePath};

/// Numbers follow the order of the tree, after the reserved ones.
const DIRECTORY: u32 = 12;
const FILE: u32 = 13;

/// An image that is changed and given right checksums again.
struct Forge {
    image: Vec<u8>,
    seed: u32,
    inodes: usize,
}

impl Forge {
    /// Starts with a directory and a file in it.
    fn new() -> Self {
        let mut builder = TreeBuilder::new();
        let file = Entry::file(Content::of(b"inline"), Mode::PLAIN);
        builder.insert(TreePath::parse("/directory/file").unwrap(), file).unwrap();
        let volume = Volume {
            format: "test",
            size: DiskSize::Minimal,
            identity: Identity { uuid: [7; 16], hash_seed: [9; 16] },
            label: None,
            epoch: Epoch(1),
            inline: BTreeMap::from([(Digest::of(b"inline"), b"inline".to_vec())]),
        };
        let rope = Ext4.write(&builder.finish().unwrap(), &volume).unwrap();
        let image = rope.to_vec(&MemoryStore::new()).unwrap();
        let opened = open(&image).unwrap();
        let table = opened.fs.group_desc(0).unwrap().inode_table * BLOCK;
        let inodes = usize::try_from(table).unwrap();
        Self { seed: opened.fs.fs_seed(), inodes, image }
    }

    fn inode(&mut self, number: u32, change: impl FnOnce(&mut Inode)) {
        let at = self.inodes + (number as usize - 1) * 256;
        let slot = &mut self.image[at..at + 256];
        let mut inode = Inode::decode(slot).unwrap();
        change(&mut inode);
        inode.encode(slot);
        inode.checksum = csum::inode(self.seed, number, inode.generation, slot);
        inode.encode(slot);
    }

    /// Fills a block with equal children and makes it a block of an inode's extent tree.
    fn tree_block(&mut self, number: u32, block: u64, depth: u16, children: u16, leaf: u64) {
        let at = usize::try_from(block * BLOCK).unwrap();
        let bytes = &mut self.image[at..at + 4096];
        ExtentHeader { entries: children, max: 340, depth, generation: 0 }.encode(bytes);
        for index in 0..usize::from(children) {
            ExtentIdx { logical: 0, leaf }.encode(&mut bytes[12 + 12 * index..]);
        }
        let checksum = csum::extent_block(csum::inode_seed(self.seed, number, 0), bytes);
        bytes[4092..].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Asserts that walking fails with a reason, and that checking ends.
    fn assert_refused(&self, reason: &str) {
        let image = open(&self.image).unwrap();
        let error =
            walk(&image, &|user, group| (Owner::new("", user), Owner::new("", group)), &|_| true);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

fn open(image: &[u8]) -> Result<Image, crate::format::ReadError> {
    Image::open(Arc::new(image.to_vec()))
}

#[test]
fn an_unchanged_image_is_clean() {
    let forge = Forge::new();
    let image = open(&forge.image).unwrap();
    assert_eq!(image.check().unwrap(), []);
    let tree =
        walk(&image, &|user, group| (Owner::new("", user), Owner::new("", group)), &|_| true)
            .unwrap();
    let content = tree.content(&TreePath::parse("/directory/file").unwrap());
    assert_eq!(content, Some(&Content::of(b"inline")));
}

#[test]
fn refuses_a_directory_that_holds_itself() {
    let mut forge = Forge::new();
    let image = open(&forge.image).unwrap();
    let inode = image.checked_inode(DIRECTORY).unwrap();
    let block = image.extents(DIRECTORY, &inode).unwrap()[0].physical * BLOCK;
    let at = usize::try_from(block).unwrap();
    // The third entry, after `.` and `..`, is the file.
    for target in [DIRECTORY, ROOT_INO] {
        let bytes = &mut forge.image[at..at + 4096];
        bytes[24..28].copy_from_slice(&target.to_le_bytes());
        let checksum = csum::dirent_block(csum::inode_seed(forge.seed, DIRECTORY, 0), bytes);
        bytes[4092..].copy_from_slice(&checksum.to_le_bytes());
        forge.assert_refused("two names");
    }
}

#[test]
fn refuses_extent_trees_that_explode() {
    let mut forge = Forge::new();
    let free = open(&forge.image).unwrap().blocks - 4;
    forge.tree_block(FILE, free, 2, 340, free + 1);
    forge.tree_block(FILE, free + 1, 1, 340, free + 2);
    forge.tree_block(FILE, free + 2, 0, 0, 0);
    forge.inode(FILE, |inode| {
        ExtentHeader { entries: 4, max: 4, depth: 3, generation: 0 }.encode(&mut inode.block);
        for index in 0..4 {
            let child = ExtentIdx { logical: 0, leaf: free };
            child.encode(&mut inode.block[12 + 12 * index..]);
        }
    });
    forge.assert_refused("too many");
    let problems = open(&forge.image).unwrap().check().unwrap();
    assert!(problems.iter().any(|problem| problem.found.contains("too many")), "{problems:?}");
}

#[test]
fn refuses_inodes_that_ask_for_too_much() {
    type Change = fn(&mut Inode);
    let cases: [(&str, u32, Change); 8] = [
        ("larger than the file system", FILE, |inode| inode.size = 1 << 50),
        ("impossible size", DIRECTORY, |inode| inode.size = 1 << 50),
        ("disagree", DIRECTORY, |inode| inode.size = 1 << 20),
        ("kind of file", FILE, |inode| inode.mode = 0o140_644),
        ("there are none", FILE, |inode| inode.flags &= !iflags::EXTENTS),
        ("deleted", FILE, |inode| inode.links_count = 0),
        ("attribute block outside", FILE, |inode| inode.file_acl = (1 << 48) - 1),
        ("outside of the file system", FILE, |inode| inode.block[20..24].fill(0xff)),
    ];
    for (reason, number, change) in cases {
        let mut forge = Forge::new();
        forge.inode(number, change);
        forge.assert_refused(reason);
    }
}

/// Describes a file system, as its clusters of 64 KiB.
fn clusters(files: &[(&str, Content)]) -> Vec<Rope> {
    let mut builder = TreeBuilder::new();
    for (name, content) in files {
        let entry = Entry::file(*content, Mode::PLAIN);
        builder.insert(TreePath::parse(name).unwrap(), entry).unwrap();
    }
    let tree = builder.finish().unwrap();
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&tree.id().digest().as_bytes()[..16]);
    let volume = Volume {
        format: "test",
        size: DiskSize::Minimal,
        identity: Identity { uuid, hash_seed: [9; 16] },
        label: None,
        epoch: Epoch(1),
        inline: BTreeMap::new(),
    };
    let rope = Ext4.write(&tree, &volume).unwrap();
    let mut cursor = rope.cursor();
    let mut clusters = Vec::new();
    while cursor.left() > 0 {
        clusters.push(cursor.take(64 << 10));
    }
    clusters
}

/// Returns how many clusters of a file system another one does not have anywhere.
fn others(of: &[Rope], than: &[Rope]) -> usize {
    of.iter().filter(|cluster| !than.contains(cluster)).count()
}

#[test]
fn what_changes_in_a_tree_changes_little_of_the_image() {
    let names: Vec<_> = (0..1500).map(|n| format!("/usr/lib/{}/{n:04}", n % 40)).collect();
    let content =
        |n: usize, size| Content { digest: Digest::of(&n.to_le_bytes()), size, md5: [0; 16] };
    // 60 MB: a page each, and some that are larger than a cluster.
    let size = |n: usize| if n.is_multiple_of(20) { 700_000 } else { 5_000 };
    let files: Vec<_> =
        names.iter().enumerate().map(|(n, name)| (name.as_str(), content(n, size(n)))).collect();
    let before = clusters(&files);
    let mut other = files.clone();
    other[3].1 = content(9999, size(3));
    let found = others(&clusters(&other), &before);
    assert!(found <= 4, "another content of the same size: {found} clusters");
    let mut longer = files.clone();
    longer[3].1 = content(9999, size(3) + 10_000);
    let found = others(&clusters(&longer), &before);
    assert!(found <= 60, "a file that grew: {found} clusters");
    let mut more = files.clone();
    more.push(("/usr/lib/0/more", content(9999, 3000)));
    let found = others(&clusters(&more), &before);
    assert!(found <= 60, "a file more: {found} clusters");
    assert!(before.len() > 900, "{}", before.len());
}

#[test]
fn what_the_first_revision_wrote_is_read() {
    // Its bytes were those of the crate's own writer, whose checksums depend on the UUID.
    let mut builder = mkext4::FsBuilder::new(mkext4::Options::new(16 << 20, [7; 16], 1)).unwrap();
    let meta = mkext4::Meta::new(0o644, 0, 0, (1, 0));
    let file = builder.file(mkext4::ROOT, "file", meta, 6).unwrap();
    let layout = builder.seal().unwrap();
    let mut sink = mkext4::sink::VecSink::default();
    let mut writer = layout.writer(&mut sink).unwrap();
    writer.fill(file, &mut &b"inline"[..]).unwrap();
    writer.finish().unwrap();
    let image = open(&sink.buf).unwrap();
    assert_eq!(image.check().unwrap(), []);
    let owner = |user, group| (Owner::new("", user), Owner::new("", group));
    let tree = walk(&image, &owner, &|_| true).unwrap();
    assert_eq!(tree.content(&TreePath::parse("/file").unwrap()), Some(&Content::of(b"inline")));
}
