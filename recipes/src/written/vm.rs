//! `[vm]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{At, FlagOrText};

/// The disk image.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Vm {
    /// How the disk is stored; `["qcow2"]` if absent.
    pub formats: Option<At<Vec<At<VmFormat>>>>,
    /// "minimal" or a size such as "2GiB": of the whole disk.
    pub size: Option<At<String>>,
    /// The root file system's label.
    pub label: Option<At<String>>,
    /// `base` for a disk that others are built on, else `service`.
    pub kind: Option<At<VmKind>>,
    /// What the machine is built on; without it the disk is one file system with the files.
    pub base: Option<At<VmBase>>,
    /// Where the files go: into the `root` file system or into a `slot` that is laid over it.
    pub placement: Option<At<VmPlacement>>,
    /// How large a slot for an application is reserved, e.g. "1GiB".
    pub slot: Option<At<String>>,
    /// How large a volume for configuration is reserved, e.g. "8MiB"; `true` for 8 MiB.
    pub seed: Option<At<FlagOrText>>,
    /// What starts the machine; `hybrid` on x86, `uefi` elsewhere if absent.
    pub firmware: Option<At<VmFirmware>>,
    /// The root file system: `ext4`, or `erofs`, which is read-only.
    pub file_system: Option<At<VmFileSystem>>,
    /// The version of the kernel, if the base has several.
    pub kernel: Option<At<String>>,
    /// Arguments of the kernel besides those that find the root file system.
    pub kernel_arguments: Option<Vec<At<String>>>,
    /// Kernel modules to load besides those that virtual machines usually need.
    #[serde(default)]
    pub modules: Vec<At<String>>,
    /// What mounts the root file system: `bake` for bake's own, `base` for the base's initrd.
    pub initrd: Option<At<VmInitrd>>,
    /// A `bake-machine-init` for the recipe's architecture, if this program has none.
    pub init: Option<At<String>>,
    /// A UEFI stub of systemd, if the base has none.
    pub uefi_stub: Option<At<String>>,
    /// How clusters of qcow2 are compressed: `none`, `gzip` or `zstd`, perhaps with a level.
    pub compression: Option<At<String>>,
    /// How many processors an OVA asks for.
    pub cpus: Option<At<i64>>,
    /// How much memory an OVA asks for, e.g. "2GiB".
    pub memory: Option<At<String>>,
}

/// What a machine is built on: one of these.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VmBase {
    /// An image with a kernel, in the words of `base` of `[oci]`.
    pub image: Option<At<String>>,
    /// A tar archive of a root file system with a kernel, perhaps compressed.
    pub rootfs: Option<At<String>>,
    /// A disk that was baked with `kind = "base"`: raw, or qcow2 without compression.
    pub disk: Option<At<String>>,
}

/// What a disk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VmKind {
    /// To be built on.
    Base,
    /// To run the recipe's service.
    Service,
}

/// Where the files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VmPlacement {
    /// Into the root file system.
    Root,
    /// Into a partition of their own.
    Slot,
}

/// What starts a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VmFirmware {
    /// UEFI.
    Uefi,
    /// BIOS.
    Bios,
    /// Either.
    Hybrid,
}

/// The kind of the root file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VmFileSystem {
    /// Writable.
    Ext4,
    /// Read-only.
    Erofs,
}

/// What mounts the root file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VmInitrd {
    /// An initrd that bake makes.
    Bake,
    /// The initrd that the base has.
    Base,
}

/// How a disk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VmFormat {
    /// Its sectors.
    Raw,
    /// QEMU copy-on-write.
    Qcow2,
    /// QEMU copy-on-write, only what differs from the base disk.
    Overlay,
    /// VMware, stream-optimised.
    Vmdk,
    /// Microsoft, fixed.
    Vhd,
    /// Microsoft, dynamic.
    VhdDynamic,
    /// Hyper-V.
    Vhdx,
    /// A virtual appliance for VMware and VirtualBox.
    Ova,
    /// A box for Vagrant with libvirt.
    VagrantLibvirt,
    /// A box for Vagrant with VirtualBox.
    VagrantVirtualbox,
    /// A tar archive for Google Compute Engine.
    Gce,
    /// A segment of an initramfs that holds the files.
    Cpio,
    /// Kernel, initrd and command line, for machines that are started without firmware.
    Direct,
    /// A system extension image.
    Sysext,
}
