//! Reading: files, and all of a volume as a tree.

use std::io;
use std::sync::Arc;

use super::DIRECTORY_MAX;
use super::boot::{Boot, NO_LABEL};
use super::chain::{Broken, Chains, Expected, Run};
use super::entry::{self, Listing, Target};
use super::geometry::Width;
use super::name::{Short, folded};
use super::{ENTRY, check};
use crate::format::{Problem, ReadError};
use crate::input::{ReadAt, Section};
use crate::tree::{Content, Entry, FileTree, Mode, TreeBuilder, TreePath};

/// The most entries of one tree.
const ENTRIES: usize = 1 << 20;
/// The most bytes of paths of one tree.
const BYTES: usize = 1 << 26;

/// A FAT volume, for reading.
///
/// Opening checks the boot sector; tables and directories are checked when they are needed.
pub struct FatReader {
    input: Arc<dyn ReadAt>,
    boot: Boot,
}

impl std::fmt::Debug for FatReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FatReader").field("boot", &self.boot).finish_non_exhaustive()
    }
}

/// The contents of a file of a volume.
pub struct FatFile {
    input: Arc<dyn ReadAt>,
    /// Where they are, each with its offset in the file.
    runs: Vec<(u64, Run)>,
    len: u64,
}

impl std::fmt::Debug for FatFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FatFile").field("len", &self.len).finish_non_exhaustive()
    }
}

impl FatFile {
    fn new(input: Arc<dyn ReadAt>, runs: Vec<Run>, len: u64) -> Self {
        let mut offset = 0;
        let placed = runs.into_iter().map(|run| {
            let at = offset;
            offset += run.len;
            (at, run)
        });
        Self { input, runs: placed.collect(), len }
    }
}

impl ReadAt for FatFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let index = self.runs.partition_point(|(start, run)| start + run.len <= offset);
        let Some((start, run)) = self.runs.get(index).filter(|_| offset < self.len) else {
            return Ok(0);
        };
        let left = (run.len - (offset - start)).min(self.len - offset);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        self.input.read_at(run.place + (offset - start), &mut buffer[..wanted])
    }
}

impl FatReader {
    /// Returns whether a volume starts as FAT ones do.
    pub fn is_at_start_of(input: &dyn ReadAt) -> bool {
        Boot::parse(input).is_ok()
    }

    /// Opens a volume.
    pub fn open(input: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let boot = Boot::parse(&*input)?;
        Ok(Self { input, boot })
    }

    /// Returns what makes the volume differ from others.
    pub fn serial(&self) -> u32 {
        self.boot.serial
    }

    /// Returns the label, if there is one.
    pub fn label(&self) -> Result<Option<String>, ReadError> {
        let mut chains = self.chains();
        let label = self.directory(&mut chains, &TreePath::root(), None)?.label;
        let label = label.unwrap_or(self.boot.label);
        Ok((label != NO_LABEL).then(|| label_text(&label)).filter(|text| !text.is_empty()))
    }

