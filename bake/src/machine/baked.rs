//! A machine that was baked before and has a slot: what is read of it, and what an overlay calls it.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bake_formats::digest::Digest;
use bake_formats::format::ReadError;
use bake_formats::input::{ReadAt, Source};
use bake_formats::rope::Rope;
use bake_formats::tree::{Content, FileTree, TreePath};
use bake_formats::vm::machine::{Baked, BaseDisk};
use bake_formats::vm::qcow2::{Backing, BackingFormat, Place, Qcow2Reader};
use rustix::fs::SeekFrom;

use super::error::{MachineError, unreadable};
use super::facts::{Databases, Distribution};
use super::ground::Asked;
use crate::assemble::{FoundFile, SourceFiles, hash_file};
use crate::error::Error;
use crate::source;
use crate::store::Stamp;

/// The longest text that is read, in bytes.
const MAX_TEXT: u64 = 4 << 20;
/// The databases of accounts.
const DATABASES: [&str; 4] = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"];
/// Where a base says what it is.
const RELEASES: [&str; 2] = ["/usr/lib/os-release", "/etc/os-release"];
/// Directories that bases have as links, and shells of accounts.
const OTHERS: [&str; 10] = [
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr/sbin/nologin",
    "/sbin/nologin",
    "/usr/bin/false",
    "/bin/false",
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
];

/// A disk that others are built on.
pub(super) struct BakedBase {
    pub(super) disk: Baked,
    /// What it has where the payload goes.
    pub(super) tree: FileTree,
    /// Where its bytes are, and those of texts.
    pub(super) sources: SourceFiles,
    pub(super) databases: Databases,
    pub(super) distribution: Distribution,
    pub(super) backing: Backed,
}

/// The file of a base disk, and what overlays call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backed {
    /// The file.
    pub path: PathBuf,
    /// The name, which has the digest of the file's bytes.
    pub name: String,
}

/// Opens a base disk; reads its tables, and of its root file system what the payload touches.
pub(super) fn open(asked: &Asked<'_>, path: &Path) -> Result<BakedBase, Error> {
    let path = fs_err::canonicalize(path).map_err(|error| missing(path, &error))?;
    let failed = |source: ReadError| Error::Read { path: path.clone(), source };
    let opened = source::open(&path)?;
    let Source::File(file) = opened else {
        return Err(MachineError::new(format!("`{}` is a folder", path.display())).into());
    };
    let base = BaseDisk::open(&file).map_err(failed)?;
    check_architecture(asked, &base)?;
    let tree = glimpse(asked, &base).map_err(failed)?;
    let mut sources = SourceFiles::default();
    let text = |path: &str| -> Result<Option<Vec<u8>>, ReadError> {
        let path = parse(path)?;
        match tree.content(&path) {
            Some(_) => base.text(&path, MAX_TEXT),
            None => Ok(None),
        }
    };
    for path in DATABASES.iter().chain(&RELEASES) {
        if let Some(bytes) = text(path).map_err(failed)? {
            sources.insert_bytes(&bytes);
        }
    }
    let [passwd, group, shadow, gshadow] = DATABASES;
    let read = |path| text(path).map_err(failed);
    let databases = Databases {
        passwd: read(passwd)?,
        group: read(group)?,
        shadow: read(shadow)?,
        gshadow: read(gshadow)?,
    };
    let release = RELEASES.iter().find_map(|path| text(path).ok().flatten());
    let distribution = Distribution::parse(&release.unwrap_or_default());
    let (digest, rope, format) = bytes(asked, &path, &file, &mut sources)?;
    let name = overlay_name(&path, &digest);
    let backing =
        Backing::new(&name, format).map_err(|error| MachineError::new(error.to_string()))?;
    let disk = Baked { guid: base.guid(), file: Some(backing), disk: Arc::new(rope) };
    let backing = Backed { path, name };
    Ok(BakedBase { disk, tree, sources, databases, distribution, backing })
}

