use std::io::Read;

use super::*;
use crate::blob::{BlobStore, MemoryStore};
use crate::digest::Digest;
use crate::format::{Epoch, ReadError, WriteError};
use crate::rope::Rope;
use crate::tree::{Content, DeviceKind, Entry, FileTree, Mode, Node, Owner, TreeBuilder, TreePath};

const EPOCH: Epoch = Epoch(1_700_000_000);

fn path(text: impl AsRef<[u8]>) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn options(dialect: Dialect) -> TarOptions<'static> {
    let (prefix, symlinks, root) = match dialect {
        Dialect::Gnu => ("./", SymlinkOrder::Last, Root::Listed),
        Dialect::Pax => ("", SymlinkOrder::InTree, Root::Omitted),
    };
    TarOptions { format: "test", dialect, prefix, epoch: EPOCH, symlinks, root }
}

/// One entry of every kind, with names and numbers that do and do not fit a header.
fn sample(store: &MemoryStore) -> FileTree {
    let mut builder = TreeBuilder::new();
    let mut add = |name: &[u8], entry: Entry| builder.insert(path(name), entry).unwrap();
    let file = |bytes: &[u8], mode| {
        store.put(bytes).unwrap();
        Entry::file(Content::of(bytes), Mode::new(mode).unwrap())
    };
    add(b"/a/link", Entry::symlink("../usr/bin/app"));
    add(b"/usr/bin/app", file(b"#!/bin/sh\n", 0o4755));
    add(b"/usr/bin/twin", Entry::new(Node::HardLink(path("/usr/bin/app")), Mode::PLAIN));
    add(b"/usr/share/block", file(&[7; 512], 0o644));
    add(b"/usr/share/empty", file(b"", 0o600));
    add(b"/usr/share/caf\xc3\xa9", file(b"utf-8", 0o644));
    add(b"/usr/share/caf\xe9", file(b"latin-1", 0o644));
    let long = format!("/usr/share/{}/{}", "d".repeat(120), "f".repeat(255));
    add(long.as_bytes(), file(b"long", 0o644));
    add(b"/usr/share/to", Entry::symlink("x/".repeat(80)));
    let exact = format!("/{}/{}", "e".repeat(40), "f".repeat(57));
    add(exact.as_bytes(), file(b"exactly 99 bytes without a prefix", 0o644));
    let mut owned = Entry::directory();
    owned.owner = Owner::new("svc", 4_000_000_000);
    owned.group = Owner::new("staff", 50);
    add(b"/var/lib/svc", owned);
    add(b"/run/pipe", Entry::new(Node::Fifo, Mode::PLAIN));
    let node = |kind, minor| Node::Device { kind, major: 8, minor };
    add(b"/dev/c", Entry::new(node(DeviceKind::Character, 3), Mode::PLAIN));
    add(b"/dev/b", Entry::new(node(DeviceKind::Block, 1_048_575), Mode::PLAIN));
    builder.finish().unwrap()
}

/// As if every entry had been asked for by name, which an archive cannot tell.
fn explicit(tree: &FileTree) -> FileTree {
    let mut builder = TreeBuilder::new();
    for (path, entry) in tree.iter() {
        builder.insert(path.clone(), Entry { implied: false, ..entry.clone() }).unwrap();
    }
    builder.finish().unwrap()
}

fn with_xattrs(store: &MemoryStore) -> FileTree {
    let mut builder = TreeBuilder::new();
    store.put(b"x").unwrap();
    let mut entry = Entry::file(Content::of(b"x"), Mode::EXECUTABLE);
    entry.xattrs.insert("security.capability".into(), vec![1, 0, 0, 2, 0, b'\n', 0xff]);
    entry.xattrs.insert("user.empty".into(), Vec::new());
    builder.insert(path("/usr/bin/ping"), entry).unwrap();
    let link = Entry::new(Node::HardLink(path("/usr/bin/ping")), Mode::PLAIN);
    builder.insert(path("/usr/bin/ping6"), link).unwrap();
    let mut entry = Entry::directory();
    entry.owner = Owner::new(&"long".repeat(10), 1);
    entry.xattrs.insert("user.x".into(), b"y".to_vec());
    builder.insert(path("/srv"), entry).unwrap();
    builder.finish().unwrap()
}

fn bytes_of(tree: &FileTree, dialect: Dialect, store: &MemoryStore) -> Vec<u8> {
    write(tree, options(dialect)).unwrap().to_vec(store).unwrap()
}

fn parse(bytes: &[u8]) -> Result<FileTree, ReadError> {
    read(bytes, "test.tar")
}

