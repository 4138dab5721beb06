//! Opening image layouts, in folders and archives, whoever wrote them (image-spec,
//! image-layout.md).
//!
//! A layout may be sparse: blobs that its manifests name are then somewhere else, e.g. the layers
//! of a base image in a registry. [`LayoutReader::has`] tells.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use super::archive::{self, Member};
use super::descriptor::Descriptor;
use super::docker_archive;
use super::index::Index;
use super::json::{self, Document};
use super::layout::{INDEX, MARKER, Marker, VERSION};
use crate::digest::{Digest, Hasher};
use crate::format::ReadError;
use crate::input::{Folder, ReadAt, Section, Source};

/// How many bytes the marker may have.
const MAX_MARKER: u64 = 4096;

/// A layout opened for reading: a folder, an archive of one, or what `docker save` writes.
///
/// Blobs are found by descriptor. Whatever is parsed is compared with its descriptor before.
pub struct LayoutReader {
    place: Place,
}

impl std::fmt::Debug for LayoutReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.place {
            Place::Folder(_) => "LayoutReader::Folder",
            Place::Archive { .. } => "LayoutReader::Archive",
        })
    }
}

enum Place {
    Folder(Arc<dyn Folder>),
    Archive { file: Arc<dyn ReadAt>, members: BTreeMap<String, Member> },
}

/// How a blob differs from its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlobFault {
    Missing,
    Size(u64),
    Digest(Digest),
}

impl LayoutReader {
    /// Opens a layout of the one version there is.
    ///
    /// Of an archive this reads the members' headers. An archive with Docker's `manifest.json` and
    /// no layout is read once as a whole, because nothing in it says its layers' digests.
    pub fn open(source: &Source) -> Result<Self, ReadError> {
        let layout = Self::open_unchecked(source)?;
        layout.check_version()?;
        Ok(layout)
    }

    /// Opens a layout without a look at its version.
    pub(super) fn open_unchecked(source: &Source) -> Result<Self, ReadError> {
        let place = match source {
            Source::Folder(folder) => Place::Folder(Arc::clone(folder)),
            Source::File(file) => {
                let members = archive::scan(file)?;
                if docker_archive::is_one(&members) {
                    Place::Folder(docker_archive::as_layout(file, &members)?)
                } else {
                    Place::Archive { file: Arc::clone(file), members: members.files }
                }
            }
        };
        Ok(Self { place })
    }

