//! The laws that every format obeys, stated once and run for all of them (see `format.rs`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::single_range_in_vec_init, reason = "a list of ranges, often of one")]

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use bake_formats::blob::{BlobStore, MemoryStore};
use bake_formats::digest::Digest;
use bake_formats::encode::{Codec, Compression, Encoder, NoCache, decoder};
use bake_formats::format::{Artifact, Epoch, Format, WriteCx};
use bake_formats::input::{Folder, ReadAt, Source};
use bake_formats::tree::{
    Content, Entry, FileTree, Mark, Mode, Node, Owner, TreeBuilder, TreePath,
};
use bake_formats::{boot, deb, oci, rpm, sysext, vm};

const EPOCH: Epoch = Epoch(1_600_000_000);
/// The formats whose files are compressed as a whole.
const PACKED: [&str; 3] = ["vagrant-libvirt", "vagrant-virtualbox", "gce"];

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

/// Returns what a format is read from: a file that is compressed as a whole is decompressed, as the
/// engine does it.
fn source(artifact: &Artifact, files: BTreeMap<String, Vec<u8>>) -> io::Result<Source> {
    if artifact.is_folder() {
        return Ok(Source::Folder(Arc::new(Files(files))));
    }
    let file = files.into_values().next().unwrap();
    if !PACKED.contains(&artifact.format.as_str()) {
        return Ok(Source::from_bytes(file));
    }
    let mut unpacked = Vec::new();
    decoder(Codec::Gzip, file.as_slice())?.read_to_end(&mut unpacked)?;
    Ok(Source::from_bytes(unpacked))
}

