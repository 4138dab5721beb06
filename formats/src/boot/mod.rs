//! What boots: kernels, their modules, initial file systems, and the EFI program that holds them.
//!
//! ```text
//! vmlinuz ──► kernel ──────────────────────────────┬──► uki     one EFI program
//! *.ko ──► modinfo ──► modules: the load order ──┐ │
//! init, modules, payload ──► initramfs: segments ┴─┴──► direct  a folder for direct boot
//! ```
//!
//! Kernel and initrd are ropes; nothing of them is read but headers.

mod fields;

mod part;

mod lz4;

mod architecture;

pub mod bios;

pub mod pe;

pub mod kernel;

pub mod uki;

pub mod modinfo;

pub mod catalog;

pub mod modules;

pub mod initramfs;

pub mod direct;

#[cfg(test)]
pub(crate) mod tests;

pub use architecture::Architecture;
