//! What bundles refuse, and what starts the machines that they describe.

use std::io::Read;

use super::*;
use crate::blob::{BlobStore, MemoryStore};
use crate::encode::{Encoder, NoCache, decoder};
use crate::format::Epoch;
use crate::tree::{Content, Entry, Mode, TreeBuilder, TreePath};
use crate::vm::{DiskSize, ova, qcow2, vagrant};

const EPOCH: Epoch = Epoch(1_704_067_200);

fn disk() -> Disk {
    Disk {
        name: "app".into(),
        version: "1.0".into(),
        arch: "amd64".into(),
        size: DiskSize::Minimal,
        label: None,
        tree_id: None,
        machine: None,
        compression: None,
        hardware: None,
    }
}

fn write<F: Format<Model = Disk>>(model: &Disk) -> Result<Vec<u8>, WriteError> {
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: EPOCH };
    let mut builder = TreeBuilder::new();
    store.put(b"app").unwrap();
    let path = TreePath::parse("/usr/bin/app").unwrap();
    builder.insert(path, Entry::file(Content::of(b"app"), Mode::PLAIN)).unwrap();
    let artifact = F::write(model, &builder.finish().unwrap(), &cx)?;
    Ok(artifact.files[0].rope.to_vec(&store).unwrap())
}

fn unpacked(bytes: &[u8]) -> Source {
    let mut unpacked = Vec::new();
    decoder(Codec::Gzip, bytes).unwrap().read_to_end(&mut unpacked).unwrap();
    Source::from_bytes(unpacked)
}

fn is_at(source: &Source) -> Option<Container> {
    Container::of(&**source.file().unwrap())
}

#[test]
fn bundles_are_told_apart_by_what_is_in_them() {
    let whole = Disk { size: DiskSize::Multiple(1 << 30), ..disk() };
    let packed = [
        (write::<LibvirtBox>(&disk()).unwrap(), Container::LibvirtBox),
        (write::<VirtualBoxBox>(&disk()).unwrap(), Container::VirtualBoxBox),
        (write::<Gce>(&whole).unwrap(), Container::Gce),
    ];
    for (bytes, expected) in packed {
        assert_eq!(is_at(&unpacked(&bytes)), Some(expected));
        assert_eq!(is_at(&Source::from_bytes(bytes)), None);
    }
    let appliance = Source::from_bytes(write::<Ova>(&disk()).unwrap());
    assert_eq!(is_at(&appliance), Some(Container::Ova));
    // A format reads every container, and says so when it checks one that is not its own.
    assert_eq!(Gce::read(&appliance).unwrap().model.hardware, Some(Hardware::default()));
    let problems = Gce::verify(&appliance).unwrap();
    assert_eq!(problems, [Problem::new("vm-container", "file", "gce", "ova")]);
}

#[test]
fn a_compressed_bundle_is_not_read() {
    let packed = Source::from_bytes(write::<LibvirtBox>(&disk()).unwrap());
    for error in [LibvirtBox::read(&packed).err(), Raw::verify(&packed).err()] {
        let text = error.unwrap().to_string();
        assert!(text.contains("decompressed before it is read, found gzip"), "{text}");
    }
}

#[test]
fn disks_that_an_importer_refuses_are_not_written() {
    let small = write::<Gce>(&disk()).unwrap_err().to_string();
    assert!(small.contains("size: expected whole GiB, e.g. 1GiB, found "), "{small}");
    let arm = Disk { arch: "arm64".into(), ..disk() };
    for written in [write::<Ova>(&arm), write::<LibvirtBox>(&arm), write::<VirtualBoxBox>(&arm)] {
        let text = written.unwrap_err().to_string();
        assert!(text.ends_with("field arch: expected amd64, found arm64"), "{text}");
    }
    let greedy = Hardware { cpus: 65, memory: 1024 };
    let greedy = Disk { hardware: Some(greedy), ..disk() };
    assert!(write::<Ova>(&greedy).unwrap_err().to_string().contains("cpus"));
}

#[test]
fn the_disk_of_a_box_lies_on_no_other_file() {
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: EPOCH };
    let disk = Rope::from(vec![7; 1 << 20]);
    let backing = Backing::new("secret.raw", qcow2::BackingFormat::Raw).unwrap();
    let changed = 0..65_536;
    let overlay =
        qcow2::write_overlay(&disk, std::slice::from_ref(&changed), &backing, None, &cx).unwrap();
    let guest = vagrant::Guest {
        architecture: "amd64",
        firmware: ova::Firmware::Bios,
        hardware: Hardware::default(),
    };
    let packed = vagrant::write_libvirt(&guest, &overlay, 1 << 20, &cx).unwrap();
    let source = unpacked(&packed.to_vec(&store).unwrap());
    assert_eq!(is_at(&source), Some(Container::LibvirtBox));
    for error in [LibvirtBox::read(&source).err(), LibvirtBox::verify(&source).err()] {
        let text = error.unwrap().to_string();
        assert!(text.contains("found one that lies on another file"), "{text}");
    }
}
