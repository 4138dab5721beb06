//! One manifest or index, and where it leads.

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::descriptor::{OtherFields, StringMap};
use bake_formats::oci::{BASE_NAME_KEY, Descriptor, Kind, Reference};
use serde::Deserialize;

use super::refuse;
use crate::error::Error;

/// A manifest or an index.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its media type, digest and size.
    pub descriptor: Descriptor,
    /// Its bytes, which are published as they are.
    pub bytes: Vec<u8>,
    /// The manifests that it lists.
    pub children: Vec<Descriptor>,
    /// The blobs that it names: configuration and layers.
    pub blobs: Vec<Descriptor>,
    /// The manifest that it belongs to.
    pub subject: Option<Digest>,
    /// What it says it is, if anything.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: StringMap,
}

/// The fields that lead on, of a manifest or an index.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Links {
    #[serde(default)]
    schema_version: Option<u64>,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    subject: Option<Descriptor>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: Option<StringMap>,
}

impl Node {
    /// Reads where a document leads; `descriptor` is how it was found.
    pub fn parse(descriptor: &Descriptor, bytes: Vec<u8>) -> Result<Self, Error> {
        let what = || format!("manifest {}", descriptor.digest);
        let found = Blob::of(&bytes);
        if (found.digest, found.size) != (descriptor.digest, descriptor.size) {
            let reason = format!(
                "expected {} bytes with this digest, found {} bytes with {}",
                descriptor.size, found.size, found.digest
            );
            return Err(refuse(what(), reason, None));
        }
        let links: Links = serde_json::from_slice(&bytes)
            .map_err(|error| refuse(what(), format!("expected its JSON: {error}"), None))?;
        let media_type = links.media_type.as_ref().unwrap_or(&descriptor.media_type);
        let kind = Kind::of(media_type);
        if links.schema_version != Some(2) || *media_type != descriptor.media_type {
            let reason = format!(
                "expected schema version 2 and the media type `{}`, found `{media_type}`",
                descriptor.media_type
            );
            return Err(refuse(what(), reason, None));
        }
        let is_index = kind == Some(Kind::Index);
        let blobs = links.config.into_iter().chain(links.layers.unwrap_or_default());
        let blobs: Vec<_> = blobs.filter(|blob| !is_foreign(blob)).collect();
        let children = links.manifests.unwrap_or_default();
        let fits = match kind {
            Some(Kind::Index) => blobs.is_empty(),
            Some(Kind::Manifest) => children.is_empty() && !blobs.is_empty(),
            Some(Kind::Config | Kind::Layer(_)) | None => false,
        };
        if !fits {
            let expected = if is_index { "an index" } else { "an image manifest" };
            let reason = format!("expected the fields of {expected}, as `{media_type}` says");
            return Err(refuse(what(), reason, None));
        }
        let config_type = blobs.first().map(|config| config.media_type.clone());
        Ok(Self {
            descriptor: Descriptor::new(descriptor.media_type.clone(), descriptor.blob()),
            bytes,
            children,
            blobs,
            subject: links.subject.map(|subject| subject.digest),
            artifact_type: links.artifact_type.or(config_type),
            annotations: links.annotations.unwrap_or_default(),
        })
    }

    /// Returns how a list of referrers names it (distribution-spec, "Pushing Manifests with
    /// Subject").
    pub fn as_referrer(&self) -> Descriptor {
        let mut other = OtherFields::new();
        if let Some(found) = &self.artifact_type {
            other.insert("artifactType".into(), found.as_str().into());
        }
        Descriptor { annotations: self.annotations.clone(), other, ..self.descriptor.clone() }
    }

    /// Returns whether it is an image or an index of images.
    pub(super) fn is_image(&self) -> bool {
        match &self.artifact_type {
            None => true,
            Some(found) => matches!(Kind::of(found), Some(Kind::Config)),
        }
    }

    /// Returns the repository of the base image that it names.
    pub(super) fn base(&self) -> Option<Reference> {
        self.annotations.get(BASE_NAME_KEY)?.parse().ok()
    }
}

/// Returns whether a layer is one that its licence keeps out of registries (image-spec, layer.md,
/// "Non-Distributable Layers"): whoever runs the image gets it elsewhere.
fn is_foreign(layer: &Descriptor) -> bool {
    layer.media_type.contains(".nondistributable.") || layer.media_type.contains(".foreign.")
}
