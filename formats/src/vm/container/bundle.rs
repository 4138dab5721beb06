//! Archives with a disk and with what starts it, as importers take them.
//!
//! Boxes and archives for Compute Engine are compressed as a whole; they are read decompressed.

use std::sync::Arc;

use super::super::gce;
use super::super::gpt;
use super::super::machine::{Layout, System};
use super::super::model::Disk;
use super::super::ova::{self, Appliance, Devices, Firmware, GuestOs, Manifest, OvaReader};
use super::super::qcow2;
use super::super::vagrant::{self, BoxReader, Guest, Provider};
use super::super::vmdk::VmdkReader;
use super::super::write::Laid;
use super::{Holder, Opened, Qcow2, Vmdk};
use crate::format::{Problem, ReadError, WriteCx, WriteError};
use crate::input::{Described, ReadAt};
use crate::rope::Rope;

/// An appliance for VMware and VirtualBox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ova;

impl Holder for Ova {
    const WORD: &'static str = "ova";
    const EXTENSION: &'static str = "ova";
    const REVISION: u32 = 1 + Vmdk::REVISION;

    fn write(laid: &Laid, model: &Disk, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
        let appliance = appliance(Self::WORD, laid, model, cx)?;
        ova::write(&appliance, &laid.disk, Manifest::default(), cx)
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        OvaReader::is_at_start_of(file)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        let reader = OvaReader::open(file)?;
        let mut disks = reader.disks()?.into_iter();
        let (Some((_, disk)), None) = (disks.next(), disks.next()) else {
            return Err(ReadError::invalid("OVA file", "expected one disk"));
        };
        let disk: Arc<dyn ReadAt> = Arc::new(VmdkReader::open(disk)?);
        Ok(Opened { hardware: reader.hardware()?, ..disk.into() })
    }

    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        ova::check(file)
    }
}

/// A box for Vagrant with libvirt.
///
/// Its disk is qcow2 without compression in an archive with: smaller by 5 % than compressed clusters
/// in an archive, and what libvirt runs has no clusters to decompress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LibvirtBox;

impl Holder for LibvirtBox {
    const WORD: &'static str = "vagrant-libvirt";
    const EXTENSION: &'static str = "libvirt.box";
    const REVISION: u32 = 1 + Qcow2::REVISION;

    fn write(laid: &Laid, model: &Disk, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
        let guest = Guest {
            architecture: architecture(Self::WORD, model)?,
            firmware: firmware(laid, cx)?,
            hardware: model.hardware.unwrap_or_default(),
        };
        let image = qcow2::write(&laid.disk)?;
        vagrant::write_libvirt(&guest, &image, laid.disk.len(), cx)
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        BoxReader::provider_at_start_of(file) == Some(Provider::Libvirt)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        let (reader, image) = open_box(file, Provider::Libvirt)?;
        let opened = Qcow2::open(&image)?;
        if opened.backing.is_some() {
            let reason = "expected a disk of its own, found one that lies on another file";
            return Err(ReadError::invalid("Vagrant box", reason));
        }
        Ok(Opened { hardware: reader.hardware()?, ..opened })
    }

    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        let (_, image) = open_box(file, Provider::Libvirt)?;
        let mut problems = qcow2::check(&*image)?;
        problems.extend(vagrant::check(file, Self::open(file)?.disk.len())?);
        Ok(problems)
    }
}

/// A box for Vagrant with VirtualBox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VirtualBoxBox;

impl Holder for VirtualBoxBox {
    const WORD: &'static str = "vagrant-virtualbox";
    const EXTENSION: &'static str = "virtualbox.box";
    const REVISION: u32 = 1 + Vmdk::REVISION;

