//! Where images are: layouts and archives of this machine, repositories of registries.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bake_formats::blob::Blob;
use bake_formats::format::ReadError;
use bake_formats::oci::descriptor::StringMap;
use bake_formats::oci::{
    Descriptor, Documents, Index, Kind, LayoutReader, ListedImage, Manifest, Reference,
};

use super::loaded::{Loaded, LoadedImage};
use crate::registry::{Access, RegistryError, Repository, Which, Wire};
use crate::source;
use crate::survey::LayerSource;

/// The longest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 8 << 20;
/// The longest index that is read, in bytes.
const MAX_INDEX: u64 = 4 << 20;
/// The most images that an index may list.
const MAX_IMAGES: usize = 1000;
/// The annotation of what only describes another manifest of the same index.
const ATTESTATION_KEY: &str = "vnd.docker.reference.type";

/// Why an image cannot be had: which one, and why not.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the image `{name}`")]
#[must_use]
pub struct PlaceError {
    /// What people call the image.
    pub name: String,
    /// What is wrong.
    #[source]
    pub fault: PlaceFault,
}

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PlaceFault {
    /// There is no such file or folder, or it cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no image.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The registry does not give it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl PlaceError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match &self.fault {
            PlaceFault::Registry(error) => error.hint.clone(),
            PlaceFault::Io(error) if error.kind() == io::ErrorKind::NotFound => Some(
                "an image is a folder in the OCI layout, an archive of one, or a name in a \
                 registry such as ghcr.io/acme/app:1.0"
                    .to_owned(),
            ),
            PlaceFault::Io(_) | PlaceFault::Read(_) => None,
        }
    }
}

impl From<PlaceError> for crate::error::Error {
    fn from(error: PlaceError) -> Self {
        let hint = error.hint();
        Self::Image { what: error.to_string(), source: Box::new(error.fault), hint }
    }
}

/// A place that holds images, opened.
pub struct Place<'w> {
    name: String,
    kind: PlaceKind<'w>,
}

enum PlaceKind<'w> {
    Local(LayoutReader),
    Remote { repository: Repository<'w>, reference: Reference },
}

impl std::fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'w> Place<'w> {
    /// Opens a layout or an archive.
    pub fn local(path: &Path) -> Result<Self, PlaceError> {
        let name = path.display().to_string();
        let open = || -> Result<LayoutReader, PlaceFault> {
            Ok(LayoutReader::open(&source::open(path)?)?)
        };
        match open() {
            Ok(reader) => Ok(Self { name, kind: PlaceKind::Local(reader) }),
            Err(fault) => Err(PlaceError { name, fault }),
        }
    }

    /// Gets ready to read from a registry. Asks nothing yet.
    pub fn remote(wire: &'w dyn Wire, reference: Reference) -> Self {
        let repository = Repository::new(wire, &reference, Access::Pull);
        Self { name: reference.to_string(), kind: PlaceKind::Remote { repository, reference } }
    }

