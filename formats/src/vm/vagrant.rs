//! Vagrant boxes (Vagrant documentation, "Box File Format", "Box Info Format").
//!
//! ```text
//! libvirt                              virtualbox
//! metadata.json  provider, format,     metadata.json  provider, architecture
//!                virtual_size in GB,
//!                architecture
//! Vagrantfile    hardware, firmware    Vagrantfile    address of the network adapter
//! box.img        the disk as qcow2     box.ovf        the envelope of an appliance
//!                                      box-disk1.vmdk the disk
//! ```
//!
//! The files are at the root of a gzip member of a POSIX tar archive, in this order. The guest needs
//! a user `vagrant` that Vagrant's key opens; that is the recipe's part.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::bundle::{self, Member};
use super::model::Hardware;
use super::ova::{self, Appliance, DiskFile, Firmware, envelope, populated};
use super::vmdk;
use crate::encode::{Codec, Compression};
use crate::format::{Problem, ReadError, WriteCx, WriteError};
use crate::input::ReadAt;
use crate::rope::Rope;

const METADATA: &str = "metadata.json";
const VAGRANTFILE: &str = "Vagrantfile";
/// The disk of a box for libvirt.
const IMAGE: &str = "box.img";
/// The envelope of a box for VirtualBox.
const ENVELOPE: &str = "box.ovf";
/// The disk of a box for VirtualBox.
const VMDK: &str = "box-disk1.vmdk";
/// The longest text of a box that is read, in bytes.
const TEXT_MAX: u64 = 1 << 20;
/// How an archive is compressed whose disk is compressed already; level 1 knows no stored blocks and
/// makes it 4 % longer.
const PACKED: Compression = Compression { codec: Codec::Gzip, level: 2 };
/// What lines of a Vagrantfile start with that say the hardware.
const CPUS: &str = "libvirt.cpus = ";
const MEMORY: &str = "libvirt.memory = ";
/// The unit of a box's size.
const GB: u64 = 1_000_000_000;

/// What starts a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// libvirt with QEMU.
    Libvirt,
    /// VirtualBox.
    VirtualBox,
}

impl Provider {
    /// Reads the word of boxes' metadata.
    fn parse(word: &str) -> Option<Self> {
        [Self::Libvirt, Self::VirtualBox].into_iter().find(|known| known.to_string() == word)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Libvirt => "libvirt",
            Self::VirtualBox => "virtualbox",
        })
    }
}

/// What libvirt starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guest<'a> {
    /// The architecture in Vagrant's word, e.g. `amd64`.
    pub architecture: &'a str,
    /// What starts it.
    pub firmware: Firmware,
    /// What it has.
    pub hardware: Hardware,
}

/// Describes a box for libvirt of a qcow2 image that needs no other file; `size` is that of the disk.
pub fn write_libvirt(
    guest: &Guest<'_>,
    image: &Rope,
    size: u64,
    cx: &WriteCx<'_>,
) -> Result<Rope, WriteError> {
    let Guest { architecture, firmware, hardware } = guest;
    let metadata = json!({
        "provider": Provider::Libvirt.to_string(),
        "format": "qcow2",
        "virtual_size": size.div_ceil(GB),
        "architecture": architecture,
    });
    let (cpus, memory) =
        (format!("{CPUS}{}", hardware.cpus), format!("{MEMORY}{}", hardware.memory));
    let mut lines = vec!["libvirt.driver = \"kvm\"", &cpus, &memory];
    if *firmware == Firmware::Efi {
        lines.push("libvirt.machine_type = \"q35\"");
        lines.push("libvirt.loader = \"/usr/share/OVMF/OVMF_CODE.fd\"");
    }
    let vagrantfile = vagrantfile(&["config.vm.provider :libvirt do |libvirt|"], &lines);
    pack(&metadata, &vagrantfile, &[(IMAGE, image)], Compression::GZIP, cx)
}