#[test]
fn reading_undoes_writing() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let back = parse(&bytes_of(&tree, Dialect::Gnu, &store)).unwrap();
    assert_eq!(back, explicit(&tree));
    for tree in [tree, with_xattrs(&store)] {
        let back = parse(&bytes_of(&tree, Dialect::Pax, &store)).unwrap();
        assert_eq!(back.id(), tree.id());
        for (path, entry) in tree.iter().filter(|(path, _)| !path.is_root()) {
            assert_eq!(back.get(path), Some(&Entry { implied: false, ..entry.clone() }));
        }
    }
}

/// The `tar` crate as an independent reader.
#[test]
fn another_reader_sees_the_same() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    for dialect in [Dialect::Gnu, Dialect::Pax] {
        let bytes = bytes_of(&tree, dialect, &store);
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut seen = 0;
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = path(&*entry.path_bytes());
            let ours = tree.get(&name).unwrap();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            let link = entry.link_name_bytes().map(|link| link.to_vec());
            match &ours.node {
                Node::File(content) => assert_eq!(&Content::of(&contents), content),
                Node::Symlink(target) => assert_eq!(link.as_ref(), Some(target)),
                Node::HardLink(target) => assert_eq!(&path(link.unwrap()), target),
                Node::Device { major, minor, .. } => {
                    assert_eq!(entry.header().device_major().unwrap(), Some(*major));
                    assert_eq!(entry.header().device_minor().unwrap(), Some(*minor));
                }
                Node::Directory => assert!(entry.header().entry_type().is_dir()),
                Node::Fifo => assert!(entry.header().entry_type().is_fifo()),
            }
            let header = entry.header();
            assert_eq!(header.mode().unwrap(), ours.st_mode() & 0o7777, "{name}");
            assert_eq!(header.mtime().unwrap(), u64::from(EPOCH.0));
            assert_eq!(header.groupname().unwrap(), Some(&*ours.group.name));
            assert_eq!(header.username().unwrap(), Some(&*ours.owner.name));
            if dialect == Dialect::Gnu {
                assert_eq!(header.uid().unwrap(), u64::from(ours.owner.id));
            }
            seen += 1;
        }
        assert_eq!(seen, tree.len() - usize::from(dialect == Dialect::Pax));
    }
}

#[test]
fn bytes_do_not_move() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let digest = |tree, dialect| Digest::of(&bytes_of(tree, dialect, &store)).hex();
    let digests = [
        digest(&tree, Dialect::Gnu),
        digest(&tree, Dialect::Pax),
        digest(&with_xattrs(&store), Dialect::Pax),
    ];
    let expected = [
        "b70ef36972ebe4d2f6baed8d5c1a7c140a447e2c972e5c0ec57c7daee9392632",
        "93776fa820785e70bb6adc19ffd269628f700dd8162bd9350a9ab5041ddd7234",
        "63f35602295c4b95c00d63bc2f837de8222d2ddd2abfb174486ca6c6bb46bf73",
    ];
    assert_eq!(digests, expected);
}

#[test]
fn names_and_order_are_as_asked_for() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let names = |dialect| {
        let bytes = bytes_of(&tree, dialect, &store);
        let mut reader = TarReader::new(bytes.as_slice(), "test.tar");
        let mut names = Vec::new();
        while let Some(member) = reader.next_member().unwrap() {
            names.push((String::from_utf8_lossy(&member.name).into_owned(), member.is_pax));
        }
        names
    };
    let gnu = names(Dialect::Gnu);
    let first: Vec<_> = gnu.iter().take(3).map(|(name, _)| name.as_str()).collect();
    assert_eq!(first, ["./", "./a/", "./dev/"]);
    let last: Vec<_> = gnu.iter().rev().take(2).map(|(name, _)| name.as_str()).collect();
    assert_eq!(last, ["./usr/share/to", "./a/link"]);
    assert!(gnu.iter().all(|(_, is_pax)| !is_pax));
    let pax = names(Dialect::Pax);
    assert_eq!(pax[0], ("a/".into(), false));
    assert_eq!(pax[1], ("a/link".into(), false));
    assert_eq!(pax.iter().filter(|(_, is_pax)| *is_pax).count(), 6);
}

