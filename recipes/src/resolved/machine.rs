//! Disks: one file system with the files, or a machine that boots and runs the service.

use bake_formats::encode::Compression;

use super::image::BaseSource;
use crate::error::Place;

/// A disk image.
#[derive(Debug, Clone, PartialEq)]
pub struct Vm {
    /// The formats to write, in the order written; never empty.
    pub formats: Vec<DiskFormat>,
    /// The size of the disk.
    pub size: DiskSize,
    /// The root file system's label, at most 16 bytes of ASCII.
    pub label: String,
    /// What boots; a disk without one is one file system with the files.
    pub machine: Option<Machine>,
    /// How clusters of qcow2 are compressed.
    pub compression: Compression,
    /// The hardware that appliances ask for.
    pub hardware: Hardware,
    /// The place of the `[vm]` table, or of the name if there is none.
    pub place: Place,
}

/// A machine that boots.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// What it is built on.
    pub base: MachineBase,
    /// Whether others are built on it.
    pub is_base: bool,
    /// Where the files go.
    pub placement: Placement,
    /// The bytes that are reserved for an application that is laid over the root file system.
    pub slot: Option<u64>,
    /// The bytes that are reserved for configuration.
    pub seed: Option<u64>,
    /// What starts it.
    pub firmware: Firmware,
    /// The root file system.
    pub file_system: FileSystem,
    /// The kernel's version, if the base may have several.
    pub kernel: Option<String>,
    /// Arguments of the kernel.
    pub kernel_arguments: Vec<String>,
    /// Kernel modules besides the usual ones.
    pub modules: Vec<String>,
    /// Whether the base's own initrd mounts the root file system.
    pub base_initrd: bool,
    /// A `bake-machine-init`, relative to the recipe.
    pub init: Option<String>,
    /// A UEFI stub, relative to the recipe.
    pub uefi_stub: Option<String>,
    /// The place of `base`.
    pub place: Place,
}

/// What a machine is built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineBase {
    /// An image.
    Image(BaseSource),
    /// A tar archive, relative to the recipe.
    Rootfs(String),
    /// A disk that was baked to be built on, relative to the recipe.
    Disk(String),
}

/// Where the files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Into the root file system.
    Root,
    /// Into a partition of their own.
    Slot,
}

/// What starts a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// UEFI.
    Uefi,
    /// BIOS.
    Bios,
    /// Either.
    Hybrid,
}

/// The kind of a root file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// Writable.
    Ext4,
    /// Read-only.
    Erofs,
}

/// The hardware that appliances ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardware {
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory: u32,
}

/// How a disk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskFormat {
    /// Its sectors.
    Raw,
    /// QEMU copy-on-write, version 3.
    Qcow2,
    /// The same, only what differs from the base disk.
    Overlay,
    /// VMware, stream-optimised.
    Vmdk,
    /// Microsoft, fixed.
    Vhd,
    /// Microsoft, dynamic.
    VhdDynamic,
    /// Hyper-V.
    Vhdx,
    /// An appliance.
    Ova,
    /// A box for Vagrant with libvirt.
    VagrantLibvirt,
    /// A box for Vagrant with VirtualBox.
    VagrantVirtualbox,
    /// An archive for Google Compute Engine.
    Gce,
    /// A segment of an initramfs.
    Cpio,
    /// Kernel, initrd and command line.
    Direct,
    /// A system extension image.
    Sysext,
}

impl DiskFormat {
    /// Returns the word that recipes use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Overlay => "overlay",
            Self::Vmdk => "vmdk",
            Self::Vhd => "vhd",
            Self::VhdDynamic => "vhd-dynamic",
            Self::Vhdx => "vhdx",
            Self::Ova => "ova",
            Self::VagrantLibvirt => "vagrant-libvirt",
            Self::VagrantVirtualbox => "vagrant-virtualbox",
            Self::Gce => "gce",
            Self::Cpio => "cpio",
            Self::Direct => "direct",
            Self::Sysext => "sysext",
        }
    }

    /// Returns whether the format says a machine whose devices and firmware are those of amd64.
    pub fn is_for_amd64(self) -> bool {
        matches!(self, Self::Ova | Self::VagrantLibvirt | Self::VagrantVirtualbox)
    }

    /// Returns whether only a machine that boots can have this format.
    pub fn needs_machine(self) -> bool {
        match self {
            Self::Overlay
            | Self::Ova
            | Self::VagrantLibvirt
            | Self::VagrantVirtualbox
            | Self::Gce
            | Self::Direct => true,
            Self::Raw
            | Self::Qcow2
            | Self::Vmdk
            | Self::Vhd
            | Self::VhdDynamic
            | Self::Vhdx
            | Self::Cpio
            | Self::Sysext => false,
        }
    }
}

/// How large a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiskSize {
    /// As small as its contents allow.
    #[default]
    Minimal,
    /// This many bytes, a multiple of 1 MiB.
    Bytes(u64),
}
