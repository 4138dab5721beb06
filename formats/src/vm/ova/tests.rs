//! Appliances written, read and taken apart.

use std::sync::Arc;

use roxmltree::Document;

use super::*;
use crate::blob::MemoryStore;
use crate::digest::Digest;
use crate::encode::{Encoder, NoCache};
use crate::format::{Epoch, ReadError, WriteCx, WriteError};
use crate::input::{ReadAt, Section};
use crate::rope::Rope;
use crate::vm::{Guid, bundle, vmdk};

const RASD: &str =
    "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData";
const VBOX: &str = "http://www.virtualbox.org/ovf/machine";
const VMW: &str = "http://www.vmware.com/schema/ovf";

fn appliance() -> Appliance {
    let hardware = Hardware {
        cpus: 2,
        memory_mib: 1024,
        firmware: Firmware::Efi,
        devices: Devices::Emulated,
        os: GuestOs::Debian,
    };
    Appliance { name: "catalog-1.2".into(), hardware, id: Guid::from_u128(7 << 96 | 0xab_cdef) }
}

fn disk() -> Rope {
    let mut disk = Rope::from(b"start".to_vec());
    disk.push_zeros(1 << 20);
    disk.push_bytes(b"end");
    disk.align(1 << 20);
    disk
}

fn describe(appliance: &Appliance, manifest: Manifest) -> Result<Vec<u8>, WriteError> {
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: Epoch(1_577_836_800) };
    Ok(write(appliance, &disk(), manifest, &cx)?.to_vec(&store)?)
}

fn open(file: &[u8]) -> Result<OvaReader, ReadError> {
    let file: Arc<dyn ReadAt> = Arc::new(file.to_vec());
    OvaReader::open(&file)
}

fn rules(file: &[u8]) -> Vec<&'static str> {
    let file: Arc<dyn ReadAt> = Arc::new(file.to_vec());
    check(&file).unwrap().iter().map(|problem| problem.rule).collect()
}

/// A file of an archive: its name and its bytes.
type File<'a> = (&'a str, &'a [u8]);

/// Returns an archive of these files.
fn archive(members: &[File<'_>]) -> Vec<u8> {
    let ropes: Vec<Rope> = members.iter().map(|(_, bytes)| Rope::from(bytes.to_vec())).collect();
    let members: Vec<(&str, &Rope)> =
        members.iter().zip(&ropes).map(|((name, _), rope)| (*name, rope)).collect();
    let file = bundle::write("ova", Epoch(0), &members).unwrap();
    file.to_vec(&MemoryStore::new()).unwrap()
}

/// Returns the parts of an appliance: the envelope and the bytes of the disk's file.
fn parts(file: &[u8]) -> (String, Vec<u8>) {
    let reader = open(file).unwrap();
    let (_, contents) = reader.disks().unwrap().remove(0);
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut Section::whole(contents), &mut bytes).unwrap();
    (reader.ovf().to_owned(), bytes)
}

#[test]
fn reading_undoes_writing() {
    for manifest in [Manifest::Omitted, Manifest::Included] {
        let file = describe(&appliance(), manifest).unwrap();
        assert_eq!(rules(&file), [""; 0]);
        let reader = open(&file).unwrap();
        let names: Vec<&str> = reader.members.iter().map(|member| &*member.name).collect();
        let all = ["catalog-1.2.ovf", "catalog-1.2.mf", "catalog-1.2-disk1.vmdk"];
        let without = [all[0], all[2]];
        let has_manifest = manifest == Manifest::Included;
        assert_eq!(names, if has_manifest { &all[..] } else { &without[..] });
        assert_eq!(reader.manifest().is_some(), has_manifest);
        let disks = reader.disks().unwrap();
        let [(name, contents)] = &disks[..] else { panic!("{} disks", disks.len()) };
        assert_eq!(*name, all[2]);
        let inner = vmdk::VmdkReader::open(Arc::clone(contents)).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut Section::whole(Arc::new(inner)), &mut bytes).unwrap();
        assert!(bytes == disk().to_vec(&MemoryStore::new()).unwrap());
    }
}

