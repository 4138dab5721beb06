//! Images in registries.

use std::io::Read;

use bake_formats::digest::Digest;
use bake_formats::oci::{Descriptor, Reference};

use super::error::BaseError;
use super::images::{Document, ImageSource};
use crate::registry::{Access, Repository, Which, Wire};

/// An image in a registry.
pub(super) struct RegistryImage<'a> {
    reference: Reference,
    name: String,
    repository: Repository<'a>,
}

impl<'a> RegistryImage<'a> {
    pub(super) fn new(wire: &'a dyn Wire, reference: &Reference) -> Self {
        let repository = Repository::new(wire, reference, Access::Pull);
        Self { reference: reference.clone(), name: reference.to_string(), repository }
    }

    fn read(&self, which: Which<'_>) -> Result<Document, BaseError> {
        let found = self.repository.manifest(which);
        let found = found.map_err(|error| BaseError::registry(&self.name, &error))?;
        Ok(Document { descriptor: found.descriptor, bytes: found.bytes })
    }
}

impl ImageSource for RegistryImage<'_> {
    /// Looks at the tag even if the recipe pins a digest: whether the tag moved is the question.
    fn look(&self) -> Result<Option<Descriptor>, BaseError> {
        let which = match &self.reference.tag {
            Some(tag) => Which::Tag(tag),
            None => Which::from(&self.reference),
        };
        let found = self.repository.head_manifest(which);
        found.map_err(|error| BaseError::registry(&self.name, &error))
    }

    fn root(&self) -> Result<Document, BaseError> {
        self.read(Which::from(&self.reference))
    }

    fn by_digest(&self, digest: &Digest) -> Result<Document, BaseError> {
        self.read(Which::Digest(*digest))
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, BaseError> {
        Ok(Box::new(self.repository.blob(descriptor.blob())))
    }

    fn is_remote(&self) -> bool {
        true
    }
}
