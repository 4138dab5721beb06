//! The laws of `Format` for both containers, and what is refused.

use std::io::{self, Read};

use super::*;
use crate::blob::{BlobSource, BlobStore, MemoryStore};
use crate::digest::Digest;
use crate::encode::{Encoder, NoCache};
use crate::format::{Epoch, Format, WriteCx, WriteError};
use crate::input::Source;
use crate::rope::Rope;
use crate::tree::{
    Content, DeviceKind, Entry, FileTree, Mark, Mode, Node, Owner, TreeBuilder, TreeId, TreePath,
};

const EPOCH: Epoch = Epoch(1_704_067_200);
const MIB: u64 = 1 << 20;

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn disk() -> Disk {
    Disk {
        name: "hello".into(),
        version: "1.0".into(),
        arch: "x86_64".into(),
        size: DiskSize::Minimal,
        label: None,
        tree_id: None,
        machine: None,
        compression: None,
        hardware: None,
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
    owned.owner = Owner::new("svc", 990);
    owned.group = Owner::new("svc-data", 100_000);
    let mut capable = file(store, b"capable");
    capable.mode = Mode::new(0o4755).unwrap();
    capable.xattrs.insert("security.capability".into(), vec![1, 0, 0, 2, 0, 4, 0, 0, 0, 0]);
    let mut described = file(store, b"described");
    described.xattrs.insert("user.long".into(), vec![b'x'; 3000]);
    described.xattrs.insert("user.a".into(), vec![]);
    described.xattrs.insert("trusted.b".into(), b"value".to_vec());
    let mut directory = Entry::directory();
    directory.mode = Mode::new(0o2775).unwrap();
    directory.xattrs.insert("user.dir".into(), b"1".to_vec());
    let mut ghost = Entry::file(Content::of(b""), Mode::PLAIN);
    ghost.mark = Mark::Ghost;
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
        ("/var/log/hello.log", ghost),
        ("/dev/null", device(DeviceKind::Character, 1, 3)),
        ("/dev/vda", device(DeviceKind::Block, 254, 300)),
        ("/run/pipe", Entry::new(Node::Fifo, Mode::PLAIN)),
        ("/srv/grüße", file(store, b"hi")),
    ];
    tree(entries.map(|(name, entry)| (name.to_owned(), entry)))
}

fn write<F: Format<Model = Disk>>(
    store: &MemoryStore,
    model: &Disk,
    tree: &FileTree,
) -> Result<Rope, WriteError> {
    let encoder = Encoder::new(store, &NoCache, 1);
    let cx = WriteCx { blobs: store, encoder: &encoder, epoch: EPOCH };
    F::write(model, tree, &cx).map(|mut artifact| artifact.files.remove(0).rope)
}

fn bytes<F: Format<Model = Disk>>(store: &MemoryStore, model: &Disk, tree: &FileTree) -> Vec<u8> {
    write::<F>(store, model, tree).unwrap().to_vec(store).unwrap()
}

/// Writing and reading back gives the same, and the artifact is clean.
fn assert_laws<F: Format<Model = Disk>>(store: &MemoryStore, model: &Disk, tree: &FileTree) {
    let rope = write::<F>(store, model, tree).unwrap();
    assert_eq!(rope, write::<F>(store, model, tree).unwrap());
    let source = Source::from_bytes(rope.to_vec(store).unwrap());
    let unpacked = F::read(&source).unwrap();
    assert_eq!(unpacked.model, *model);
    assert_eq!(unpacked.declared, model.tree_id);
    let text = |tree: &FileTree| {
        let mut text = Vec::new();
        tree.write_manifest(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    };
    assert_eq!(text(&unpacked.tree), text(tree));
    crate::wanted::tests::assert_visits::<F>(&source, &unpacked.tree);
    assert_eq!(F::verify(&source).unwrap(), []);
    let name = F::file_name(model);
    assert!(!name.is_empty() && !name.contains('/'), "{name}");
}

#[test]
fn reading_undoes_writing() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let labelled = Disk {
        label: Some("sixteen-letters!".into()),
        size: DiskSize::Bytes(130 * MIB),
        tree_id: Some(tree.id()),
        ..disk()
    };
    for model in [disk(), labelled] {
        assert_laws::<Raw>(&store, &model, &tree);
        assert_laws::<Qcow2>(&store, &model, &tree);
    }
}

