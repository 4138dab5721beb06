//! An image or an index that was written: blobs, and the descriptor where they begin.

use std::collections::{BTreeMap, BTreeSet};

use super::descriptor::Descriptor;
use super::manifest::Manifest;
use crate::blob::Blob;
use crate::digest::Digest;
use crate::rope::Rope;

/// An image or an index of images, before it is laid out as files.
#[derive(Debug, Clone)]
pub struct Written {
    /// The name.
    pub name: String,
    /// The tag.
    pub version: String,
    /// The manifest or the index, with the platform if it is a manifest.
    pub root: Descriptor,
    /// The images, in the order of the index.
    pub images: Vec<WrittenImage>,
    /// The blobs that can be reached from the root, except layers that are only referred to: see
    /// [`Written::missing`].
    pub blobs: BTreeMap<Digest, Rope>,
}

/// One image for one platform.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenImage {
    /// How an index lists the manifest, with its platform.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Manifest,
    /// How many of the layers, from the lowest, are the base's.
    pub base_layers: usize,
}

impl Written {
    /// Returns the layers whose bytes are elsewhere, each once, with the image that has them.
    pub fn missing(&self) -> impl Iterator<Item = (&WrittenImage, &Descriptor)> {
        let mut seen = BTreeSet::new();
        let layers = self
            .images
            .iter()
            .flat_map(|image| image.manifest.layers.iter().map(move |layer| (image, layer)));
        layers.filter(move |(_, layer)| {
            !self.blobs.contains_key(&layer.digest) && seen.insert(layer.digest)
        })
    }

    /// Adds a blob that is in memory.
    pub(super) fn add(blobs: &mut BTreeMap<Digest, Rope>, bytes: Vec<u8>) -> Blob {
        let blob = Blob::of(&bytes);
        blobs.insert(blob.digest, Rope::from(bytes));
        blob
    }
}
