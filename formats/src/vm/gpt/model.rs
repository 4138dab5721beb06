//! What a partition table says.

use std::ops::Range;

use super::super::guid::Guid;

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The disk's GUID.
    pub guid: Guid,
    /// What a BIOS runs, if it is there to be run.
    pub boot_code: Option<Box<[u8; 440]>>,
    /// The partitions in the order of their numbers.
    pub partitions: Vec<Partition>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The name, at most 36 units of UTF-16.
    pub name: String,
    /// What the partition holds, see [`kinds`](super::kinds).
    pub kind: Guid,
    /// The partition's own GUID.
    pub guid: Guid,
    /// Where it starts on the disk in bytes, a multiple of 512.
    pub start: u64,
    /// Its length in bytes, a multiple of 512.
    pub len: u64,
    /// Bits, see [`attributes`].
    pub attributes: u64,
}

impl Partition {
    /// Returns where on the disk the partition is, in bytes.
    pub fn range(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.len)
    }
}

/// Attributes of partitions (UEFI 2.10, table 5.8; "Discoverable Partitions Specification").
pub mod attributes {
    /// The disk needs the partition to work.
    pub const REQUIRED: u64 = 1;
    /// The file system should be made as large as the partition when it is mounted.
    pub const GROW_FILE_SYSTEM: u64 = 1 << 59;
    /// The file system should be mounted read-only.
    pub const READ_ONLY: u64 = 1 << 60;
    /// Nothing should mount the partition unasked.
    pub const NO_AUTO: u64 = 1 << 63;
}

/// Returns the first two partitions that lie over each other, by their places in the table.
pub(super) fn overlap(partitions: &[Partition]) -> Option<(usize, usize)> {
    let mut order: Vec<usize> = (0..partitions.len()).collect();
    order.sort_by_key(|index| partitions.get(*index).map(|partition| partition.start));
    order.windows(2).find_map(|pair| {
        let [one, two] = [*pair.first()?, *pair.last()?];
        let [before, after] = [partitions.get(one)?, partitions.get(two)?];
        (after.start < before.range().end).then_some((one, two))
    })
}
