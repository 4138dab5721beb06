//! An artifact on disk, opened to be looked at.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bake_formats::format::Problem;
use bake_formats::input::{Folder, ReadAt, Source};

use crate::error::Error;
use crate::inspected::Inspected;
use crate::lower::{Kind, Sealed};

/// An artifact on disk.
#[derive(Debug)]
pub struct Opened {
    /// Where it is.
    pub path: PathBuf,
    /// Its format.
    pub kind: Kind,
    source: Source,
}

impl Opened {
    /// Opens an artifact and finds out its format from its bytes.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let source = if fs_err::metadata(path)?.is_dir() {
            Source::Folder(Arc::new(Directory { root: path.into() }))
        } else {
            Source::File(Arc::new(FileBytes::open(path)?))
        };
        let kind = Kind::detect(&source)?.ok_or_else(|| Error::Unknown {
            path: path.into(),
            reason: "none of the formats begins like this".into(),
        })?;
        Ok(Self { path: path.into(), kind, source })
    }

    /// Returns the artifact's one file.
    pub fn file(&self) -> Result<&Arc<dyn ReadAt>, Error> {
        Ok(self.source.file()?)
    }

    /// Returns where its signatures are; `None` if its format has no place for any.
    pub fn sealed(&self) -> Result<Option<Sealed>, Error> {
        Sealed::read(self.kind, &self.source)
            .map_err(|source| Error::Read { path: self.path.clone(), source })
    }

    /// Reads the artifact.
    pub fn inspect(&self) -> Result<Inspected, Error> {
        self.kind
            .read(&self.source)
            .map_err(|source| Error::Read { path: self.path.clone(), source })
    }

    /// Lists every rule of its format that the artifact breaks.
    pub fn verify(&self) -> Result<Vec<Problem>, Error> {
        self.kind
            .verify(&self.source)
            .map_err(|source| Error::Read { path: self.path.clone(), source })
    }
}

/// A file, read where asked.
#[derive(Debug)]
struct FileBytes {
    file: std::fs::File,
    len: u64,
}

impl FileBytes {
    fn open(path: &Path) -> io::Result<Self> {
        let (file, _) = fs_err::File::open(path)?.into_parts();
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }
}

impl ReadAt for FileBytes {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}

/// A folder of files.
#[derive(Debug)]
struct Directory {
    root: PathBuf,
}

impl Folder for Directory {
    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadAt>> {
        let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain {
            let message = format!("`{path}` leaves the folder");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Arc::new(FileBytes::open(&self.root.join(path))?))
    }
}
