//! Whole artifacts: what is to be searched, on several threads, and one report of it.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bake_formats::input::{ReadAt, Section, Source};
use bake_formats::vm::Container;
use bake_formats::vm::anyones::{self, Part};

use super::disk;
use super::image::Blobs;
use super::kind::DISK;
use super::limits::Limits;
use super::open::Opener;
use super::place::Place;
use super::report::{Finding, Found, Hit, HitKind, Report, Unopened, What};
use super::rules::rules;
use super::scanner::Scanner;
use crate::error::Error;
use crate::lint::Severity;
use crate::lower::Kind;
use crate::opened::Opened;
use crate::parallel::in_parallel;
use crate::source;

/// How many bytes of a disk are one piece of work.
const PIECE: u64 = 64 << 20;
/// Folders whose secrets are there to be seen.
const SHOWN: [&str; 14] = [
    "demo", "demos", "doc", "docs", "example", "examples", "fixture", "fixtures", "sample",
    "samples", "test", "testdata", "testing", "tests",
];

/// Searches an artifact, and anything else: a file or a folder.
pub fn scan(
    path: &Path,
    scanner: &Scanner,
    limits: Limits,
    threads: usize,
) -> Result<Report, Error> {
    let work = Work::of(path)?;
    let failed = |error: io::Error| {
        Error::Io(io::Error::new(error.kind(), format!("reading `{}`: {error}", path.display())))
    };
    let [container, flat, files] = work.run(scanner, limits, threads).map_err(failed)?;
    let (mut found, mut flat) = (container, flat);
    disk::told_once(&mut flat.hits, &files.hits);
    let mut inner = flat.hits.clone();
    inner.extend(files.hits.iter().cloned());
    if !work.disks.is_empty() {
        disk::told_once(&mut found.hits, &inner);
    }
    found.add(flat);
    found.add(files);
    let blobs = match source::open(path) {
        Ok(source) => Blobs::read(&source, &found.whiteouts),
        Err(_) => Blobs::default(),
    };
    Ok(report(found, scanner, &blobs))
}

/// One piece of work.
enum Task {
    /// A file and what is in it.
    File(PathBuf, Arc<Place>),
    /// Where a symbolic link leads.
    Link(Vec<u8>, Arc<Place>),
    /// A range of a file as it is.
    Plain(Arc<dyn ReadAt>, Range<u64>, Arc<Place>),
    /// A range of a disk that a container holds, which may be damaged.
    Contained(Arc<dyn ReadAt>, Range<u64>, Arc<Place>),
    /// The files of a part of a disk.
    Files(Arc<dyn ReadAt>, Part, Arc<Place>),
}

/// What a task is searched for: a container, the disk in it, the files on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Container,
    Disk,
    Files,
}

/// What is to be searched, in order.
#[derive(Default)]
struct Work {
    tasks: Vec<(Level, Task)>,
    /// What is known before anything is searched.
    found: Found,
    /// The files that hold disks.
    disks: Vec<Arc<Place>>,
}

impl Work {
    fn of(path: &Path) -> Result<Self, Error> {
        let mut work = Self::default();
        let root = Place::root(path.display().to_string());
        if fs_err::metadata(path)?.is_dir() {
            work.folder(path, &root)?;
            return Ok(work);
        }
        let file = source::open_file(path)?;
        work.tasks.push((Level::Container, Task::File(path.into(), root.clone())));
        work.disk(&file, &root);
        let source = Source::File(file);
        let kind = Kind::detect(&source).ok().flatten();
        if let Some(kind) = kind
            && kind.is_packed(&source)?
        {
            work.packed(path, &root);
        }
        Ok(work)
    }

