//! A folder for monitors that start a kernel themselves, with the disk that the kernel finds its root
//! on.
//!
//! [`boot::direct`](crate::boot::direct) draws the folder; besides what it has there is `disk.raw`,
//! the machine's disk as [`Raw`](super::Raw) has it. Kernel, initrd and command line are those of the
//! disk.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::container::Opened;
use super::machine::{self, System};
use super::model::Disk;
use super::read::{self, unpack_disk};
use super::verify::verify;
use super::write::lay;
use crate::boot::direct::{self, Drive};
use crate::boot::kernel::Kernel;
use crate::digest::Digest;
use crate::format::{
    Artifact, ArtifactFile, Format, Problem, ReadError, Unpacked, Visitor, WriteCx, WriteError,
};
use crate::input::{Folder, ReadAt, Section, Source};
use crate::rope::Rope;
use crate::tree::FileTree;

/// The file with the disk.
const DISK: &str = "disk.raw";
/// The file that only such folders have.
const CMDLINE: &str = "cmdline";

/// Kernel, initrd, command line and disk, in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Direct;

impl Direct {
    /// Returns whether a folder is one of these.
    pub fn is_in(folder: &dyn Folder) -> bool {
        folder.open(CMDLINE).is_ok() && folder.open(DISK).is_ok()
    }
}

impl Format for Direct {
    type Model = Disk;
    const NAME: &'static str = "direct";
    const REVISION: u32 = super::REVISION << 8 | direct::REVISION;

    fn file_name(model: &Disk) -> String {
        model.file_name("direct")
    }

    fn write(model: &Disk, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        let laid = lay(Self::NAME, model, tree, cx)?;
        let system = model.machine.as_ref().map(|machine| &machine.system);
        let Some(System::Files(files)) = system else {
            let reason = "expected a machine that is made from files".into();
            return Err(WriteError::Field { format: Self::NAME, field: "machine".into(), reason });
        };
        let linux = Rope::from(files.boot.kernel.image);
        let kernel = Kernel::of_rope(&linux, cx.blobs).map_err(|error| WriteError::Field {
            format: Self::NAME,
            field: "kernel".into(),
            reason: error.to_string(),
        })?;
        let hardware = model.hardware.unwrap_or_default();
        let drive = Drive {
            id: "root".into(),
            path: DISK.into(),
            is_root_device: false,
            is_read_only: false,
        };
        let mut artifact = direct::write(
            &direct::Direct {
                linux: &linux,
                kernel: &kernel,
                initrd: &machine::initrd(&files.boot.initrd, cx)?,
                cmdline: &machine::cmdline_of(Self::NAME, &laid.disk, files, cx)?,
                drives: &[drive],
                machine: direct::Machine {
                    processors: u8::try_from(hardware.cpus).unwrap_or(u8::MAX),
                    memory: hardware.memory,
                },
            },
            cx.blobs,
        )?;
        artifact.files.push(ArtifactFile::new(DISK, laid.disk));
        artifact.files.sort_by(|one, two| one.path.cmp(&two.path));
        Ok(artifact)
    }

    fn read(source: &Source) -> Result<Unpacked<Disk>, ReadError> {
        unpack_disk(&Opened::from(disk(source)?))
    }

    fn visit(source: &Source, visitor: &mut Visitor<'_>) -> Result<ControlFlow<()>, ReadError> {
        read::visit(&Opened::from(disk(source)?), visitor)
    }

    /// Besides the disk, kernel, initrd and command line must be those of the disk.
    fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
        let opened = Opened::from(disk(source)?);
        let problems = verify(&opened, Vec::new())?;
        if !problems.is_empty() {
            return Ok(problems);
        }
        let folder = folder(source)?;
        let mut problems = Vec::new();
        let boot = machine::Parts::open(&opened)?.boot()?;
        let parts = [("initrd", boot.initrd), ("vmlinuz", boot.kernel)];
        for (name, expected) in parts {
            let digest = |bytes| Digest::of_reader(Section::whole(bytes));
            let ((expected, _), (found, _)) = (digest(expected)?, digest(folder.open(name)?)?);
            if expected != found {
                let (expected, found) = (expected.to_string(), found.to_string());
                problems.push(Problem::new("direct-file", name, expected, found));
            }
        }
        let mut found = String::new();
        let text = folder.open(CMDLINE)?;
        std::io::Read::read_to_string(&mut Section::whole(text), &mut found)?;
        if found != format!("{}\n", boot.cmdline) {
            problems.push(Problem::new("direct-file", CMDLINE, boot.cmdline, found));
        }
        Ok(problems)
    }
}

fn folder(source: &Source) -> Result<&Arc<dyn Folder>, ReadError> {
    match source {
        Source::Folder(folder) => Ok(folder),
        Source::File(_) => Err(ReadError::invalid("direct", "expected a folder, found a file")),
    }
}

fn disk(source: &Source) -> Result<Arc<dyn ReadAt>, ReadError> {
    Ok(folder(source)?.open(DISK)?)
}