/// Describes a box for VirtualBox of a disk whose size is a multiple of 512 bytes.
pub fn write_virtualbox(
    appliance: &Appliance,
    disk: &Rope,
    architecture: &str,
    cx: &WriteCx<'_>,
) -> Result<Rope, WriteError> {
    appliance.check("vagrant")?;
    let metadata = json!({
        "provider": Provider::VirtualBox.to_string(),
        "architecture": architecture,
    });
    let file = vmdk::write(disk, appliance.id, cx)?;
    let described =
        DiskFile { name: VMDK, len: file.len(), capacity: disk.len(), populated: populated(disk) };
    let ovf = Rope::from(envelope(appliance, &described).into_bytes());
    let mac = format!("config.vm.base_mac = \"{}\"", appliance.mac());
    pack(&metadata, &vagrantfile(&[&mac], &[]), &[(ENVELOPE, &ovf), (VMDK, &file)], PACKED, cx)
}

/// Returns a Vagrantfile of lines; if there are inner ones, the last of the others opens their block.
fn vagrantfile(lines: &[&str], inner: &[&str]) -> String {
    let mut text = String::from("Vagrant.configure(\"2\") do |config|\n");
    for line in lines {
        text.push_str(&format!("  {line}\n"));
    }
    for line in inner {
        text.push_str(&format!("    {line}\n"));
    }
    if !inner.is_empty() {
        text.push_str("  end\n");
    }
    text.push_str("end\n");
    text
}

fn pack(
    metadata: &Value,
    vagrantfile: &str,
    files: &[(&str, &Rope)],
    compression: Compression,
    cx: &WriteCx<'_>,
) -> Result<Rope, WriteError> {
    let metadata = Rope::from(format!("{metadata}\n").into_bytes());
    let vagrantfile = Rope::from(vagrantfile.as_bytes().to_vec());
    let mut members = vec![(METADATA, &metadata), (VAGRANTFILE, &vagrantfile)];
    members.extend(files);
    let archive = bundle::write("vagrant", cx.epoch, &members)?;
    Ok(cx.encoder.compress(&archive, compression)?)
}

/// A box that was decompressed, for reading.
pub struct BoxReader {
    provider: Provider,
    metadata: Map<String, Value>,
    members: Vec<Member>,
}

impl fmt::Debug for BoxReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, metadata, .. } = self;
        f.debug_struct("BoxReader")
            .field("provider", provider)
            .field("metadata", metadata)
            .finish_non_exhaustive()
    }
}

impl BoxReader {
    /// Opens a box: a tar archive with the metadata of a provider that is known.
    pub fn open(archive: &Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let members = bundle::open(archive, "Vagrant box")?;
        let invalid = |reason: String| ReadError::invalid(METADATA, reason);
        let metadata = members.iter().find(|member| member.name == METADATA);
        let metadata =
            metadata.ok_or_else(|| ReadError::invalid("Vagrant box", "expected metadata.json"))?;
        let metadata: Map<String, Value> =
            serde_json::from_str(&metadata.text(METADATA, TEXT_MAX)?)
                .map_err(|error| invalid(error.to_string()))?;
        let provider = metadata.get("provider").and_then(Value::as_str);
        let Some(provider) = provider.and_then(Provider::parse) else {
            let found = provider.unwrap_or("none");
            let reason = format!("expected the provider libvirt or virtualbox, found {found}");
            return Err(invalid(reason));
        };
        Ok(Self { provider, metadata, members })
    }

    /// Returns what starts the box that a decompressed file is, if it begins as one does: with
    /// metadata that name a provider which is known.
    pub fn provider_at_start_of(archive: &dyn ReadAt) -> Option<Provider> {
        let (_, text) = bundle::first(archive).filter(|(name, _)| name == METADATA)?;
        let metadata: Value = serde_json::from_slice(&text).ok()?;
        metadata.get("provider").and_then(Value::as_str).and_then(Provider::parse)
    }

    /// Returns the hardware that the box asks for, if it says so as boxes of bake do.
    pub fn hardware(&self) -> Result<Option<Hardware>, ReadError> {
        let text = |name: &str| {
            let member = self.members.iter().find(|member| member.name == name);
            member.map(|member| member.text(name, TEXT_MAX)).transpose()
        };
        if self.provider == Provider::VirtualBox {
            return Ok(text(ENVELOPE)?.map(|ovf| ova::hardware(&ovf)).transpose()?.flatten());
        }
        let vagrantfile = text(VAGRANTFILE)?.unwrap_or_default();
        let number = |start: &str| {
            let mut lines = vagrantfile.lines();
            lines.find_map(|line| line.trim_start().strip_prefix(start))?.parse().ok()
        };
        let (cpus, memory) = (number(CPUS), number(MEMORY));
        Ok(cpus.zip(memory).map(|(cpus, memory)| Hardware { cpus, memory }))
    }

