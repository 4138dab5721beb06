//! What an image is built on.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::descriptor::Descriptor;
use super::read::Documents;

/// An image that another is built on, for one platform. Its layers' bytes need not be here.
///
/// Two bases are the same if their manifests are: the manifest names everything else by digest.
#[derive(Debug, Clone)]
pub struct Base {
    /// What people call it, e.g. `docker.io/library/debian:12-slim`: the annotation
    /// `org.opencontainers.image.base.name`, from which layers that are only referred to are
    /// mounted or passed on. Absent for an image of this machine.
    pub name: Option<String>,
    /// The manifest's descriptor, as an index listed it: the annotation
    /// `org.opencontainers.image.base.digest`.
    pub manifest: Descriptor,
    /// The manifest and the configuration.
    pub documents: Arc<Documents>,
    /// Whether the image's blobs include the base's layers.
    pub includes_layers: bool,
}

impl PartialEq for Base {
    fn eq(&self, other: &Self) -> bool {
        let key = |base: &Self| (base.name.clone(), base.manifest.digest, base.includes_layers);
        key(self) == key(other)
    }
}

/// What identifies the base, for the key of the work: not its documents.
impl Serialize for Base {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.name, &self.manifest.digest, self.includes_layers).serialize(serializer)
    }
}