#[test]
fn trees_of_every_shape_fit_into_the_smallest_disk() {
    let store = MemoryStore::new();
    let plain = |name: String| (name, file(&store, b"x"));
    let link = |name: String| (name, Entry::new(Node::HardLink(path("/links/first")), Mode::PLAIN));
    let deep = format!("/{:050}", 1).repeat(80);
    let mut linked = vec![plain("/links/first".into())];
    linked.extend((0..2_000).map(|n| link(format!("/links/{n}"))));
    let attributed = |n: usize| {
        let (name, mut entry) = plain(format!("/{n}"));
        entry.xattrs.insert("user.some".into(), vec![1; 200]);
        (name, entry)
    };
    let target = "t".repeat(1000);
    let shapes: [(&str, Vec<(String, Entry)>); 9] = [
        ("nothing", vec![]),
        ("tiny files", (0..10_000).map(|n| plain(format!("/a/{}/{n}", n % 100))).collect()),
        ("one large directory", (0..9_000).map(|n| plain(format!("/d/{n}"))).collect()),
        ("longest names", (0..700).map(|n| plain(format!("/{n:0255}"))).collect()),
        ("deep", vec![plain(deep)]),
        ("hard links", linked),
        ("attribute blocks", (0..3_000).map(attributed).collect()),
        ("long targets", {
            let entry = |n| (format!("/l/{n}"), Entry::symlink(target.as_str()));
            (0..2_000).map(entry).collect()
        }),
        ("empty directories", {
            (0..3_000).map(|n| (format!("/e/{n}"), Entry::directory())).collect()
        }),
    ];
    for (shape, entries) in shapes {
        println!("{shape}");
        assert_laws::<Raw>(&store, &disk(), &tree(entries));
    }
}

/// A source that has no bytes at all.
struct Nothing;

impl BlobSource for Nothing {
    fn open(&self, digest: &Digest, _: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        Err(io::Error::other(format!("{digest} was read")))
    }
}

impl BlobStore for Nothing {
    fn put(&self, _: &[u8]) -> io::Result<crate::blob::Blob> {
        Err(io::Error::other("something was put"))
    }
}

#[test]
fn large_files_are_described_and_never_read() {
    let content = |size| Content { digest: Digest::of(b"huge"), size, md5: [0; 16] };
    let encoder = Encoder::new(&Nothing, &NoCache, 1);
    let cx = WriteCx { blobs: &Nothing, encoder: &encoder, epoch: EPOCH };
    for gib in [8, 200] {
        let size = (gib << 30) + 1;
        let tree = tree([("/huge".to_owned(), Entry::file(content(size), Mode::PLAIN))]);
        for artifact in [Raw::write(&disk(), &tree, &cx), Qcow2::write(&disk(), &tree, &cx)] {
            let rope = artifact.unwrap().files.remove(0).rope;
            let mut described = 0;
            let mut inline = 0;
            for extent in rope.extents() {
                match extent {
                    crate::rope::Extent::Blob { offset, len, .. } => {
                        assert_eq!(offset, described);
                        described += len;
                    }
                    crate::rope::Extent::Inline(bytes) => inline += bytes.len() as u64,
                    crate::rope::Extent::Padding(_) | crate::rope::Extent::Zero(_) => {}
                }
            }
            assert_eq!(described, size);
            assert!(inline < size / 1000, "{inline} bytes of metadata");
        }
    }
}