    /// Reads the image or the images that the name leads to, without their layers.
    pub fn load(&self) -> Result<Loaded<'_>, PlaceError> {
        let loaded = match &self.kind {
            PlaceKind::Local(reader) => self.load_local(reader),
            PlaceKind::Remote { repository, reference } => self.load_remote(repository, reference),
        };
        loaded.map_err(|fault| PlaceError { name: self.name.clone(), fault })
    }

    /// Returns whether the place itself holds the bytes of a layer, without asking anybody.
    pub fn holds(&self, layer: &Descriptor) -> bool {
        match &self.kind {
            PlaceKind::Local(reader) => reader.has(layer).unwrap_or(false),
            PlaceKind::Remote { .. } => false,
        }
    }

    /// Returns the repository, if the place is in a registry.
    pub fn repository(&self) -> Option<Reference> {
        match &self.kind {
            PlaceKind::Local(_) => None,
            PlaceKind::Remote { reference, .. } => {
                Some(Reference { tag: None, digest: None, ..reference.clone() })
            }
        }
    }

    /// Opens a layer's bytes, which are not verified.
    pub fn open(&self, layer: &Descriptor) -> io::Result<Box<dyn Read + Send + '_>> {
        match &self.kind {
            PlaceKind::Local(reader) => match reader.unhashed_blob(layer) {
                Ok(blob) => Ok(Box::new(blob)),
                Err(ReadError::Io(error)) => Err(error),
                Err(error) => Err(io::Error::new(io::ErrorKind::NotFound, error)),
            },
            PlaceKind::Remote { repository, .. } => {
                let blob = Blob { digest: layer.digest, size: layer.size };
                Ok(Box::new(begun(repository.blob(blob))?))
            }
        }
    }

    fn load_local(&self, reader: &LayoutReader) -> Result<Loaded<'_>, PlaceFault> {
        let listed = reader.images()?;
        let is_image =
            |listed: &&Descriptor| matches!(listed.kind(), Some(Kind::Index | Kind::Manifest));
        let top = reader.index()?;
        let roots: Vec<&Descriptor> = top.manifests.iter().filter(is_image).collect();
        let (root, index) = match roots.as_slice() {
            [one] if one.kind() == Some(Kind::Index) => {
                ((*one).clone(), Some(Index::parse(&reader.small_blob(one, MAX_INDEX)?)?))
            }
            [one] => ((*one).clone(), None),
            // The layout's own index lists the platforms.
            several => {
                let names: Vec<_> = listed.iter().map(|one| (&one.name, &one.version)).collect();
                if names.windows(2).any(|pair| pair[0] != pair[1]) {
                    let words: Vec<String> =
                        names.iter().map(|(name, tag)| format!("{name}:{tag}")).collect();
                    let reason = format!("expected one image, found {}", words.join(", "));
                    return Err(ReadError::invalid("image layout", reason).into());
                }
                let manifests: Vec<Descriptor> =
                    several.iter().map(|descriptor| (*descriptor).clone()).collect();
                let root = manifests.first().cloned();
                let missing = || ReadError::invalid("image layout", "it lists no image");
                (root.ok_or_else(missing)?, Some(Index::new(manifests, StringMap::new())))
            }
        };
        let image = |listed: ListedImage| {
            let listed = self.named(listed);
            let documents = Arc::new(reader.documents(&listed.descriptor)?);
            Ok::<_, ReadError>(LoadedImage { listed, documents })
        };
        let images = listed.into_iter().map(image).collect::<Result<_, _>>()?;
        Ok(Loaded { name: self.name.clone(), root, index, images, layers: self })
    }

    /// Names an image that its layout does not name: bake's own know their names, but others must
    /// have one to be written.
    fn named(&self, listed: ListedImage) -> ListedImage {
        let ListedImage { mut name, mut version, descriptor } = listed;
        if name.is_empty() {
            let stem = Path::new(&self.name).file_stem().unwrap_or_default().to_string_lossy();
            let lower = stem.to_ascii_lowercase();
            let words = lower.split(|c: char| !c.is_ascii_alphanumeric());
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            name = if words.is_empty() { "image".into() } else { words.join("-") };
        }
        if version.is_empty() {
            version = "latest".into();
        }
        ListedImage { name, version, descriptor }
    }

    fn load_remote(
        &self,
        repository: &Repository<'_>,
        reference: &Reference,
    ) -> Result<Loaded<'_>, PlaceFault> {
        let found = repository.manifest(Which::from(reference))?;
        let listed = |descriptor: &Descriptor| ListedImage {
            descriptor: descriptor.clone(),
            name: reference.repository.clone(),
            version: reference.tag.clone().unwrap_or_else(|| "latest".into()),
        };
        let root = found.descriptor.clone();
        let (index, images) = if root.kind() == Some(Kind::Index) {
            let index = Index::parse(&found.bytes)?;
            let mut images = Vec::new();
            for descriptor in index.manifests.iter().filter(|one| is_image(one)).take(MAX_IMAGES) {
                let manifest = repository.manifest(Which::Digest(descriptor.digest))?;
                let documents = documents(repository, manifest.bytes)?;
                images.push(LoadedImage { listed: listed(descriptor), documents });
            }
            (Some(index), images)
        } else {
            let documents = documents(repository, found.bytes)?;
            let listed = ListedImage { descriptor: documents.descriptor(), ..listed(&root) };
            (None, vec![LoadedImage { listed, documents }])
        };
        if images.is_empty() {
            return Err(ReadError::invalid("image index", "it lists no image").into());
        }
        Ok(Loaded { name: self.name.clone(), root, index, images, layers: self })
    }
}

/// Returns whether an entry of an index is an image and not what describes one.
fn is_image(descriptor: &Descriptor) -> bool {
    descriptor.kind() == Some(Kind::Manifest)
        && !descriptor.annotations.contains_key(ATTESTATION_KEY)
        && !descriptor.other.contains_key("artifactType")
}

/// Reads the configuration that a manifest names. One request.
fn documents(repository: &Repository<'_>, manifest: Vec<u8>) -> Result<Arc<Documents>, PlaceFault> {
    let config = Manifest::parse(&manifest)?.config;
    if config.size > MAX_CONFIG {
        let reason = format!("expected at most {MAX_CONFIG} bytes, found {}", config.size);
        return Err(ReadError::invalid("image configuration", reason).into());
    }
    let mut bytes = Vec::new();
    let blob = Blob { digest: config.digest, size: config.size };
    repository.blob(blob).read_to_end(&mut bytes)?;
    Ok(Arc::new(Documents::parse(manifest, bytes)?))
}

impl LayerSource for Place<'_> {
    fn open_layer(&self, layer: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        Ok(self.open(layer)?)
    }
}

/// Asks for the first bytes of a blob, so that one that is missing is noticed before anything is
/// made of it.
fn begun<'r>(mut blob: impl Read + Send + 'r) -> io::Result<impl Read + Send + 'r> {
    let mut head = vec![0; 512];
    let count = blob.read(&mut head)?;
    head.truncate(count);
    Ok(io::Cursor::new(head).chain(blob))
}
