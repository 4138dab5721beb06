//! The init of the initramfs that bake writes.
//!
//! ```text
//! kernel -> /init: mounts -> modules -> root -> application -> configuration -> the system's own init
//! ```
//!
//! It needs nothing of the distribution's tools, is the same for every machine, and gets what differs
//! from the kernel command line ([`command_line`]) and from these files of the initramfs:
//!
//! ```text
//! /init                 this program
//! /bake/modules.list    modules in load order, each with what it is loaded for ([`modules`])
//! /bake/modules/NAME.ko
//! /bake/app/            an application that came with the initramfs, optional
//! ```
//!
//! Modules stand in dependency order: each uses only those above it.
#![expect(
    clippy::disallowed_methods,
    reason = "std and system calls are all it is made of; failures get their paths where they are told"
)]

pub mod failure;

pub mod console;

pub mod base64;

pub mod glob;

pub mod input;

pub mod superblock;

pub mod gpt;

pub mod smbios;

pub mod command_line;

pub mod mounts;

pub mod modules;

pub mod devices;

pub mod system;

pub mod root;

pub mod application;

pub mod seed;

pub mod handover;

pub mod boot;
