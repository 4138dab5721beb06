//! Images with all their platforms, read from where base images come from, too.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bake_formats::format::ReadError;
use bake_formats::oci::{Descriptor, Documents, Index, Kind, ListedImage, Manifest, Reference};
use bake_recipes::resolved::BaseSource;

use super::loaded::{Loaded, LoadedImage};
use crate::base::{self, BaseError, Document, ImageSource, Images};
use crate::error::Error;
use crate::survey::LayerSource;

/// The longest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 8 << 20;
/// The most images that an index may list.
const MAX_IMAGES: usize = 1000;

/// A place that holds an image, opened.
pub struct Place<'w> {
    name: String,
    /// The name and the tag that images have which do not say them.
    called: (String, String),
    /// The repository, if it is in a registry.
    repository: Option<Reference>,
    source: Box<dyn ImageSource + 'w>,
}

impl std::fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'w> Place<'w> {
    /// Gets ready to read an image. Asks nothing over the network yet.
    pub fn open(images: &'w dyn Images, source: &BaseSource) -> Result<Self, Error> {
        let called = match source {
            BaseSource::Registry(reference) => {
                (reference.repository.clone(), reference.tag.clone())
            }
            BaseSource::Local { path, .. } => (made_up(path), None),
        };
        let called = (called.0, called.1.unwrap_or_else(|| "latest".into()));
        let repository = match source {
            BaseSource::Registry(reference) => {
                Some(Reference { tag: None, digest: None, ..reference.clone() })
            }
            BaseSource::Local { .. } => None,
        };
        let opened = images.open(source).map_err(unusable)?;
        Ok(Self { name: base::name(source), called, repository, source: opened })
    }

    /// Reads the image or the images that the name leads to, without their layers.
    pub fn load(&self) -> Result<Loaded<'_>, Error> {
        let Document { descriptor: root, bytes } = self.source.root().map_err(unusable)?;
        let index = match root.kind() {
            Some(Kind::Index) => Some(Index::parse(&bytes).map_err(|error| self.damaged(error))?),
            _ => None,
        };
        let images = match &index {
            Some(index) => {
                let mut images = Vec::new();
                for listed in listed_images(index).map_err(|error| self.damaged(error))? {
                    let manifest = self.source.by_digest(&listed.digest).map_err(unusable)?;
                    images.push(self.image(&root, listed, manifest.bytes)?);
                }
                images
            }
            None => vec![self.image(&root, &root, bytes)?],
        };
        Ok(Loaded { name: self.name.clone(), root, index, images, layers: self })
    }

    /// Returns whether the place itself holds the bytes of a layer, without asking anybody.
    pub fn holds(&self, layer: &Descriptor) -> bool {
        !self.source.is_remote() && self.source.blob(layer).is_ok()
    }

    /// Returns the repository, if the place is in a registry.
    pub fn repository(&self) -> Option<&Reference> {
        self.repository.as_ref()
    }

    /// Opens a layer's bytes, which are not verified.
    ///
    /// The first of them are asked for, so that a layer that is missing is noticed before anything
    /// is made of it.
    pub fn open_blob(&self, layer: &Descriptor) -> io::Result<Box<dyn Read + Send + '_>> {
        let mut blob = self.source.blob(layer).map_err(|error| io::Error::other(error.reason))?;
        let mut head = Vec::new();
        blob.by_ref().take(512).read_to_end(&mut head)?;
        Ok(Box::new(io::Cursor::new(head).chain(blob)))
    }

    /// Reads the configuration of a manifest. Over the network, one request.
    fn image(
        &self,
        root: &Descriptor,
        listed: &Descriptor,
        manifest: Vec<u8>,
    ) -> Result<LoadedImage, Error> {
        let config = Manifest::parse(&manifest).map_err(|error| self.damaged(error))?.config;
        if config.size > MAX_CONFIG {
            let reason = format!("expected at most {MAX_CONFIG} bytes, found {}", config.size);
            return Err(self.damaged(ReadError::invalid("image configuration", reason)));
        }
        let mut bytes = Vec::new();
        let blob = self.source.blob(&config).map_err(unusable)?;
        blob.take(config.size + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| self.damaged(error.into()))?;
        let documents = Documents::parse(manifest, bytes).map_err(|error| self.damaged(error))?;
        let ListedImage { name, version, .. } = ListedImage::of(root.clone());
        let either =
            |own: String, made_up: &String| if own.is_empty() { made_up.clone() } else { own };
        let (name, version) = (either(name, &self.called.0), either(version, &self.called.1));
        let listed = ListedImage { descriptor: listed.clone(), name, version };
        Ok(LoadedImage { listed, documents: Arc::new(documents) })
    }

    fn damaged(&self, source: ReadError) -> Error {
        let what = format!("cannot read the image `{}`", self.name);
        Error::Image { what, source: Box::new(source), hint: None }
    }
}

impl LayerSource for Place<'_> {
    fn open_layer(&self, layer: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        Ok(self.open_blob(layer)?)
    }
}

/// Returns the error about an image that is not always a base.
fn unusable(error: BaseError) -> Error {
    let BaseError { name, reason, hint, .. } = error;
    Error::Base { message: format!("cannot read the image `{name}`: {reason}"), hint }
}

/// Names an image after its file: bake's own know their names, but others must have one to be
/// written.
fn made_up(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "image".into() } else { words.join("-") }
}

/// Returns the images that an index lists, without what only describes them: all, or none.
fn listed_images(index: &Index) -> Result<Vec<&Descriptor>, ReadError> {
    let invalid = |reason: String| Err(ReadError::invalid("image index", reason));
    let mut images = Vec::new();
    for listed in index.manifests.iter().filter(|listed| !listed.describes_another()) {
        match listed.kind() {
            Some(Kind::Manifest) => images.push(listed),
            Some(Kind::Index) => {
                let digest = listed.digest;
                return invalid(format!("expected images, found another index, {digest}"));
            }
            _ => {}
        }
    }
    match images.len() {
        0 => invalid("it lists no image".into()),
        1..=MAX_IMAGES => Ok(images),
        found => invalid(format!("expected at most {MAX_IMAGES} images, found {found}")),
    }
}
