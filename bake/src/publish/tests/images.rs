//! Images made for tests.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::descriptor::{StringMap, media_type};
use bake_formats::oci::{
    Artifact, BASE_NAME_KEY, Descriptor, Index, Manifest, Reference, artifact, json,
};

use crate::error::Error;
use crate::publish::{Graph, Origin, Parcel};

/// An origin in memory.
#[derive(Default)]
pub(super) struct Images {
    pub(super) blobs: BTreeMap<Digest, Vec<u8>>,
    /// Repositories that have blobs too.
    pub(super) homes: BTreeMap<Digest, Reference>,
}

impl Origin for Images {
    fn name(&self) -> String {
        "test".into()
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        Ok(self.blobs[&descriptor.digest].clone())
    }

    fn has(&self, blob: &Descriptor) -> Result<bool, Error> {
        Ok(self.blobs.contains_key(&blob.digest))
    }

    fn home(&self, blob: &Descriptor) -> Option<Reference> {
        self.homes.get(&blob.digest).cloned()
    }

    fn open(&self, blob: Blob, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = &self.blobs[&blob.digest];
        Ok(Box::new(Cursor::new(&bytes[usize::try_from(offset).unwrap()..])))
    }
}

/// Returns the bytes of a layer.
pub(super) fn layer(name: &str, size: usize) -> Vec<u8> {
    name.bytes().cycle().take(size).collect()
}

impl Images {
    pub(super) fn keep(&mut self, kind: &str, bytes: Vec<u8>) -> Descriptor {
        let descriptor = Descriptor::new(kind, Blob::of(&bytes));
        self.blobs.insert(descriptor.digest, bytes);
        descriptor
    }

    /// Adds an image and returns its manifest's descriptor.
    pub(super) fn image(&mut self, layers: &[Vec<u8>], base: Option<&str>) -> Descriptor {
        let layers: Vec<_> =
            layers.iter().map(|bytes| self.keep(media_type::LAYER, bytes.clone())).collect();
        let text: Vec<_> = layers.iter().map(|layer| layer.digest.to_string()).collect();
        let config = self.keep(media_type::CONFIG, text.concat().into_bytes());
        let base = base.map(|base| (BASE_NAME_KEY.to_owned(), base.to_owned()));
        let annotations: StringMap = base.into_iter().collect();
        let manifest = Manifest::new(config, layers, annotations);
        self.keep(media_type::MANIFEST, json::canonical(&manifest).unwrap())
    }

    pub(super) fn index(&mut self, images: Vec<Descriptor>) -> Descriptor {
        let index = Index::new(images, StringMap::new());
        self.keep(media_type::INDEX, json::canonical(&index).unwrap())
    }

    /// Adds an artifact without a file that is attached to something.
    pub(super) fn note(&mut self, subject: &Descriptor) -> Descriptor {
        self.keep(artifact::EMPTY_TYPE, artifact::EMPTY.into());
        let note = Artifact {
            artifact_type: "application/vnd.example.note".into(),
            files: Vec::new(),
            subject: Some(subject.clone()),
            annotations: StringMap::new(),
        };
        self.keep(media_type::MANIFEST, note.manifest().unwrap().bytes)
    }

    pub(super) fn graph(&self, root: &Descriptor) -> Graph {
        Graph::read(self, root).unwrap()
    }
}

pub(super) fn parcel(root: &Descriptor, tags: &[&str]) -> Vec<Parcel> {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    vec![Parcel { root: root.digest, tags }]
}
