//! Where documents and layers of images come from.
//!
//! Everything below reads images through these two traits, so that it needs no network to be tested.

use std::io::Read;

use bake_formats::digest::Digest;
use bake_formats::oci::Descriptor;
use bake_recipes::resolved::BaseSource;

use super::error::BaseError;

/// A manifest or an index with what leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Media type, digest and size; of an image of this machine also how `index.json` names it.
    pub descriptor: Descriptor,
    /// The bytes, which have that digest.
    pub bytes: Vec<u8>,
}

/// Images by what recipes call them.
pub trait Images: Sync {
    /// Gets ready to read an image. Asks nothing over the network yet.
    fn open(&self, source: &BaseSource) -> Result<Box<dyn ImageSource + '_>, BaseError>;
}

/// What one name leads to: an image, or an index of images.
///
/// Whoever reads compares digests and sizes with descriptors; implementations may, too.
pub trait ImageSource: Send + Sync {
    /// Returns the descriptor of what the name leads to now, without its bytes; `None` if there is
    /// nothing. At most one request where that can be had.
    fn look(&self) -> Result<Option<Descriptor>, BaseError>;

    /// Returns what the name leads to now.
    fn root(&self) -> Result<Document, BaseError>;

    /// Returns a manifest or an index by its digest.
    fn by_digest(&self, digest: &Digest) -> Result<Document, BaseError>;

    /// Opens a blob: a configuration or a layer.
    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, BaseError>;

    /// Returns whether reading needs the network.
    fn is_remote(&self) -> bool;
}

/// Returns what people call a base image: as recipes name it, references in full.
pub fn name(source: &BaseSource) -> String {
    match source {
        BaseSource::Registry(reference) => reference.to_string(),
        BaseSource::Local { path, name: None } => path.display().to_string(),
        BaseSource::Local { path, name: Some(name) } => format!("{}:{name}", path.display()),
    }
}
