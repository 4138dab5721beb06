//! The laws that every format obeys, stated once and run for all of them (see `format.rs`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::single_range_in_vec_init, reason = "a list of ranges, often of one")]

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bake_formats::blob::{BlobStore, MemoryStore};
use bake_formats::encode::{Compression, Encoder, NoCache};
use bake_formats::format::{Artifact, Epoch, Format, WriteCx};
use bake_formats::input::{Folder, ReadAt, Source};
use bake_formats::tree::{
    Content, Entry, FileTree, Mark, Mode, Node, Owner, TreeBuilder, TreePath,
};
use bake_formats::{deb, oci, rpm, vm};

const EPOCH: Epoch = Epoch(1_600_000_000);

/// The files of an artifact in memory.
struct Files(BTreeMap<String, Vec<u8>>);

impl Folder for Files {
    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadAt>> {
        match self.0.get(path) {
            Some(bytes) => Ok(Arc::new(bytes.clone())),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

/// A tree with one of everything that all formats can carry.
fn tree(store: &MemoryStore) -> FileTree {
    let mut builder = TreeBuilder::new();
    let mut add = |name: &str, entry: Entry| builder.insert(path(name), entry).unwrap();
    let file = |bytes: &[u8], mode: u32| {
        store.put(bytes).unwrap();
        Entry::file(Content::of(bytes), Mode::new(mode).unwrap())
    };
    let noise: Vec<u8> =
        (0..70_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    add("/usr/bin/app", file(b"#!/bin/sh\necho app\n", 0o755));
    add("/usr/bin/same", Entry::new(Node::HardLink(path("/usr/bin/app")), Mode::PLAIN));
    add("/usr/bin/link", Entry::symlink("app"));
    add("/usr/bin/setuid", file(b"setuid", 0o4755));
    add("/usr/lib/app/noise", file(&noise, 0o644));
    add("/usr/lib/app/empty", file(b"", 0o644));
    add("/usr/lib/app/a name with spaces", file(b"spaces", 0o600));
    add(&format!("/usr/lib/app/{}", "long".repeat(50)), file(b"long", 0o644));
    add("/usr/lib/app/empty-directory", Entry::directory());
    let mut config = file(b"key = value\n", 0o640);
    config.mark = Mark::Config;
    config.group = Owner::new("app", 12_345);
    add("/etc/app/app.conf", config);
    let mut state = Entry::new(Node::Directory, Mode::new(0o2750).unwrap());
    state.owner = Owner::new("app", 12_345);
    state.group = Owner::new("app", 12_345);
    add("/var/lib/app", state);
    add("/usr/lib/app/pipe", Entry::new(Node::Fifo, Mode::PLAIN));
    builder.finish().unwrap()
}

fn write<F: Format>(
    model: &F::Model,
    tree: &FileTree,
    store: &MemoryStore,
    threads: usize,
) -> Artifact {
    let encoder = Encoder::new(store, &NoCache, threads);
    let cx = WriteCx { blobs: store, encoder: &encoder, epoch: EPOCH };
    F::write(model, tree, &cx).unwrap()
}

fn bytes(artifact: &Artifact, store: &MemoryStore) -> BTreeMap<String, Vec<u8>> {
    artifact
        .files
        .iter()
        .map(|file| (file.path.clone(), file.rope.to_vec(store).unwrap()))
        .collect()
}

fn source(artifact: &Artifact, files: BTreeMap<String, Vec<u8>>) -> Source {
    if artifact.is_folder() {
        return Source::Folder(Arc::new(Files(files)));
    }
    Source::from_bytes(files.into_values().next().unwrap())
}

/// Checks all laws. `covered` tells which ranges of a file's bytes a checksum of the format covers.
fn conforms<F: Format>(
    make: impl Fn(&FileTree) -> F::Model,
    covered: impl Fn(&str, &[u8]) -> Vec<Range<usize>>,
) {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let model = make(&tree);

    let name = F::file_name(&model);
    assert!(!name.is_empty() && !name.contains('/'), "file name {name:?}");

    let artifact = write::<F>(&model, &tree, &store, 1);
    let files = bytes(&artifact, &store);
    let other = MemoryStore::new();
    let again = self::tree(&other);
    let repeated = write::<F>(&model, &again, &other, 8);
    assert!(bytes(&repeated, &other) == files, "{}: write is not pure", F::NAME);

    let read = F::read(&source(&artifact, files.clone())).unwrap();
    assert_eq!(read.tree.id(), tree.id(), "{}: the tree", F::NAME);
    assert_eq!(read.model, model, "{}: the model", F::NAME);
    assert_eq!(read.declared, Some(tree.id()), "{}: the declared tree", F::NAME);

    let problems = F::verify(&source(&artifact, files.clone())).unwrap();
    assert_eq!(problems, [], "{}: our own output", F::NAME);

    for (file, bytes) in &files {
        let ranges = covered(file, bytes);
        let step = ranges.iter().map(Range::len).sum::<usize>() / 60 + 1;
        for at in ranges.into_iter().flatten().step_by(step) {
            let mut flipped = files.clone();
            flipped.get_mut(file).unwrap()[at] ^= 0x10;
            let noticed =
                F::verify(&source(&artifact, flipped)).map_or(true, |found| !found.is_empty());
            assert!(noticed, "{}: a flipped byte at {at} of `{file}` goes unnoticed", F::NAME);
        }
    }
}

#[test]
fn deb_conforms() {
    let make = |tree: &FileTree| {
        let mut package = deb::Package::new("app", "1.0-1".parse().unwrap(), "amd64");
        package.maintainer = "A <a@example.com>".into();
        package.synopsis = "an app".into();
        package.compression = Compression::GZIP;
        package.tree_id = Some(tree.id());
        package
    };
    // The ar headers hold times and owners that nothing covers; contents lie behind them.
    conforms::<deb::Deb>(make, |_, bytes| vec![1_000..bytes.len()]);
}

#[test]
fn rpm_conforms() {
    let make = |tree: &FileTree| {
        let mut package = rpm::Package::new("app", "1.0", "1", "x86_64");
        package.summary = "an app".into();
        package.description = "An app.".into();
        package.license = "MIT".into();
        package.compression = Compression::ZSTD;
        package.tree_id = Some(tree.id());
        package
    };
    conforms::<rpm::Rpm>(make, |_, bytes| vec![0..bytes.len()]);
}

fn image(_: &FileTree) -> oci::Image {
    let platform =
        oci::Platform { architecture: "amd64".into(), os: "linux".into(), variant: None };
    let mut image = oci::Image::new("app", "1.0", platform);
    image.entrypoint = vec!["/usr/bin/app".into()];
    image
}

#[test]
fn oci_layout_conforms() {
    let covered = |file: &str, bytes: &[u8]| {
        let end = if file.starts_with("blobs/") { bytes.len() } else { 0 };
        vec![0..end]
    };
    conforms::<oci::Layout>(image, covered);
}

#[test]
fn oci_archive_conforms() {
    conforms::<oci::Archive>(image, |_, bytes| {
        let mut archive = tar::Archive::new(bytes);
        let blob = |entry: tar::Entry<'_, &[u8]>| {
            let start = usize::try_from(entry.raw_file_position()).unwrap();
            let end = start + usize::try_from(entry.size()).unwrap();
            entry.path().unwrap().starts_with("blobs").then_some(start..end)
        };
        archive.entries().unwrap().filter_map(|entry| blob(entry.unwrap())).collect()
    });
}

fn disk(tree: &FileTree) -> vm::Disk {
    vm::Disk {
        name: "app".into(),
        version: "1.0".into(),
        arch: "amd64".into(),
        size: vm::DiskSize::Minimal,
        label: Some("app".into()),
        tree_id: Some(tree.id()),
    }
}

/// Free space and the body of an empty journal are covered by nothing, and hold nothing.
#[test]
fn raw_conforms() {
    conforms::<vm::Raw>(disk, |_, _| vec![1_024..2_048]);
}

/// qcow2 has no checksums. A changed length of the backing file's name means nothing where there is
/// none, and a longer first table is legal; every other field must be what the image needs.
#[test]
fn qcow2_conforms() {
    conforms::<vm::Qcow2>(disk, |_, _| vec![0..16, 20..36, 40..60]);
}
