//! Directories that a walk will come to are read by other threads before it does.
//!
//! ```text
//! walk: in the order of a tree ──asks──► [`Directories`] ◄──reads the next ones── threads
//! ```
//!
//! Each is read once, by the walk itself if nobody began to. What is below one that was read comes next, so that the others
//! stay close to the walk.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::names::{Names, below, step};
use super::scan::Filter;

/// How long a path can be that programs open by its name (PATH_MAX).
const LONGEST: usize = 4096;

/// What is in a directory, or what cannot be looked at.
pub(super) type Found = Result<Names, (PathBuf, io::Error)>;

/// The directories of one walk.
pub(super) struct Directories<'a> {
    root: &'a Path,
    filter: &'a Filter<'a>,
    state: Mutex<State>,
    changed: Condvar,
}

/// All paths are relative to where the walk begins.
#[derive(Default)]
struct State {
    /// Nobody began to read these; the next of them is the last.
    waiting: Vec<Vec<u8>>,
    /// Other threads are reading these.
    begun: HashSet<Vec<u8>>,
    /// Other threads have read these, and the walk has not come to them.
    found: HashMap<Vec<u8>, Found>,
    is_over: bool,
}

impl<'a> Directories<'a> {
    /// Starts with none.
    pub(super) fn new(root: &'a Path, filter: &'a Filter<'a>) -> Self {
        Self { root, filter, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Returns what is in a directory that the walk comes to.
    pub(super) fn take(&self, relative: &[u8]) -> Found {
        let mut state = self.state();
        while state.begun.contains(relative) {
            state = self.read_next(state);
        }
        if let Some(found) = state.found.remove(relative) {
            return found;
        }
        // It is among the last.
        if let Some(place) = state.waiting.iter().rposition(|waiting| waiting == relative) {
            state.waiting.remove(place);
        }
        drop(state);
        let found = self.read(relative);
        self.expect(&mut self.state(), relative, &found);
        found
    }

    /// Reads directories before the walk comes to them, until it is over.
    pub(super) fn read_ahead(&self) {
        let mut state = self.state();
        while !state.is_over {
            state = self.read_next(state);
        }
    }

    /// Reads the next directory, or waits until something changed if there is none.
    fn read_next<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let Some(relative) = state.waiting.pop() else {
            return self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        state.begun.insert(relative.clone());
        drop(state);
        let mut reading = Reading { directories: self, relative, found: None };
        reading.found = Some(self.read(&reading.relative));
        drop(reading);
        self.state()
    }

    /// Returns what ends the other threads when it is dropped.
    pub(super) fn until_over(&self) -> Over<'_, 'a> {
        Over(self)
    }

    /// Notes what is below a directory that was read.
    fn expect(&self, state: &mut State, relative: &[u8], found: &Found) {
        let Ok(names) = found else { return };
        let directories = names.iter().filter(|(_, looked)| looked.kind().is_dir());
        let paths = directories.map(|(name, _)| {
            let mut path = relative.to_vec();
            step(&mut path, name);
            path
        });
        let known = state.waiting.len();
        state.waiting.extend(paths);
        if let Some(new) = state.waiting.get_mut(known..) {
            new.reverse();
        }
        self.changed.notify_all();
    }

    /// Returns what is in a directory and not left out.
    fn read(&self, relative: &[u8]) -> Found {
        let path = below(self.root, relative);
        if relative.len() > LONGEST {
            return Err((path, io::ErrorKind::InvalidFilename.into()));
        }
        // Where the walk begins a link was followed already.
        let follow = if relative.is_empty() { OFlags::empty() } else { OFlags::NOFOLLOW };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | follow;
        let opened = match openat(CWD, &path, flags, Mode::empty()) {
            Ok(opened) => opened,
            Err(error) => return Err((path, error.into())),
        };
        let (mut inner, len) = (relative.to_vec(), relative.len());
        let is_wanted = |name: &[u8]| {
            inner.truncate(len);
            step(&mut inner, name);
            self.filter.takes_everything() || self.filter.descends(&inner)
        };
        Names::of(&opened, is_wanted).map_err(|(name, error)| (path.join(name), error))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A directory that another thread reads. The walk must not wait for one that is never read.
struct Reading<'d, 'a> {
    directories: &'d Directories<'a>,
    relative: Vec<u8>,
    found: Option<Found>,
}

impl Drop for Reading<'_, '_> {
    fn drop(&mut self) {
        let gone = || Err((PathBuf::new(), io::Error::other("a thread that reads ended early")));
        let found = self.found.take().unwrap_or_else(gone);
        let mut state = self.directories.state();
        self.directories.expect(&mut state, &self.relative, &found);
        let relative = std::mem::take(&mut self.relative);
        state.begun.remove(&relative);
        state.found.insert(relative, found);
        self.directories.changed.notify_all();
    }
}

/// Ends the other threads.
pub(super) struct Over<'d, 'a>(&'d Directories<'a>);

impl Drop for Over<'_, '_> {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.changed.notify_all();
    }
}