#[test]
fn a_disk_too_small_names_the_size_that_is_enough() {
    let store = MemoryStore::new();
    let tree = tree([("/f".to_owned(), file(&store, &vec![5; 20 << 20]))]);
    let sized = |bytes| Disk { size: DiskSize::Bytes(bytes), ..disk() };
    for small in [0, MIB, 20 * MIB] {
        let error = write::<Raw>(&store, &sized(small), &tree).unwrap_err();
        let WriteError::Limit { limit, found, .. } = error else { panic!("{error}") };
        assert_eq!(limit, small);
        assert!(found < 32 * MIB, "{found}");
        assert_laws::<Raw>(&store, &sized(found), &tree);
        assert!(write::<Raw>(&store, &sized(found - MIB), &tree).is_err());
    }
    let error = write::<Raw>(&store, &sized(1 << 60), &tree).unwrap_err();
    assert!(matches!(error, WriteError::Limit { limit, .. } if limit < 1 << 44), "{error}");
}

#[test]
fn refuses_what_the_file_system_cannot_carry() {
    type Case<'a> = (&'a str, Vec<(&'a [u8], Entry)>);
    let store = MemoryStore::new();
    let plain = || file(&store, b"x");
    let owned = |name: &str, id| Entry { owner: Owner::new(name, id), ..plain() };
    let attribute = |name: &str, len| {
        let mut entry = plain();
        entry.xattrs.insert(name.into(), vec![0; len]);
        entry
    };
    let device = |major, minor| {
        Entry::new(Node::Device { kind: DeviceKind::Block, major, minor }, Mode::PLAIN)
    };
    let huge = Content { digest: Digest::of(b""), size: u64::MAX, md5: [0; 16] };
    let cases: [Case<'_>; 12] = [
        ("reserved", vec![(b"/.bake/other", plain())]),
        ("reserved", vec![(b"/lost+found", Entry::directory())]),
        ("4095", vec![(b"/l", Entry::symlink("x".repeat(4096)))]),
        ("number 7 is `a`", vec![(b"/1", owned("a", 7)), (b"/2", owned("b", 7))]),
        ("`a` is number 7", vec![(b"/1", owned("a", 7)), (b"/2", owned("a", 8))]),
        ("number 0 is `root`", vec![(b"/1", owned("admin", 0))]),
        ("system.posix_acl_access", vec![(b"/a", attribute("system.posix_acl_access", 4))]),
        ("the attribute user.", vec![(b"/a", attribute("user.", 4))]),
        ("4060", vec![(b"/a", attribute("user.x", 5000))]),
        ("the major number of `/d`", vec![(b"/d", device(4096, 0))]),
        ("the minor number of `/d`", vec![(b"/d", device(0, 1 << 20))]),
        ("the size of the disk", vec![(b"/f", Entry::file(huge, Mode::PLAIN))]),
    ];
    for (expected, entries) in cases {
        let mut builder = TreeBuilder::new();
        for (name, entry) in entries {
            builder.insert(TreePath::parse(name).unwrap(), entry).unwrap();
        }
        let error = write::<Raw>(&store, &disk(), &builder.finish().unwrap()).unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[test]
fn names_and_targets_may_be_any_bytes() {
    let store = MemoryStore::new();
    let mut builder = TreeBuilder::new();
    for (name, entry) in [
        (b"/caf\xe9".as_slice(), file(&store, b"x")),
        (b"/l", Entry::symlink(vec![0xff; 59])),
        (b"/long", Entry::symlink(vec![0xff; 60])),
    ] {
        builder.insert(TreePath::parse(name).unwrap(), entry).unwrap();
    }
    assert_laws::<Raw>(&store, &disk(), &builder.finish().unwrap());
}

#[test]
fn refuses_more_names_of_a_file_than_there_can_be() {
    let store = MemoryStore::new();
    let mut entries = vec![("/0".to_owned(), file(&store, b"x"))];
    let link = Entry::new(Node::HardLink(path("/0")), Mode::PLAIN);
    entries.extend((1..=65_000).map(|n| (format!("/{n}"), link.clone())));
    let error = write::<Raw>(&store, &disk(), &tree(entries)).unwrap_err();
    assert!(matches!(error, WriteError::Limit { limit: 65_000, found: 65_001, .. }), "{error}");
}

#[test]
fn refuses_models_that_break_a_rule() {
    let store = MemoryStore::new();
    let other: TreeId = Digest::of(b"other").to_string().parse().unwrap();
    let cases = [
        ("name", Disk { name: String::new(), ..disk() }),
        ("version", Disk { version: "1/2".into(), ..disk() }),
        ("arch", Disk { arch: "a b".into(), ..disk() }),
        ("label", Disk { label: Some("seventeen-letters".into()), ..disk() }),
        ("label", Disk { label: Some(String::new()), ..disk() }),
        ("label", Disk { label: Some("ümlaut".into()), ..disk() }),
        ("size", Disk { size: DiskSize::Bytes(64 * MIB + 512), ..disk() }),
        ("tree_id", Disk { tree_id: Some(other), ..disk() }),
    ];
    for (expected, model) in cases {
        let error = write::<Qcow2>(&store, &model, &tree([])).unwrap_err();
        let is_expected = matches!(&error, WriteError::Field { field, .. } if field == expected);
        assert!(is_expected, "{expected}: {error}");
    }
}

#[test]
fn the_uuid_follows_from_the_tree_and_the_model() {
    let store = MemoryStore::new();
    let uuid = |model: &Disk, tree: &FileTree| {
        let bytes = bytes::<Raw>(&store, model, tree);
        let uuid: [u8; 16] = bytes[1024 + 0x68..1024 + 0x78].try_into().unwrap();
        assert_eq!((uuid[6] >> 4, uuid[8] >> 6), (8, 2));
        uuid
    };
    let tree = sample(&store);
    let first = uuid(&disk(), &tree);
    assert_eq!(first, uuid(&Disk { tree_id: Some(tree.id()), ..disk() }, &tree));
    assert_ne!(first, uuid(&Disk { version: "1.1".into(), ..disk() }, &tree));
    assert_ne!(first, uuid(&disk(), &FileTree::default()));
}

#[test]
fn both_containers_hold_the_same_disk() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let raw = bytes::<Raw>(&store, &disk(), &tree);
    let packed = bytes::<Qcow2>(&store, &disk(), &tree);
    assert!(packed.len() < raw.len() / 10);
    let reader = qcow2::Qcow2Reader::open(std::sync::Arc::new(packed)).unwrap();
    let mut unpacked = Vec::new();
    let section = crate::input::Section::whole(std::sync::Arc::new(reader));
    { section }.read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == raw);
}

#[test]
fn bytes_do_not_move() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let whole = Disk { size: DiskSize::Multiple(1 << 30), ..disk() };
    let found = [
        bytes::<Raw>(&store, &disk(), &tree),
        bytes::<Qcow2>(&store, &disk(), &tree),
        bytes::<Vmdk>(&store, &disk(), &tree),
        bytes::<Vhd>(&store, &disk(), &tree),
        bytes::<DynamicVhd>(&store, &disk(), &tree),
        bytes::<Vhdx>(&store, &disk(), &tree),
        bytes::<Ova>(&store, &disk(), &tree),
        bytes::<LibvirtBox>(&store, &disk(), &tree),
        bytes::<VirtualBoxBox>(&store, &disk(), &tree),
        bytes::<Gce>(&store, &whole, &tree),
    ]
    .map(|bytes| Digest::of(&bytes).hex());
    let expected = [
        "cb8eac8019af8d1e37defff628428bf972ea06136204bb1cfb60880402625c09",
        "a356b6bdb1e4a6e8783a10fd36e8112e5bdb6011f3dc4ffc820e1263fdfb8f40",
        "d911be35486292c24065bd3f3bba95ea9284d23beaeb464ae2751e9a1a6ca572",
        "b4d0eed4d3822197722281ea1e1016930e7c5ff2e6767102d63fa1cfd8ade0b8",
        "d4e2e4f37da2d53017fefa72ff26fd58543f137a9c21081ffde31f6f6598c272",
        "9805dd0b0aaa8b4a8f733a09691e9ccdd1eb5f9193cddc233089d9bf466f66f9",
        "70a27a33a9286a87087192b55b6de34e14150944b024212bcd76688192f8fab9",
        "642c287ec94c22ebac897985d6b9f3c77d4f344ac7a2e86c46f4e254680dd93b",
        "0eea09715cba4fb2173774b2f6a9ec2f7db95742d46681ab2bf87dd0083971d6",
        "8c94e25b85d3c55af14658f10bbadc462280d3851090469fcd676072b66415b1",
    ];
    assert_eq!(found, expected);
}

