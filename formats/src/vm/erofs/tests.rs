//! The file system by itself: what is written is read back, and what is hostile is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::walk::{small_file, walk};
use super::fields::u32_at;
use super::superblock::Superblock;
use super::*;
use crate::blob::{BlobStore, MemoryStore};
use crate::digest::Digest;
use crate::format::{Epoch, ReadError, WriteError};
use crate::rope::{Extent, Rope};
use crate::tree::{Content, DeviceKind, Entry, FileTree, Mode, Node, Owner, TreeBuilder, TreePath};
use crate::vm::DiskSize;
use crate::vm::ext4::{FileSystemWriter, Identity, Volume};

const MIB: u64 = 1 << 20;

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn volume() -> Volume<'static> {
    Volume {
        format: "test",
        size: DiskSize::Minimal,
        identity: Identity { uuid: [7; 16], hash_seed: [0; 16] },
        label: Some("sixteen-letters!"),
        epoch: Epoch(1_704_067_200),
        inline: BTreeMap::from([(Digest::of(b"inline"), b"inline".to_vec())]),
    }
}

fn tree(entries: impl IntoIterator<Item = (String, Entry)>) -> FileTree {
    let mut builder = TreeBuilder::new();
    for (name, entry) in entries {
        builder.insert(path(&name), entry).unwrap();
    }
    builder.finish().unwrap()
}

fn file(store: &MemoryStore, bytes: &[u8]) -> Entry {
    store.put(bytes).unwrap();
    Entry::file(Content::of(bytes), Mode::PLAIN)
}

/// A tree with an entry of every kind.
fn sample(store: &MemoryStore) -> FileTree {
    let mut owned = file(store, &b"owned ".repeat(3000));
    owned.owner = Owner::new("990", 990);
    owned.group = Owner::new("100000", 100_000);
    let mut capable = file(store, b"capable");
    capable.mode = Mode::new(0o4755).unwrap();
    capable.xattrs.insert("security.capability".into(), vec![1, 0, 0, 2, 0, 4, 0, 0, 0, 0]);
    let mut described = file(store, b"described");
    described.xattrs.insert("user.long".into(), vec![b'x'; 9000]);
    described.xattrs.insert("user.a".into(), vec![]);
    described.xattrs.insert("trusted.b".into(), b"value".to_vec());
    let mut directory = Entry::directory();
    directory.mode = Mode::new(0o2775).unwrap();
    directory.xattrs.insert("user.dir".into(), b"1".to_vec());
    let device = |kind, major, minor| {
        Entry::new(Node::Device { kind, major, minor }, Mode::new(0o660).unwrap())
    };
    let link = Entry::new(Node::HardLink(path("/usr/bin/hello")), Mode::PLAIN);
    let entries = [
        ("/usr/bin/hello", file(store, b"#!/bin/sh\necho hello\n")),
        ("/usr/bin/same", link.clone()),
        ("/usr/bin/and-the-same", link),
        ("/usr/bin/capable", capable),
        ("/etc/described", described),
        ("/etc/empty", file(store, b"")),
        ("/etc/exactly-a-block", file(store, &[7; 4096])),
        ("/etc/short", Entry::symlink("described")),
        ("/etc/long", Entry::symlink("x".repeat(60))),
        ("/etc/longest", Entry::symlink("y".repeat(4095))),
        ("/srv/shared", directory),
        ("/var/lib/svc/file", owned),
        ("/var/lib/svc/-first", file(store, b"before the dot")),
        ("/dev/null", device(DeviceKind::Character, 1, 3)),
        ("/dev/vda", device(DeviceKind::Block, 254, 300)),
        ("/run/pipe", Entry::new(Node::Fifo, Mode::PLAIN)),
        ("/srv/grüße", file(store, b"hi")),
        ("/inline", Entry::file(Content::of(b"inline"), Mode::PLAIN)),
    ];
    tree(entries.map(|(name, entry)| (name.to_owned(), entry)))
}

fn image(store: &MemoryStore, tree: &FileTree, volume: &Volume<'_>) -> Vec<u8> {
    Erofs.write(tree, volume).unwrap().to_vec(store).unwrap()
}

