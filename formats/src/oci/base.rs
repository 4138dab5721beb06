//! What an image is built on.

use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::config::Config;
use super::descriptor::{Descriptor, media_type};
use super::documents::Documents;
use super::model::field_error;
use super::platform::Platform;
use crate::format::WriteError;

/// An image that another is built on, for one platform. Its layers' bytes need not be here.
///
/// Two bases are the same if their manifests are: the manifest names everything else by digest.
#[derive(Debug, Clone)]
pub struct Base {
    /// What people call it, e.g. `docker.io/library/debian:12-slim`: the annotation
    /// `org.opencontainers.image.base.name`, from which layers that are only referred to are
    /// mounted or passed on. Absent for an image of this machine.
    pub name: Option<String>,
    /// The manifest's descriptor, whoever listed it; only its digest counts: the annotation
    /// `org.opencontainers.image.base.digest`.
    pub manifest: Descriptor,
    /// The manifest and the configuration; absent in a model that was read from an image, which
    /// names its base and does not hold it. Nothing can be written without them.
    pub documents: Option<Arc<Documents>>,
    /// Whether the image's blobs include the base's layers, whose bytes the blob source then has.
    pub includes_layers: bool,
    /// The base's account databases, if the image's accounts are to be merged with them.
    pub databases: Option<Databases>,
}

/// The account databases of a base image, as they stand in its files; empty if it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Databases {
    /// `/etc/passwd`.
    pub passwd: Vec<u8>,
    /// `/etc/group`.
    pub group: Vec<u8>,
}

impl PartialEq for Base {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

/// What identifies the base, for the key of the work: not its documents.
impl Serialize for Base {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, digest, includes_layers, merges_accounts) = self.key();
        let mut fields = serializer.serialize_struct("Base", 4)?;
        fields.serialize_field("name", &name)?;
        fields.serialize_field("digest", &digest)?;
        fields.serialize_field("includes_layers", &includes_layers)?;
        fields.serialize_field("merges_accounts", &merges_accounts)?;
        fields.end()
    }
}

impl Base {
    /// Returns a base whose layers are only referred to and whose accounts are left alone.
    pub fn new(name: Option<String>, manifest: Descriptor, documents: Arc<Documents>) -> Self {
        Self { name, manifest, documents: Some(documents), includes_layers: false, databases: None }
    }

    /// Returns name, digest, whether layers are included, and whether accounts are merged: what
    /// the databases say follows from the digest.
    fn key(&self) -> (Option<&str>, crate::digest::Digest, bool, bool) {
        let name = self.name.as_deref();
        (name, self.manifest.digest, self.includes_layers, self.databases.is_some())
    }

    /// Returns what people call the base, for messages.
    fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.manifest.digest.to_string())
    }

    /// Returns the documents, after checking that an image for `platform` can be built on them.
    pub(super) fn checked(&self, platform: &Platform) -> Result<&Documents, WriteError> {
        let Some(documents) = self.documents.as_deref() else {
            let fault = "expected its manifest and configuration; a model that was read from an \
                         image only names its base";
            return Err(field_error("base", fault, &self.label()));
        };
        let found = crate::digest::Digest::of(&documents.manifest_bytes);
        if found != self.manifest.digest {
            let fault = format!("expected the manifest {} of the base", self.manifest.digest);
            return Err(field_error("base", &fault, &found.to_string()));
        }
        let offered = documents.config.platform();
        if !offered.fits(platform) {
            let fault = format!("expected a base for {platform}; {} is for", self.label());
            return Err(field_error("base", &fault, &offered.to_string()));
        }
        Ok(documents)
    }
}

/// Returns a base's layers as an image of the OCI's vocabulary lists them: everything is kept but
/// Docker's media types, which a manifest never mixes with others.
pub(super) fn layers(documents: &Documents) -> Vec<Descriptor> {
    documents.manifest.layers.iter().map(oci_layer).collect()
}

/// Returns a layer's descriptor with the OCI's media type.
pub(super) fn oci_layer(layer: &Descriptor) -> Descriptor {
    let media_type = match layer.media_type.strip_prefix(media_type::DOCKER_LAYER) {
        Some(suffix) => format!("{}{}", media_type::LAYER, suffix.replace('.', "+")),
        None => layer.media_type.clone(),
    };
    Descriptor { media_type, ..layer.clone() }
}

/// Returns an empty configuration: what an image from scratch is built on.
pub(super) fn scratch(platform: &Platform) -> Config {
    let Platform { architecture, os, variant } = platform.clone();
    Config {
        created: None,
        author: None,
        architecture,
        os,
        variant,
        config: None,
        rootfs: super::config::RootFs { kind: "layers".into(), diff_ids: Vec::new() },
        history: Vec::new(),
        other: super::descriptor::OtherFields::new(),
    }
}
