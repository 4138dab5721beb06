//! A walk through a folder: one stat for each entry, in the order of a tree; no file is opened and no link followed.
//!
//! Each thread has one directory open at a time, so that depth costs no descriptors.

use std::io;
use std::path::Path;
use std::thread;

use super::directories::Directories;
use super::listing::Looked;
use super::names::step;
use super::scan::Filter;

/// After so many directories there may be many more, which several threads look at sooner.
const WORTH_THREADS: usize = 16;

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

/// Walks through everything in a folder that a filter does not leave out. Up to so many threads look at what is there; the
/// visitor is told by this one.
pub(crate) fn walk<V: Visitor>(
    root: &Path,
    filter: &Filter<'_>,
    threads: usize,
    visitor: &mut V,
) -> Result<(), V::Error> {
    let directories = Directories::new(root, filter);
    thread::scope(|scope| {
        let _over = directories.until_over();
        let start = || {
            for _ in 1..threads {
                // Without it the walk takes longer.
                drop(thread::Builder::new().spawn_scoped(scope, || directories.read_ahead()));
            }
        };
        Walk { directories: &directories, filter, visitor, start, left: 0 }
            .directory(&mut Vec::new())
    })
}

struct Walk<'a, V, S> {
    directories: &'a Directories<'a>,
    filter: &'a Filter<'a>,
    visitor: &'a mut V,
    /// Starts the other threads.
    start: S,
    /// How many directories were left behind.
    left: usize,
}

impl<V: Visitor, S: Fn()> Walk<'_, V, S> {
    /// Walks through a directory, whose path below the root is `relative`.
    fn directory(&mut self, relative: &mut Vec<u8>) -> Result<(), V::Error> {
        let len = relative.len();
        let names = self.directories.take(relative);
        let names = names.map_err(|(path, error)| self.visitor.fail(&path, &error))?;
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
        self.left += 1;
        if self.left == WORTH_THREADS {
            (self.start)();
        }
        Ok(())
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

    /// Breaks off at the entry of this number.
    struct Ends(usize);

    impl Visitor for Ends {
        type Error = usize;
        fn meet(&mut self, _: &[u8], _: &Looked) -> Result<(), usize> {
            self.0 += 1;
            if self.0 == 500 { Err(self.0) } else { Ok(()) }
        }
        fn fail(&self, _: &Path, _: &io::Error) -> usize {
            0
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

    fn met(root: &Path, exclude: &[&str], threads: usize) -> Result<Notes, String> {
        let rule = rule(exclude);
        let mut notes = Notes::default();
        walk(root, &Filter::of(&rule).unwrap(), threads, &mut notes)?;
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
        let Notes(found, left) = met(folder.path(), &[], 1).unwrap();
        let paths: Vec<_> = found.iter().map(|path| TreePath::parse(path).unwrap()).collect();
        assert!(paths.is_sorted() && found.len() == 12, "{paths:?}");
        assert_eq!(left, 6, "five directories and the root; the link is not followed");
        let Notes(found, _) = met(folder.path(), &["*.log", "a"], 1).unwrap();
        assert!(found.contains(&b"empty".to_vec()) && found.len() == 8, "{found:?}");
        let error = met(&folder.path().join("a.b"), &[], 1).err().unwrap();
        assert!(error.contains("a.b"), "{error}");
    }

    #[test]
    fn several_threads_meet_what_one_does() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..400 {
            let path = folder.path().join(format!("{}/{}/{number}", number % 7, number % 50));
            fs_err::create_dir_all(&path).unwrap();
            fs_err::write(path.join("file"), "").unwrap();
        }
        let one = met(folder.path(), &["49"], 1).unwrap();
        assert!(one.0.len() > 800, "{}", one.0.len());
        for threads in [2, 3, 8] {
            for _ in 0..20 {
                let found = met(folder.path(), &["49"], threads).unwrap();
                assert!(found.0 == one.0 && found.1 == one.1);
            }
        }
        // What cannot be looked at is told where the walk comes to it, and nothing behind it.
        let rule = rule(&[]);
        let ended = walk(folder.path(), &Filter::of(&rule).unwrap(), 4, &mut Ends(0));
        assert_eq!(ended, Err(500));
    }

    #[test]
    fn a_path_may_be_as_deep_as_it_can_be_long() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join(vec!["d"; 1500].join("/"));
        fs_err::create_dir_all(&deep).unwrap();
        assert_eq!(met(folder.path(), &[], 1).unwrap().0.len(), 1500);
    }
}