/// Returns where in an image some bytes are.
fn find(image: &[u8], wanted: &[u8]) -> usize {
    image.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

#[test]
fn a_flipped_byte_is_noticed() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let model = Disk { tree_id: Some(tree.id()), ..disk() };
    let raw = bytes::<Raw>(&store, &model, &tree);
    let packed = bytes::<Qcow2>(&store, &model, &tree);
    let name = find(&raw, b"described") + 4;
    let places = [
        ("uuid", &raw, 1024 + 0x68),
        ("label", &raw, 1024 + 0x78),
        ("group descriptor", &raw, 4096 + 12),
        ("block bitmap", &raw, 2 * 4096 + 3),
        ("inode bitmap", &raw, 3 * 4096 + 1),
        ("inode", &raw, 4 * 4096 + 12 * 256 + 4),
        ("directory", &raw, name),
        ("record", &raw, find(&raw, b"\"schema\"") + 30),
        ("content", &raw, find(&raw, b"echo hello")),
        ("attribute in an inode", &raw, find(&raw, b"capability")),
        ("attribute block", &raw, find(&raw, b"xxxxxxxxxxxx") + 1500),
        ("link target", &raw, find(&raw, b"yyyyyyyyyyyy") + 2000),
        ("qcow2 size", &packed, 31),
        ("qcow2 refcount", &packed, (2 << 16) + 1),
        ("qcow2 L1 table", &packed, (3 << 16) + 5),
        ("qcow2 L2 table", &packed, (4 << 16) + 5),
        ("qcow2 L2 flags", &packed, 4 << 16),
    ];
    for (what, image, place) in places {
        let mut image = image.clone();
        image[place] ^= 1 << (place % 8);
        let source = Source::from_bytes(image);
        let noticed = match Raw::verify(&source) {
            Ok(problems) => problems.iter().any(|problem| problem.rule != "vm-container"),
            Err(_) => true,
        };
        assert!(noticed, "{what} at {place}");
    }
}