    /// Returns what starts the box.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Returns the name and the contents of the file that holds the disk: qcow2 or VMDK.
    pub fn disk(&self) -> Result<(&str, Arc<dyn ReadAt>), ReadError> {
        let is_disk = |name: &str| match self.provider {
            Provider::Libvirt => name == IMAGE,
            Provider::VirtualBox => name.to_ascii_lowercase().ends_with(".vmdk"),
        };
        let mut disks = self.members.iter().filter(|member| is_disk(&member.name));
        let (Some(disk), None) = (disks.next(), disks.next()) else {
            return Err(ReadError::invalid("Vagrant box", "expected one disk"));
        };
        Ok((&disk.name, Arc::clone(&disk.contents)))
    }

    /// Returns the disk's size in whole GB, which boxes for libvirt state.
    fn virtual_size(&self) -> Option<u64> {
        self.metadata.get("virtual_size").and_then(Value::as_u64)
    }
}

/// Lists every rule of the format that a box breaks which was decompressed.
///
/// `disk` is the size of the disk in the box, which the caller has opened.
pub fn check(archive: &Arc<dyn ReadAt>, disk: u64) -> Result<Vec<Problem>, ReadError> {
    let reader = BoxReader::open(archive)?;
    let mut problems = Vec::new();
    let (rule, smallest) = ("vagrant-virtual-size", disk.div_ceil(GB));
    let size = reader.virtual_size();
    if reader.provider == Provider::Libvirt && size.is_none_or(|size| size < smallest) {
        let found = size.map_or("none".to_owned(), |size| size.to_string());
        let expected = format!("virtual_size of at least {smallest} GB");
        problems.push(Problem::new(rule, METADATA, expected, found));
    }
    let has = |name: &str| reader.members.iter().any(|member| member.name == name);
    if reader.provider == Provider::VirtualBox && !has(ENVELOPE) {
        let expected = "an envelope, box.ovf";
        problems.push(Problem::new("vagrant-envelope", "box", expected, "none"));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::MemoryStore;
    use crate::digest::Digest;
    use crate::encode::{Codec, Encoder, NoCache, decoder};
    use crate::format::Epoch;
    use crate::vm::Guid;
    use crate::vm::ova::{Devices, GuestOs};
    use std::io::Read;

    const GUEST: Guest<'_> = Guest {
        architecture: "amd64",
        firmware: Firmware::Efi,
        hardware: Hardware { cpus: 1, memory: 512 },
    };

    fn appliance() -> Appliance {
        let hardware = ova::Hardware {
            cpus: 1,
            memory_mib: 512,
            firmware: Firmware::Bios,
            devices: Devices::Emulated,
            os: GuestOs::Linux,
        };
        Appliance { name: "catalog".into(), hardware, id: Guid::from_u128(0x1234_5678) }
    }

    /// Returns the box of a disk of 1 MiB, compressed, and what is in it.
    fn pack_both(provider: Provider) -> (Vec<u8>, Arc<dyn ReadAt>) {
        let store = MemoryStore::new();
        let encoder = Encoder::new(&store, &NoCache, 1);
        let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: Epoch(0) };
        let disk = Rope::from(vec![7; 1 << 20]);
        let packed = match provider {
            Provider::Libvirt => write_libvirt(&GUEST, &disk, disk.len(), &cx),
            Provider::VirtualBox => write_virtualbox(&appliance(), &disk, "amd64", &cx),
        };
        let packed = packed.unwrap().to_vec(&store).unwrap();
        let mut archive = Vec::new();
        decoder(Codec::Gzip, packed.as_slice()).unwrap().read_to_end(&mut archive).unwrap();
        (packed, Arc::new(archive))
    }

    #[test]
    fn reading_undoes_writing() {
        for (provider, name) in [(Provider::Libvirt, IMAGE), (Provider::VirtualBox, VMDK)] {
            let (_, archive) = pack_both(provider);
            assert_eq!(check(&archive, 1 << 20).unwrap(), []);
            let reader = BoxReader::open(&archive).unwrap();
            assert_eq!(reader.provider(), provider);
            assert_eq!(BoxReader::provider_at_start_of(&*archive), Some(provider));
            assert_eq!(reader.hardware().unwrap(), Some(GUEST.hardware));
            assert_eq!(reader.metadata["architecture"], "amd64");
            let (found, disk) = reader.disk().unwrap();
            assert_eq!(found, name);
            let disk: Arc<dyn ReadAt> = match provider {
                Provider::Libvirt => disk,
                Provider::VirtualBox => Arc::new(vmdk::VmdkReader::open(disk).unwrap()),
            };
            let mut bytes = vec![0; 1 << 20];
            disk.read_exact_at(0, &mut bytes).unwrap();
            assert!(disk.len() == 1 << 20 && bytes == vec![7; 1 << 20]);
        }
    }

    #[test]
    fn bytes_are_pinned() {
        let digests = [Provider::Libvirt, Provider::VirtualBox]
            .map(|provider| Digest::of(&pack_both(provider).0).hex());
        let expected = [
            "f5a923820e805114573fcc5f598d261402c09616fd8c249d2f402ed0965a61b1",
            "2095a21ff58b4a04e719c26370599d3f152f2c2337f9466e39faa6073728ac38",
        ];
        assert_eq!(digests, expected);
    }

    #[test]
    fn texts_are_what_vagrant_reads() {
        let text = |archive: &Arc<dyn ReadAt>, name: &str| {
            let reader = BoxReader::open(archive).unwrap();
            let member = reader.members.iter().find(|member| member.name == name).unwrap();
            member.text(name, TEXT_MAX).unwrap()
        };
        let (_, libvirt) = pack_both(Provider::Libvirt);
        assert_eq!(
            text(&libvirt, METADATA),
            "{\"architecture\":\"amd64\",\"format\":\"qcow2\",\"provider\":\"libvirt\",\
             \"virtual_size\":1}\n"
        );
        assert!(text(&libvirt, VAGRANTFILE).contains("\n    libvirt.machine_type = \"q35\"\n"));
        let (_, virtualbox) = pack_both(Provider::VirtualBox);
        assert_eq!(
            text(&virtualbox, VAGRANTFILE),
            "Vagrant.configure(\"2\") do |config|\n  \
             config.vm.base_mac = \"080027345678\"\nend\n"
        );
        assert!(text(&virtualbox, ENVELOPE).contains("MACAddress=\"080027345678\""));
    }

    #[test]
    fn checks_what_the_metadata_says() {
        let (_, libvirt) = pack_both(Provider::Libvirt);
        let rules = |size| -> Vec<&str> {
            check(&libvirt, size).unwrap().iter().map(|problem| problem.rule).collect()
        };
        assert_eq!(rules(GB), [""; 0]);
        assert_eq!(rules(GB + 1), ["vagrant-virtual-size"]);
        let archive = |metadata: &str, others: &[&str]| -> Arc<dyn ReadAt> {
            let metadata = Rope::from(metadata.as_bytes().to_vec());
            let empty = Rope::new();
            let mut members = vec![(METADATA, &metadata)];
            members.extend(others.iter().map(|name| (*name, &empty)));
            let bytes = bundle::write("vagrant", Epoch(0), &members).unwrap();
            Arc::new(bytes.to_vec(&MemoryStore::new()).unwrap())
        };
        for metadata in ["", "[]", "{}", "{\"provider\": \"vmware_desktop\"}", "{\"provider\": 1}"]
        {
            assert!(BoxReader::open(&archive(metadata, &[])).is_err(), "{metadata}");
        }
        let two = archive("{\"provider\": \"virtualbox\"}", &["a.vmdk", "b.VMDK"]);
        assert!(BoxReader::open(&two).unwrap().disk().is_err());
        assert_eq!(check(&two, 0).unwrap()[0].rule, "vagrant-envelope");
    }
}
