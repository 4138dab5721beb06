//! Which machines can be emulated.

use bake_formats::vm::Guid;
use bake_formats::vm::gpt::{Table, kinds};

/// The processor of an emulated machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// A PC with 64 bits.
    Amd64,
    /// ARM with 64 bits.
    Arm64,
}

impl Architecture {
    /// Returns this machine's own, if it is one of those.
    pub fn host() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::Amd64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// Returns what a disk's root partition or the like says that it is for.
    pub fn of(table: &Table) -> Option<Self> {
        table.partitions.iter().find_map(|partition| Self::of_kind(partition.kind))
    }

    fn of_kind(kind: Guid) -> Option<Self> {
        match kind {
            kinds::ROOT_X86_64 | kinds::USR_X86_64 => Some(Self::Amd64),
            kinds::ROOT_ARM64 | kinds::USR_ARM64 => Some(Self::Arm64),
            _ => None,
        }
    }

    /// Returns the program that emulates it.
    pub fn program(self) -> &'static str {
        match self {
            Self::Amd64 => "qemu-system-x86_64",
            Self::Arm64 => "qemu-system-aarch64",
        }
    }

    /// Returns the Debian package that the program is in.
    pub fn package(self) -> &'static str {
        match self {
            Self::Amd64 => "qemu-system-x86",
            Self::Arm64 => "qemu-system-arm",
        }
    }

    /// Returns which machine it is in: without system management mode, which costs time and is for
    /// Secure Boot only.
    pub(super) fn machine(self) -> &'static str {
        match self {
            Self::Amd64 => "q35,smm=off",
            Self::Arm64 => "virt",
        }
    }
}
