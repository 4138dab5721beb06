//! The application, laid over the root.
//!
//! ```text
//! /usr   =   changes   over   application's /usr   over   root's /usr
//! ```
//!
//! Each directory at the top of the application is mounted so. Changes are on the root file system at
//! `/.bake/overlay/DIRECTORY`, so that they outlive both a restart and an application that is replaced.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::command_line::CommandLine;
use crate::console::{say, tell};
use crate::devices::Device;
use crate::failure::{Doing as _, Failure};
use crate::modules::Modules;
use crate::mounts::{self, HARMLESS, SLOT};
use crate::root::Root;
use crate::superblock::Kind;
use crate::system;
use rustix::mount::MountFlags;

/// An application that came with the initramfs.
pub const SEGMENT: &str = "/bake/app";
/// What stands at the top of an application and is not laid over the root: its record, what ext4 makes, and
/// where the kernel's own file systems are.
const OWN: [&str; 6] = [".bake", "lost+found", "dev", "proc", "run", "sys"];

/// Mounts the slot that an application is in; an empty one is none.
pub fn mount_slot(
    device: &Device,
    modules: &mut Modules,
    line: &CommandLine,
) -> Result<Option<PathBuf>, Failure> {
    let kind = device.content.as_ref().map(|content| content.kind);
    let Some(kind @ (Kind::Ext4 | Kind::Erofs)) = kind else {
        tell(format_args!("the application's slot {} is empty", device.path));
        return Ok(None);
    };
    modules.load(&format!("fs-{}", kind.name()), line);
    let (path, flags) = (PathBuf::from(SLOT), MountFlags::RDONLY | (HARMLESS & MountFlags::NODEV));
    mounts::mount(&device.path, &path, kind.name(), flags, "").map_err(|(_, failure)| failure)?;
    Ok(Some(path))
}

/// One directory that is laid over the root.
#[derive(Debug, PartialEq, Eq)]
struct Directory {
    /// Its name at the top of the application, under which changes are kept.
    name: OsString,
    /// Where it is in the root.
    target: PathBuf,
    /// The application's directories of that name, the topmost first.
    layers: Vec<PathBuf>,
}

/// Lays applications over a root, the topmost first.
pub fn lay_over(
    root: &Root,
    layers: &[PathBuf],
    modules: &mut Modules,
    line: &CommandLine,
) -> Result<(), Failure> {
    modules.load("fs-overlay", line);
    let directories = directories(&root.path, layers)?;
    if !directories.is_empty() {
        // Owners and modes on the way to a file do not protect it there.
        mounts::make_folder(&root.changes, 0o700)?;
    }
    for directory in &directories {
        mount(root, directory)?;
    }
    let names: Vec<_> =
        directories.iter().map(|directory| directory.name.to_string_lossy()).collect();
    tell(format_args!("the application is over: {}", names.join(", ")));
    Ok(())
}

/// Lists what is laid over a root, what is mounted on other directories after those.
fn directories(root: &Path, layers: &[PathBuf]) -> Result<Vec<Directory>, Failure> {
    let mut found: BTreeMap<OsString, Vec<PathBuf>> = BTreeMap::new();
    for layer in layers {
        let what = || format!("list the application at {}", layer.display());
        for entry in fs::read_dir(layer).doing(what)? {
            let entry = entry.doing(what)?;
            let name = entry.file_name();
            if OWN.iter().any(|own| name == *own) {
                continue;
            }
            if entry.file_type().doing(what)?.is_dir() {
                found.entry(name).or_default().push(entry.path());
            } else {
                let name = name.to_string_lossy();
                say(format_args!("/{name} of the application is no directory and is left out"));
            }
        }
    }
    let mut directories = vec![];
    for (name, layers) in found {
        let target = system::resolve(root, Path::new(&name)).unwrap_or_else(|| root.join(&name));
        directories.push(Directory { name, target, layers });
    }
    directories.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(directories)
}

fn mount(root: &Root, directory: &Directory) -> Result<(), Failure> {
    let Directory { name, target, layers } = directory;
    if !target.exists() {
        mounts::make_folder(target, 0o755)?;
        take_after(&layers[0], target)?;
    }
    let changes = root.changes.join(name);
    let (upper, work) = (changes.join("upper"), changes.join("work"));
    mounts::make_folder(&work, 0o700)?;
    if !upper.exists() {
        // The mode and owner of the directory are those of the topmost one.
        mounts::make_folder(&upper, 0o755)?;
        take_after(target, &upper)?;
    }
    let mut lower: Vec<&Path> = layers.iter().map(PathBuf::as_path).collect();
    lower.push(target);
    mounts::overlay(&lower, &upper, &work, target)
}

/// Gives a folder the owner and mode of another.
fn take_after(example: &Path, folder: &Path) -> Result<(), Failure> {
    let what = || format!("give {} the mode of {}", folder.display(), example.display());
    let metadata = fs::metadata(example).doing(what)?;
    chown(folder, Some(metadata.uid()), Some(metadata.gid())).doing(what)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(metadata.mode() & 0o7777)).doing(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_all_layers_meet_in_the_root() {
        let (root, top, below) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        let [root, top, below] = [&root, &top, &below].map(|folder| folder.path().to_owned());
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        std::os::unix::fs::symlink("/usr/bin", root.join("bin")).unwrap();
        for folder in ["bin", "usr", ".bake", "lost+found", "dev", "srv"] {
            fs::create_dir(below.join(folder)).unwrap();
        }
        fs::create_dir(top.join("usr")).unwrap();
        fs::write(top.join("file"), "").unwrap();

        let directory = |name: &str, target: &str, layers: &[&PathBuf]| Directory {
            name: name.into(),
            target: root.join(target),
            layers: layers.iter().map(|layer| layer.join(name)).collect(),
        };
        let expected = [
            directory("srv", "srv", &[&below]),
            directory("usr", "usr", &[&top, &below]),
            directory("bin", "usr/bin", &[&below]),
        ];
        assert_eq!(directories(&root, &[top.clone(), below.clone()]).unwrap(), expected);
    }
}
