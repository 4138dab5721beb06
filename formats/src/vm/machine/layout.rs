//! Where on a disk everything is.

use std::ops::Range;

use super::super::gpt::{self, Partition, attributes, kinds};
use super::super::guid::Guid;
use super::identity::Identities;
use super::model::FileSystem;
use crate::format::ReadError;

/// The unit of everything, and what lies before the first partition and after the last.
pub(in super::super) const MIB: u64 = 1 << 20;
/// The partition that holds the BIOS loader.
const BIOS: u64 = MIB;

/// The names of the partitions.
mod names {
    pub(super) const BIOS: &str = "bios";
    pub(super) const ESP: &str = "esp";
    pub(super) const SEED: &str = "cidata";
    pub(super) const SLOT: &str = "app";
    pub(super) const ROOT: &str = "root";
}

/// Where on a disk everything is, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The BIOS loader.
    pub bios: Option<Range<u64>>,
    /// The EFI system partition.
    pub esp: Range<u64>,
    /// The volume of configuration.
    pub seed: Option<Range<u64>>,
    /// The slot.
    pub slot: Option<Range<u64>>,
    /// The root file system.
    pub root: Range<u64>,
    /// How long the disk is.
    pub disk: u64,
}

/// How long the parts of a disk are, in bytes.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Lengths {
    pub(in super::super) has_bios: bool,
    pub(in super::super) esp: u64,
    pub(in super::super) seed: Option<u64>,
    pub(in super::super) slot: Option<u64>,
}

impl Layout {
    /// Lays out all but the root file system, which follows and is given `root` bytes.
    pub(in super::super) fn new(lengths: Lengths, root: u64) -> Self {
        let mut at = MIB;
        let mut take = |len: u64| {
            let start = at;
            at += len.next_multiple_of(MIB);
            start..at
        };
        let bios = lengths.has_bios.then(|| take(BIOS));
        let esp = take(lengths.esp);
        let seed = lengths.seed.map(&mut take);
        let slot = lengths.slot.map(&mut take);
        let root = take(root);
        Self { bios, esp, seed, slot, disk: root.end + MIB, root }
    }

    /// Returns the partition table.
    pub(in super::super) fn table(
        &self,
        arch: &str,
        file_system: FileSystem,
        identities: &Identities,
    ) -> gpt::Table {
        let mut partitions = Vec::new();
        let mut add = |name: &str, range: Option<&Range<u64>>, kind: Guid, attributes: u64| {
            partitions.extend(range.map(|range| Partition {
                name: name.into(),
                kind,
                guid: identities.guid(name),
                start: range.start,
                len: range.end - range.start,
                attributes,
            }));
        };
        let root = match file_system {
            FileSystem::Ext4 => attributes::GROW_FILE_SYSTEM,
            FileSystem::Erofs => attributes::READ_ONLY,
        };
        add(names::BIOS, self.bios.as_ref(), kinds::BIOS_BOOT, 0);
        add(names::ESP, Some(&self.esp), kinds::ESP, 0);
        add(names::SEED, self.seed.as_ref(), kinds::LINUX_DATA, attributes::NO_AUTO);
        add(names::SLOT, self.slot.as_ref(), kinds::LINUX_DATA, attributes::NO_AUTO);
        add(names::ROOT, Some(&self.root), root_kind(arch), root);
        gpt::Table { guid: identities.guid("disk"), boot_code: None, partitions }
    }

    /// Finds the parts of a disk by the names of its partitions.
    pub fn find(table: &gpt::Table, disk: u64) -> Result<Self, ReadError> {
        let part = |name: &str| {
            let mut named = table.partitions.iter().filter(|partition| partition.name == name);
            named.next().map(Partition::range)
        };
        let needed = |name: &str| {
            part(name).ok_or_else(|| {
                let reason =
                    format!("there is no partition called `{name}`, as disks of bake have");
                ReadError::invalid("partition table", reason)
            })
        };
        Ok(Self {
            bios: part(names::BIOS),
            esp: needed(names::ESP)?,
            seed: part(names::SEED),
            slot: part(names::SLOT),
            root: needed(names::ROOT)?,
            disk,
        })
    }
}

/// Returns the type of a root file system's partition (Discoverable Partitions Specification).
fn root_kind(arch: &str) -> Guid {
    match arch {
        "amd64" | "x86_64" => kinds::ROOT_X86_64,
        "arm64" | "aarch64" => kinds::ROOT_ARM64,
        _ => kinds::LINUX_DATA,
    }
}
