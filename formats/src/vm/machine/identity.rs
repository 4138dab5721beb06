//! What makes one machine differ from another: derived from everything on the disk but the slot.

use super::super::ext4::Identity;
use super::super::guid::{Guid, derive};
use super::super::model::Disk;
use super::model::{Files, Machine};
use crate::format::WriteError;
use crate::tree::TreeId;

/// What identities are derived for.
const PURPOSE: &str = "bake machine 1";

/// The identities of a disk and of what is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Identities {
    seed: String,
    hash_seed: [u8; 16],
}

impl Identities {
    /// Derives the identities of a machine that is made from files, and whose root file system holds
    /// this payload.
    pub(in super::super) fn new(
        disk: &Disk,
        machine: &Machine,
        files: &Files,
        payload: &TreeId,
    ) -> Result<Self, WriteError> {
        let mut seed = format!(
            "{}\n{}\n{}\n{}\n",
            disk.arch,
            json(&disk.size)?,
            disk.label.as_deref().unwrap_or_default(),
            json(files)?
        );
        let Machine { additions, redirects, .. } = machine;
        let (name, version) = (&disk.name, &disk.version);
        let additions = additions.digest();
        seed.push_str(&format!("{name}\n{version}\n{payload}\n{additions}\n"));
        seed.push_str(&json(redirects)?);
        Ok(Self { seed, hash_seed: disk.hash_seed() })
    }

    /// Returns the GUID of a part: `disk`, `root`, `esp` and so on.
    pub(in super::super) fn guid(&self, part: &str) -> Guid {
        Guid::derive(PURPOSE, &[part, &self.seed])
    }

    /// Returns the identity of the root file system.
    pub(in super::super) fn file_system(&self) -> Identity {
        let Guid(uuid) = self.guid("root file system");
        Identity { uuid, hash_seed: self.hash_seed }
    }

    /// Returns the serial number of a FAT file system.
    pub(in super::super) fn serial(&self, part: &str) -> u32 {
        let [a, b, c, d, ..] = derive(PURPOSE, &["serial", part, &self.seed]);
        u32::from_le_bytes([a, b, c, d])
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, WriteError> {
    serde_json::to_string(value).map_err(|error| WriteError::Io(error.into()))
}
