//! The output folder: outputs appear in it whole and together, or not at all.

mod flat;

use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use bake_formats::blob::{Blob, BlobSource};
use bake_formats::digest::Digest;
use bake_formats::rope::Rope;
use bake_formats::tree::Content;

use self::flat::Flat;
use crate::edit::{Edit, edit_in_place};
use crate::error::Error;
use crate::exchange::exchange;
use crate::interrupt;
use crate::parallel::in_parallel;
use crate::staging::Staging;
use crate::store::{Stamp, StatIndex, Store, TICK_NANOSECONDS};

/// Longer than a tick of the clock that stamps files.
const TICK: std::time::Duration = std::time::Duration::from_millis(11);
/// How many ticks are waited for at most.
const MOST_TICKS: usize = 10;

/// A folder that takes outputs. Everything is staged in a hidden folder of its own first.
#[derive(Debug)]
pub struct OutputFolder {
    root: PathBuf,
    staging: Staging,
    guard: interrupt::Guard,
    staged: Vec<String>,
    created: bool,
}

impl OutputFolder {
    /// Opens a folder for outputs and makes it if it is not there; fails early if it cannot be
    /// written.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let fail = |source| Error::Output { path: root.into(), source };
        check_folder(root)?;
        let created = !root.exists();
        fs_err::create_dir_all(root).map_err(fail)?;
        let staging = Staging::new(root).map_err(fail)?;
        let guard = interrupt::remove_on_interrupt(staging.path());
        Ok(Self { root: root.into(), staging, guard, staged: Vec::new(), created })
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes what a rope describes to a staged file and returns its identity.
    pub fn stage(
        &mut self,
        name: &str,
        rope: &Rope,
        source: &dyn BlobSource,
    ) -> Result<Blob, Error> {
        self.expect(name)?.fill(rope, source)
    }

    /// Gets ready for a file, which appears with the others once it is written.
    pub fn expect(&mut self, name: &str) -> Result<Place, Error> {
        let staged = self.staged(name);
        if let Some(folder) = staged.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let top = name.split('/').next().unwrap_or(name).to_owned();
        if !self.staged.contains(&top) {
            self.staged.push(top);
        }
        Ok(Place { staged, shown: self.root.join(name), name: name.into(), identity: None })
    }

    /// Returns where a staged file is.
    pub fn staged(&self, name: &str) -> PathBuf {
        self.staging.path().join(name)
    }

    /// Changes a staged file where it is, if that moves nothing, and returns its new identity.
    pub fn edit(&self, name: &str, edits: &[Edit]) -> Result<Option<Blob>, Error> {
        let path = self.staged(name);
        let file = fs_err::OpenOptions::new().read(true).write(true).open(&path)?;
        if !edit_in_place(file.file(), edits)? {
            return Ok(None);
        }
        let (digest, size) = Digest::of_reader(fs_err::File::open(&path)?)?;
        Ok(Some(Blob { digest, size }))
    }

    /// Lets everything staged appear, in the order in which it was staged.
    ///
    /// What appears was written a tick of the clock before, so that whoever writes to it from now on gives it
    /// another time.
    pub fn commit(mut self) -> Result<Appeared, Error> {
        let moment = self.wait()?;
        let names = std::mem::take(&mut self.staged);
        for name in &names {
            let (from, to) = (self.staging.path().join(name), self.root.join(name));
            // What was there goes with the staging folder. ext4 would wait until the data of a file is on its way
            // to the disk if the file replaced another by a plain rename.
            if exchange(&from, &to)? {
                continue;
            }
            if to.is_dir() {
                // A folder cannot be replaced by rename, so the old one steps aside first.
                fs_err::rename(&to, self.staging.path().join(format!("{name}.old")))?;
            }
            fs_err::rename(from, to)?;
        }
        self.remove_old(&names)?;
        Ok(Appeared { names, moment })
    }

    /// Waits until whoever writes to what is staged gives it another time, and returns that moment. The clock that stamps
    /// files may be behind on a machine that is busy; what is no older after that is not known by its stamp.
    fn wait(&self) -> io::Result<i64> {
        let files = self.staged.iter().flat_map(|name| walkdir::WalkDir::new(self.staged(name)));
        let mut newest = i64::MIN;
        for file in files {
            let metadata = file.and_then(|file| file.metadata()).map_err(io::Error::from)?;
            if metadata.is_file() {
                newest = newest.max(Stamp::of(&metadata).mtime);
            }
        }
        let mut moment = newest;
        for _ in 0..MOST_TICKS {
            thread::sleep(TICK);
            moment = Stamp::of(&tempfile::tempfile_in(self.staging.path())?.metadata()?).mtime;
            if is_older(newest, moment) {
                break;
            }
        }
        Ok(moment)
    }

