//! Looking at everything that the rules of a recipe name without opening a file: one `stat` for each.
//!
//! The digest covers, for each rule that names paths, every entry below it in the order of names: its name,
//! kind and mode, and of everything but directories what tells that it is still the same. A directory is what
//! is in it; its own times move with whatever `exclude` leaves out.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bake_formats::digest::{Digest, Hasher};
use bake_recipes::resolved::{FileRule, FileSource};
use rustix::fs::{AtFlags, CWD, FileType, Stat, statat};

use crate::assemble::{self, Filter, Visitor};
use crate::store::Stamp;

/// What a walk found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Walked {
    /// Of everything that was looked at.
    pub(super) digest: Digest,
    /// The latest time of a modification or change of anything but directories, in nanoseconds.
    pub(super) newest: i64,
}

/// Looks at everything that rules name, relative to a recipe's folder.
pub(super) fn walk<'r>(
    folder: &Path,
    rules: impl Iterator<Item = &'r FileRule>,
) -> io::Result<Walked> {
    let mut walker = Walker { hasher: Hasher::new(), newest: i64::MIN };
    let mut seen = BTreeSet::new();
    for rule in rules {
        let FileSource::Path { pattern, is_glob } = &rule.source else { continue };
        if seen.insert(format!("{pattern:?} {is_glob} {:?}", rule.exclude)) {
            walker.rule(folder, rule)?;
        }
    }
    Ok(Walked { digest: walker.hasher.digest(), newest: walker.newest })
}

struct Walker {
    hasher: Hasher,
    newest: i64,
}

impl Walker {
    fn rule(&mut self, folder: &Path, rule: &FileRule) -> io::Result<()> {
        let base = rule.source.base().unwrap_or_default();
        self.name(base.as_os_str().as_bytes());
        let path = folder.join(&base);
        let stat = statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW)?;
        let path = if FileType::from_raw_mode(stat.st_mode).is_symlink() {
            let target = fs_err::canonicalize(&path)?;
            self.name(target.as_os_str().as_bytes());
            target
        } else {
            path
        };
        let stat = statat(CWD, &path, AtFlags::empty())?;
        if !FileType::from_raw_mode(stat.st_mode).is_dir() {
            self.entry(&stat);
            return Ok(());
        }
        let filter = Filter::of(rule).map_err(io::Error::other)?;
        assemble::walk(&path, &filter, self)
    }

    fn name(&mut self, name: &[u8]) {
        self.hasher.update(&(name.len() as u64).to_le_bytes());
        self.hasher.update(name);
    }

    fn entry(&mut self, stat: &Stat) {
        let kind = FileType::from_raw_mode(stat.st_mode);
        let stamp = Stamp::of_stat(stat);
        let mut bytes = [0; 44];
        let mode = if kind.is_dir() { kind.as_raw_mode() } else { stat.st_mode };
        bytes[..4].copy_from_slice(&mode.to_le_bytes());
        if !kind.is_dir() {
            self.newest = self.newest.max(stamp.mtime).max(stamp.ctime);
            bytes[4..].copy_from_slice(&stamp.to_bytes());
        }
        self.hasher.update(&bytes);
    }
}

impl Visitor for Walker {
    type Error = io::Error;

    fn meet(&mut self, relative: &[u8], stat: &Stat) -> io::Result<()> {
        self.name(relative.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
        self.entry(stat);
        Ok(())
    }

    fn leave(&mut self) {
        // No name is empty: this ends the directory.
        self.name(b"");
    }

    fn fail(&self, _path: &Path, error: &io::Error) -> io::Error {
        error.kind().into()
    }
}
