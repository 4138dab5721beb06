//! Packages on their way in: hashed and copied in one pass.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bake_formats::blob::Blob;
use bake_formats::digest::{Digest, Hasher};
use bake_formats::format::ReadError;
use bake_formats::input::{ReadAt, Source};

use super::{refuse, refuse_with};
use crate::error::Error;

/// A package that was given, opened.
#[derive(Debug)]
pub(super) struct Intake {
    /// Where it is.
    pub(super) path: PathBuf,
    file: Arc<Package>,
}

/// Bytes within a package whose digest the package itself says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promise {
    /// Where they start; they reach to the end.
    pub(super) offset: u64,
    /// What their digest must be.
    pub(super) digest: Digest,
}

#[derive(Debug)]
struct Package {
    file: std::fs::File,
    len: u64,
}

impl ReadAt for Package {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}

impl Intake {
    /// Opens a package, which must start with a magic number.
    pub(super) fn open(path: &Path, format: &str, magic: &[u8]) -> Result<Self, Error> {
        let (file, _) = fs_err::File::open(path)?.into_parts();
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(refuse(format!("`{}`", path.display()), "it is not a regular file"));
        }
        let file = Arc::new(Package { file, len: metadata.len() });
        let mut found = vec![0; magic.len()];
        let is_long = file.len >= magic.len() as u64;
        if is_long {
            file.read_exact_at(0, &mut found)?;
        }
        if !is_long || found != magic {
            let hint = "`bake repo apt` takes .deb files, `bake repo dnf` takes .rpm files";
            let reason = format!("it is no {format} package: it does not begin like one");
            return Err(refuse_with(format!("`{}`", path.display()), reason, hint));
        }
        Ok(Self { path: path.into(), file })
    }

    /// Reads what an index has of the package.
    pub(super) fn list<T>(
        &self,
        reader: impl FnOnce(&Source) -> Result<T, ReadError>,
    ) -> Result<T, Error> {
        let source = Source::File(self.file.clone());
        reader(&source).map_err(|source| Error::Read { path: self.path.clone(), source })
    }

    /// Reads the package whole, to a new file if one is named, and returns its identity.
    pub(super) fn take(&self, to: Option<&Path>, promise: Option<Promise>) -> Result<Blob, Error> {
        let mut out = to.map(fs_err::File::create).transpose()?;
        let mut whole = Hasher::new();
        let mut part = Hasher::new();
        let mut buffer = vec![0; 1 << 18];
        let mut input = bake_formats::input::Section::whole(self.file.clone());
        loop {
            let at = whole.len();
            let count = input.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            whole.update(&buffer[..count]);
            if let Some(promise) = promise {
                let skipped = usize::try_from(promise.offset.saturating_sub(at));
                part.update(buffer[..count].get(skipped.unwrap_or(usize::MAX)..).unwrap_or(&[]));
            }
            if let Some(out) = &mut out {
                out.write_all(&buffer[..count])?;
            }
        }
        if let Some(promise) = promise.filter(|promise| promise.digest != part.digest()) {
            let Promise { offset, digest } = promise;
            let reason = format!("expected {digest}, found {}", part.digest());
            let what = format!("the payload at offset {offset}");
            let source = ReadError::Invalid { what, reason };
            return Err(Error::Read { path: self.path.clone(), source });
        }
        if let Some(out) = out {
            out.sync_all()?;
        }
        Ok(Blob { digest: whole.digest(), size: whole.len() })
    }
}