    /// Removes the files that stood where others appeared. That takes the longer the larger they are, so several go at
    /// once; folders go with the staging folder.
    fn remove_old(&self, names: &[String]) -> io::Result<()> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let olds = names.iter().map(|name| self.staged(name)).filter(|old| old.exists());
        let entries = olds.flat_map(walkdir::WalkDir::new).collect::<Result<Vec<_>, _>>()?;
        let files: Vec<_> = entries.iter().filter(|entry| !entry.file_type().is_dir()).collect();
        in_parallel(threads, &files, |file| fs_err::remove_file(file.path())).map(drop)
    }
}

/// Where a file of an output is staged. Several can be written at once.
#[derive(Debug)]
pub struct Place {
    staged: PathBuf,
    /// Where it appears.
    shown: PathBuf,
    /// The same, relative to the output folder.
    name: String,
    /// What the file's bytes are known to be.
    identity: Option<Digest>,
}

impl Place {
    /// Returns the output that the file belongs to.
    pub fn artifact(&self) -> Option<&str> {
        self.name.split('/').next().filter(|name| *name != DOCUMENT)
    }

    /// Says which digest the file's bytes have, if somebody computed it: then they are not hashed as they are written.
    #[must_use]
    pub fn known(self, identity: Option<Digest>) -> Self {
        Self { identity, ..self }
    }

    /// Writes what a rope describes to the file and returns its identity.
    pub fn fill(&self, rope: &Rope, source: &dyn BlobSource) -> Result<Blob, Error> {
        let file = fs_err::File::create(&self.staged)?;
        Flat::new(file, self.identity)
            .write(rope, source)
            .map_err(|source| Error::Output { path: self.shown.clone(), source })
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        self.guard.release();
        // The staging folder goes with its own drop; a folder made for nothing goes too.
        if self.created && fs_err::remove_dir_all(self.staging.path()).is_ok() {
            fs_err::remove_dir(&self.root).ok();
        }
    }
}

/// The name of the document that lists all outputs.
pub const DOCUMENT: &str = "release.json";

/// Returns the name of a file of an artifact, relative to the output folder.
pub fn join(name: &str, path: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{name}/{path}") }
}

/// Returns whether the document of a folder is this one.
pub fn says(folder: &Path, document: &[u8]) -> bool {
    fs_err::read(folder.join(DOCUMENT)).is_ok_and(|found| found == document)
}

/// Fails if something that is not a folder stands where outputs should go.
pub fn check_folder(root: &Path) -> Result<(), Error> {
    if !root.exists() || root.is_dir() {
        return Ok(());
    }
    let source = io::Error::new(io::ErrorKind::NotADirectory, "it is a file, expected a folder");
    Err(Error::Output { path: root.into(), source })
}

/// Returns whether an output is already there with the bytes it should have.
pub fn is_current(path: &Path, blob: &Blob, index: &StatIndex) -> io::Result<bool> {
    let metadata = match fs_err::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() || metadata.len() != blob.size {
        return Ok(false);
    }
    if let Some(content) = index.get(&Stamp::of(&metadata)) {
        return Ok(content.digest == blob.digest);
    }
    let (digest, _) = bake_formats::digest::Digest::of_reader(fs_err::File::open(path)?)?;
    Ok(digest == blob.digest)
}

/// What appeared in an output folder at once.
#[derive(Debug, Default)]
pub struct Appeared {
    /// Files and folders, relative to the output folder.
    names: Vec<String>,
    /// When; everything was last written before.
    moment: i64,
}

impl Appeared {
    /// Returns whether a file can be known by its stamp: nobody could have written to it without giving it another.
    ///
    /// The time of the change says nothing of what appeared just now, because the rename moved it. What was there
    /// before was looked at before, and must be older than that.
    fn settles(&self, name: &str, stamp: &Stamp, index: &StatIndex) -> bool {
        let top = name.split('/').next().unwrap_or(name);
        if self.names.iter().any(|appeared| appeared == top) {
            is_older(stamp.mtime, self.moment)
        } else {
            index.settles(stamp)
        }
    }
}

/// Returns whether what was written at one time would have another if it were written to at a moment.
fn is_older(mtime: i64, moment: i64) -> bool {
    mtime < moment - TICK_NANOSECONDS / 2
}

/// The outputs that are in a folder now that a bake ended.
#[derive(Debug)]
pub struct Written {
    /// The folder.
    pub folder: PathBuf,
    /// The files, relative to the folder.
    pub stamps: Vec<(String, Stamp)>,
    /// Whether all of them can be known by their stamps.
    pub is_settled: bool,
}

