//! What a loader loads, and the bytes that do it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// What is loaded, by where it is on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loader {
    /// The kernel, a bzImage, in bytes of the disk; starts with a sector.
    pub kernel: Range<u64>,
    /// The initrd, likewise.
    pub initrd: Option<Range<u64>>,
    /// The kernel's command line.
    pub command_line: String,
    /// Where the BIOS boot partition starts, in bytes of the disk.
    pub partition_start: u64,
}

/// A loader as it is put onto a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The beginning of the disk's first sector.
    pub boot_code: [u8; 440],
    /// The beginning of the BIOS boot partition.
    pub partition: Vec<u8>,
}
