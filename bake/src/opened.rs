//! An artifact on disk, opened to be looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bake_formats::format::Problem;
use bake_formats::input::{ReadAt, Source};

use crate::error::Error;
use crate::inspected::Inspected;
use crate::lower::{Kind, Sealed};
use crate::source;

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
        let source = source::open(path)?;
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
