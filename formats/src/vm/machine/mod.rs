//! A disk that boots: partitions, file systems in them, and what a service needs besides its files.
//!
//! ```text
//! 0       1 MiB
//! ├ tables ┼ BIOS loader ┼ ESP (FAT32): kernel, initrd ┼ CIDATA (FAT) ┼ slot (ext4) ┼ root ┼ tables ┤
//!          └ hybrid,bios ┘                             └ if reserved ─┴─────────────┘
//! ```
//!
//! Every partition starts at a whole MiB; the root file system is the last one, so that it can grow
//! when the disk does. A machine that UEFI starts has a unified kernel image as
//! `/EFI/BOOT/BOOTX64.EFI`; the BIOS loader reads kernel and initrd out of the same file, whose place
//! on the disk is known, so nothing is there twice. Without UEFI the ESP holds `/vmlinuz` and
//! `/initrd`.
//!
//! **Placement.** The payload and what a machine needs besides (accounts, enabled units, directories
//! of state: the *additions*) lie in the root file system, or in the slot, which the initrd lays over
//! the root file system. A disk with a filled slot differs from the same disk with an empty one in
//! the slot alone: identifiers are derived from everything but the slot.

mod model;

mod identity;

mod layout;

mod esp;

mod write;

mod read;

mod verify;

mod base;

#[cfg(test)]
mod tests;

pub use base::BaseDisk;
pub(super) use esp::initrd;
pub use layout::Layout;
pub use model::{
    Baked, Boot, FileSystem, Files, Firmware, Initrd, Kernel, Machine, Placement, System,
};
pub(super) use read::Parts;
pub(super) use write::{Filling, Given, cmdline_of, fill, write};