fn open(image: &[u8]) -> Result<Image, ReadError> {
    Image::open(Arc::new(image.to_vec()))
}

fn read(image: &Image) -> Result<FileTree, ReadError> {
    let named = |id: u32| if id == 0 { Owner::root() } else { Owner::new(&id.to_string(), id) };
    walk(image, &|user, group| (named(user), named(group)), &|_| true)
}

fn manifest(tree: &FileTree) -> String {
    let mut text = Vec::new();
    tree.write_manifest(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// Writing and reading back gives the same, and the image is clean.
fn assert_laws(store: &MemoryStore, tree: &FileTree, volume: &Volume<'_>) -> Vec<u8> {
    let bytes = image(store, tree, volume);
    let image = open(&bytes).unwrap();
    assert_eq!(image.check().unwrap(), []);
    assert_eq!(manifest(&read(&image).unwrap()), manifest(tree));
    assert_eq!(image.uuid(), volume.identity.uuid);
    assert_eq!(image.label(), volume.label.unwrap_or_default().as_bytes());
    assert!(image.size() <= bytes.len() as u64);
    bytes
}

#[test]
fn reading_undoes_writing() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let bytes = assert_laws(&store, &tree, &volume());
    assert_eq!(open(&bytes).unwrap().size(), bytes.len() as u64);
    let large = Volume { size: DiskSize::Bytes(3 * MIB), label: None, ..volume() };
    assert_eq!(assert_laws(&store, &tree, &large).len() as u64, 3 * MIB);
    let image = open(&bytes).unwrap();
    let small = |name: &str, limit| small_file(&image, &path(name), limit);
    assert_eq!(small("/etc/described", 9).unwrap(), Some(b"described".to_vec()));
    assert_eq!(small("/etc/nothing", 9).unwrap(), None);
    for name in ["/etc/described", "/etc/short", "/etc"] {
        assert!(small(name, 8).is_err(), "{name}");
    }
}

/// `fsck.erofs --extract` makes of these bytes the files they were made from.
#[test]
fn bytes_are_pinned() {
    let store = MemoryStore::new();
    let bytes = image(&store, &sample(&store), &volume());
    let expected = "505f6215b6ff87e234d51df10484fc44f1cba9db5e13943d763a42c6eac6a990";
    assert_eq!(Digest::of(&bytes).hex(), expected);
}

#[test]
fn trees_of_every_shape_are_read_back() {
    let store = MemoryStore::new();
    let plain = |name: String| (name, file(&store, b"x"));
    let link = |name: String| (name, Entry::new(Node::HardLink(path("/links/first")), Mode::PLAIN));
    let mut linked = vec![plain("/links/first".into())];
    linked.extend((0..3_000).map(|n| link(format!("/links/{n}"))));
    let attributed = |n: usize| {
        let (name, mut entry) = plain(format!("/{n}"));
        entry.xattrs.insert("user.some".into(), vec![1; 200 + n * 20]);
        (name, entry)
    };
    // Entries and names of the root that end exactly with a block, and just before and behind one.
    let last = |len: usize| {
        let names = (0..15).map(|n| plain(format!("/{n:0255}")));
        let rest = 4096 - (12 + 1) - (12 + 2) - 15 * (12 + 255);
        names.chain([plain(format!("/{}", "z".repeat(rest - 12 + len - 1)))]).collect()
    };
    let shapes: [(&str, Vec<(String, Entry)>); 11] = [
        ("nothing", vec![]),
        ("tiny files", (0..1_000).map(|n| plain(format!("/a/{}/{n}", n % 100))).collect()),
        ("one large directory", (0..8_000).map(|n| plain(format!("/d/{n}"))).collect()),
        ("longest names", (0..700).map(|n| plain(format!("/{n:0255}"))).collect()),
        ("deep", vec![plain(format!("/{:050}", 1).repeat(80))]),
        ("hard links", linked),
        ("attributes", (0..400).map(attributed).collect()),
        ("long targets", {
            let entry = |n| (format!("/l/{n}"), Entry::symlink("t".repeat(n)));
            (3_950..=4_095).map(entry).collect()
        }),
        ("a block but one byte", last(0)),
        ("a whole block", last(1)),
        ("a block and one byte", last(2)),
    ];
    for (shape, entries) in shapes {
        println!("{shape}");
        assert_laws(&store, &tree(entries), &volume());
    }
}

#[test]
fn equal_contents_are_there_once_and_large_ones_are_never_read() {
    let content = |size| Content { digest: Digest::of(b"huge"), size, md5: [0; 16] };
    let size = (200_u64 << 30) + 1;
    let names = ["/a", "/b", "/c"].map(str::to_owned);
    let tree = tree(names.map(|name| (name, Entry::file(content(size), Mode::PLAIN))));
    let rope = Erofs.write(&tree, &volume()).unwrap();
    let described: u64 = rope
        .extents()
        .map(|extent| if matches!(extent, Extent::Blob { .. }) { extent.len() } else { 0 })
        .sum();
    assert_eq!(described, size);
    assert_eq!(rope.len(), 4096 + size.next_multiple_of(4096));
}

#[test]
fn a_disk_too_small_names_the_size_that_is_enough() {
    let store = MemoryStore::new();
    let tree = tree([("/f".to_owned(), file(&store, &vec![5; 3 << 20]))]);
    let sized = |bytes| Volume { size: DiskSize::Bytes(bytes), ..volume() };
    for small in [0, MIB, 3 * MIB] {
        let error = Erofs.write(&tree, &sized(small)).unwrap_err();
        let WriteError::Limit { limit, found, .. } = error else { panic!("{error}") };
        assert_eq!((limit, found), (small, 4 * MIB));
    }
    assert_laws(&store, &tree, &sized(4 * MIB));
}

#[test]
fn refuses_what_the_file_system_cannot_carry() {
    let store = MemoryStore::new();
    let attributed = |name: &str, len| {
        let mut entry = file(&store, b"x");
        entry.xattrs.insert(name.into(), vec![0; len]);
        entry
    };
    let device = |major, minor| {
        Entry::new(Node::Device { kind: DeviceKind::Block, major, minor }, Mode::PLAIN)
    };
    let mut many = file(&store, b"x");
    many.xattrs.extend((0..5).map(|n| (format!("user.{n}"), vec![0; 60_000])));
    let huge = Content { digest: Digest::of(b""), size: u64::MAX, md5: [0; 16] };
    let cases = [
        ("the attribute system.other", attributed("system.other", 1)),
        ("the attribute other", attributed("other", 1)),
        ("attribute's name", attributed(&format!("user.{}", "n".repeat(256)), 1)),
        ("the bytes of an attribute", attributed("user.a", 65_536)),
        ("the bytes of all attributes", many),
        ("the major number", device(0x1000, 1)),
        ("the minor number", device(1, 0x10_0000)),
        ("the target", Entry::symlink("t".repeat(4096))),
        ("the size of the disk", Entry::file(huge, Mode::PLAIN)),
    ];
    for (what, entry) in cases {
        let error = Erofs.write(&tree([("/a".to_owned(), entry)]), &volume()).unwrap_err();
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
}

/// An image that is changed and given a right checksum again.
struct Forge(Vec<u8>);

impl Forge {
    /// Starts with `/directory/file`; the root is inode 36, and each takes a slot and its entries.
    fn new() -> Self {
        let file = Entry::file(Content::of(b"inline"), Mode::PLAIN);
        let tree = tree([("/directory/file".to_owned(), file)]);
        Self(image(&MemoryStore::new(), &tree, &volume()))
    }

    /// Returns where the inode of a name in a directory begins.
    fn find(&self, names: &[&str]) -> usize {
        let image = open(&self.0).unwrap();
        let slot = names.iter().fold(image.root_slot(), |slot, name| {
            let entries = image.directory(slot, &image.checked_inode(slot).unwrap(), 100).unwrap();
            entries.iter().find(|entry| entry.name == name.as_bytes()).unwrap().slot
        });
        usize::try_from(slot * SLOT).unwrap()
    }

    fn set(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self.0[1028..1032].fill(0);
        let checksum = Superblock::checksum_of(&self.0[..4096]);
        self.0[1028..1032].copy_from_slice(&checksum.to_le_bytes());
        self
    }

    /// Asserts that walking fails with a reason, and that checking finds something.
    fn assert_refused(&self, reason: &str) {
        let error = match open(&self.0) {
            Ok(image) => {
                assert_ne!(image.check().unwrap(), [], "{reason}");
                read(&image).unwrap_err()
            }
            Err(error) => error,
        };
        assert!(error.to_string().contains(reason), "{reason}: {error}");
    }
}

#[test]
fn refuses_inodes_that_ask_for_too_much() {
    let cases: [(&str, &[&str], usize, &[u8]); 12] = [
        ("compressed", &["directory", "file"], 0, &[3 << 1]),
        ("in chunks", &["directory", "file"], 0, &[4 << 1]),
        ("unknown format", &["directory", "file"], 0, &[7 << 1]),
        ("outside", &["directory", "file"], 16, &[0xff, 0xff]),
        ("larger than the file system", &["directory", "file"], 8, &[0xff; 4]),
        ("outside of the file system", &["directory"], 8, &[0xff; 4]),
        ("kind of file", &["directory", "file"], 4, &0o140_644_u16.to_le_bytes()),
        ("kind of file", &["directory", "file"], 4, &[0, 0]),
        ("no name", &["directory", "file"], 6, &[0, 0]),
        ("outside", &["directory", "file"], 2, &[0xff, 0xff]),
        ("goes on in another block", &["directory"], 8, &[0xff, 0x0f]),
        ("number of entries", &["directory"], 8, &[8, 0]),
    ];
    for (reason, names, at, bytes) in cases {
        let forge = Forge::new();
        let start = forge.find(names);
        forge.set(start + at, bytes).assert_refused(reason);
    }
}

#[test]
fn refuses_directories_that_hold_themselves() {
    for target in ["directory", "."] {
        let forge = Forge::new();
        let directory = forge.find(&["directory"]);
        let slot = forge.find(&[target]) / 32;
        // Behind the inode are the entries `.`, `..` and `file`.
        let entry = directory + 32 + 24;
        assert_eq!(u32_at(&forge.0, entry) as usize, forge.find(&["directory", "file"]) / 32);
        let slot = u32::try_from(slot).unwrap().to_le_bytes();
        forge.set(entry, &slot).assert_refused("two names");
    }
}

#[test]
fn refuses_superblocks_that_lie() {
    let at = |offset: usize| 1024 + offset;
    let cases: [(&str, usize, &[u8]); 8] = [
        ("magic number", at(0), &[0]),
        ("features 0x4", at(80), &[4]),
        ("features 0xff", at(80), &[0xff]),
        ("blocks of 2^8 bytes", at(12), &[8]),
        ("blocks of 2^255 bytes", at(12), &[255]),
        ("expected at most", at(36), &[0xff; 4]),
        ("expected at most", at(36), &[0; 4]),
        ("outside", at(40), &[0xff; 4]),
    ];
    for (reason, place, bytes) in cases {
        Forge::new().set(place, bytes).assert_refused(reason);
    }
}

#[test]
fn every_byte_of_the_first_block_counts_and_none_makes_a_reader_fail() {
    let store = MemoryStore::new();
    let bytes = image(&store, &sample(&store), &volume());
    let judge = |bytes: Vec<u8>| -> Result<usize, ReadError> {
        let image = Image::open(Arc::new(bytes))?;
        let found = image.check()?.len();
        read(&image).map(|_| found)
    };
    assert_eq!(judge(bytes.clone()).unwrap(), 0);
    let metadata = bytes.len().min(10 * 4096);
    for at in (1024..4096).chain((4096..metadata).step_by(7)) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let noticed = judge(changed).map_or(true, |found| found > 0);
        assert!(noticed || at >= 4096, "{at}");
    }
    for end in (0..bytes.len()).step_by(101) {
        assert!(judge(bytes[..end].to_vec()).is_err(), "{end}");
    }
}

#[test]
fn writing_is_a_function_of_its_arguments() {
    let store = MemoryStore::new();
    let ropes: [Rope; 2] = [(); 2].map(|()| Erofs.write(&sample(&store), &volume()).unwrap());
    assert_eq!(ropes[0], ropes[1]);
}
