//! The hidden folder in which outputs are staged, and what becomes of one whose bake was killed.
//!
//! ```text
//! dist/.bake-Xa3f9Q/
//!   .staging            locked by the bake as long as it lives
//!   app_1.0-1_amd64.deb …
//! ```
//!
//! A folder whose lock nobody holds is of a bake that was killed. It is removed by the next one once the outputs of that
//! are there, and not before: it may hold the last copy of an output that was being replaced.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fs_err::File;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// What names of staging folders start with; six letters and digits follow.
const PREFIX: &str = ".bake-";
/// Tells a staging folder from what somebody else gave such a name.
const MARK: &str = ".staging";

/// A staging folder; it is removed with everything in it when this is dropped.
#[derive(Debug)]
pub(crate) struct Staging {
    folder: tempfile::TempDir,
    _lock: File,
}

impl Staging {
    /// Makes a staging folder in an output folder.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        loop {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(root)?;
            let mark = folder.path().join(MARK);
            let lock = File::create(&mark)?;
            let locked = flock(&lock, FlockOperation::NonBlockingLockExclusive);
            // Another bake may have taken it for an abandoned one before it was locked. Where there are no locks, nobody
            // can take it for one.
            if locked != Err(Errno::WOULDBLOCK) && is_there(&lock, &mark) {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    /// Returns the folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the staging folders of bakes that were killed. One that cannot be removed is left to whoever can.
pub(crate) fn remove_abandoned(root: &Path) {
    let Ok(entries) = fs_err::read_dir(root) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let mark = entry.path().join(MARK);
        let Ok(lock) = File::open(&mark) else { continue };
        let locked = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        if locked.is_ok() && is_there(&lock, &mark) {
            fs_err::remove_dir_all(entry.path()).ok();
        }
    }
}

/// Returns whether an open file is the one at a path.
fn is_there(file: &File, path: &Path) -> bool {
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let (opened, there) = (file.metadata().map(identity), path.symlink_metadata().map(identity));
    opened.is_ok_and(|opened| there.is_ok_and(|there| there == opened))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_bake_left_is_removed_and_what_a_living_one_uses_is_not() {
        let root = tempfile::tempdir().unwrap();
        let living = Staging::new(root.path()).unwrap();
        let killed = Staging::new(root.path()).unwrap();
        let of_somebody = root.path().join(".bake-secret");
        fs_err::create_dir(&of_somebody).unwrap();
        fs_err::write(killed.path().join("app.deb"), "half").unwrap();
        let Staging { folder, _lock: lock } = killed;
        let killed = folder.keep();
        drop(lock);
        remove_abandoned(root.path());
        assert!(!killed.exists());
        assert!(living.path().exists() && of_somebody.exists());
        drop(living);
        assert_eq!(fs_err::read_dir(root.path()).unwrap().count(), 1);
    }
}