#[test]
fn sizes_beyond_octal_are_carried() {
    let size = 9 * 1024 * 1024 * 1024;
    let content = Content { size, ..Content::of(b"") };
    let mut builder = TreeBuilder::new();
    builder.insert(path("/big"), Entry::file(content, Mode::PLAIN)).unwrap();
    let tree = builder.finish().unwrap();
    for dialect in [Dialect::Gnu, Dialect::Pax] {
        let rope = write(&tree, options(dialect)).unwrap();
        let head = rope.slice(0..rope.len() - size - 1024).to_vec(&MemoryStore::new()).unwrap();
        let mut reader = TarReader::new(head.as_slice(), "test.tar");
        let sizes = std::iter::from_fn(|| reader.next_member().ok().flatten());
        assert_eq!(sizes.map(|member| member.size).max(), Some(size), "{dialect:?}");
    }
}

#[test]
fn control_members_and_ropes_are_appended() {
    let store = MemoryStore::new();
    let mut rope = Rope::from(b"head".to_vec());
    rope.push_blob(store.put(b"blob").unwrap());
    let mut writer = TarWriter::new(options(Dialect::Gnu));
    writer.append(&TreePath::root(), &Entry::directory()).unwrap();
    writer.append_bytes(&path("control"), Mode::PLAIN, b"Package: x\n").unwrap();
    writer.append_rope(&path("index"), Mode::EXECUTABLE, &rope).unwrap();
    let bytes = writer.finish().to_vec(&store).unwrap();
    assert_eq!(bytes.len() % BLOCK, 0);
    let mut reader = TarReader::new(bytes.as_slice(), "test.tar");
    let mut seen = Vec::new();
    while let Some(member) = reader.next_member().unwrap() {
        let contents = reader.contents_to_vec(100).unwrap();
        seen.push((member.name, member.mode, contents));
    }
    let expected = [
        (b"./".to_vec(), Mode::EXECUTABLE, b"".to_vec()),
        (b"./control".to_vec(), Mode::PLAIN, b"Package: x\n".to_vec()),
        (b"./index".to_vec(), Mode::EXECUTABLE, b"headblob".to_vec()),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn refuses_what_a_dialect_cannot_carry() {
    let store = MemoryStore::new();
    let error = write(&with_xattrs(&store), options(Dialect::Gnu)).unwrap_err();
    assert!(matches!(error, WriteError::Unsupported { .. }), "{error}");
    let mut entry = Entry::directory();
    entry.owner = Owner::new(&"u".repeat(32), 1);
    let mut writer = TarWriter::new(options(Dialect::Gnu));
    assert!(writer.append(&path("/x"), &entry).is_err());
    let node = Node::Device { kind: DeviceKind::Block, major: 1, minor: 1 << 21 };
    let mut writer = TarWriter::new(options(Dialect::Pax));
    assert!(writer.append(&path("/x"), &Entry::new(node.clone(), Mode::PLAIN)).is_err());
    let mut writer = TarWriter::new(options(Dialect::Gnu));
    writer.append(&path("/x"), &Entry::new(node, Mode::PLAIN)).unwrap();
    let mut entry = Entry::directory();
    entry.xattrs.insert("user.a=b".into(), Vec::new());
    let mut writer = TarWriter::new(options(Dialect::Pax));
    assert!(writer.append(&path("/x"), &entry).is_err());
}

#[test]
fn every_truncation_is_an_error() {
    let store = MemoryStore::new();
    for dialect in [Dialect::Gnu, Dialect::Pax] {
        let bytes = bytes_of(&with_links(&store), dialect, &store);
        for len in 0..bytes.len() {
            assert!(parse(&bytes[..len]).is_err(), "{dialect:?} cut to {len}");
        }
        assert!(parse(&bytes).is_ok());
        assert!(parse(&[bytes.clone(), vec![0; 9000]].concat()).is_ok());
        assert!(parse(&[bytes, vec![1]].concat()).is_err());
    }
}

fn with_links(store: &MemoryStore) -> FileTree {
    let mut builder = TreeBuilder::new();
    store.put(b"contents").unwrap();
    let name = "n".repeat(120);
    builder.insert(path(&name), Entry::file(Content::of(b"contents"), Mode::PLAIN)).unwrap();
    builder.insert(path("/link"), Entry::symlink(name)).unwrap();
    builder.finish().unwrap()
}

#[test]
fn every_flipped_header_bit_is_an_error() {
    let store = MemoryStore::new();
    store.put(b"contents").unwrap();
    let mut builder = TreeBuilder::new();
    builder.insert(path("/f"), Entry::file(Content::of(b"contents"), Mode::PLAIN)).unwrap();
    let tree = explicit(&builder.finish().unwrap());
    let bytes = bytes_of(&tree, Dialect::Gnu, &store);
    let headers = (0..1024).chain(1536..bytes.len());
    for (index, bit) in headers.flat_map(|index| (0..8).map(move |bit| (index, bit))) {
        let mut damaged = bytes.clone();
        damaged[index] ^= 1 << bit;
        // Leading and trailing characters of the checksum field carry nothing.
        let is_harmless = (148..156).contains(&(index % 512));
        let back = parse(&damaged);
        assert!(
            is_harmless && back.as_ref().is_ok_and(|back| *back == tree) || back.is_err(),
            "bit {bit} of byte {index}"
        );
    }
}

/// A header with a right checksum, by the `tar` crate.
fn header(name: &[u8], kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    header
}

fn archive(members: &[(tar::Header, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (header, contents) in members {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(contents);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

#[test]
fn rejects_hostile_members() {
    use tar::EntryType;
    let file = |name: &[u8]| (header(name, EntryType::Regular, 0), &b""[..]);
    let with = |name: &[u8], kind, contents: &'static [u8]| {
        (header(name, kind, contents.len() as u64), contents)
    };
    let mut hard_link = header(b"link", EntryType::Link, 0);
    hard_link.as_old_mut().linkname[..9].copy_from_slice(b"../passwd");
    hard_link.set_cksum();
    let mut dangling = header(b"link", EntryType::Link, 0);
    dangling.as_old_mut().linkname[..2].copy_from_slice(b"no");
    dangling.set_cksum();
    let cases = [
        ("it contains `..`", vec![file(b"a/../../b")]),
        ("it contains `..`", vec![(hard_link, &b""[..])]),
        ("hard link", vec![(dangling, &b""[..])]),
        ("two entries", vec![file(b"a"), file(b"./a")]),
        ("is not a directory", vec![file(b"a"), file(b"a/b")]),
        ("no name", vec![file(b"")]),
        ("sparse", vec![file_of(b'S')]),
        ("type `V`", vec![file_of(b'V')]),
        ("but is no file", vec![with(b"d/", EntryType::Directory, b"x")]),
        ("impossible target", vec![with(b"l", EntryType::Symlink, b"")]),
        ("expected at most", vec![(header(b"x", EntryType::XHeader, 1 << 30), &b""[..])]),
        ("expected at most", vec![(header(b"x", EntryType::GNULongName, 1 << 40), &b""[..])]),
        ("after an extended header", vec![with(b"x", EntryType::GNULongName, b"a\0")]),
        ("PAX record", vec![with(b"x", EntryType::XHeader, b"12 path=a\n")]),
        ("sparse", vec![with(b"x", EntryType::XHeader, b"22 GNU.sparse.major=1\n")]),
        ("it contains `..`", vec![with(b"x", EntryType::XHeader, b"11 path=..\n"), file(b"a")]),
    ];
    for (reason, members) in cases {
        let error = parse(&archive(&members)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}: {reason}");
    }
}

fn file_of(kind: u8) -> (tar::Header, &'static [u8]) {
    (header(b"x", tar::EntryType::new(kind), 0), b"")
}

#[test]
fn reads_old_and_foreign_headers() {
    let mut v7 = tar::Header::new_old();
    v7.as_old_mut().name[..4].copy_from_slice(b"dir/");
    v7.set_mode(0o100_755);
    v7.set_uid(7);
    v7.set_gid(0);
    v7.set_size(0);
    v7.set_mtime(0);
    v7.as_old_mut().linkflag = [0];
    v7.set_cksum();
    let mut split = tar::Header::new_ustar();
    split.as_ustar_mut().unwrap().prefix[..3].copy_from_slice(b"dir");
    split.as_old_mut().name[..4].copy_from_slice(b"file");
    split.set_size(3);
    split.set_mode(0o640);
    split.set_uid(0);
    split.set_gid(0);
    split.set_mtime(0);
    split.set_cksum();
    let global = header(b"g", tar::EntryType::XGlobalHeader, 14);
    let bytes = archive(&[(v7, b""), (global, b"14 uname=user\n"), (split, b"abc")]);
    let tree = parse(&bytes).unwrap();
    let directory = tree.get(&path("/dir")).unwrap();
    assert!(directory.is_directory());
    assert_eq!(directory.owner, Owner::new("7", 7));
    assert_eq!(directory.mode, Mode::EXECUTABLE);
    let mut expected = Entry::file(Content::of(b"abc"), Mode::new(0o640).unwrap());
    expected.owner = Owner::new("user", 0);
    assert_eq!(tree.get(&path("/dir/file")), Some(&expected));
}
