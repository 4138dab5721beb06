//! Starting Linux on machines with a PC BIOS, by a loader of our own.
//!
//! The BIOS reads the disk's first sector and runs it; 440 bytes of it are code. That code reads the
//! loader proper from the BIOS boot partition, and the loader reads one kernel and one initrd whose
//! places on the disk are written into it. It knows no file system: whoever lays the disk out knows
//! where the files are, each in one piece, and the same files serve UEFI machines. Nothing is there
//! twice, and nothing on the disk needs an installer.
//!
//! ```text
//! 0                       432       440          446                 510
//! ├ boot code ────────────┼ sector ─┼ not ours ──┼ partition table ──┼ 55 aa ┤      the first sector
//!                              │
//!     ┌────────────────────────┘
//!     0       1536            1544     1552            1560     1568       2048            4096
//!     ├ code ─┼ kernel sector ┼ length ┼ initrd sector ┼ length ┼ zeros ───┼ command line ──┤
//! ```
//!
//! Sectors are 512 bytes and are numbered from the start of the disk; numbers are 64 bits, little-endian;
//! lengths are in bytes; without an initrd both its numbers are 0. The command line ends with a
//! zero byte, so it has at most 2047. Sources: the kernel's "The Linux/x86 Boot Protocol" (version
//! 2.10 is asked for, which is Linux 2.6.31), the Enhanced Disk Drive specification (INT 13h, AH=41h
//! and 42h) and ACPI 15.1 (INT 15h, AX=E820h). `loader.s` draws the memory.

mod loader;

mod model;

mod write;

mod read;

#[cfg(test)]
mod tests;

pub use model::{Loader, Written};
pub use read::{is_at_start_of, read};
pub use write::write;

/// Raised whenever the loader's bytes change.
pub const REVISION: u32 = 1;

/// How long a sector is, in bytes.
const SECTOR: u64 = 512;
/// Where the boot code has the partition's first sector.
const PARTITION_SECTOR: usize = 432;
/// Where the loader's table begins.
const TABLE: usize = 1536;
/// Where the command line begins.
const COMMAND_LINE: usize = 2048;
/// How long the loader is, in bytes; the command line ends with it.
const LOADER: usize = 4096;
