//! Package, image and disk formats: bytes in, bytes out.
//!
//! Nothing here reads a clock, the environment, the network or a path of the host. A writer takes
//! a model and a [`tree::FileTree`] and returns ropes over content-addressed blobs; it never copies
//! file contents. Vocabulary first, then one folder per format, all of one shape: `mod` (what the
//! format is), `model`, `write`, `read`, `verify`.
//!
//! Modules stand in dependency order: each uses only those above it.

pub mod digest;

pub mod checksum;

pub mod blob;

pub mod rope;

pub mod tree;

pub mod encode;

pub mod input;

pub mod format;

mod wanted;

mod owners;

mod record;

pub mod archive;

pub mod elf;

pub mod deb;

pub mod rpm;

pub mod oci;

pub mod boot;

pub mod vm;

pub mod sysext;