/// Notes the outputs that are there, so that the next bake need not read them.
pub fn remember(
    store: &Store,
    root: &Path,
    (index, appeared): (&StatIndex, &Appeared),
    outputs: &[(String, Blob)],
) -> io::Result<Written> {
    let (mut found, mut stamps) = (Vec::new(), Vec::new());
    for (name, blob) in outputs {
        let stamp = Stamp::of(&fs_err::symlink_metadata(root.join(name))?);
        let content = Content { digest: blob.digest, size: blob.size, md5: [0; 16] };
        if appeared.settles(name, &stamp, index) {
            found.push((stamp, content));
        }
        stamps.push((name.clone(), stamp));
    }
    let settled = found.iter().map(|(stamp, content)| (stamp, content));
    store.replace_stat_index(root, index, settled)?;
    let is_settled = found.len() == stamps.len();
    Ok(Written { folder: root.into(), stamps, is_settled })
}

/// Returns how many files are in a folder and below it.
pub fn count_files(folder: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in walkdir::WalkDir::new(folder) {
        count += usize::from(entry.map_err(io::Error::from)?.file_type().is_file());
    }
    Ok(count)
}

/// Lets a name in an output folder lead to a file elsewhere: what an overlay names beside itself.
///
/// A link that leads elsewhere is replaced in one step; anything else of that name is left alone.
pub fn link(folder: &Path, name: &str, target: &Path) -> Result<(), Error> {
    let place = folder.join(name);
    let fail = |source| Error::Output { path: place.clone(), source };
    let folder = fs_err::canonicalize(folder).map_err(fail)?;
    let target = relative(&folder, &fs_err::canonicalize(target).map_err(fail)?);
    match fs_err::symlink_metadata(&place) {
        Ok(found) if !found.is_symlink() => return Ok(()),
        Ok(_) if fs_err::read_link(&place).is_ok_and(|found| found == target) => return Ok(()),
        _ => {}
    }
    let staging = tempfile::Builder::new().prefix(".bake-").tempdir_in(&folder).map_err(fail)?;
    let staged = staging.path().join("link");
    fs_err::os::unix::fs::symlink(&target, &staged).map_err(fail)?;
    fs_err::rename(&staged, &place).map_err(fail)
}

/// Returns the path of a file as it is seen from a folder; both are absolute.
fn relative(folder: &Path, file: &Path) -> PathBuf {
    let shared = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| std::path::Component::ParentDir);
    up.chain(file.components().skip(shared)).collect()
}

#[cfg(test)]
mod tests {
    use bake_formats::blob::MemoryStore;

    use super::*;

    #[test]
    fn outputs_appear_together_and_replace_folders() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("dist");
        fs_err::create_dir_all(root.join("image/old")).unwrap();
        let memory = MemoryStore::new();
        let mut output = OutputFolder::open(&root).unwrap();
        output.stage("a.deb", &Rope::from(b"deb".to_vec()), &memory).unwrap();
        output.stage("image/blobs/x", &Rope::from(b"x".to_vec()), &memory).unwrap();
        assert!(!root.join("a.deb").exists() && root.join("image/old").exists());
        output.commit().unwrap();
        assert_eq!(fs_err::read(root.join("a.deb")).unwrap(), b"deb");
        assert!(root.join("image/blobs/x").exists() && !root.join("image/old").exists());
        assert_eq!(fs_err::read_dir(&root).unwrap().count(), 2);
    }

    #[test]
    fn nothing_is_left_of_a_bake_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("dist");
        let mut output = OutputFolder::open(&root).unwrap();
        output.stage("a.deb", &Rope::from(b"deb".to_vec()), &MemoryStore::new()).unwrap();
        drop(output);
        assert!(!root.exists());
    }

    #[test]
    fn a_file_where_the_folder_should_be_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("dist");
        fs_err::write(&root, "mine").unwrap();
        assert!(matches!(OutputFolder::open(&root), Err(Error::Output { .. })));
        assert_eq!(fs_err::read_to_string(&root).unwrap(), "mine");
    }

    #[test]
    fn what_was_there_before_is_not_known_by_the_moment_at_which_others_appeared() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let root = folder.path().join("dist");
        let mut output = OutputFolder::open(&root).unwrap();
        output.stage("new", &Rope::from(b"new".to_vec()), &store).unwrap();
        let index = store.stat_index(&root).unwrap();
        // Somebody writes to a file after it was looked at, before the others appear.
        fs_err::write(root.join("old"), "odd").unwrap();
        let appeared = output.commit().unwrap();
        let blob = |name: &str| (name.to_owned(), Blob::of(name.as_bytes()));
        let remembered = |names: &[&str]| {
            let outputs: Vec<_> = names.iter().map(|name| blob(name)).collect();
            remember(&store, &root, (&index, &appeared), &outputs).unwrap().is_settled
        };
        assert!(remembered(&["new"]));
        assert!(!remembered(&["new", "old"]));
    }
}