    /// Returns the paths of all files, if the place can list them, which a folder cannot.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let members = match &self.place {
            Place::Folder(_) => None,
            Place::Archive { members, .. } => Some(members.keys().map(String::as_str)),
        };
        members.into_iter().flatten()
    }

    /// Opens a file; `None` if there is none.
    fn file(&self, path: &str) -> Result<Option<(Section, u64)>, ReadError> {
        match &self.place {
            Place::Folder(folder) => match folder.open(path) {
                Ok(file) => {
                    let len = file.len();
                    Ok(Some((Section::whole(file), len)))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            },
            Place::Archive { file, members } => Ok(members.get(path).map(|member| {
                (Section::new(Arc::clone(file), member.offset, member.len), member.len)
            })),
        }
    }

    /// Returns a whole file of at most `limit` bytes; `None` if there is none.
    pub(super) fn bytes(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Some((mut file, len)) = self.file(path)? else { return Ok(None) };
        within(path, len, limit)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn required(&self, path: &str, limit: u64) -> Result<Vec<u8>, ReadError> {
        let missing = || ReadError::invalid(path, "there is no such file in the image layout");
        self.bytes(path, limit)?.ok_or_else(missing)
    }

    /// Fails unless the layout is of the one version there is.
    pub(super) fn check_version(&self) -> Result<(), ReadError> {
        let Marker { image_layout_version } =
            json::read(MARKER, &self.required(MARKER, MAX_MARKER)?)?;
        if image_layout_version == VERSION {
            return Ok(());
        }
        let reason = format!("expected version {VERSION}, found `{image_layout_version}`");
        Err(ReadError::invalid(MARKER, reason))
    }

    /// Returns the index where reading begins, `index.json`.
    pub fn index(&self) -> Result<Index, ReadError> {
        Index::parse(&self.required(INDEX, Index::LIMIT)?)
    }

    /// Returns whether the blob is there; nothing is compared but its size.
    pub fn has(&self, descriptor: &Descriptor) -> Result<bool, ReadError> {
        Ok(self.file(&descriptor.path())?.is_some_and(|(_, len)| len == descriptor.size))
    }

    /// Returns whether there is no blob of that digest, whatever its size.
    pub fn is_absent(&self, descriptor: &Descriptor) -> Result<bool, ReadError> {
        Ok(self.file(&descriptor.path())?.is_none())
    }

    /// Compares a blob with its descriptor.
    pub(super) fn check(&self, descriptor: &Descriptor) -> Result<Option<BlobFault>, ReadError> {
        let Some((mut blob, len)) = self.file(&descriptor.path())? else {
            return Ok(Some(BlobFault::Missing));
        };
        if len != descriptor.size {
            return Ok(Some(BlobFault::Size(len)));
        }
        let mut hasher = Hasher::new();
        io::copy(&mut blob, &mut hasher)?;
        let digest = hasher.digest();
        Ok((digest != descriptor.digest).then_some(BlobFault::Digest(digest)))
    }

    /// Opens a blob after comparing all of it with its descriptor, so nothing unverified is parsed.
    pub fn blob(&self, descriptor: &Descriptor) -> Result<Section, ReadError> {
        let fault = self.check(descriptor)?;
        self.open_blob(descriptor, fault)
    }

    /// Opens a blob after comparing only its size with its descriptor.
    ///
    /// Only for who hashes what is read and throws it away if the digest is another.
    pub fn unhashed_blob(&self, descriptor: &Descriptor) -> Result<Section, ReadError> {
        let fault = match self.file(&descriptor.path())? {
            None => Some(BlobFault::Missing),
            Some((_, len)) if len != descriptor.size => Some(BlobFault::Size(len)),
            Some(_) => None,
        };
        self.open_blob(descriptor, fault)
    }

    fn open_blob(
        &self,
        descriptor: &Descriptor,
        fault: Option<BlobFault>,
    ) -> Result<Section, ReadError> {
        let Descriptor { digest, size, .. } = descriptor;
        let what = format!("blob {digest}");
        match fault {
            Some(BlobFault::Missing) => Err(ReadError::invalid(what, "there is no such blob")),
            Some(BlobFault::Size(found)) => {
                let reason = format!("its descriptor says {size} bytes, found {found}");
                Err(ReadError::invalid(what, reason))
            }
            Some(BlobFault::Digest(found)) => {
                Err(ReadError::invalid(what, format!("its bytes have the digest {found}")))
            }
            None => match self.file(&descriptor.path())? {
                Some((blob, _)) => Ok(blob),
                None => Err(ReadError::invalid(what, "there is no such blob")),
            },
        }
    }

    /// Returns the bytes of a small blob after comparing them with its descriptor; one of more than
    /// `limit` bytes is an error before anything is read.
    pub fn small_blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, ReadError> {
        within(&format!("blob {}", descriptor.digest), descriptor.size, limit)?;
        let mut bytes = Vec::new();
        self.blob(descriptor)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns the bytes of a document after comparing them with its descriptor.
    pub(super) fn document<T: Document>(
        &self,
        descriptor: &Descriptor,
    ) -> Result<Vec<u8>, ReadError> {
        within(T::WHAT, descriptor.size, T::LIMIT)?;
        let mut bytes = Vec::new();
        self.blob(descriptor)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

pub(super) fn within(what: &str, len: u64, limit: u64) -> Result<(), ReadError> {
    if len <= limit {
        return Ok(());
    }
    Err(ReadError::invalid(what, format!("expected at most {limit} bytes, found {len}")))
}
