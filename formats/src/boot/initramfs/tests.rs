//! The laws of `Format`, what the kernel makes of several segments, and what is refused.

use std::sync::Arc;

use super::*;
use crate::archive::cpio::{Body, Member, Writer};
use crate::blob::{Blob, BlobStore, MemoryStore};
use crate::boot::modules::{Loaded, When};
use crate::digest::Digest;
use crate::encode::{Codec, Compression, Encoder, NoCache};
use crate::format::Epoch;
use crate::input::ReadAt;
use crate::rope::Rope;
use crate::tree::{Content, DeviceKind, Entry, Mark, Mode, Node, Owner, TreeBuilder, TreePath};

const EPOCH: Epoch = Epoch(1_704_067_200);
const COMPRESSIONS: [Compression; 4] =
    [Compression::NONE, Compression::GZIP, Compression::ZSTD, Compression::XZ];

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn tree(entries: impl IntoIterator<Item = (&'static str, Entry)>) -> FileTree {
    let mut builder = TreeBuilder::new();
    for (name, entry) in entries {
        builder.insert(path(name), entry).unwrap();
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
    let mut directory = Entry::directory();
    directory.mode = Mode::new(0o2775).unwrap();
    let mut ghost = Entry::file(Content::of(b""), Mode::PLAIN);
    ghost.mark = Mark::Ghost;
    let device = |kind, major, minor| {
        Entry::new(Node::Device { kind, major, minor }, Mode::new(0o660).unwrap())
    };
    let link = Entry::new(Node::HardLink(path("/usr/bin/hello")), Mode::PLAIN);
    tree([
        ("/usr/bin/hello", file(store, b"#!/bin/sh\necho hello\n")),
        ("/usr/bin/same", link.clone()),
        ("/usr/bin/and-the-same", link),
        ("/etc/empty", file(store, b"")),
        ("/etc/link", Entry::symlink("empty")),
        ("/srv/shared", directory),
        ("/srv/empty", Entry::directory()),
        ("/var/lib/svc/file", owned),
        ("/var/log/hello.log", ghost),
        ("/dev/null", device(DeviceKind::Character, 1, 3)),
        ("/dev/vda", device(DeviceKind::Block, 254, 300)),
        ("/run/pipe", Entry::new(Node::Fifo, Mode::PLAIN)),
        ("/srv/gr\u{fc}\u{df}e", file(store, b"hi")),
    ])
}

/// A directory of the tree's own, one that leads to files of the tree, and new ones.
fn additions(store: &MemoryStore) -> FileTree {
    let mut state = Entry::directory();
    state.mode = Mode::new(0o750).unwrap();
    state.owner = Owner::new("svc", 990);
    let enabled = Entry::symlink("/usr/lib/systemd/system/svc.service");
    tree([
        ("/etc/passwd", file(store, b"root:x:0:0::/root:/bin/sh\n")),
        ("/etc/systemd/system/multi-user.target.wants/svc.service", enabled),
        ("/srv/empty/below", Entry::directory()),
        ("/srv/shared/below", Entry::directory()),
        ("/var/cache/svc", state),
    ])
}

fn model(compression: Compression, prefix: &str) -> Initramfs {
    Initramfs {
        name: "hello".into(),
        version: "1.0".into(),
        arch: "x86_64".into(),
        compression,
        prefix: path(prefix),
        tree_id: None,
        additions: tree([]),
    }
}

fn write(store: &MemoryStore, model: &Initramfs, tree: &FileTree) -> Result<Rope, WriteError> {
    let encoder = Encoder::new(store, &NoCache, 1);
    let cx = WriteCx { blobs: store, encoder: &encoder, epoch: EPOCH };
    Cpio::write(model, tree, &cx).map(|mut artifact| artifact.files.remove(0).rope)
}

fn initrd(bytes: Vec<u8>) -> Result<Initrd, ReadError> {
    let file: Arc<dyn ReadAt> = Arc::new(bytes);
    read(&file)
}

fn manifest(tree: &FileTree) -> String {
    let mut text = Vec::new();
    tree.write_manifest(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn reading_undoes_writing() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    for compression in COMPRESSIONS {
        for prefix in ["/", "/bake/app"] {
            let plain = model(compression, prefix);
            let full = Initramfs {
                tree_id: Some(tree.id()),
                additions: additions(&store),
                ..plain.clone()
            };
            for model in [plain, full] {
                let rope = write(&store, &model, &tree).unwrap();
                assert_eq!(rope, write(&store, &model, &tree).unwrap());
                let source = Source::from_bytes(rope.to_vec(&store).unwrap());
                let unpacked = Cpio::read(&source).unwrap();
                assert_eq!(manifest(&unpacked.tree), manifest(&tree));
                assert_eq!(manifest(&unpacked.model.additions), manifest(&model.additions));
                assert_eq!(unpacked.model, model);
                assert_eq!(unpacked.declared, model.tree_id);
                assert_eq!(Cpio::verify(&source).unwrap(), []);
            }
        }
    }
    assert_eq!(Cpio::file_name(&model(Compression::ZSTD, "/")), "hello-1.0-x86_64.cpio.zst");
}

#[test]
fn bytes_do_not_move() {
    let store = MemoryStore::new();
    let model = Initramfs { additions: additions(&store), ..model(Compression::NONE, "/bake/app") };
    let bytes = write(&store, &model, &sample(&store)).unwrap().to_vec(&store).unwrap();
    let pinned = "sha256:d597de97c19b6155ff0f274d4211f7dc63888dde6bf4c73c7d061d72050d6fc5";
    assert_eq!(Digest::of(&bytes).to_string(), pinned);
}

#[test]
fn an_independent_reader_agrees() {
    let store = MemoryStore::new();
    let bytes = segment(&sample(&store), &path("/app"), EPOCH).unwrap().to_vec(&store).unwrap();
    let mut input = bytes.as_slice();
    let mut rows = Vec::new();
    loop {
        let mut reader = cpio::NewcReader::new(input).unwrap();
        let entry = reader.entry();
        if entry.is_trailer() {
            break;
        }
        rows.push(format!("{} {:o} {} {}", entry.name(), entry.mode(), entry.nlink(), entry.uid()));
        let mut body = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut body).unwrap();
        input = reader.finish().unwrap();
    }
    assert_eq!(rows[0], "app 40755 2 0");
    assert_eq!(rows[1], "app/dev 40755 2 0");
    for expected in ["app/usr/bin/hello 100644 3 0", "app/var/lib/svc/file 100644 1 990"] {
        assert!(rows.iter().any(|row| row == expected), "{rows:?}");
    }
    assert_eq!(rows.len(), sample(&store).len() - 1);
}

#[test]
fn later_segments_replace_earlier_ones() {
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let mut closed = Entry::directory();
    closed.mode = Mode::new(0o700).unwrap();
    let link = |to: &str| Entry::new(Node::HardLink(path(to)), Mode::PLAIN);
    let first = tree([
        ("/bin", Entry::symlink("usr/bin")),
        ("/usr/bin/sh", file(&store, b"one")),
        ("/usr/bin/ash", link("/usr/bin/sh")),
        ("/etc/a", file(&store, b"a")),
        ("/srv", Entry::directory()),
    ]);
    let second = tree([
        ("/usr/bin/sh", file(&store, b"two, longer")),
        ("/etc/a", Entry::symlink("b")),
        ("/srv", closed),
        ("/new", file(&store, b"new")),
    ]);
    let segments: Vec<Rope> = [&first, &second, &FileTree::default()]
        .into_iter()
        .zip([Compression::NONE, Compression::ZSTD, Compression::GZIP])
        .map(|(tree, how)| {
            compress(&segment(tree, &TreePath::root(), EPOCH).unwrap(), how, &encoder).unwrap()
        })
        .collect();
    let read = initrd(join(&segments).to_vec(&store).unwrap()).unwrap();
    let codecs: Vec<Codec> = read.segments.iter().map(|segment| segment.codec).collect();
    assert_eq!(codecs, [Codec::None, Codec::Zstd, Codec::Gzip]);
    assert_eq!(manifest(&read.segments[0].tree), manifest(&first));
    assert_eq!(manifest(&read.segments[1].tree), manifest(&second));
    assert!(read.segments[2].tree.is_empty());
    assert_eq!(read.segments[1].range.start % 4, 0);
    let content = |name: &str| *read.tree.content(&path(name)).unwrap();
    // The file is written to, not replaced, so its other name has the new content too.
    assert_eq!(content("/usr/bin/ash"), Content::of(b"two, longer"));
    assert_eq!(content("/usr/bin/sh"), Content::of(b"two, longer"));
    assert_eq!(content("/new"), Content::of(b"new"));
    assert_eq!(read.tree.get(&path("/etc/a")).unwrap().node, Node::Symlink(b"b".to_vec()));
    assert_eq!(read.tree.get(&path("/srv")).unwrap().mode.bits(), 0o700);
    assert_eq!(read.tree.get(&path("/bin")).unwrap().node, Node::Symlink(b"usr/bin".to_vec()));
}

/// An archive of members that no tree of ours makes: name, mode, links, body.
fn archive(members: &[(&str, u32, u32, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new();
    for (name, mode, links, body) in members {
        let (name, inode) = (name.as_bytes().to_vec(), 1);
        let member = Member { name, inode, mode: *mode, links: *links, ..Member::default() };
        writer.push(&member, Body::Bytes(body)).unwrap();
    }
    writer.finish().to_vec(&MemoryStore::new()).unwrap()
}

#[test]
fn paths_lead_through_symbolic_links_as_in_the_kernel() {
    let members: [(&str, u32, u32, &[u8]); 5] = [
        ("usr", 0o040_755, 2, b""),
        ("usr/bin", 0o040_755, 2, b""),
        ("bin", 0o120_777, 1, b"/usr/../usr/bin"),
        ("bin/sh", 0o100_755, 1, b"sh"),
        ("bin/../bin", 0o100_755, 1, b""),
    ];
    let read = initrd(archive(&members[..4])).unwrap();
    assert_eq!(read.tree.content(&path("/usr/bin/sh")), Some(&Content::of(b"sh")));
    assert!(initrd(archive(&members)).is_err());
    let cycle = archive(&[
        ("a", 0o120_777, 1, b"b"),
        ("b", 0o120_777, 1, b"a"),
        ("a/x", 0o100_644, 1, b""),
    ]);
    assert!(initrd(cycle).unwrap_err().to_string().contains("too many symbolic links"));
}

#[test]
fn any_name_of_a_file_may_have_its_body() {
    let file = 0o100_644;
    for bodies in [[&b"body"[..], b"", b""], [b"", b"body", b""], [b"", b"", b"body"]] {
        let members =
            [("a", file, 3, bodies[0]), ("b", file, 3, bodies[1]), ("c", file, 3, bodies[2])];
        let read = initrd(archive(&members)).unwrap();
        for name in ["/a", "/b", "/c"] {
            assert_eq!(read.tree.content(&path(name)), Some(&Content::of(b"body")), "{bodies:?}");
        }
    }
    // Inode numbers count within one archive.
    let twice = [archive(&[("a", file, 2, b"1")]), archive(&[("b", file, 2, b"2")])].concat();
    assert_eq!(initrd(twice).unwrap().tree.content(&path("/a")), Some(&Content::of(b"1")));
}

#[test]
fn what_newc_cannot_carry_is_refused() {
    let store = MemoryStore::new();
    let mut capable = file(&store, b"x");
    capable.xattrs.insert("security.capability".into(), vec![1]);
    let mut other = file(&store, b"x");
    other.owner = Owner::new("svc", 0);
    let huge = Content { size: 1 << 32, ..Content::of(b"") };
    let rows = [
        (
            tree([("/a", capable)]),
            "cannot carry the extended attribute security.capability of `/a`",
        ),
        (tree([("/a", other)]), "number 0 is `root`"),
        (tree([("/a", Entry::file(huge, Mode::PLAIN))]), "at most 4294967294"),
        (tree([("/.bake/x", file(&store, b""))]), "the path is reserved"),
    ];
    for (tree, expected) in rows {
        let error = write(&store, &model(Compression::NONE, "/"), &tree).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let tree = sample(&store);
    let wrong =
        Initramfs { tree_id: Some(FileTree::default().id()), ..model(Compression::NONE, "/") };
    assert!(write(&store, &wrong, &tree).unwrap_err().to_string().contains("tree_id"));
    let clash = Initramfs {
        additions: self::tree([("/etc/empty", file(&store, b"other"))]),
        ..model(Compression::NONE, "/")
    };
    let error = write(&store, &clash, &tree).unwrap_err().to_string();
    assert_eq!(error, "two entries for `/etc/empty`");
}

#[test]
fn verify_notices_what_was_changed() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let model = Initramfs { tree_id: Some(tree.id()), ..model(Compression::NONE, "/") };
    let bytes = write(&store, &model, &tree).unwrap().to_vec(&store).unwrap();
    let rules = |bytes: Vec<u8>| -> Vec<&'static str> {
        let problems = Cpio::verify(&Source::from_bytes(bytes)).unwrap();
        problems.iter().map(|problem| problem.rule).collect()
    };
    let at = bytes.windows(5).position(|window| window == b"owned").unwrap();
    let mut changed = bytes.clone();
    changed[at] = b'0';
    assert_eq!(rules(changed), ["cpio-tree-id"]);
    assert_eq!(rules([bytes.clone(), vec![0]].concat()), ["cpio-alignment"]);
    assert_eq!(rules([bytes.clone(), archive(&[])].concat())[0], "cpio-segments");
    let packed = crate::boot::tests::compressed(Codec::Gzip, &bytes);
    assert!(rules(packed).contains(&"cpio-compression"));
    // A member whose directory comes after it, or never, is lost.
    let mut moved = bytes;
    let at = moved.windows(11).position(|window| window == b"usr/bin/and").unwrap();
    moved[at..at + 3].copy_from_slice(b"usx");
    assert!(rules(moved).contains(&"cpio-parent"));
}

#[test]
fn hostile_initrds_are_errors() {
    let store = MemoryStore::new();
    let link = Entry::new(Node::HardLink(path("/a")), Mode::PLAIN);
    let tree = tree([("/a", file(&store, b"content")), ("/b", link), ("/l", Entry::symlink("a"))]);
    for compression in COMPRESSIONS {
        let model = Initramfs { tree_id: Some(tree.id()), ..model(compression, "/app") };
        let bytes = write(&store, &model, &tree).unwrap().to_vec(&store).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        for len in 1..end {
            let source = Source::from_bytes(bytes[..len].to_vec());
            assert!(Cpio::read(&source).is_err(), "{compression} {len}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x11;
            let source = Source::from_bytes(damaged);
            // What is not noticed must be what no tree says: times, numbers of devices.
            if let (Ok(unpacked), Ok(problems)) = (Cpio::read(&source), Cpio::verify(&source)) {
                let same = unpacked.tree.id() == tree.id();
                assert!(same || !problems.is_empty(), "{compression} {at}");
            }
        }
    }
    let rows: [(Vec<u8>, &str); 6] = [
        (b"not an initrd".to_vec(), "expected an archive at a multiple of 4"),
        ([vec![0; 2], archive(&[])].concat(), "expected an archive at a multiple of 4"),
        (archive(&[("../x", 0o100_644, 1, b"")]), "contains `..`"),
        (
            archive(&[
                ("d", 0o040_755, 2, b""),
                ("d/x", 0o100_644, 1, b""),
                ("d", 0o100_644, 1, b""),
            ]),
            "it replaces a directory that is not empty",
        ),
        (archive(&[("s", 0o140_644, 1, b"")]), "a member of type 140000"),
        (archive(&[]).repeat(1100), "expected at most 1024 segments"),
    ];
    for (bytes, expected) in rows {
        let error = initrd(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_lying_size_costs_nothing() {
    let mut writer = Writer::new();
    let member = Member { name: b"x".to_vec(), mode: 0o100_644, links: 1, ..Member::default() };
    writer
        .push(&member, Body::Blob(Blob { digest: Digest::of(b""), size: 4_000_000_000 }))
        .unwrap();
    let header = writer.finish().slice(0..112).to_vec(&MemoryStore::new()).unwrap();
    assert!(initrd(header.clone()).is_err());
    // The same names again and again, each with 4 GB that are not there.
    assert!(initrd(header.repeat(100)).is_err());
}

#[test]
fn the_first_segment_has_the_init_and_the_modules_in_order() {
    let store = MemoryStore::new();
    let driver = |name: &str, when| Driver {
        module: Loaded { name: name.into(), path: format!("kernel/{name}.ko.xz"), when },
        content: Content::of(name.as_bytes()),
    };
    let for_virtio = When::For(["virtio:d00000002v*".to_owned()].into());
    let drivers = [driver("virtio", When::Always), driver("virtio_blk", for_virtio)];
    let tree = base_tree(Content::of(b"init"), &drivers, &store).unwrap();
    let names: Vec<String> = tree.iter().map(|(path, _)| path.to_string()).collect();
    let expected = [
        "/",
        "/bake",
        "/bake/modules",
        "/bake/modules/virtio.ko",
        "/bake/modules/virtio_blk.ko",
        "/bake/modules.list",
        "/dev",
        "/dev/console",
        "/init",
        "/proc",
        "/run",
        "/sys",
    ];
    assert_eq!(names, expected);
    assert_eq!(tree.get(&path("/init")).unwrap().mode, Mode::EXECUTABLE);
    let list = tree.content(&path("/bake/modules.list")).unwrap();
    let list = Rope::from(Blob { digest: list.digest, size: list.size }).to_vec(&store).unwrap();
    let expected = "/bake/modules/virtio.ko *\n/bake/modules/virtio_blk.ko virtio:d00000002v*\n";
    assert_eq!(String::from_utf8(list).unwrap(), expected);
}
