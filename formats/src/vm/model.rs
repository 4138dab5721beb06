//! What a disk stores besides the tree.

use serde::{Deserialize, Serialize};

use super::ext4::Identity;
use super::guid::{Guid, derive};
use super::machine::Machine;
use crate::encode::Compression;
use crate::format::WriteError;
use crate::tree::TreeId;

/// The longest label that ext4 has room for, in bytes.
const LABEL_MAX: usize = 16;

/// What identities are derived for.
const PURPOSE: &str = "bake vm disk 1";

/// One disk: a file system that holds the tree, or a machine that boots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// What the disk holds, e.g. `catalog`.
    pub name: String,
    /// The version of that.
    pub version: String,
    /// The architecture, in the word that the file name should have.
    pub arch: String,
    /// How large the disk is.
    pub size: DiskSize,
    /// The root file system's label, at most 16 printable ASCII characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The tree identity to record; if given, it must be the tree's.
    #[serde(rename = "tree", default, skip_serializing_if = "Option::is_none")]
    pub tree_id: Option<TreeId>,
    /// What makes it boot; a disk without it is one file system that holds the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// How the file that holds the disk compresses it; not on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// The hardware that an appliance asks for; not on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
}

/// The hardware that an appliance asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory: u32,
}

impl Default for Hardware {
    /// Returns what a machine has of which nothing is said.
    fn default() -> Self {
        Self { cpus: 1, memory: 1024 }
    }
}

/// How large a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskSize {
    /// As small as the tree allows, with a sixteenth to spare, in whole MiB.
    Minimal,
    /// This many bytes, a multiple of 1 MiB.
    Bytes(u64),
    /// As small as the tree allows, in whole multiples of this many bytes, itself whole MiB.
    Multiple(u64),
}

impl Disk {
    /// Returns whether the architecture is that of AMD and Intel, of 64 bits.
    pub(super) fn is_amd64(&self) -> bool {
        matches!(self.arch.as_str(), "amd64" | "x86_64")
    }

    /// Returns `name-version-arch.extension`.
    pub(super) fn file_name(&self, extension: &str) -> String {
        let Self { name, version, arch, .. } = self;
        format!("{name}-{version}-{arch}.{extension}").replace('/', "_")
    }

    /// Checks every field by itself.
    pub(super) fn check(&self, format: &'static str) -> Result<(), WriteError> {
        let fail = |field: &str, reason: &str| {
            Err(WriteError::Field { format, field: field.into(), reason: reason.into() })
        };
        for (field, text) in
            [("name", &self.name), ("version", &self.version), ("arch", &self.arch)]
        {
            if text.is_empty() {
                return fail(field, "expected text, found nothing");
            }
            if text.chars().any(|c| c == '/' || c.is_whitespace() || c.is_control()) {
                return fail(field, "expected neither slash, space nor control character");
            }
        }
        if let Some(label) = &self.label {
            if label.is_empty() || label.len() > LABEL_MAX {
                return fail("label", "expected 1 to 16 characters");
            }
            if !label.bytes().all(|byte| byte.is_ascii_graphic()) {
                return fail("label", "expected printable ASCII without spaces");
            }
        }
        let is_whole = |bytes: u64| bytes.is_multiple_of(1 << 20);
        let fits = match self.size {
            DiskSize::Minimal => true,
            DiskSize::Bytes(bytes) => is_whole(bytes),
            DiskSize::Multiple(unit) => unit > 0 && is_whole(unit),
        };
        if !fits {
            return fail("size", "expected a multiple of 1 MiB");
        }
        Ok(())
    }

    /// Derives what makes one file system differ from another: from the tree and the model alone.
    pub(super) fn identity(&self, tree: &TreeId) -> Identity {
        let size = match self.size {
            DiskSize::Minimal => "minimal".to_owned(),
            DiskSize::Bytes(bytes) => bytes.to_string(),
            DiskSize::Multiple(bytes) => format!("multiple of {bytes}"),
        };
        let label = self.label.clone().unwrap_or_default();
        let Self { name, version, arch, .. } = self;
        let fields = ["uuid", name, version, arch, &size, &label, &tree.to_string()];
        let Guid(uuid) = Guid::derive(PURPOSE, &fields);
        Identity { uuid, hash_seed: self.hash_seed() }
    }

    /// Derives the seed of all its file systems: the same for every version and tree, so that what did not change has the
    /// same bytes in all of them.
    pub(super) fn hash_seed(&self) -> [u8; 16] {
        derive("bake hash seed", &[&self.name, &self.arch])
    }
}
