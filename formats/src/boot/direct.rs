//! A folder for monitors that start a kernel themselves: no disk layout, no firmware.
//!
//! ```text
//! cmdline           the kernel's command line, one line
//! firecracker.json  the same for Firecracker, which takes it with --config-file
//! initrd            the initial file system
//! vmlinux           the kernel as Firecracker wants it: an ELF file; not for 64-bit Arm
//! vmlinuz           the kernel as QEMU wants it
//! ```
//!
//! Paths in `firecracker.json` are relative to the folder (Firecracker, `docs/getting-started.md`,
//! "Configuring the microVM without sending API requests").

use serde::Serialize;

use super::kernel::{Form, Kernel};
use crate::blob::BlobStore;
use crate::format::{Artifact, ArtifactFile, ReadError, WriteError};
use crate::rope::Rope;

/// Raised whenever equal input would give different bytes; part of every key.
pub const REVISION: u32 = 1;

const FORMAT: &str = "direct";
const CMDLINE: &str = "cmdline";
const FIRECRACKER: &str = "firecracker.json";
const INITRD: &str = "initrd";
const VMLINUX: &str = "vmlinux";
const VMLINUZ: &str = "vmlinuz";

/// What goes into the folder.
#[derive(Debug, Clone)]
pub struct Direct<'a> {
    /// The kernel.
    pub linux: &'a Rope,
    /// What the kernel says of itself.
    pub kernel: &'a Kernel,
    /// The initrd.
    pub initrd: &'a Rope,
    /// The kernel's command line.
    pub cmdline: &'a str,
    /// The disks, in order.
    pub drives: &'a [Drive],
    /// How large the machine is.
    pub machine: Machine,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drive {
    /// The name of the disk.
    #[serde(rename = "drive_id")]
    pub id: String,
    /// The path of its image, from the folder.
    #[serde(rename = "path_on_host")]
    pub path: String,
    /// Whether Firecracker shall make it the root; the command line says that here.
    pub is_root_device: bool,
    /// Whether the machine may only read it.
    pub is_read_only: bool,
}

/// How large a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The number of processors.
    #[serde(rename = "vcpu_count")]
    pub processors: u8,
    /// The memory, in MiB.
    #[serde(rename = "mem_size_mib")]
    pub memory: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Firecracker<'a> {
    boot_source: BootSource<'a>,
    drives: &'a [Drive],
    machine_config: Machine,
}

#[derive(Serialize)]
struct BootSource<'a> {
    kernel_image_path: &'a str,
    initrd_path: &'a str,
    boot_args: &'a str,
}

/// Describes the folder; what is unpacked of the kernel is kept in `blobs`.
///
/// A kernel that cannot be unpacked, because of how it is compressed, is an error.
pub fn write(direct: &Direct<'_>, blobs: &dyn BlobStore) -> Result<Artifact, WriteError> {
    let Direct { linux, kernel, initrd, cmdline, drives, machine } = *direct;
    if !cmdline.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(field(CMDLINE, "expected printable ASCII in one line"));
    }
    if let Some(limit) = kernel.cmdline_max()
        && cmdline.len() as u64 > limit
    {
        let what = "the kernel's command line, in bytes,".to_owned();
        return Err(WriteError::Limit { format: FORMAT, what, limit, found: cmdline.len() as u64 });
    }
    let unpacked = kernel.unpack(linux, blobs).map_err(|error| match error {
        ReadError::Io(error) => WriteError::Io(error),
        error => field(VMLINUZ, error.to_string()),
    })?;
    let (plain, packed) = match kernel.form {
        Form::BzImage(_) => (Some(unpacked), linux.clone()),
        // QEMU and Firecracker both take the Image.
        Form::Image | Form::GzipImage | Form::Zboot(_) => (None, unpacked),
    };
    let config = Firecracker {
        boot_source: BootSource {
            kernel_image_path: if plain.is_some() { VMLINUX } else { VMLINUZ },
            initrd_path: INITRD,
            boot_args: cmdline,
        },
        drives,
        machine_config: machine,
    };
    let mut config =
        serde_json::to_vec_pretty(&config).map_err(|error| WriteError::Io(error.into()))?;
    config.push(b'\n');
    let file = |path: &str, rope: Rope| ArtifactFile::new(path, rope);
    let mut files = vec![
        file(CMDLINE, Rope::from(format!("{cmdline}\n").into_bytes())),
        file(FIRECRACKER, Rope::from(config)),
        file(INITRD, initrd.clone()),
    ];
    files.extend(plain.map(|plain| file(VMLINUX, plain)));
    files.push(file(VMLINUZ, packed));
    Ok(Artifact { format: FORMAT.into(), files })
}

fn field(field: &str, reason: impl Into<String>) -> WriteError {
    WriteError::Field { format: FORMAT, field: field.into(), reason: reason.into() }
}
