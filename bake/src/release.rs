//! All artifacts of one bake: `release.json`.

use std::io;

use bake_formats::digest::Digest;
use bake_formats::tree::TreeId;
use serde::Serialize;

use crate::plan::{Plan, Step};
use crate::store::ActionResult;

/// All artifacts of one bake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    /// The version of this document's form.
    pub schema: u32,
    /// The recipe's name.
    pub name: String,
    /// The version as the recipe has it.
    pub version: String,
    /// The tree that all artifacts hold; absent if the recipe gives formats different files.
    pub tree: Option<TreeId>,
    /// The artifacts, in the order of their formats.
    pub artifacts: Vec<ReleasedArtifact>,
}

/// One artifact of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleasedArtifact {
    /// The format's name.
    pub format: &'static str,
    /// What it runs on, e.g. `linux/amd64`.
    pub platform: String,
    /// The file or folder, relative to the output folder.
    pub path: String,
    /// The identity: of an OCI image its manifest's digest, else the file's.
    pub digest: Digest,
    /// The bytes of all its files.
    pub size: u64,
    /// The tree it holds.
    pub tree: TreeId,
    /// Who signed it; absent if nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<ReleasedSignature>,
    /// Whether it came from the store.
    pub cached: bool,
}

/// A signature that a bake put into an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleasedSignature {
    /// The fingerprint of the key that signed.
    pub fingerprint: String,
    /// The identity that the artifact has without its signature.
    pub unsigned: Digest,
}

/// What came of a step.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) result: ActionResult,
    pub(crate) signature: Option<ReleasedSignature>,
    /// Whether nothing had to be done.
    pub(crate) cached: bool,
}

impl Release {
    /// Returns a release without artifacts.
    pub(crate) fn new(plan: &Plan) -> Self {
        let trees: std::collections::BTreeSet<_> =
            plan.steps.iter().map(|step| step.tree_id).collect();
        Self {
            schema: 1,
            name: plan.recipe.name.to_string(),
            version: plan.recipe.version.to_string(),
            tree: trees.first().copied().filter(|_| trees.len() == 1),
            artifacts: Vec::new(),
        }
    }

    /// Returns the bytes of `release.json`.
    pub fn document(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Returns the document without what is true of this run only.
    pub(crate) fn lasting_document(&self) -> io::Result<Vec<u8>> {
        let mut lasting = self.clone();
        lasting.artifacts.iter_mut().for_each(|artifact| artifact.cached = false);
        lasting.document()
    }

    /// Returns the name under which the store lists the release.
    pub(crate) fn label(&self) -> String {
        let platform = self.artifacts.first().map_or("", |artifact| &artifact.platform);
        format!("{}-{}-{}", self.name, self.version, platform.replace('/', "-"))
    }
}

impl ReleasedArtifact {
    pub(crate) fn new(plan: &Plan, step: &Step, path: String, made: &Made) -> Self {
        let Made { result, signature, cached } = made;
        Self {
            format: step.product.kind().name(),
            platform: plan.recipe.platform.to_string(),
            path,
            digest: result.identity,
            size: result.files.iter().map(|file| file.blob.size).sum(),
            tree: step.tree_id,
            signature: signature.clone(),
            cached: *cached,
        }
    }
}
