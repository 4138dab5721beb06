//! What is in one directory, looked at by names relative to it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, statat};
use rustix::io::Errno;

use super::listing::Looked;

/// What is in a directory.
#[derive(Debug)]
pub(super) struct Names {
    /// The names, one after another.
    bytes: Vec<u8>,
    /// Where each name is, and what it names.
    found: Vec<(Range<usize>, Looked)>,
    /// The places in `found`, by name.
    order: Vec<usize>,
}

impl Names {
    /// Looks at everything in a directory that is wanted; an error comes with the name that it is about.
    pub(super) fn of(
        directory: &OwnedFd,
        mut is_wanted: impl FnMut(&[u8]) -> bool,
    ) -> Result<Self, (OsString, io::Error)> {
        let fail = |error: Errno| (OsString::new(), error.into());
        let mut names = Self { bytes: Vec::new(), found: Vec::new(), order: Vec::new() };
        for entry in Dir::read_from(directory).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || !is_wanted(name) {
                continue;
            }
            let stat = statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| (OsStr::from_bytes(name).to_owned(), error.into()))?;
            let start = names.bytes.len();
            names.bytes.extend_from_slice(name);
            names.order.push(names.found.len());
            names.found.push((start..names.bytes.len(), Looked::of(&stat)));
        }
        let Self { bytes, found, order } = &mut names;
        let name = |place: usize| found.get(place).and_then(|(name, _)| bytes.get(name.clone()));
        order.sort_unstable_by(|one, other| name(*one).cmp(&name(*other)));
        Ok(names)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &Looked)> {
        let entries = self.order.iter().filter_map(|place| self.found.get(*place));
        entries.filter_map(|(name, looked)| Some((self.bytes.get(name.clone())?, looked)))
    }
}

/// Returns the path of something that a walk met.
pub(super) fn below(root: &Path, relative: &[u8]) -> PathBuf {
    // Nothing would be joined as a slash at the end.
    if relative.is_empty() { root.into() } else { root.join(OsStr::from_bytes(relative)) }
}

/// Appends a name to a path.
pub(super) fn step(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}