    /// Adds every file of a folder, and says what is none.
    fn folder(&mut self, path: &Path, root: &Arc<Place>) -> Result<(), Error> {
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(io::Error::from)?;
            let name = entry.path().strip_prefix(path).unwrap_or(entry.path());
            let name = name.display().to_string();
            let place = root.child(name.clone());
            if entry.file_type().is_file() {
                let file = source::open_file(entry.path())?;
                if let Some(hit) = Hit::of_name(&name, &place) {
                    self.found.hits.push(hit);
                }
                let task = Task::File(entry.path().into(), place.clone());
                self.tasks.push((Level::Container, task));
                self.disk(&file, &place);
            } else if entry.file_type().is_symlink() {
                let target = fs_err::read_link(entry.path())?;
                let target = target.as_os_str().as_encoded_bytes().to_vec();
                let task = Task::Link(target, place.child("link target"));
                self.tasks.push((Level::Container, task));
            }
        }
        Ok(())
    }

    /// Adds the disk in a file, if it is a container of one.
    fn disk(&mut self, file: &Arc<dyn ReadAt>, place: &Arc<Place>) {
        let disk = match anyones::open(file) {
            Ok(Some(disk)) => disk,
            Ok(None) => return,
            Err(error) => {
                let reason = format!("not opened as a disk: {error}; its bytes were searched");
                return self.found.unopened(place, reason);
            }
        };
        self.disks.push(place.clone());
        let is_raw = Container::of(&**file) == Some(Container::Raw);
        if is_raw {
            // The container is the disk.
            let is_file =
                |task: &(Level, Task)| matches!(&task.1, Task::File(_, at) if at == place);
            self.tasks.retain(|task| !is_file(task));
        }
        let at = place.child("disk");
        let starts = (0..disk.len()).step_by(usize::try_from(PIECE).unwrap_or(usize::MAX));
        for start in starts {
            let range = start..disk.len().min(start + PIECE);
            let task = if is_raw { Task::Plain } else { Task::Contained };
            self.tasks.push((Level::Disk, task(disk.clone(), range, at.clone())));
        }
        let parts = match anyones::parts(&*disk) {
            Ok(parts) => parts,
            Err(error) => {
                return self.found.unopened(&at, format!("{error}; its bytes were searched"));
            }
        };
        for part in parts {
            let at = if part.name.is_empty() { at.clone() } else { at.child(part.name.clone()) };
            self.tasks.push((Level::Files, Task::Files(disk.clone(), part, at)));
        }
    }

    /// Adds the disk in an archive that is compressed as a whole.
    fn packed(&mut self, path: &Path, root: &Arc<Place>) {
        let opened = Opened::open(path).and_then(|opened| opened.contents());
        match opened {
            Ok(Source::File(file)) => self.disk(&file, root),
            Ok(Source::Folder(_)) => {}
            Err(error) => {
                let reason = format!("not opened as a disk: {error}; its bytes were searched");
                self.found.unopened(root, reason);
            }
        }
    }

    /// Does everything and returns what was found at each level.
    fn run(&self, scanner: &Scanner, limits: Limits, threads: usize) -> io::Result<[Found; 3]> {
        let results = in_parallel(threads, &self.tasks, |(_, task)| task.run(scanner, limits))?;
        let mut found = [(); 3].map(|()| Found::default());
        found[0].unopened.clone_from(&self.found.unopened);
        found[0].hits.clone_from(&self.found.hits);
        for ((level, _), result) in self.tasks.iter().zip(results) {
            found[*level as usize].add(result);
        }
        found[0].unopened.retain(|(place, reason)| !self.is_opened(place, reason));
        Ok(found)
    }

    /// Returns whether something that was met as bytes was opened as a disk.
    fn is_opened(&self, place: &Place, reason: &str) -> bool {
        let names = place.names();
        let is_in = |disk: &Arc<Place>| names.starts_with(&disk.names());
        reason.starts_with(DISK) && self.disks.iter().any(is_in)
    }
}

impl Task {
    fn run(&self, scanner: &Scanner, limits: Limits) -> io::Result<Found> {
        let mut opener = Opener::new(scanner, limits);
        match self {
            Self::File(path, place) => {
                let file = source::open_file(path)?;
                let len = file.len();
                opener.stream(&mut Section::whole(file), len, place, 0)?;
            }
            Self::Link(target, place) => {
                opener.stream(&mut target.as_slice(), target.len() as u64, place, 0)?;
            }
            Self::Plain(file, range, place) => {
                return disk::plain(scanner, &**file, range.clone(), place);
            }
            Self::Contained(disk, range, place) => {
                return Ok(disk::contained(scanner, &**disk, range.clone(), place));
            }
            Self::Files(disk, part, place) => disk::files(&mut opener, disk, part, place),
        }
        Ok(opener.found)
    }
}

/// Returns what was found as it is told.
fn report(found: Found, scanner: &Scanner, blobs: &Blobs) -> Report {
    let Found { hits, unopened, bytes, streams, .. } = found;
    let told = |place: &Place| place.names().into_iter().map(ToOwned::to_owned).collect();
    let finding = |hit: Hit| {
        let mut finding = Finding {
            what: what(&hit, scanner)?,
            place: told(&hit.place),
            offset: (!matches!(hit.what, HitKind::Name(_))).then_some(hit.offset),
            unpacked: hit.place.unpacked,
            count: hit.count,
            remark: None,
        };
        blobs.explain(&mut finding);
        Some(finding)
    };
    let unopened = unopened.into_iter();
    Report {
        findings: hits.into_iter().filter_map(finding).collect(),
        unopened: unopened
            .map(|(place, reason)| Unopened { place: told(&place), reason })
            .collect(),
        bytes,
        streams,
    }
}

fn what(hit: &Hit, scanner: &Scanner) -> Option<What> {
    Some(match hit.what {
        HitKind::Value(value, encoding) => {
            What::Value { origins: scanner.origins(value).to_vec(), encoding }
        }
        HitKind::Secret(id) => {
            let rule = rules().iter().find(|rule| rule.id == id)?;
            let mut parts = hit.place.names().into_iter().skip(1).flat_map(|name| name.split('/'));
            let is_shown = parts.any(|part| SHOWN.contains(&part.to_ascii_lowercase().as_str()));
            let severity = if is_shown { Severity::Warning } else { rule.severity };
            What::Secret { rule, severity }
        }
        HitKind::Name(rule) => What::Name(rule),
    })
}
