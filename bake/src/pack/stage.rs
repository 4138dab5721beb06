//! Unpacking of sources into a folder of our own: nothing leaves it, and nothing grows without
//! bound.
//!
//! The folder is new and nobody else's, so what is in it is what was put there. Members become
//! files with new modes: executable or not. A name that leads out of the folder or through a link,
//! a link that leads out of it, a device and a second file of one name are refused by name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use bake_recipes::RecipeError;

use crate::assemble::climbs_out;

/// The most members of one archive.
pub(super) const MAX_MEMBERS: usize = 1_000_000;
/// What may be unpacked from however small an archive.
const FREE: u64 = 256 << 20;
/// How many times its size an archive may unpack to beyond that.
const MAX_RATIO: u64 = 100;
/// The longest target of a symbolic link, Linux's `PATH_MAX`.
const MAX_TARGET: usize = 4096;

/// A folder that an archive is unpacked into.
#[derive(Debug)]
pub(super) struct Stage {
    root: PathBuf,
    /// The archive's name, for errors.
    archive: String,
    seen: BTreeMap<PathBuf, Seen>,
    left: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Directory,
    File,
    Link,
}

impl Stage {
    /// Returns a stage for an archive of so many bytes.
    pub(super) fn new(root: &Path, archive: &str, size: u64) -> Self {
        Self {
            root: root.into(),
            archive: archive.into(),
            seen: BTreeMap::new(),
            left: FREE.max(size.saturating_mul(MAX_RATIO)),
        }
    }

    /// Returns an error about a member.
    pub(super) fn refuse(&self, name: &[u8], reason: &str) -> RecipeError {
        let name = String::from_utf8_lossy(name);
        RecipeError::new(format!("`{}`: member `{name}` {reason}", self.archive))
    }

    /// Makes a directory.
    pub(super) fn directory(&mut self, name: &[u8]) -> Result<(), RecipeError> {
        let path = self.path(name)?;
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        self.parents(name, &path)?;
        self.make_directory(name, &path)
    }