#[test]
fn no_flipped_byte_of_the_tables_is_too_much() {
    let store = MemoryStore::new();
    let tree = tree([
        ("/d/f".to_owned(), file(&store, b"content")),
        ("/l".to_owned(), Entry::symlink("d")),
    ]);
    let mut packed = bytes::<Qcow2>(&store, &Disk { tree_id: Some(tree.id()), ..disk() }, &tree);
    let used: Vec<usize> = (0..packed.len()).filter(|at| packed[*at] != 0).collect();
    for (index, at) in used.into_iter().step_by(7).enumerate() {
        let bit = 1 << (index % 8);
        packed[at] ^= bit;
        let source = Source::from_bytes(packed.clone());
        // Whatever the answer, both must give one; what verify calls clean can be read.
        if Qcow2::verify(&source).is_ok_and(|problems| problems.is_empty()) {
            assert!(Qcow2::read(&source).is_ok(), "{at}");
        }
        packed[at] ^= bit;
    }
}

#[test]
fn refuses_an_image_cut_short_or_of_another_kind() {
    let store = MemoryStore::new();
    let raw = bytes::<Raw>(&store, &disk(), &sample(&store));
    let packed = bytes::<Qcow2>(&store, &disk(), &sample(&store));
    for image in [&raw, &packed] {
        for len in [0, 3, 100, 1024, 2048, 70_000, 400_000] {
            assert!(Raw::read(&Source::from_bytes(image[..len].to_vec())).is_err(), "{len}");
        }
    }
    assert!(Raw::read(&Source::from_bytes(vec![0; 1 << 20])).is_err());
    let problems = Qcow2::verify(&Source::from_bytes(raw)).unwrap();
    assert_eq!(problems.iter().map(|problem| problem.rule).collect::<Vec<_>>(), ["vm-container"]);
}
