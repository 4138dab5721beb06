//! What the registry holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use bake_formats::digest::Digest;

/// What the registry holds, repository by repository.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The repositories, by name.
    pub repositories: BTreeMap<String, Repository>,
    /// Uploads begun and neither ended nor given up, by their names.
    pub uploads: BTreeMap<String, Upload>,
    /// How many uploads were begun, and states of them named.
    pub(crate) begun: usize,
}

/// One repository.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    /// Blobs.
    pub blobs: BTreeMap<Digest, Arc<[u8]>>,
    /// Manifests and indexes.
    pub manifests: BTreeMap<Digest, Manifest>,
    /// Tags.
    pub tags: BTreeMap<String, Digest>,
}

/// A manifest or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The media type that it was pushed with.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// An upload that has begun.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The repository.
    pub repository: String,
    /// What has come so far.
    pub bytes: Vec<u8>,
    /// The query of its newest `Location`, which every request must repeat, and how exactly.
    pub(crate) query: Option<(String, Exactly)>,
    /// Whether a chunk was so short that it must be the last.
    pub(crate) short: bool,
}

/// How exactly a query is to be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exactly {
    /// In the same bytes, before anything else.
    Bytes,
    /// In the same value of `_state`.
    Value,
}

impl State {
    /// Returns a repository; an empty one if it does not exist.
    pub fn repository(&self, name: &str) -> Repository {
        self.repositories.get(name).cloned().unwrap_or_default()
    }

    /// Returns every blob of every repository.
    pub fn blobs(&self) -> BTreeMap<Digest, Arc<[u8]>> {
        let all = self.repositories.values().flat_map(|repository| &repository.blobs);
        all.map(|(digest, bytes)| (*digest, Arc::clone(bytes))).collect()
    }

    /// Returns the manifest that a tag or digest leads to.
    pub fn manifest(&self, repository: &str, reference: &str) -> Option<(Digest, Manifest)> {
        let repository = self.repositories.get(repository)?;
        let digest = match reference.parse() {
            Ok(digest) => digest,
            Err(_) => *repository.tags.get(reference)?,
        };
        Some((digest, repository.manifests.get(&digest)?.clone()))
    }
}

impl Repository {
    /// Returns descriptors of the manifests whose subject has a digest, sorted by digest
    /// (distribution-spec, "Listing Referrers").
    pub(crate) fn referrers(&self, subject: &str) -> Vec<serde_json::Value> {
        let all = self.manifests.iter();
        all.filter_map(|(digest, manifest)| referrer(*digest, manifest, subject)).collect()
    }
}

fn referrer(digest: Digest, manifest: &Manifest, subject: &str) -> Option<serde_json::Value> {
    let value: serde_json::Value = serde_json::from_slice(&manifest.bytes).ok()?;
    if value.pointer("/subject/digest")?.as_str()? != subject {
        return None;
    }
    let config = value.pointer("/config/mediaType");
    let mut descriptor = serde_json::json!({
        "mediaType": manifest.media_type,
        "digest": digest.to_string(),
        "size": manifest.bytes.len(),
    });
    if let Some(artifact) = value.get("artifactType").or(config) {
        descriptor["artifactType"] = artifact.clone();
    }
    if let Some(annotations) = value.get("annotations") {
        descriptor["annotations"] = annotations.clone();
    }
    Some(descriptor)
}
