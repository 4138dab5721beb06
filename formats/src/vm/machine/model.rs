//! What a machine is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::guid::Guid;
use super::super::qcow2::Backing;
use crate::blob::Blob;
use crate::encode::Compression;
use crate::rope::Rope;
use crate::tree::{StatedTree, TreePath};

/// What makes a disk boot, and a service run on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// What is there without the payload.
    pub system: System,
    /// Where the payload is.
    pub placement: Placement,
    /// What the payload's service needs besides the payload; replaces what the system has.
    #[serde(default, skip_serializing_if = "StatedTree::is_empty")]
    pub additions: StatedTree,
    /// Directories of the payload that are links in the system, and what they lead to: entries below
    /// the one lie below the other.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redirects: BTreeMap<TreePath, TreePath>,
}

/// Where the payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// In the root file system.
    Root,
    /// In the slot, which is laid over the root file system.
    Slot,
}

/// What a machine is without the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// Files, from which the disk is made.
    Files(Box<Files>),
    /// A disk that was made before and has a slot.
    Baked(Baked),
}

/// The files of a system, and how they are laid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// What the system is called, e.g. `debian`.
    pub name: String,
    /// Its version, e.g. `12`.
    pub version: String,
    /// The root file system, without what the payload or the additions bring if those lie there.
    pub tree: StatedTree,
    /// What starts it.
    pub boot: Boot,
    /// What the root file system is.
    pub file_system: FileSystem,
    /// How many bytes are reserved for a slot, a multiple of 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u64>,
    /// How many bytes are reserved for a volume of configuration, a multiple of 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// A disk that was made before. Two are equal if they have one GUID and one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baked {
    /// The GUID of its partition table, which is derived from what is on it.
    pub guid: Guid,
    /// The file that an overlay names: a plain name, relative to the overlay.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub file: Option<Backing>,
    /// Its bytes; only writers need them.
    #[serde(skip)]
    pub disk: Arc<Rope>,
}

impl PartialEq for Baked {
    fn eq(&self, other: &Self) -> bool {
        (self.guid, &self.file) == (other.guid, &other.file)
    }
}

impl Eq for Baked {}

/// What starts a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    /// Which firmware can start it.
    pub firmware: Firmware,
    /// The kernel.
    pub kernel: Kernel,
    /// systemd's UEFI stub; there whenever UEFI can start it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stub: Option<Blob>,
    /// What the kernel starts first.
    pub initrd: Initrd,
    /// Arguments of the kernel besides those that find file systems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// The text of `os-release`, which boot menus show.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub os_release: String,
}

/// A kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Its version, e.g. `6.1.0-40-cloud-amd64`.
    pub version: String,
    /// Its image.
    pub image: Blob,
}

/// What a kernel starts first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Initrd {
    /// An archive of these files.
    Files {
        /// The files.
        tree: StatedTree,
        /// How the archive is compressed: zstd, gzip or not at all.
        compression: Compression,
    },
    /// An archive that somebody else made.
    Image(Blob),
}

/// Which firmware can start a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// UEFI.
    Uefi,
    /// BIOS.
    Bios,
    /// Either.
    Hybrid,
}

impl Firmware {
    /// Returns whether UEFI can start it.
    pub fn has_uefi(self) -> bool {
        self != Self::Bios
    }

    /// Returns whether a BIOS can start it.
    pub fn has_bios(self) -> bool {
        self != Self::Uefi
    }
}

/// What a root file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileSystem {
    /// Writable.
    Ext4,
    /// Read-only.
    Erofs,
}

impl FileSystem {
    /// Returns the kernel's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Erofs => "erofs",
        }
    }
}
