//! UEFI firmware of this machine's packages.

use std::path::{Path, PathBuf};

use bake_formats::vm::gpt::kinds;

use super::{Architecture, Image, unusable};
use crate::error::Error;

/// Where distributions have it: the code, and empty variables for it.
const AMD64: [[&str; 2]; 5] = [
    ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"],
    ["/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"],
    ["/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"],
    ["/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"],
    ["/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd"],
];
const ARM64: [[&str; 2]; 3] = [
    ["/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"],
    [
        "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
        "/usr/share/edk2/aarch64/vars-template-pflash.raw",
    ],
    ["/usr/share/qemu/edk2-aarch64-code.fd", "/usr/share/qemu/edk2-arm-vars.fd"],
];

/// What starts a machine from its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Firmware {
    /// UEFI.
    Uefi {
        /// The code.
        code: PathBuf,
        /// What its variables are when the machine is new.
        variables: PathBuf,
    },
    /// The BIOS that comes with QEMU.
    Bios,
}

impl Firmware {
    /// Returns the first UEFI firmware that is installed.
    pub fn uefi(architecture: Architecture) -> Result<Self, Error> {
        let places: &[[&str; 2]] = match architecture {
            Architecture::Amd64 => &AMD64,
            Architecture::Arm64 => &ARM64,
        };
        let found = places.iter().find(|files| files.iter().all(|file| Path::new(file).is_file()));
        let Some([code, variables]) = found else {
            let package = match architecture {
                Architecture::Amd64 => "ovmf",
                Architecture::Arm64 => "qemu-efi-aarch64",
            };
            let hint = format!("on Debian: `apt install {package}`");
            return Err(unusable("no UEFI firmware for QEMU is installed", hint));
        };
        Ok(Self::Uefi { code: code.into(), variables: variables.into() })
    }

    /// Returns what can start a disk: UEFI if it is installed and the disk has what UEFI looks for, or
    /// cannot be looked into, else the BIOS.
    pub fn fitting(image: &Image, architecture: Architecture) -> Result<Self, Error> {
        if architecture == Architecture::Arm64 {
            return Self::uefi(architecture);
        }
        let is_for_uefi = match (image.disk()?, image.table()?) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(table)) => table.partitions.iter().any(|part| part.kind == kinds::ESP),
        };
        match Self::uefi(architecture) {
            Ok(uefi) if is_for_uefi => Ok(uefi),
            Ok(_) | Err(_) => Ok(Self::Bios),
        }
    }
}
