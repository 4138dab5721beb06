//! Images as they were read: documents, and where layers are.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use bake_formats::blob::BlobSource;
use bake_formats::digest::Digest;
use bake_formats::format::ReadError;
use bake_formats::oci::{Descriptor, Documents, Index, ListedImage, Platform, select};
use bake_formats::rope::Rope;

use crate::survey::LayerSource;

/// An image, or the images of an index.
pub struct Loaded<'a> {
    /// What people call it.
    pub name: String,
    /// What the name leads to.
    pub root: Descriptor,
    /// The index, if the name leads to one.
    pub index: Option<Index>,
    /// The images, in the order of the index.
    pub images: Vec<LoadedImage>,
    /// Where layers are.
    pub layers: &'a dyn LayerSource,
}

impl std::fmt::Debug for Loaded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, root, .. } = self;
        f.debug_struct("Loaded").field("name", name).field("root", root).finish_non_exhaustive()
    }
}

/// An image for one platform.
#[derive(Debug, Clone)]
pub struct LoadedImage {
    /// How it is listed.
    pub listed: ListedImage,
    /// Its manifest and its configuration.
    pub documents: Arc<Documents>,
}

impl LoadedImage {
    /// Returns what the image runs on: as its index says, else as its configuration does.
    pub fn platform(&self) -> Platform {
        let listed = self.listed.descriptor.platform.clone();
        listed.unwrap_or_else(|| self.documents.config.platform())
    }
}

impl Loaded<'_> {
    /// Returns the image that runs on a platform. A single image must be at home there.
    pub(super) fn for_platform(&self, platform: &Platform) -> Result<&LoadedImage, ReadError> {
        let listed: Vec<Descriptor> = self
            .images
            .iter()
            .map(|image| {
                let platform = Some(image.platform());
                Descriptor { platform, ..image.listed.descriptor.clone() }
            })
            .collect();
        if let [one] = self.images.as_slice()
            && one.documents.config.platform().fits(platform)
        {
            return Ok(one);
        }
        let found = select(&listed, platform)?;
        let same = |image: &&LoadedImage| image.listed.descriptor.digest == found.digest;
        self.images.iter().find(same).ok_or_else(|| {
            ReadError::invalid("image index", format!("it does not lead to {}", found.digest))
        })
    }
}

/// Layers from wherever they can be had: what was written first, then one source after another.
pub(super) struct Layers<'a> {
    pub(super) written: BTreeMap<Digest, &'a Rope>,
    pub(super) blobs: &'a dyn BlobSource,
    pub(super) sources: Vec<&'a dyn LayerSource>,
}

impl LayerSource for Layers<'_> {
    fn open_layer(&self, layer: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        if let Some(rope) = self.written.get(&layer.digest) {
            return Ok(Box::new(rope.reader(self.blobs)));
        }
        let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no such blob");
        for source in &self.sources {
            match source.open_layer(layer) {
                Ok(bytes) => return Ok(bytes),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