#[test]
fn bytes_are_pinned() {
    let file = describe(&appliance(), Manifest::Included).unwrap();
    let expected = "ccf1e796c7f1e66d65d6d709b5976c5b9cb5beab22bba052bcfbd83a72fd00e6";
    assert_eq!(Digest::of(&file).hex(), expected);
}

#[test]
fn the_manifest_has_no_space_before_the_name() {
    let file = describe(&appliance(), Manifest::Included).unwrap();
    let reader = open(&file).unwrap();
    let (ovf, vmdk) = parts(&file);
    let expected = format!(
        "SHA256(catalog-1.2.ovf)= {}\nSHA256(catalog-1.2-disk1.vmdk)= {}\n",
        Digest::of(ovf.as_bytes()).hex(),
        Digest::of(&vmdk).hex()
    );
    assert_eq!(reader.manifest(), Some(&*expected));
}

/// Returns the values of all elements of a name, in order.
fn values<'a>(document: &'a Document<'_>, namespace: &'a str, name: &'a str) -> Vec<&'a str> {
    let nodes = document.descendants().filter(|node| node.has_tag_name((namespace, name)));
    nodes.map(|node| node.text().unwrap_or_default()).collect()
}

#[test]
fn the_envelope_says_the_machine_in_all_three_languages() {
    let file = describe(&appliance(), Manifest::Omitted).unwrap();
    let (text, vmdk) = parts(&file);
    let document = Document::parse(&text).unwrap();
    assert_eq!(values(&document, RASD, "ResourceType"), ["3", "4", "6", "17", "10"]);
    assert_eq!(values(&document, RASD, "VirtualQuantity"), ["2", "1024"]);
    assert_eq!(values(&document, RASD, "ResourceSubType"), ["lsilogic", "E1000"]);
    let find = |namespace: &str, name: &str| {
        let mut nodes = document.descendants().filter(|node| node.has_tag_name((namespace, name)));
        nodes.next().unwrap()
    };
    let ovf = "http://schemas.dmtf.org/ovf/envelope/1";
    let disk = find(ovf, "Disk");
    assert_eq!(disk.attribute((ovf, "capacity")), Some("2097152"));
    assert_eq!(disk.attribute((ovf, "populatedSize")), Some("8"));
    let size = vmdk.len().to_string();
    assert_eq!(find(ovf, "File").attribute((ovf, "size")), Some(&*size));
    let config = find(VMW, "Config");
    assert_eq!(config.attribute((VMW, "key")), Some("firmware"));
    assert_eq!(config.attribute((VMW, "value")), Some("efi"));
    assert_eq!(find(ovf, "Firmware").attribute("type"), Some("EFI"));
    assert_eq!(find(ovf, "StorageController").attribute("type"), Some("AHCI"));
    assert_eq!(find(ovf, "Adapter").attribute("MACAddress"), Some("080027ABCDEF"));
    // VirtualBox looks for the attached image among the disks by this.
    let image = find(ovf, "Image").attribute("uuid").unwrap();
    let uuid = disk.attribute((VBOX, "uuid")).unwrap();
    assert_eq!(image, format!("{{{uuid}}}"));
}

#[test]
fn elements_of_items_are_in_the_order_of_the_schema() {
    let file = describe(&appliance(), Manifest::Omitted).unwrap();
    let (text, _) = parts(&file);
    let document = Document::parse(&text).unwrap();
    let items = document.descendants().filter(|node| node.tag_name().name() == "Item");
    for item in items {
        let names: Vec<&str> = item
            .children()
            .filter(roxmltree::Node::is_element)
            .map(|node| node.tag_name().name())
            .collect();
        assert!(names.is_sorted() && names.len() > 5, "{names:?}");
    }
}

