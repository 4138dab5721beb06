//! The architectures that can be booted.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a kernel runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl Architecture {
    /// Returns the architecture of a machine number in a PE header.
    pub fn of_pe_machine(machine: u16) -> Option<Self> {
        [Self::X86_64, Self::Aarch64].into_iter().find(|one| one.pe_machine() == machine)
    }

    /// Returns the machine number in a PE header (PE format, "Machine Types").
    pub fn pe_machine(self) -> u16 {
        match self {
            Self::X86_64 => 0x8664,
            Self::Aarch64 => 0xaa64,
        }
    }

    /// Returns the name under which firmware looks for a loader on a disk (UEFI 2.10, 3.5.1.1).
    pub fn efi_loader(self) -> &'static str {
        match self {
            Self::X86_64 => "BOOTX64.EFI",
            Self::Aarch64 => "BOOTAA64.EFI",
        }
    }

    /// Returns the name that the Linux kernel has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