    /// Writes a file and returns where it is.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        executable: bool,
        contents: impl Read,
    ) -> Result<PathBuf, RecipeError> {
        let path = self.enter(name, Seen::File)?;
        let mut out = fs_err::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| self.failed(name, &error))?;
        let mut limited = contents.take(self.left + 1);
        let count = io::copy(&mut limited, &mut out).map_err(|error| self.failed(name, &error))?;
        if count > self.left {
            return Err(self.refuse(name, "unpacks to more than the archive may").hint(format!(
                "an archive may unpack to {FREE} bytes, or {MAX_RATIO} times its size"
            )));
        }
        self.left -= count;
        out.flush().map_err(|error| self.failed(name, &error))?;
        let mode = if executable { 0o755 } else { 0o644 };
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode))
            .map_err(|error| self.failed(name, &error))?;
        Ok(path)
    }

    /// Makes a symbolic link, whose target must be within the archive.
    pub(super) fn symlink(&mut self, name: &[u8], target: &[u8]) -> Result<(), RecipeError> {
        let inside = self.path(name)?;
        let to = Path::new(OsStr::from_bytes(target));
        let shown = String::from_utf8_lossy(target).into_owned();
        if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) {
            return Err(self.refuse(name, "is a link without a usable target"));
        }
        if to.is_absolute() || climbs_out(&inside.parent().unwrap_or(Path::new("")).join(to)) {
            let reason = format!("is a link that leaves the archive: its target is `{shown}`");
            return Err(self.refuse(name, &reason));
        }
        let path = self.enter(name, Seen::Link)?;
        std::os::unix::fs::symlink(to, path).map_err(|error| self.failed(name, &error))
    }

    /// Makes another name of a file that was unpacked before.
    pub(super) fn hard_link(&mut self, name: &[u8], target: &[u8]) -> Result<(), RecipeError> {
        let first = self.path(target)?;
        if self.seen.get(&first) != Some(&Seen::File) {
            let target = String::from_utf8_lossy(target);
            let reason = format!("is a hard link to `{target}`, which is no file before it");
            return Err(self.refuse(name, &reason));
        }
        let path = self.enter(name, Seen::File)?;
        fs_err::hard_link(self.root.join(first), path).map_err(|error| self.failed(name, &error))
    }

    /// Returns where a member goes, relative to the folder.
    fn path(&self, name: &[u8]) -> Result<PathBuf, RecipeError> {
        if name.contains(&0) {
            return Err(self.refuse(name, "has a NUL in its name"));
        }
        let mut path = PathBuf::new();
        for part in Path::new(OsStr::from_bytes(name)).components() {
            match part {
                Component::Normal(part) => path.push(part),
                Component::CurDir => {}
                Component::RootDir => return Err(self.refuse(name, "has an absolute path")),
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(self.refuse(name, "leaves the archive"));
                }
            }
        }
        if path.as_os_str().len() > MAX_TARGET {
            return Err(self.refuse(name, "has a name that is too long"));
        }
        Ok(path)
    }

    /// Takes a name for a file or a link and returns the whole path.
    fn enter(&mut self, name: &[u8], kind: Seen) -> Result<PathBuf, RecipeError> {
        let path = self.path(name)?;
        if path.as_os_str().is_empty() {
            return Err(self.refuse(name, "has no name"));
        }
        self.parents(name, &path)?;
        if self.seen.insert(path.clone(), kind).is_some() {
            return Err(self.refuse(name, "is there twice"));
        }
        self.count(name)?;
        Ok(self.root.join(path))
    }

    fn parents(&mut self, name: &[u8], path: &Path) -> Result<(), RecipeError> {
        let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
        parents.pop();
        for parent in parents.into_iter().rev() {
            self.make_directory(name, parent)?;
        }
        Ok(())
    }

    fn make_directory(&mut self, name: &[u8], path: &Path) -> Result<(), RecipeError> {
        match self.seen.get(path) {
            Some(Seen::Directory) => Ok(()),
            Some(Seen::File) => Err(self.refuse(name, "is below a file")),
            Some(Seen::Link) => Err(self.refuse(name, "is behind a symbolic link")),
            None => {
                self.seen.insert(path.into(), Seen::Directory);
                self.count(name)?;
                fs_err::create_dir(self.root.join(path)).map_err(|error| self.failed(name, &error))
            }
        }
    }

    fn count(&self, name: &[u8]) -> Result<(), RecipeError> {
        if self.seen.len() <= MAX_MEMBERS {
            return Ok(());
        }
        Err(self.refuse(name, &format!("is one too many: at most {MAX_MEMBERS} are unpacked")))
    }

    fn failed(&self, name: &[u8], error: &io::Error) -> RecipeError {
        self.refuse(name, &format!("cannot be unpacked: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(folder: &Path) -> Stage {
        Stage::new(folder, "x.tar", 10)
    }

    #[test]
    fn names_and_links_stay_within_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut stage = stage(folder.path());
        for name in ["../x", "/x", "a/../../x", "a\0b", "", "."] {
            let error = stage.file(name.as_bytes(), false, io::empty()).unwrap_err();
            assert!(error.to_string().contains("`x.tar`: member `"), "{error}");
        }
        for target in ["/etc/passwd", "../x", "a/../../x", "", "a\0"] {
            assert!(stage.symlink(b"link", target.as_bytes()).is_err(), "{target}");
        }
        stage.symlink(b"sub/link", b"../file").unwrap();
        for below in ["sub/link/x", "sub/link/y/z"] {
            let error = stage.file(below.as_bytes(), false, io::empty()).unwrap_err();
            assert!(error.to_string().contains("behind a symbolic link"), "{error}");
        }
        stage.file(b"file", true, &b"text"[..]).unwrap();
        assert!(stage.file(b"file", true, &b"text"[..]).is_err());
        assert!(stage.file(b"./file/x", true, &b"text"[..]).is_err());
        stage.hard_link(b"other", b"file").unwrap();
        assert!(stage.hard_link(b"third", b"sub/link").is_err());
        assert!(stage.hard_link(b"third", b"nothing").is_err());
        let outside: Vec<_> =
            fs_err::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(outside.len(), 3, "{outside:?}");
    }

    #[test]
    fn modes_are_executable_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut stage = stage(folder.path());
        let mode = |path| fs_err::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(stage.file(b"a", true, io::empty()).unwrap()), 0o755);
        assert_eq!(mode(stage.file(b"b", false, io::empty()).unwrap()), 0o644);
    }

    #[test]
    fn a_bomb_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut stage = stage(folder.path());
        stage.left = 1000;
        stage.file(b"small", false, io::repeat(0).take(1000)).unwrap();
        let error = stage.file(b"large", false, io::repeat(0)).unwrap_err();
        assert!(error.to_string().contains("member `large` unpacks to more"), "{error}");
        assert!(fs_err::metadata(folder.path().join("large")).unwrap().len() <= 1);
    }
}
