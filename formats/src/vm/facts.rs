//! What a disk says of itself, read without the files on it.

use super::container::Opened;
use super::machine::{Firmware, Parts, System};
use super::read::read_record;
use crate::format::ReadError;
use crate::input::Source;

/// What a machine's disk says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What it is called; of a disk whose slot is filled, what is in the slot.
    pub name: String,
    /// The version of that.
    pub version: String,
    /// The architecture, in the word that its recipe has.
    pub arch: String,
    /// What can start it.
    pub firmware: Firmware,
}

impl Facts {
    /// Reads the records of a machine's disk in any container.
    pub fn read(source: &Source) -> Result<Self, ReadError> {
        let parts = Parts::open(&Opened::of(source.file()?)?)?;
        let Some(root) = &parts.root else {
            return Err(ReadError::invalid("disk", "expected a whole one, found an overlay"));
        };
        let system = read_record(root)?.model;
        let Some(System::Files(files)) = system.machine.as_ref().map(|machine| &machine.system)
        else {
            return Err(ReadError::invalid(crate::record::FILE, "it is not a machine's"));
        };
        let firmware = files.boot.firmware;
        let named = match &parts.slot {
            Some(slot) => read_record(slot)?.model,
            None => system.clone(),
        };
        Ok(Self { name: named.name, version: named.version, arch: system.arch, firmware })
    }
}
