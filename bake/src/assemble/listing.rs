//! What a walk met, kept for whoever would take the same walk once more.

use std::collections::BTreeMap;

use bake_recipes::resolved::{FileRule, FileSource};
use rustix::fs::{FileType, Stat};

use crate::store::Stamp;

/// What a look at an entry told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looked {
    /// Its kind and its permissions, `st_mode`.
    pub(crate) mode: u32,
    /// Whether it has other names.
    pub(crate) is_linked: bool,
    /// The numbers of a device, `st_rdev`.
    pub(crate) device: u64,
    /// What tells that it is still the same.
    pub(crate) stamp: Stamp,
}

impl Looked {
    /// Takes what the system said.
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            mode: stat.st_mode,
            is_linked: stat.st_nlink > 1,
            device: stat.st_rdev,
            stamp: Stamp::of_stat(stat),
        }
    }

    /// Returns what the entry is.
    pub(crate) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }
}

/// Everything that one walk met, in its order.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The paths, one after another.
    paths: Vec<u8>,
    /// Where each path ends, and what is there.
    met: Vec<(usize, Looked)>,
}

impl Listing {
    /// Appends what was met.
    pub(crate) fn push(&mut self, relative: &[u8], looked: Looked) {
        self.paths.extend_from_slice(relative);
        self.met.push((self.paths.len(), looked));
    }

    /// Returns what was met, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &Looked)> {
        let mut start = 0;
        self.met.iter().map(move |(end, looked)| {
            let path = self.paths.get(start..*end).unwrap_or_default();
            start = *end;
            (path, looked)
        })
    }
}

/// The walks of the rules of recipes, by what they name.
#[derive(Debug, Default)]
pub struct Listings(BTreeMap<String, Listing>);

impl Listings {
    /// Returns what the walk for a rule met, if there was one.
    pub(crate) fn of(&self, rule: &FileRule) -> Option<&Listing> {
        self.0.get(&name(rule)?)
    }

    /// Keeps what the walk for a rule met.
    pub(crate) fn insert(&mut self, rule: &FileRule, listing: Listing) {
        if let Some(name) = name(rule) {
            self.0.insert(name, listing);
        }
    }
}

/// Returns everything of a rule that decides on what a walk for it meets.
fn name(rule: &FileRule) -> Option<String> {
    match &rule.source {
        FileSource::Path { pattern, is_glob } => {
            Some(format!("{pattern:?} {is_glob} {:?}", rule.exclude))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_met_comes_back_in_order() {
        let stat = rustix::fs::stat("/").unwrap();
        let mut listing = Listing::default();
        let paths: [&[u8]; 4] = [b"a", b"a/b", b"a/b/c", b"d\xff"];
        for (links, path) in (1..).zip(paths) {
            let mut stat = stat;
            stat.st_nlink = links;
            listing.push(path, Looked::of(&stat));
        }
        let found: Vec<_> = listing.iter().map(|(path, looked)| (path, looked.is_linked)).collect();
        let expected = [(paths[0], false), (paths[1], true), (paths[2], true), (paths[3], true)];
        assert_eq!(found, expected);
        assert!(listing.iter().all(|(_, looked)| looked.kind().is_dir()));
    }
}
