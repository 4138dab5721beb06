//! The end of the initramfs: its memory is freed, and the system's own init takes over.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::application::SEGMENT;
use crate::failure::{Doing as _, Failure};
use crate::mounts;

/// The program that takes over unless another is named.
pub const INIT: &str = "/sbin/init";

/// What statfs says of file systems in memory: `RAMFS_MAGIC` and `TMPFS_MAGIC` of Linux.
const IN_MEMORY: [i64; 2] = [0x8584_58f6, 0x0102_1994];

/// Makes a file system the root and starts its init; returns only if that fails.
///
/// `credentials` is the folder that the init is told of.
pub fn switch(root: &Path, init: &str, credentials: Option<&Path>) -> Result<Infallible, Failure> {
    mounts::move_api(root)?;
    if is_in_memory() {
        empty(Path::new("/"));
    }
    let what = || "change to the root file system".to_owned();
    rustix::process::chdir(root).doing(what)?;
    rustix::mount::mount_move(".", "/").doing(what)?;
    rustix::process::chroot(".").doing(what)?;
    rustix::process::chdir("/").doing(what)?;
    start(init, credentials)
}

/// Starts the system's init in place of this program; returns only if that fails.
pub fn start(init: &str, credentials: Option<&Path>) -> Result<Infallible, Failure> {
    let mut command = Command::new(init);
    command.args(std::env::args_os().skip(1));
    command.envs(credentials.map(|folder| ("CREDENTIALS_DIRECTORY", folder)));
    let error = command.exec();
    Err(error).doing(|| format!("start {init} of the root file system (init=)"))
}

/// Whether `/` may be emptied, which no disk should be.
fn is_in_memory() -> bool {
    rustix::fs::statfs("/").is_ok_and(|found| IN_MEMORY.contains(&found.f_type))
}

/// Removes what is below a folder of the initramfs, but not what is mounted there or still in use.
///
/// What cannot be removed only takes memory.
fn empty(folder: &Path) {
    let device = |path: &Path| fs::symlink_metadata(path).map(|metadata| metadata.dev()).ok();
    let own = device(folder);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path == Path::new(SEGMENT) || device(&path) != own {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            empty(&path);
            fs::remove_dir(&path).ok();
        } else {
            fs::remove_file(&path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_emptied_without_following_links() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
        fs::create_dir_all(inside.join("a/b")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(inside.join("a/b/c"), "").unwrap();
        fs::write(outside.join("kept"), "").unwrap();
        std::os::unix::fs::symlink("../out", inside.join("link")).unwrap();
        empty(&inside);
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 0);
        assert!(outside.join("kept").exists());
    }
}