#[test]
fn hardware_makes_a_difference() {
    let hardware = Hardware {
        firmware: Firmware::Bios,
        devices: Devices::Paravirtual,
        os: GuestOs::Linux,
        ..appliance().hardware
    };
    let file = describe(&Appliance { hardware, ..appliance() }, Manifest::Omitted).unwrap();
    let (text, _) = parts(&file);
    for part in [
        ">VirtualSCSI<",
        ">VmxNet3<",
        "vmw:value=\"bios\"",
        "vmw:osType=\"other4xLinux64Guest\"",
        "OSType=\"Linux_64\"",
        "<Firmware type=\"BIOS\"/>",
        "type=\"VirtioSCSI\"",
        "type=\"virtio\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn refuses_what_importers_refuse() {
    let named = |name: &str| Appliance { name: name.into(), ..appliance() };
    let with = |cpus, memory_mib| {
        let hardware = Hardware { cpus, memory_mib, ..appliance().hardware };
        Appliance { hardware, ..appliance() }
    };
    for bad in [
        named(""),
        named("a b"),
        named("a/b"),
        named(".a"),
        named("é"),
        named(&"a".repeat(81)),
        with(0, 1024),
        with(65, 1024),
        with(1, 0),
        with(1, 1023),
        with(1, (2 << 20) + 4),
    ] {
        assert!(describe(&bad, Manifest::Omitted).is_err(), "{bad:?}");
    }
}

#[test]
fn checks_what_envelope_and_manifest_say() {
    let file = describe(&appliance(), Manifest::Included).unwrap();
    let (ovf, vmdk) = parts(&file);
    let manifest = open(&file).unwrap().manifest().unwrap().to_owned();
    let (envelope, disk) = ("catalog-1.2.ovf", "catalog-1.2-disk1.vmdk");
    let ovf = ovf.as_bytes();
    let wrong = manifest.replacen("= ", "= 0", 1);
    let spaced = manifest.replace("SHA256(", "SHA256 (");
    let other = String::from_utf8(ovf.to_vec()).unwrap();
    let other = other.replace("ovf:capacity=\"2097152\"", "ovf:capacity=\"2097153\"");
    let cases: [(&[File<'_>], &[&str]); 7] = [
        (&[(envelope, ovf), (disk, &vmdk)], &[]),
        (&[(disk, &vmdk), (envelope, ovf)], &["ova-order"]),
        (&[(envelope, ovf)], &["ova-reference"]),
        (&[(envelope, ovf), (disk, &vmdk[1..])], &["ova-reference"]),
        (&[(envelope, other.as_bytes()), (disk, &vmdk)], &["ova-capacity"]),
        (&[(envelope, ovf), ("a.mf", wrong.as_bytes()), (disk, &vmdk)], &["ova-manifest"]),
        (&[(envelope, ovf), ("a.mf", spaced.as_bytes()), (disk, &vmdk)], &["ova-manifest"; 4]),
    ];
    for (members, expected) in cases {
        assert_eq!(rules(&archive(members)), expected, "{:?}", members[0].0);
    }
}

#[test]
fn refuses_archives_it_cannot_trust() {
    let file = describe(&appliance(), Manifest::Omitted).unwrap();
    let (ovf, vmdk) = parts(&file);
    let text = |from: &str, to: &str| {
        assert!(ovf.contains(from), "{from}");
        ovf.replace(from, to)
    };
    let envelopes = [
        text("envelope/1", "envelope/2"),
        text("</Envelope>", ""),
        text("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<!DOCTYPE a [<!ENTITY a \"b\">]>"),
        text(" ovf:id=\"file1\" ovf:size", " ovf:size"),
        text(" ovf:id=\"file1\"", " ovf:id=\"file1\" ovf:compression=\"gzip\""),
        text("<References>", &format!("<References>{}", "<a/>".repeat(60_000))),
        " ".repeat((1 << 20) + 1),
    ];
    for envelope in &envelopes {
        let file = archive(&[("a.ovf", envelope.as_bytes()), ("a.vmdk", &vmdk)]);
        assert!(open(&file).is_err(), "{}", &envelope[..200]);
    }
    assert!(open(&archive(&[("a.vmdk", &vmdk)])).is_err());
    assert!(open(&archive(&[("a.ovf", ovf.as_bytes()), ("b.ovf", ovf.as_bytes())])).is_err());
    let lost = archive(&[("a.ovf", ovf.as_bytes())]);
    assert!(open(&lost).unwrap().disks().is_err());
    for len in (0..file.len()).step_by(512) {
        assert!(open(&file[..len]).is_err(), "{len}");
    }
}
