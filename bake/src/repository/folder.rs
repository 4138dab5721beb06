//! The folder of a repository: one update at a time, and each appears in one step.
//!
//! ```text
//! DIR/
//!   .bake/lock           held by the update that is under way
//!   .bake/staging-…/     what is being made; removed when the update ends
//!   key.asc              the certificate of whoever signs
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::{refuse, refuse_with};
use crate::error::Error;
use crate::exchange::exchange;
use crate::interrupt;

const OWN: &str = ".bake";
const STAGING: &str = "staging-";
/// The certificate's name in every repository.
pub(super) const KEY: &str = "key.asc";
/// How long an update waits for another one: so often, so long.
const ATTEMPTS: u32 = 1200;
const PAUSE: Duration = Duration::from_millis(100);

/// A repository's folder, locked.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    staging: Option<Staging>,
}

#[derive(Debug)]
struct Staging {
    folder: tempfile::TempDir,
    guard: interrupt::Guard,
    // Released last, when the staging folder is gone.
    _lock: std::fs::File,
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.guard.release();
    }
}

impl Folder {
    /// Opens a folder to be looked at: nothing is written and nothing is locked.
    pub(super) fn look(root: &Path) -> Self {
        Self { root: root.into(), staging: None }
    }

    /// Opens a folder to be changed, and makes it if it is not there; waits for an update that is
    /// under way.
    pub(super) fn lock(root: &Path) -> Result<Self, Error> {
        crate::output::check_folder(root).map_err(|error| match error {
            Error::Output { path, source } => {
                refuse(format!("`{}`", path.display()), format!("no repository here: {source}"))
            }
            error => error,
        })?;
        let own = root.join(OWN);
        fs_err::create_dir_all(&own)?;
        let lock = lock(&own.join("lock"))?;
        // What an update left that could not end as it should; the lock says that none is running.
        for entry in fs_err::read_dir(&own)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(STAGING) {
                fs_err::remove_dir_all(&path)?;
            }
        }
        let folder = tempfile::Builder::new().prefix(STAGING).tempdir_in(&own)?;
        let guard = interrupt::remove_on_interrupt(folder.path());
        let staging = Some(Staging { folder, guard, _lock: lock });
        Ok(Self { root: root.into(), staging })
    }

    /// Returns the repository's folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns where to stage, if the folder may be changed.
    pub(super) fn staging(&self) -> Option<&Path> {
        self.staging.as_ref().map(|staging| staging.folder.path())
    }

    /// Returns a staged path.
    pub(super) fn staged(&self, name: &str) -> Result<PathBuf, Error> {
        let staging = self.staging();
        let folder = staging.ok_or_else(|| refuse("repository", "it was opened to be read"))?;
        Ok(folder.join(name))
    }

    /// Moves a staged package to its place.
    pub(super) fn place(&self, staged: &Path, path: &str) -> Result<(), Error> {
        let to = self.root.join(path);
        if let Some(parent) = to.parent() {
            fs_err::create_dir_all(parent)?;
        }
        Ok(fs_err::rename(staged, to)?)
    }

    /// Puts a file into the repository, in one step.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let staged = self.staged("file")?;
        super::index::write_whole(&staged, bytes)?;
        Ok(fs_err::rename(staged, self.root.join(name))?)
    }

    /// Exchanges a published folder for a staged one, in one step.
    ///
    /// `last` are the files by which readers find all others, in the order in which they must
    /// change on file systems that cannot exchange folders.
    pub(super) fn publish(&self, staged: &Path, name: &str, last: &[&str]) -> Result<(), Error> {
        let live = self.root.join(name);
        if let Some(parent) = live.parent() {
            fs_err::create_dir_all(parent)?;
        }
        sync(staged)?;
        if !live.exists() {
            fs_err::rename(staged, &live)?;
        } else if !exchange(staged, &live)
            .map_err(|source| Error::Output { path: live.clone(), source })?
        {
            replace(staged, &live, last)?;
        }
        sync(live.parent().unwrap_or(&live)).map_err(Into::into)
    }

    /// Removes a file that nothing refers to, and the folders that it leaves empty.
    pub(super) fn remove(&self, path: &str) -> Result<(), Error> {
        let file = self.root.join(path);
        fs_err::remove_file(&file)?;
        let mut folder = file.parent();
        while let Some(empty) = folder.filter(|folder| *folder != self.root) {
            // Fails if the folder is not empty, which is where this ends.
            if fs_err::remove_dir(empty).is_err() {
                break;
            }
            folder = empty.parent();
        }
        Ok(())
    }
}

fn lock(path: &Path) -> Result<std::fs::File, Error> {
    let mut options = fs_err::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let (file, _) = options.open(path)?.into_parts();
    for _ in 0..ATTEMPTS {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            Err(error) => return Err(Error::Output { path: path.into(), source: error.into() }),
        }
    }
    let reason = "another update of the repository does not come to an end";
    Err(refuse_with(format!("`{}`", path.display()), reason, "wait for it, or end it"))
}

/// Moves every file of a staged folder over the published one: those named `last` at the end.
fn replace(staged: &Path, live: &Path, last: &[&str]) -> Result<(), Error> {
    let walk = walkdir::WalkDir::new(staged).sort_by_file_name();
    for entry in walk {
        let entry = entry.map_err(io::Error::from)?;
        let name = entry.path().strip_prefix(staged).unwrap_or(entry.path());
        if entry.file_type().is_dir() {
            fs_err::create_dir_all(live.join(name))?;
        } else if !last.iter().any(|known| Path::new(known) == name) {
            fs_err::rename(entry.path(), live.join(name))?;
        }
    }
    for name in last {
        match fs_err::rename(staged.join(name), live.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Makes sure that a folder's list of names is on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    fs_err::File::open(folder)?.sync_all()
}

/// Gives a published file a second name in a staged folder, or copies it where that cannot be.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs_err::create_dir_all(parent)?;
    }
    if to.exists() {
        return Ok(());
    }
    fs_err::hard_link(from, to).or_else(|_| fs_err::copy(from, to).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_exchange_every_file_is_replaced_and_older_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (staged, live) = (folder.path().join("staged"), folder.path().join("live"));
        let put = |path: PathBuf, text: &str| {
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        put(live.join("InRelease"), "old");
        put(live.join("main/by-hash/old"), "old");
        put(staged.join("InRelease"), "new");
        put(staged.join("main/by-hash/new"), "new");
        replace(&staged, &live, &["Release.gpg", "InRelease"]).unwrap();
        let read = |name: &str| fs_err::read_to_string(live.join(name)).unwrap();
        assert_eq!(
            ["InRelease", "main/by-hash/new", "main/by-hash/old"].map(read),
            ["new", "new", "old"]
        );
    }

    #[test]
    fn a_second_update_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = Folder::lock(folder.path()).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| Folder::lock(folder.path()).map(drop));
            std::thread::sleep(3 * PAUSE);
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap().unwrap();
        });
    }
}