    fn write(laid: &Laid, model: &Disk, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
        let appliance = appliance(Self::WORD, laid, model, cx)?;
        let architecture = architecture(Self::WORD, model)?;
        vagrant::write_virtualbox(&appliance, &laid.disk, architecture, cx)
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        BoxReader::provider_at_start_of(file) == Some(Provider::VirtualBox)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        let (reader, image) = open_box(file, Provider::VirtualBox)?;
        let disk: Arc<dyn ReadAt> = Arc::new(VmdkReader::open(image)?);
        Ok(Opened { hardware: reader.hardware()?, ..disk.into() })
    }

    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        let mut problems = vagrant::check(file, 0)?;
        if problems.is_empty() {
            problems.extend(ova::check_files(&OvaReader::open(file)?)?);
        }
        Ok(problems)
    }
}

/// An archive for Google Compute Engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gce;

impl Holder for Gce {
    const WORD: &'static str = "gce";
    const EXTENSION: &'static str = "gce.tar.gz";
    const REVISION: u32 = 1;

    fn write(laid: &Laid, _: &Disk, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
        gce::write(&laid.disk, cx)
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        gce::is_at_start_of(file)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        let disk: Arc<dyn ReadAt> = Arc::new(gce::open(file.clone())?);
        Ok(disk.into())
    }

    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        gce::check(file.clone())
    }
}

/// Opens a box that must be for a provider, and the file with its disk.
fn open_box(
    file: &Arc<dyn ReadAt>,
    expected: Provider,
) -> Result<(BoxReader, Arc<dyn ReadAt>), ReadError> {
    let reader = BoxReader::open(file)?;
    let found = reader.provider();
    if found != expected {
        let reason = format!("expected the provider {expected}, found {found}");
        return Err(ReadError::invalid("Vagrant box", reason));
    }
    let (_, image) = reader.disk()?;
    Ok((reader, image))
}

fn appliance(
    format: &'static str,
    laid: &Laid,
    model: &Disk,
    cx: &WriteCx<'_>,
) -> Result<Appliance, WriteError> {
    architecture(format, model)?;
    let hardware = model.hardware.unwrap_or_default();
    Ok(Appliance {
        name: format!("{}-{}", model.name, model.version),
        hardware: ova::Hardware {
            cpus: hardware.cpus,
            memory_mib: hardware.memory,
            firmware: firmware(laid, cx)?,
            devices: Devices::Emulated,
            os: os(model),
        },
        id: laid.id,
    })
}

/// Returns the word for the architecture, of which bundles know one: machine types, firmware and
/// kinds of guests have other names on others.
fn architecture(format: &'static str, model: &Disk) -> Result<&'static str, WriteError> {
    if model.is_amd64() {
        return Ok("amd64");
    }
    let reason = format!("expected amd64, found {}", model.arch);
    Err(WriteError::Field { format, field: "arch".into(), reason })
}

/// Returns what a disk is to be started by.
///
/// That is a BIOS wherever one can: it is what hypervisors start a machine by of which nothing is
/// said, it has no variables that get lost when a disk moves, and its file lies at one place in every
/// distribution.
fn firmware(laid: &Laid, cx: &WriteCx<'_>) -> Result<Firmware, WriteError> {
    let disk = Described::new(&laid.disk, cx.blobs);
    if !gpt::is_at(&disk) {
        return Ok(Firmware::Bios);
    }
    // Of a disk that is filled, what starts it is known from the disk alone.
    let layout = gpt::read(&disk).and_then(|table| Layout::find(&table, disk.len()));
    let layout = layout.map_err(|error| WriteError::Io(std::io::Error::other(error)))?;
    Ok(if layout.bios.is_some() { Firmware::Bios } else { Firmware::Efi })
}

/// Returns what runs on a disk; of one that is filled, that it is Linux.
fn os(model: &Disk) -> GuestOs {
    let system = model.machine.as_ref().map(|machine| &machine.system);
    let Some(System::Files(files)) = system else { return GuestOs::Linux };
    match files.name.as_str() {
        "debian" => GuestOs::Debian,
        "ubuntu" => GuestOs::Ubuntu,
        "rhel" | "centos" | "rocky" | "almalinux" => GuestOs::RedHat,
        _ => GuestOs::Linux,
    }
}
