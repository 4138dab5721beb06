//! An artifact on disk, opened to be looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bake_formats::format::Problem;
use bake_formats::input::{ReadAt, Source};
use bake_recipes::Platform;

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

    /// Reads the artifact, of an image for several platforms the one for this platform.
    pub fn inspect(&self, platform: Option<Platform>) -> Result<Inspected, Error> {
        let failed = |source| Error::Read { path: self.path.clone(), source };
        if platform.is_none() {
            let several = self.kind.several(&self.source).map_err(failed)?;
            if !several.is_empty() {
                return Err(Error::Input {
                    what: format!("`{}`", self.path.display()),
                    reason: format!(
                        "it holds images for {}; choose one with `--platform`",
                        several.join(", ")
                    ),
                });
            }
        }
        self.kind.read(&self.source, platform).map_err(failed)
    }

    /// Reads the artifact, of an image for several platforms every one.
    pub fn inspect_all(&self) -> Result<Vec<Inspected>, Error> {
        self.kind
            .read_all(&self.source)
            .map_err(|source| Error::Read { path: self.path.clone(), source })
    }

    /// Lists every rule of its format that the artifact breaks.
    pub fn verify(&self) -> Result<Vec<Problem>, Error> {
        self.kind
            .verify(&self.source)
            .map_err(|source| Error::Read { path: self.path.clone(), source })
    }
}
