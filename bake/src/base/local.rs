//! Images of this machine: layouts, archives of layouts, and what `docker save` writes.

use std::io::Read;
use std::path::Path;

use bake_formats::digest::Digest;
use bake_formats::format::ReadError;
use bake_formats::oci::archive::CONTAINERD_NAME_KEY;
use bake_formats::oci::descriptor::{Kind, StringMap, media_type};
use bake_formats::oci::index::Index;
use bake_formats::oci::layout::REF_NAME_KEY;
use bake_formats::oci::{Descriptor, LayoutReader, json};

use super::documents::MAX_DOCUMENT;
use super::error::{BaseError, chain};
use super::images::{Document, ImageSource};
use crate::source;

/// An image layout or an archive.
pub(super) struct LocalImage {
    /// What the recipe calls it.
    name: String,
    /// Which of its images: a tag or a full name.
    wanted: Option<String>,
    reader: LayoutReader,
}

impl LocalImage {
    /// Opens a layout or an archive.
    pub(super) fn open(name: String, path: &Path, wanted: Option<&str>) -> Result<Self, BaseError> {
        let source = source::open(path).map_err(|error| {
            let hint = "paths in a recipe are relative to it; `skopeo copy docker://NAME \
                        oci:FOLDER:TAG` is one way to get an image layout";
            BaseError::new(&name, chain(&error)).hint(hint)
        })?;
        let reader = LayoutReader::open(&source)
            .map_err(|error| BaseError::read(&name, "it is no image", &error))?;
        Ok(Self { name, wanted: wanted.map(str::to_owned), reader })
    }

    /// Returns what `index.json` lists under the wanted name.
    fn listed(&self) -> Result<Vec<Descriptor>, BaseError> {
        let index = self.reader.index().map_err(|error| self.unreadable(&error))?;
        let is_image =
            |listed: &Descriptor| matches!(listed.kind(), Some(Kind::Index | Kind::Manifest));
        let all: Vec<_> = index.manifests.into_iter().filter(is_image).collect();
        let Some(wanted) = &self.wanted else { return Ok(all) };
        let (found, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|listed| names(listed).any(|name| name == wanted));
        if found.is_empty() {
            let reason = format!("there is no image called `{wanted}`");
            return Err(BaseError::new(&self.name, reason).hint(there_is(&others)));
        }
        Ok(found)
    }

    /// Returns the one entry, or an index over the images for several platforms.
    fn choose(&self) -> Result<Document, BaseError> {
        let listed = self.listed()?;
        if let [one] = listed.as_slice() {
            let bytes = self.reader.small_blob(one, MAX_DOCUMENT);
            let bytes = bytes.map_err(|error| self.unreadable(&error))?;
            return Ok(Document { descriptor: one.clone(), bytes });
        }
        let mut names: Vec<_> = listed.iter().filter_map(|listed| names(listed).next()).collect();
        names.dedup();
        if listed.is_empty() || names.len() > 1 {
            let reason = format!("expected one image, found {}", listed.len());
            return Err(BaseError::new(&self.name, reason).hint(there_is(&listed)));
        }
        self.index_over(listed)
    }

    /// Lists images as an index would, with what their configurations say that they run on.
    fn index_over(&self, listed: Vec<Descriptor>) -> Result<Document, BaseError> {
        let annotations = listed.first().map(|first| first.annotations.clone());
        let mut manifests = Vec::new();
        for listed in listed {
            let mut plain = Descriptor::new(&listed.media_type, listed.blob());
            plain.platform = match (&listed.platform, listed.kind()) {
                (None, Some(Kind::Manifest)) => {
                    let documents = self.reader.documents(&listed);
                    let documents = documents.map_err(|error| self.unreadable(&error))?;
                    Some(documents.config.platform())
                }
                (platform, _) => platform.clone(),
            };
            manifests.push(plain);
        }
        let index = Index::new(manifests, StringMap::new());
        let bytes =
            json::canonical(&index).map_err(|error| BaseError::new(&self.name, chain(&error)))?;
        let blob = bake_formats::blob::Blob::of(&bytes);
        let mut descriptor = Descriptor::new(media_type::INDEX, blob);
        descriptor.annotations = annotations.unwrap_or_default();
        Ok(Document { descriptor, bytes })
    }

    fn unreadable(&self, error: &ReadError) -> BaseError {
        BaseError::read(&self.name, "it cannot be read", error)
    }

    /// Finds a manifest in whatever the layout leads to.
    fn find(&self, digest: &Digest) -> Result<Option<Descriptor>, BaseError> {
        let images = self.reader.images().map_err(|error| self.unreadable(&error))?;
        let found = images.into_iter().map(|image| image.descriptor);
        Ok(found.into_iter().find(|descriptor| descriptor.digest == *digest))
    }
}

impl ImageSource for LocalImage {
    fn look(&self) -> Result<Option<Descriptor>, BaseError> {
        Ok(Some(self.choose()?.descriptor))
    }

    fn root(&self) -> Result<Document, BaseError> {
        self.choose()
    }

    fn by_digest(&self, digest: &Digest) -> Result<Document, BaseError> {
        let root = self.choose()?;
        if root.descriptor.digest == *digest {
            return Ok(root);
        }
        let Some(descriptor) = self.find(digest)? else {
            return Err(BaseError::new(&self.name, format!("it does not hold {digest}")));
        };
        let bytes = self.reader.small_blob(&descriptor, MAX_DOCUMENT);
        let bytes = bytes.map_err(|error| self.unreadable(&error))?;
        Ok(Document { descriptor, bytes })
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, BaseError> {
        match self.reader.is_absent(descriptor) {
            Ok(false) => {}
            Ok(true) => {
                let reason = format!("it does not hold the bytes of {}", descriptor.digest);
                return Err(BaseError::new(&self.name, reason).hint(
                    "it is a sparse layout, which only refers to layers of its own base; copy the \
                     whole image: `bake pull`, or `skopeo copy`",
                ));
            }
            Err(error) => return Err(self.unreadable(&error)),
        }
        let blob = self.reader.unhashed_blob(descriptor);
        Ok(Box::new(blob.map_err(|error| self.unreadable(&error))?))
    }

    fn is_remote(&self) -> bool {
        false
    }
}

/// Returns what `index.json` calls an image.
fn names(listed: &Descriptor) -> impl Iterator<Item = &String> {
    let keys = [CONTAINERD_NAME_KEY, REF_NAME_KEY];
    keys.into_iter().filter_map(|key| listed.annotations.get(key))
}

/// Says which images there are.
fn there_is(listed: &[Descriptor]) -> String {
    let words: Vec<_> = listed.iter().filter_map(|listed| names(listed).next()).cloned().collect();
    if words.is_empty() {
        return "none has a name".into();
    }
    format!("there is {}; the name stands after the path and a colon", words.join(", "))
}
