//! The image layout: blobs as files in a folder (image-spec, image-layout.md).

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::archive;
use super::descriptor::{Descriptor, StringMap, blob_path};
use super::index::Index;
use super::json::{self, Document};
use super::model::Image;
use super::written::Written;
use super::{read, verify, write};
use crate::digest::{Digest, Hasher};
use crate::format::{
    Artifact, ArtifactFile, Format, Problem, ReadError, Unpacked, WriteCx, WriteError,
};
use crate::input::{Folder, ReadAt, Section, Source};
use crate::rope::Rope;
use crate::tree::FileTree;

/// The annotation that names a manifest within a layout.
pub const REF_NAME_KEY: &str = "org.opencontainers.image.ref.name";
/// The file that says which version of the layout this is.
pub(super) const MARKER: &str = "oci-layout";
/// The file where reading begins.
pub(super) const INDEX: &str = "index.json";
const VERSION: &str = "1.0.0";
/// How many bytes the marker may have.
const MAX_MARKER: u64 = 4096;

/// The image as a folder in the image layout.
#[derive(Debug, Clone, Copy)]
pub struct Layout;

impl Format for Layout {
    type Model = Image;
    const NAME: &'static str = super::NAME;
    const REVISION: u32 = super::REVISION;

    fn file_name(model: &Image) -> String {
        format!("{}.oci", model.file_stem())
    }

    fn write(image: &Image, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        artifact(&write::write(image, tree, cx)?)
    }

    fn read(source: &Source) -> Result<Unpacked<Image>, ReadError> {
        read::read(source)
    }

    fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
        verify::verify(source)
    }
}

/// Lays an image or an index out as a folder.
pub fn artifact(written: &Written) -> Result<Artifact, WriteError> {
    let files = files(written, StringMap::new())?;
    let files = files.into_iter().map(|(path, rope)| ArtifactFile { path, rope }).collect();
    Ok(Artifact { format: super::NAME.into(), files })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

/// Returns the files of a layout by path; `names` are further annotations in `index.json`.
pub(super) fn files(
    written: &Written,
    names: StringMap,
) -> Result<BTreeMap<String, Rope>, WriteError> {
    let mut root = written.root.clone();
    root.annotations.extend(names);
    root.annotations.insert(REF_NAME_KEY.into(), written.version.clone());
    let index = Index::new(vec![root], StringMap::new());
    let marker = Marker { image_layout_version: VERSION.into() };
    let mut files = BTreeMap::new();
    files.insert(MARKER.into(), Rope::from(json::canonical(&marker)?));
    files.insert(INDEX.into(), Rope::from(json::canonical(&index)?));
    for (digest, rope) in &written.blobs {
        files.insert(blob_path(digest), rope.clone());
    }
    Ok(files)
}

/// A layout opened for reading, in a folder or in an archive.
pub(super) struct OpenLayout {
    place: Place,
}

enum Place {
    Folder(Arc<dyn Folder>),
    Archive { file: Arc<dyn ReadAt>, members: BTreeMap<String, Member> },
}

/// Where a member of an archive has its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// How a blob differs from its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlobFault {
    Missing,
    Size(u64),
    Digest(Digest),
}

impl OpenLayout {
    /// Opens a layout; of an archive this reads the members' headers.
    pub(super) fn open(source: &Source) -> Result<Self, ReadError> {
        let place = match source {
            Source::Folder(folder) => Place::Folder(Arc::clone(folder)),
            Source::File(file) => {
                Place::Archive { file: Arc::clone(file), members: archive::scan(file)? }
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

    /// Returns the index where reading begins.
    pub(super) fn index(&self) -> Result<Index, ReadError> {
        Index::parse(&self.required(INDEX, Index::LIMIT)?)
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

    /// Opens a blob after comparing it with its descriptor, so nothing unverified is parsed.
    pub(super) fn blob(&self, descriptor: &Descriptor) -> Result<Section, ReadError> {
        let Descriptor { digest, size, .. } = descriptor;
        let what = format!("blob {digest}");
        match self.check(descriptor)? {
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

fn within(what: &str, len: u64, limit: u64) -> Result<(), ReadError> {
    if len <= limit {
        return Ok(());
    }
    Err(ReadError::invalid(what, format!("expected at most {limit} bytes, found {len}")))
}
