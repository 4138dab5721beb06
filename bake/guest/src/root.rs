//! The root file system: as it is on its device, or with its changes in memory.

use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::MountFlags;

use crate::command_line::CommandLine;
use crate::console::tell;
use crate::devices::Device;
use crate::failure::Failure;
use crate::modules::Modules;
use crate::mounts::{self, LOWER, MEMORY, ROOT};
use crate::superblock::Kind;

/// Where changes below the application's directories are kept on the root file system.
const CHANGES: &str = ".bake/overlay";

/// A root that is mounted.
#[derive(Debug)]
pub struct Root {
    /// Where it is.
    pub path: PathBuf,
    /// Where changes below the application's directories belong.
    pub changes: PathBuf,
}

impl Root {
    /// Returns the system that the initramfs itself is.
    pub fn in_memory() -> Self {
        let path = PathBuf::from("/");
        Self { changes: path.join(CHANGES), path }
    }

    /// Mounts a device; `layered` says that an application comes over it, which needs a root that can
    /// be written.
    pub fn mount(
        device: &Device,
        layered: bool,
        modules: &mut Modules,
        line: &CommandLine,
    ) -> Result<Self, Failure> {
        let kind = file_system(device, line)?;
        modules.load(&format!("fs-{kind}"), line);
        let path = PathBuf::from(ROOT);
        let read_only = device.content.as_ref().is_some_and(|content| content.kind == Kind::Erofs);
        let changes = match (line.writable && !read_only, layered) {
            (true, _) => match mount(device, &path, kind, MountFlags::empty()) {
                Ok(()) => path.join(CHANGES),
                // The disk itself is read-only.
                Err((Errno::ROFS | Errno::ACCESS, _)) => in_memory(device, kind, modules, line)?,
                Err((_, failure)) => return Err(failure),
            },
            (false, false) if !read_only => {
                mount(device, &path, kind, MountFlags::RDONLY).map_err(|(_, failure)| failure)?;
                path.join(CHANGES)
            }
            (false, _) => in_memory(device, kind, modules, line)?,
        };
        tell(format_args!("root is {} ({kind})", device.path));
        if !line.changes_in_memory || changes.starts_with(MEMORY) {
            return Ok(Self { path, changes });
        }
        mount_memory()?;
        Ok(Self { path, changes: Path::new(MEMORY).join("changes") })
    }
}

fn file_system<'a>(device: &'a Device, line: &'a CommandLine) -> Result<&'a str, Failure> {
    let known = device.content.as_ref().map(|content| content.kind.name());
    known.or(line.root_type.as_deref()).ok_or_else(|| {
        Failure::new("the root device holds neither ext4 nor erofs, and rootfstype= names no other")
            .with([device.to_string()])
    })
}

fn mount(
    device: &Device,
    target: &Path,
    kind: &str,
    flags: MountFlags,
) -> Result<(), (Errno, Failure)> {
    mounts::mount(&device.path, target, kind, flags, "")
}

/// Mounts a device that is not written, below changes in memory; returns where more of them belong.
fn in_memory(
    device: &Device,
    kind: &str,
    modules: &mut Modules,
    line: &CommandLine,
) -> Result<PathBuf, Failure> {
    modules.load("fs-overlay", line);
    let (lower, memory) = (Path::new(LOWER), Path::new(MEMORY));
    mount(device, lower, kind, MountFlags::RDONLY).map_err(|(_, failure)| failure)?;
    mount_memory()?;
    let (upper, work) = (memory.join("root/upper"), memory.join("root/work"));
    mounts::make_folder(&upper, 0o755)?;
    mounts::make_folder(&work, 0o755)?;
    mounts::overlay(&[lower], &upper, &work, Path::new(ROOT))?;
    tell("changes to the root file system stay in memory");
    Ok(memory.join("changes"))
}

fn mount_memory() -> Result<(), Failure> {
    mounts::mount("tmpfs", Path::new(MEMORY), "tmpfs", MountFlags::empty(), "mode=0755")
        .map_err(|(_, failure)| failure)
}
