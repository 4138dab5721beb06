//! A walk through a folder: one stat for each entry, in the order of a tree; no file is opened and no link followed.
//!
//! Of the directories on the way one is open at a time, so that depth costs no descriptors.

use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::listing::Looked;
use super::scan::Filter;

/// How long a path can be that programs open by its name (PATH_MAX).
const LONGEST: usize = 4096;

/// Who is told what a walk meets.
pub(crate) trait Visitor {
    /// Why the visitor ends a walk.
    type Error;

    /// Takes something that the filter takes; its path is relative to where the walk began.
    fn meet(&mut self, relative: &[u8], looked: &Looked) -> Result<(), Self::Error>;

    /// Is told that all of a directory was met, also of one that the filter does not take.
    fn leave(&mut self) {}

    /// Makes an error of what cannot be looked at.
    fn fail(&self, path: &Path, error: &io::Error) -> Self::Error;
}

/// Walks through everything in a folder that a filter does not leave out.
pub(crate) fn walk<V: Visitor>(
    root: &Path,
    filter: &Filter<'_>,
    visitor: &mut V,
) -> Result<(), V::Error> {
    Walk { root, filter, visitor }.directory(&mut Vec::new())
}

struct Walk<'a, V> {
    root: &'a Path,
    filter: &'a Filter<'a>,
    visitor: &'a mut V,
}

impl<V: Visitor> Walk<'_, V> {
    /// Walks through a directory, whose path below the root is `relative`.
    fn directory(&mut self, relative: &mut Vec<u8>) -> Result<(), V::Error> {
        let len = relative.len();
        let names = self.names(relative)?;
        for (name, looked) in names.iter() {
            step(relative, name);
            if self.filter.takes(relative) {
                self.visitor.meet(relative, looked)?;
            }
            if looked.kind().is_dir() {
                self.directory(relative)?;
            }
            relative.truncate(len);
        }
        self.visitor.leave();
        Ok(())
    }

    /// Returns what is in a directory and not left out, by name.
    fn names(&self, relative: &mut Vec<u8>) -> Result<Names, V::Error> {
        let path = below(self.root, relative);
        let fail = |error| self.visitor.fail(&path, &error);
        let len = relative.len();
        if len > LONGEST {
            return Err(fail(io::ErrorKind::InvalidFilename.into()));
        }
        // Where the walk begins a link was followed already.
        let follow = if len == 0 { OFlags::empty() } else { OFlags::NOFOLLOW };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | follow;
        let opened =
            openat(CWD, &path, flags, Mode::empty()).map_err(|error| fail(error.into()))?;
        let is_wanted = |name: &[u8]| {
            step(relative, name);
            let is_wanted = self.filter.takes_everything() || self.filter.descends(relative);
            relative.truncate(len);
            is_wanted
        };
        Names::of(&opened, is_wanted)
            .map_err(|(name, error)| self.visitor.fail(&path.join(name), &error))
    }
}

/// Returns the path of something that a walk met.
pub(super) fn below(root: &Path, relative: &[u8]) -> PathBuf {
    // Nothing would be joined as a slash at the end.
    if relative.is_empty() { root.into() } else { root.join(OsStr::from_bytes(relative)) }
}

fn step(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// What is in a directory.
struct Names {
    /// The names, one after another.
    bytes: Vec<u8>,
    /// Where each name is, and what it names.
    found: Vec<(Range<usize>, Looked)>,
    /// The places in `found`, by name.
    order: Vec<usize>,
}

impl Names {
    /// Looks at everything in a directory that is wanted; an error comes with the name that it is about.
    fn of(
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

    fn iter(&self) -> impl Iterator<Item = (&[u8], &Looked)> {
        let entries = self.order.iter().filter_map(|place| self.found.get(*place));
        entries.filter_map(|(name, looked)| Some((self.bytes.get(name.clone())?, looked)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bake_formats::tree::{Mark, Owner, TreePath};
    use bake_recipes::Place;
    use bake_recipes::resolved::{Destination, FileRule, FileSource, Glob, Output};

    use super::*;

    /// Notes what is met, and how many directories were left.
    #[derive(Default)]
    struct Notes(Vec<Vec<u8>>, usize);

    impl Visitor for Notes {
        type Error = String;

        fn meet(&mut self, relative: &[u8], _looked: &Looked) -> Result<(), String> {
            self.0.push(relative.to_vec());
            Ok(())
        }

        fn leave(&mut self) {
            self.1 += 1;
        }

        fn fail(&self, path: &Path, error: &io::Error) -> String {
            format!("{}: {}", path.display(), error.kind())
        }
    }

    fn rule(exclude: &[&str]) -> FileRule {
        let exclude = exclude.iter().map(|pattern| Glob::parse(pattern).unwrap()).collect();
        FileRule {
            source: FileSource::Path { pattern: "build/".into(), is_glob: false },
            to: Destination { path: TreePath::root(), into: false },
            mode: None,
            directory_mode: None,
            owner: Owner::root(),
            group: Owner::root(),
            mark: Mark::Plain,
            language: None,
            exclude,
            formats: vec![Output::Deb],
            xattrs: BTreeMap::new(),
            place: Place::of(&"bake.toml".into(), "", &(0..0)),
        }
    }

    fn met(root: &Path, exclude: &[&str]) -> Result<Notes, String> {
        let rule = rule(exclude);
        let mut notes = Notes::default();
        walk(root, &Filter::of(&rule).unwrap(), &mut notes)?;
        Ok(notes)
    }

    #[test]
    fn everything_is_met_in_the_order_of_a_tree() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["etc/motd", "etc-old", "etc.d/x", "a/b/c", "a.b", "empty/x.log"] {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
        let Notes(found, left) = met(folder.path(), &[]).unwrap();
        let paths: Vec<_> = found.iter().map(|path| TreePath::parse(path).unwrap()).collect();
        assert!(paths.is_sorted() && found.len() == 12, "{paths:?}");
        assert_eq!(left, 6, "five directories and the root; the link is not followed");
        let Notes(found, _) = met(folder.path(), &["*.log", "a"]).unwrap();
        assert!(found.contains(&b"empty".to_vec()) && found.len() == 8, "{found:?}");
        let error = met(&folder.path().join("a.b"), &[]).err().unwrap();
        assert!(error.contains("a.b"), "{error}");
    }

    #[test]
    fn a_path_may_be_as_deep_as_it_can_be_long() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join(vec!["d"; 1500].join("/"));
        fs_err::create_dir_all(&deep).unwrap();
        assert_eq!(met(folder.path(), &[]).unwrap().0.len(), 1500);
    }
}