fn missing(path: &Path, error: &std::io::Error) -> Error {
    unreadable("the base disk", path, error)
        .hint("bake it first: a recipe with `kind = \"base\"` in `[vm]` makes it")
        .into()
}

fn check_architecture(asked: &Asked<'_>, base: &BaseDisk) -> Result<(), Error> {
    let (found, wanted) = (&base.model().arch, asked.recipe.platform.architecture());
    if found == wanted {
        return Ok(());
    }
    Err(MachineError::new(format!("the base is for {found}, not for {wanted}")).into())
}

fn parse(path: &str) -> Result<TreePath, ReadError> {
    TreePath::parse(path).map_err(|error| ReadError::invalid(path, error.to_string()))
}

/// Returns what the base has where the payload and what is added for it go.
fn glimpse(asked: &Asked<'_>, base: &BaseDisk) -> Result<FileTree, ReadError> {
    let mut paths: Vec<TreePath> = asked.payload.iter().map(|(path, _)| path.clone()).collect();
    for path in DATABASES.iter().chain(&RELEASES).chain(&OTHERS) {
        paths.push(parse(path)?);
    }
    base.glimpse(&paths)
}

/// Returns the digest of a disk's file, the disk as ranges of the file, and the file's format.
fn bytes(
    asked: &Asked<'_>,
    path: &Path,
    file: &Arc<dyn ReadAt>,
    sources: &mut SourceFiles,
) -> Result<(Digest, Rope, BackingFormat), Error> {
    let metadata = fs_err::metadata(path)?;
    let found = FoundFile { path: path.into(), stamp: Stamp::of(&metadata) };
    let Content { digest, .. } = hash_file(asked.store, &found, asked.reporter)?;
    sources.insert_file(digest, found.path, found.stamp);
    if Qcow2Reader::is_at_start_of(&**file) {
        let failed = |source: ReadError| Error::Read { path: path.into(), source };
        let map =
            Qcow2Reader::open(file.clone()).and_then(|reader| reader.map()).map_err(failed)?;
        let mut rope = Rope::new();
        for stretch in map {
            match stretch.place {
                Place::Zeros => rope.push_zeros(stretch.len),
                Place::File(offset) => rope.push_range(digest, offset, stretch.len),
                Place::Backing => {
                    let reason = format!("`{}` is an overlay itself", path.display());
                    return Err(MachineError::new(reason).into());
                }
            }
        }
        return Ok((digest, rope, BackingFormat::Qcow2));
    }
    Ok((digest, sparse(path, digest, metadata.len())?, BackingFormat::Raw))
}

/// Returns a file as ranges, its holes as zeros.
fn sparse(path: &Path, digest: Digest, len: u64) -> std::io::Result<Rope> {
    let (file, _) = fs_err::File::open(path)?.into_parts();
    let mut rope = Rope::new();
    while rope.len() < len {
        let at = rope.len();
        let start = match rustix::fs::seek(&file, SeekFrom::Data(at)) {
            Ok(start) => start.min(len),
            Err(rustix::io::Errno::NXIO) => len,
            Err(error) => return Err(error.into()),
        };
        rope.push_zeros(start - at);
        if start < len {
            let end = rustix::fs::seek(&file, SeekFrom::Hole(start))?.min(len);
            rope.push_range(digest, start, end - start);
        }
    }
    // A file that became shorter is noticed when it is read.
    let mut last = [0; 1];
    file.read_at(&mut last, len.saturating_sub(1))?;
    Ok(rope)
}

/// Returns what overlays call a base disk.
fn overlay_name(path: &Path, digest: &Digest) -> String {
    let stem = path.file_stem().map_or_else(|| "base".into(), |stem| stem.to_string_lossy());
    let extension = path.extension().map_or_else(|| "raw".into(), |end| end.to_string_lossy());
    let plain: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.+".contains(c) { c } else { '_' })
        .collect();
    let hex: String = digest.hex().chars().take(16).collect();
    format!("{plain}.sha256-{hex}.{extension}")
}
