//! Disks booted in QEMU.
//!
//! ```text
//! disk ──► image, firmware, accelerator ──► Machine ──► arguments ──► session
//! ```
//!
//! What is given is never written: a disk is under a throwaway overlay, or under one that the user
//! keeps. What QEMU must read besides (a seed, credentials, firmware variables) is in a folder that is
//! removed at the end, because arguments can be seen by everybody on the machine.

mod accelerator;

mod architecture;

mod console;

mod credential;

mod direct;

mod firmware;

mod image;

mod machine;

mod overlay;

mod probe;

mod seed;

mod session;

#[cfg(test)]
mod tests;

pub use accelerator::Accelerator;
pub use architecture::Architecture;
pub use console::Search;
pub use credential::Credential;
pub use direct::Direct;
pub use firmware::Firmware;
pub use image::{Container, Image};
pub use machine::{Access, Console, Drive, Machine, Port, Start};
pub use overlay::keep;
pub use seed::seed;
pub use session::{Ending, attach, watch};

use crate::error::Error;

/// Returns an error about something that is not there or cannot be used, with what to do about it.
fn unusable(message: impl Into<String>, hint: impl Into<Option<String>>) -> Error {
    Error::Emulator { message: message.into(), hint: hint.into() }
}