/// Checks that what is visited is what the tree lists, and that a visitor may break off and need not
/// read.
fn visits<F: Format>(source: &Source, tree: &FileTree) {
    let mut found = BTreeMap::new();
    let all = F::visit(source, &mut |path, bytes| {
        let before = found.insert(path.clone(), Content::of_reader(bytes)?);
        assert_eq!(before, None, "{}: {path} is visited twice", F::NAME);
        Ok(ControlFlow::Continue(()))
    });
    assert_eq!(all.unwrap(), ControlFlow::Continue(()), "{}", F::NAME);
    let listed = tree.iter().filter_map(|(path, entry)| match &entry.node {
        Node::File(content) => Some((path.clone(), *content)),
        _ => None,
    });
    assert_eq!(found, listed.collect(), "{}: what is visited", F::NAME);

    // Before the last one, if there are several.
    let (mut met, stop) = (0, found.len().max(2) - 1);
    let part = F::visit(source, &mut |_, _| {
        met += 1;
        Ok(if met == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    assert_eq!((part.unwrap(), met), (ControlFlow::Break(()), stop), "{}", F::NAME);
}

/// Checks all laws. `covered` tells which ranges of a file's bytes a checksum of the format covers.
fn conforms<F: Format>(
    make: impl Fn(&FileTree) -> F::Model,
    covered: impl Fn(&str, &[u8]) -> Vec<Range<usize>>,
) {
    conforms_with::<F>(tree, make, covered);
}

/// Checks all laws for a format that cannot carry everything that the others can.
fn conforms_with<F: Format>(
    tree: impl Fn(&MemoryStore) -> FileTree,
    make: impl Fn(&FileTree) -> F::Model,
    covered: impl Fn(&str, &[u8]) -> Vec<Range<usize>>,
) {
    let plant = tree;
    let store = MemoryStore::new();
    let tree = plant(&store);
    let model = make(&tree);

    let name = F::file_name(&model);
    assert!(!name.is_empty() && !name.contains('/'), "file name {name:?}");

    let artifact = write::<F>(&model, &tree, &store, 1);
    let files = bytes(&artifact, &store);
    for file in &artifact.files {
        let found = file.identity.is_none_or(|digest| digest == Digest::of(&files[&file.path]));
        assert!(found, "{}: the identity of {}", F::NAME, file.path);
    }
    let other = MemoryStore::new();
    let again = plant(&other);
    let repeated = write::<F>(&model, &again, &other, 8);
    assert!(bytes(&repeated, &other) == files, "{}: write is not pure", F::NAME);

    let written = source(&artifact, files.clone()).unwrap();
    let read = F::read(&written).unwrap();
    assert_eq!(read.tree.id(), tree.id(), "{}: the tree", F::NAME);
    assert_eq!(read.model, model, "{}: the model", F::NAME);
    assert_eq!(read.declared, Some(tree.id()), "{}: the declared tree", F::NAME);

    visits::<F>(&written, &read.tree);

    let problems = F::verify(&written).unwrap();
    assert_eq!(problems, [], "{}: our own output", F::NAME);

    for (file, bytes) in &files {
        let ranges = covered(file, bytes);
        let step = ranges.iter().map(Range::len).sum::<usize>() / 60 + 1;
        for at in ranges.into_iter().flatten().step_by(step) {
            let mut flipped = files.clone();
            flipped.get_mut(file).unwrap()[at] ^= 0x10;
            let found = source(&artifact, flipped).map(|flipped| F::verify(&flipped));
            let noticed = !matches!(found, Ok(Ok(problems)) if problems.is_empty());
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
        machine: None,
        compression: None,
        hardware: None,
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

/// Returns where a VMDK image has the marker of its first grain with the start of a zlib stream, and the
/// checksum of what that stream holds. Between them are bytes that stand for the same in two ways.
fn grain(image: &[u8]) -> [Range<usize>; 2] {
    let number = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) as usize;
    let start = number(64) * 512;
    let end = start + 12 + number(start + 8);
    [start..start + 14, end - 4..end]
}

#[test]
fn vmdk_conforms() {
    conforms::<vm::Vmdk>(disk, |_, bytes| grain(bytes).to_vec());
}

#[test]
fn vhd_conforms() {
    conforms::<vm::Vhd>(disk, |_, bytes| vec![1_024..2_048, bytes.len() - 512..bytes.len()]);
}

/// Both footers and the header of the table have checksums.
#[test]
fn dynamic_vhd_conforms() {
    conforms::<vm::DynamicVhd>(disk, |_, bytes| vec![0..1_536, bytes.len() - 512..bytes.len()]);
}

/// Both headers and both tables of regions have checksums.
#[test]
fn vhdx_conforms() {
    const KIB: usize = 1_024;
    conforms::<vm::Vhdx>(disk, |_, _| {
        vec![64 * KIB..68 * KIB, 128 * KIB..132 * KIB, 192 * KIB..320 * KIB]
    });
}

fn appliance(tree: &FileTree) -> vm::Disk {
    vm::Disk { hardware: Some(vm::Hardware { cpus: 2, memory: 512 }), ..disk(tree) }
}

/// Headers of tar have a checksum, as grains of the disk have; there is no manifest that covers the
/// envelope.
#[test]
fn ova_conforms() {
    conforms::<vm::Ova>(appliance, |_, bytes| {
        let mut ranges = Vec::new();
        for entry in tar::Archive::new(bytes).entries().unwrap() {
            let entry = entry.unwrap();
            let header = usize::try_from(entry.raw_header_position()).unwrap();
            ranges.extend([header..header + 148, header + 156..header + 512]);
            if entry.path().unwrap().extension().is_some_and(|found| found == "vmdk") {
                let start = header + 512;
                let ranges_of_grain = grain(&bytes[start..]);
                ranges.extend(ranges_of_grain.map(|range| start + range.start..start + range.end));
            }
        }
        assert_eq!(ranges.len(), 6);
        ranges
    });
}

/// The header of gzip holds a time, flags and a system that nothing covers.
#[test]
fn boxes_conform() {
    let covered = |_: &str, bytes: &[u8]| vec![0..3, 10..bytes.len()];
    conforms::<vm::LibvirtBox>(appliance, covered);
    conforms::<vm::VirtualBoxBox>(appliance, covered);
}

#[test]
fn gce_conforms() {
    let make = |tree: &FileTree| vm::Disk { size: vm::DiskSize::Multiple(1 << 30), ..disk(tree) };
    conforms::<vm::Gce>(make, |_, bytes| vec![0..3, 10..bytes.len()]);
}

/// The header of gzip holds a time and a system that nothing covers.
#[test]
fn cpio_conforms() {
    let make = |tree: &FileTree| {
        let mut additions = TreeBuilder::new();
        additions.insert(path("/var/lib/app/below"), Entry::directory()).unwrap();
        boot::initramfs::Initramfs {
            name: "app".into(),
            version: "1.0".into(),
            arch: "amd64".into(),
            compression: Compression::GZIP,
            prefix: path("/bake/app"),
            tree_id: Some(tree.id()),
            additions: additions.finish().unwrap(),
        }
    };
    conforms::<boot::initramfs::Cpio>(make, |_, bytes| vec![0..4, 10..bytes.len()]);
}

/// Returns the part of the tree that a system extension can hold.
fn merged(store: &MemoryStore) -> FileTree {
    tree(store).filter(|name, _| name.is_below(&path("/usr"))).unwrap()
}

fn extension(tree: &FileTree) -> sysext::Extension {
    let mut extension = sysext::Extension::new("app", "1.0");
    extension.tree_id = Some(tree.id());
    extension
}

/// EROFS has a checksum of its first block alone.
#[test]
fn sysext_conforms() {
    conforms_with::<sysext::Sysext>(merged, extension, |_, _| vec![1_024..4_096]);
}

/// The same file system, merged elsewhere.
#[test]
fn confext_conforms() {
    let merged =
        |store: &MemoryStore| tree(store).filter(|name, _| name.is_below(&path("/etc"))).unwrap();
    let make = |tree: &FileTree| sysext::Extension {
        scope: sysext::Scope::Configuration,
        ..extension(tree)
    };
    conforms_with::<sysext::Sysext>(merged, make, |_, _| vec![1_024..4_096]);
}

/// With verity every block of the file system counts, and so do both partition tables.
#[test]
fn protected_sysext_conforms() {
    let make = |tree: &FileTree| {
        let mut extension = extension(tree);
        extension.release.architecture = Some("arm64".into());
        extension.protection = sysext::Protection::Verity;
        extension
    };
    conforms_with::<sysext::Sysext>(merged, make, |_, bytes| {
        vec![510..600, 1 << 20..(1 << 20) + 70_000 * 4, bytes.len() - 600..bytes.len() - 512 + 92]
    });
}
