//! What an appliance is besides its disk.

use crate::format::WriteError;
use crate::vm::Guid;

/// The most processors of a machine that VirtualBox has.
const CPUS_MAX: u32 = 64;
/// The most memory of a machine that VirtualBox has, in MiB.
const MEMORY_MAX: u32 = 2 << 20;

/// A virtual machine to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appliance {
    /// The machine's name and what the names of its files start with: letters, digits and `._-`.
    pub name: String,
    /// What the machine has.
    pub hardware: Hardware,
    /// What makes the machine and its disk differ from others.
    pub id: Guid,
}

/// What a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardware {
    /// How many processors.
    pub cpus: u32,
    /// How much memory in MiB, a multiple of 4.
    pub memory_mib: u32,
    /// What starts it.
    pub firmware: Firmware,
    /// What its disk and network look like.
    pub devices: Devices,
    /// What runs in it.
    pub os: GuestOs,
}

/// What starts a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// The boot sector of the disk.
    Bios,
    /// The boot loader in the EFI system partition.
    Efi,
}

/// What disk and network look like to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// As hardware that there was: LSI Logic, AHCI and e1000. Any kernel but one for clouds knows it.
    Emulated,
    /// As devices for virtual machines: PVSCSI and vmxnet3, or virtio. Needs VirtualBox 6.1.
    Paravirtual,
}

/// What runs in a machine, by which hypervisors choose defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestOs {
    /// Linux of 64 bits.
    Linux,
    /// Debian.
    Debian,
    /// Ubuntu.
    Ubuntu,
    /// Red Hat Enterprise Linux or what is built from its sources.
    RedHat,
}

impl GuestOs {
    /// Returns the number in CIM's list (`CIM_OperatingSystem.OsType`), all of 64 bits.
    pub(super) fn cim(self) -> u32 {
        match self {
            Self::Linux => 101,
            Self::Debian => 96,
            Self::Ubuntu => 94,
            Self::RedHat => 80,
        }
    }

    /// Returns VMware's word, of hardware version 15.
    pub(super) fn vmware(self) -> &'static str {
        match self {
            Self::Linux => "other4xLinux64Guest",
            Self::Debian => "debian10_64Guest",
            Self::Ubuntu => "ubuntu64Guest",
            Self::RedHat => "rhel8_64Guest",
        }
    }

    /// Returns VirtualBox's word.
    pub(super) fn virtualbox(self) -> &'static str {
        match self {
            Self::Linux => "Linux_64",
            Self::Debian => "Debian_64",
            Self::Ubuntu => "Ubuntu_64",
            Self::RedHat => "RedHat_64",
        }
    }
}

/// Whether an appliance lists its files' digests.
///
/// A manifest is optional, and each grain of the disk has a checksum of its own. With several
/// projects' appliances, all with disks made by qemu-img, VMware's importer finds another digest
/// than they state and refuses them; ours was not tried with it. So there is none unless asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manifest {
    /// It does not.
    #[default]
    Omitted,
    /// It does, as SHA-256.
    Included,
}

impl Appliance {
    /// Checks every field by itself.
    pub(in super::super) fn check(&self, format: &'static str) -> Result<(), WriteError> {
        let fail = |field: &str, reason: &str, found: &dyn std::fmt::Display| {
            let reason = format!("expected {reason}, found {found}");
            Err(WriteError::Field { format, field: field.into(), reason })
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+~".contains(c);
        let Self { name, hardware, .. } = self;
        if name.is_empty()
            || name.len() > 80
            || name.starts_with('.')
            || !name.chars().all(is_plain)
        {
            let reason = "1 to 80 letters, digits or `._-+~`, the first one no dot";
            return fail("name", reason, &format_args!("`{name}`"));
        }
        if !(1..=CPUS_MAX).contains(&hardware.cpus) {
            return fail("cpus", "1 to 64", &hardware.cpus);
        }
        let memory = hardware.memory_mib;
        if !(4..=MEMORY_MAX).contains(&memory) || !memory.is_multiple_of(4) {
            return fail("memory_mib", "4 to 2097152 MiB in steps of 4", &memory);
        }
        Ok(())
    }

    /// Returns the address of the network adapter, of the range that VirtualBox gives out.
    pub(in super::super) fn mac(&self) -> String {
        let Guid(id) = self.id;
        format!("080027{}", crate::digest::hex(&id[13..]).to_uppercase())
    }

    /// Returns the identity of the disk, of which the machine's is not the same.
    pub(super) fn disk_id(&self) -> Guid {
        Guid::derive("bake vm ova disk 1", &[&self.id.to_string()])
    }
}
