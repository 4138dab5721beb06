//! Where the bytes are that are published: layouts, registries, files of a release.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::{Descriptor, LayoutReader, Reference};

use super::node::Node;
use crate::error::Error;
use crate::registry::{MAX_MANIFEST, Repository};
use crate::source;

/// A place that has manifests and blobs.
pub trait Origin: Sync {
    /// Returns what people call the place.
    fn name(&self) -> String;

    /// Returns the bytes of a manifest or an index, which have the descriptor's digest.
    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error>;

    /// Returns whether the bytes of a blob are there.
    fn has(&self, blob: &Descriptor) -> Result<bool, Error>;

    /// Opens a blob from an offset to its end; as often as wanted.
    fn open(&self, blob: Blob, offset: u64) -> io::Result<Box<dyn Read + Send + '_>>;

    /// Returns a repository that is known to have a blob: registries mount from it.
    fn home(&self, _blob: &Descriptor) -> Option<Reference> {
        None
    }

    /// Returns how many layers of an image, from the lowest, are its base's.
    fn base_layers(&self, _node: &Node) -> Result<usize, Error> {
        Ok(0)
    }
}

/// An image layout, in a folder or an archive, perhaps without the layers of a base image.
#[derive(Debug)]
pub struct LayoutOrigin {
    path: PathBuf,
    layout: LayoutReader,
}

impl LayoutOrigin {
    /// Opens a layout.
    pub fn open(path: PathBuf) -> Result<Self, Error> {
        let layout = LayoutReader::open(&source::open(&path)?)
            .map_err(|source| Error::Read { path: path.clone(), source })?;
        Ok(Self { path, layout })
    }

    /// Returns what `index.json` lists.
    pub fn roots(&self) -> Result<Vec<Descriptor>, Error> {
        Ok(self.layout.index().map_err(|source| self.fault(source))?.manifests)
    }

    fn fault(&self, source: bake_formats::format::ReadError) -> Error {
        Error::Read { path: self.path.clone(), source }
    }
}

impl Origin for LayoutOrigin {
    fn name(&self) -> String {
        format!("`{}`", self.path.display())
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        self.layout.small_blob(descriptor, MAX_MANIFEST).map_err(|source| self.fault(source))
    }

    fn has(&self, blob: &Descriptor) -> Result<bool, Error> {
        self.layout.has(blob).map_err(|source| self.fault(source))
    }

    fn open(&self, blob: Blob, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let descriptor = Descriptor::new("", blob);
        let mut bytes = self.layout.unhashed_blob(&descriptor).map_err(io::Error::other)?;
        bytes.skip(offset);
        Ok(Box::new(bytes))
    }

    fn base_layers(&self, node: &Node) -> Result<usize, Error> {
        let Ok(documents) = self.layout.documents(&node.descriptor) else { return Ok(0) };
        let built_on = documents.built_on().map_err(|source| self.fault(source))?;
        Ok(built_on.map_or(0, |base| base.layers))
    }
}

/// A repository of a registry.
#[derive(Debug)]
pub struct RemoteOrigin<'r, 'w> {
    /// The repository.
    pub repository: &'r Repository<'w>,
    /// Manifests that were read already, and are not asked for again.
    pub read: BTreeMap<Digest, Vec<u8>>,
}

impl Origin for RemoteOrigin<'_, '_> {
    fn name(&self) -> String {
        self.repository.full_name()
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        match self.read.get(&descriptor.digest) {
            Some(bytes) => Ok(bytes.clone()),
            None => Ok(self.repository.manifest(descriptor.digest.into())?.bytes),
        }
    }

    fn has(&self, _: &Descriptor) -> Result<bool, Error> {
        Ok(false)
    }

    fn open(&self, blob: Blob, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(self.repository.blob_from(blob, offset)))
    }

    fn home(&self, _: &Descriptor) -> Option<Reference> {
        let (registry, repository) = (self.repository.registry(), self.repository.name());
        let (registry, repository) = (registry.to_owned(), repository.to_owned());
        Some(Reference { registry, repository, tag: None, digest: None })
    }
}

/// Files and layouts, with documents that were made for them.
#[derive(Debug, Default)]
pub struct FilesOrigin {
    pub(super) layouts: Vec<LayoutOrigin>,
    pub(super) files: BTreeMap<Digest, PathBuf>,
    /// Manifests, and blobs that are no file.
    pub(super) documents: BTreeMap<Digest, Vec<u8>>,
}

impl FilesOrigin {
    fn layout_of(&self, descriptor: &Descriptor) -> Result<Option<&LayoutOrigin>, Error> {
        for layout in &self.layouts {
            if layout.has(descriptor)? {
                return Ok(Some(layout));
            }
        }
        Ok(None)
    }
}

impl Origin for FilesOrigin {
    fn name(&self) -> String {
        "the release".to_owned()
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        if let Some(bytes) = self.documents.get(&descriptor.digest) {
            return Ok(bytes.clone());
        }
        let missing = || {
            let what = format!("manifest {}", descriptor.digest);
            super::refuse(what, "no layout of the release has it".to_owned(), None)
        };
        self.layout_of(descriptor)?.ok_or_else(missing)?.document(descriptor)
    }

    fn has(&self, blob: &Descriptor) -> Result<bool, Error> {
        let is_own =
            self.documents.contains_key(&blob.digest) || self.files.contains_key(&blob.digest);
        Ok(is_own || self.layout_of(blob)?.is_some())
    }

    fn open(&self, blob: Blob, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        if let Some(bytes) = self.documents.get(&blob.digest) {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            return Ok(Box::new(&bytes[from..]));
        }
        if let Some(path) = self.files.get(&blob.digest) {
            let mut file = fs_err::File::open(path)?;
            io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
            return Ok(Box::new(file));
        }
        let descriptor = Descriptor::new("", blob);
        match self.layout_of(&descriptor).map_err(io::Error::other)? {
            Some(layout) => layout.open(blob, offset),
            None => {
                Err(io::Error::new(io::ErrorKind::NotFound, format!("no blob {}", blob.digest)))
            }
        }
    }

    fn base_layers(&self, node: &Node) -> Result<usize, Error> {
        match self.layout_of(&node.descriptor)? {
            Some(layout) => layout.base_layers(node),
            None => Ok(0),
        }
    }
}