    /// Opens a file by its path; if none has the name exactly, the case of letters does not count.
    pub fn file(&self, path: &TreePath) -> Result<Option<FatFile>, ReadError> {
        let mut chains = self.chains();
        let (mut above, mut directory) = (TreePath::root(), None);
        let mut names = path.relative().split(|byte| *byte == b'/').peekable();
        while let Some(name) = names.next() {
            let wanted = folded(&String::from_utf8_lossy(name));
            let listing = self.directory(&mut chains, &above, directory)?;
            let entries = listing.entries.iter();
            let exact = entries.clone().find(|(found, _)| found.as_bytes() == name);
            let found =
                exact.or_else(|| entries.clone().find(|(found, _)| folded(found) == wanted));
            let Some((name, target)) = found else { return Ok(None) };
            above = join(&above, name)?;
            let is_directory = target.attributes & entry::DIRECTORY != 0;
            match (names.peek(), is_directory) {
                (None, false) => return Ok(Some(self.open_file(&mut chains, &above, *target)?)),
                (Some(_), true) => directory = Some(target.cluster),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns all directories and files, which belong to root, with modes 0755 and 0644.
    pub fn tree(&self) -> Result<FileTree, ReadError> {
        let mut chains = self.chains();
        let mut builder = TreeBuilder::new();
        builder.insert(TreePath::root(), Entry::directory())?;
        let mut open = vec![(TreePath::root(), None)];
        let (mut entries, mut bytes) = (0, 0);
        while let Some((above, cluster)) = open.pop() {
            for (name, target) in self.directory(&mut chains, &above, cluster)?.entries {
                let path = join(&above, &name)?;
                entries += 1;
                bytes += path.relative().len();
                if entries > ENTRIES || bytes > BYTES {
                    let reason = "the volume has more entries than are read";
                    return Err(ReadError::invalid(path.to_string(), reason));
                }
                if target.attributes & entry::DIRECTORY != 0 {
                    builder.insert(path.clone(), Entry::directory())?;
                    open.push((path, Some(target.cluster)));
                } else {
                    let file = Arc::new(self.open_file(&mut chains, &path, target)?);
                    let content = Content::of_reader(Section::whole(file))?;
                    builder.insert(path, Entry::file(content, Mode::PLAIN))?;
                }
            }
        }
        Ok(builder.finish()?)
    }

    /// Lists every rule that the volume breaks.
    pub fn check(&self) -> Result<Vec<Problem>, ReadError> {
        check::check(&*self.input, &self.boot)
    }

    fn chains(&self) -> Chains<'_> {
        Chains::new(&*self.input, &self.boot)
    }

    fn directory(
        &self,
        chains: &mut Chains<'_>,
        path: &TreePath,
        cluster: Option<u32>,
    ) -> Result<Listing, ReadError> {
        list(&*self.input, &self.boot, chains, cluster).map_err(|broken| because(path, broken))
    }

    fn open_file(
        &self,
        chains: &mut Chains<'_>,
        path: &TreePath,
        target: Target,
    ) -> Result<FatFile, ReadError> {
        let len = u64::from(target.size);
        let runs = if len == 0 {
            Vec::new()
        } else {
            let expected = Expected::AtLeast(len);
            chains.follow(target.cluster, expected).map_err(|broken| because(path, broken))?
        };
        Ok(FatFile::new(self.input.clone(), runs, len))
    }
}

/// Returns what a directory holds; the root has no cluster.
pub(super) fn list(
    input: &dyn ReadAt,
    boot: &Boot,
    chains: &mut Chains<'_>,
    cluster: Option<u32>,
) -> Result<Listing, Broken> {
    let geometry = &boot.geometry;
    let runs = match (cluster, geometry.width) {
        (None, Width::Fat12 | Width::Fat16) => {
            vec![Run { place: geometry.root(), len: geometry.root_entries * ENTRY as u64 }]
        }
        (None, Width::Fat32) => chains.follow(boot.root, Expected::AtMost(DIRECTORY_MAX))?,
        (Some(first), _) => chains.follow(first, Expected::AtMost(DIRECTORY_MAX))?,
    };
    let mut bytes = Vec::new();
    for Run { place, len } in runs {
        let start = bytes.len();
        bytes.resize(start + usize::try_from(len).unwrap_or(usize::MAX), 0);
        input.read_exact_at(place, &mut bytes[start..])?;
    }
    entry::parse(&bytes, geometry.width).map_err(Broken::Chain)
}

/// Returns a label without what fills it up.
fn label_text(label: &Short) -> String {
    let text: String = label.iter().copied().map(char::from).collect();
    text.trim_end_matches(' ').to_owned()
}

pub(super) fn join(above: &TreePath, name: &str) -> Result<TreePath, ReadError> {
    above.join(name).map_err(|error| ReadError::invalid(above.to_string(), error.to_string()))
}

fn because(path: &TreePath, broken: Broken) -> ReadError {
    match broken {
        Broken::Chain(reason) => ReadError::invalid(path.to_string(), reason),
        Broken::Io(error) => ReadError::Io(error),
    }
}
