//! Looking at everything that the rules of a recipe name without opening a file: one `stat` for each.
//!
//! The digest covers, for each rule that names paths, every entry below it in the order of names: its name,
//! kind and mode, and of everything but directories what tells that it is still the same. A directory is what
//! is in it; its own times move with whatever `exclude` leaves out.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bake_formats::digest::{Digest, Hasher};
use bake_recipes::resolved::{FileRule, FileSource};
use rustix::fs::{AtFlags, CWD, FileType, statat};

use crate::assemble::{self, Filter, Listing, Listings, Looked, Visitor};

/// What a walk found.
#[derive(Debug)]
pub(super) struct Walked {
    /// Of everything that was looked at.
    pub(super) digest: Digest,
    /// The latest time of a modification or change of anything but directories, in nanoseconds.
    pub(super) newest: i64,
    /// What was met, for whoever plans if something moved.
    pub(super) listings: Listings,
}

/// Looks at everything that rules name, relative to a recipe's folder, on so many threads.
pub(super) fn walk<'r>(
    folder: &Path,
    rules: impl Iterator<Item = &'r FileRule>,
    threads: usize,
) -> io::Result<Walked> {
    let mut walker =
        Walker { hasher: Hasher::new(), newest: i64::MIN, listing: Listing::default(), threads };
    let mut listings = Listings::default();
    for rule in rules {
        if matches!(rule.source, FileSource::Path { .. })
            && listings.of(rule).is_none()
            && walker.rule(folder, rule)?
        {
            listings.insert(rule, std::mem::take(&mut walker.listing));
        }
    }
    Ok(Walked { digest: walker.hasher.digest(), newest: walker.newest, listings })
}

struct Walker {
    hasher: Hasher,
    newest: i64,
    listing: Listing,
    threads: usize,
}

impl Walker {
    /// Looks at what a rule names, and returns whether it is a directory, which was walked through.
    fn rule(&mut self, folder: &Path, rule: &FileRule) -> io::Result<bool> {
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
        let looked = Looked::of(&statat(CWD, &path, AtFlags::empty())?);
        if !looked.kind().is_dir() {
            self.entry(&looked);
            return Ok(false);
        }
        let filter = Filter::of(rule).map_err(io::Error::other)?;
        assemble::walk(&path, &filter, self.threads, self)?;
        Ok(true)
    }

    fn name(&mut self, name: &[u8]) {
        self.hasher.update(&(name.len() as u64).to_le_bytes());
        self.hasher.update(name);
    }

    fn entry(&mut self, looked: &Looked) {
        let (kind, stamp) = (looked.kind(), looked.stamp);
        let mut bytes = [0; 44];
        let mode = if kind.is_dir() { kind.as_raw_mode() } else { looked.mode };
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

    fn meet(&mut self, relative: &[u8], looked: &Looked) -> io::Result<()> {
        self.name(relative.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
        self.entry(looked);
        self.listing.push(relative, *looked);
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
