//! All artifacts of one bake: `release.json`.

use std::io;

use bake_formats::digest::Digest;
use bake_formats::tree::TreeId;
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, PlatformPlan, Step};
use crate::store::{ActionResult, ImageDigest};

/// All artifacts of one bake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The version of this document's form.
    pub schema: u32,
    /// The recipe's name.
    pub name: String,
    /// The version as the recipe has it.
    pub version: String,
    /// The tree that all artifacts hold; absent if formats or platforms have different files.
    pub tree: Option<TreeId>,
    /// What was baked for, in the order asked for.
    pub platforms: Vec<ReleasedPlatform>,
    /// The artifacts, in the order of their formats.
    pub artifacts: Vec<ReleasedArtifact>,
}

/// One platform of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedPlatform {
    /// The platform, e.g. `linux/amd64`.
    pub platform: String,
    /// The tree that all its artifacts hold; absent if formats have different files.
    pub tree: Option<TreeId>,
}

/// One artifact of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedArtifact {
    /// The format's name.
    pub format: String,
    /// What it runs on, e.g. `linux/amd64`; several are joined by commas.
    pub platform: String,
    /// The file or folder, relative to the output folder.
    pub path: String,
    /// The identity: of an image layout the digest of its manifest or index, else the file's.
    pub digest: Digest,
    /// The bytes of all its files.
    pub size: u64,
    /// The tree it holds; absent if its images hold different ones.
    pub tree: Option<TreeId>,
    /// Its images, in the order of their index; empty if it is no image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ReleasedImage>,
    /// Who signed it; absent if nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<ReleasedSignature>,
    /// Whether it came from the store.
    pub cached: bool,
}

/// One image of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedImage {
    /// What it runs on.
    pub platform: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The tree it holds.
    pub tree: Option<TreeId>,
    /// The manifest of the base image that it is built on; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Digest>,
}

/// A signature that a bake put into an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        let trees: Vec<TreeId> = plan.parts().map(|part| part.tree_id).collect();
        let platforms = plan.platforms.iter().map(|PlatformPlan { recipe, .. }| {
            let here = plan.parts().filter(|part| part.platform == recipe.platform);
            let trees: Vec<TreeId> = here.map(|part| part.tree_id).collect();
            ReleasedPlatform { platform: recipe.platform.to_string(), tree: the_one(&trees) }
        });
        Self {
            schema: 1,
            name: plan.first().name.to_string(),
            version: plan.first().version.to_string(),
            tree: the_one(&trees),
            platforms: platforms.collect(),
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
        let platforms: Vec<_> =
            self.platforms.iter().map(|found| found.platform.replace('/', "-")).collect();
        format!("{}-{}-{}", self.name, self.version, platforms.join("+"))
    }
}

/// Returns the tree if all are the same.
fn the_one(trees: &[TreeId]) -> Option<TreeId> {
    let first = *trees.first()?;
    trees.iter().all(|tree| *tree == first).then_some(first)
}

impl ReleasedArtifact {
    pub(crate) fn new(step: &Step, path: String, made: &Made) -> Self {
        let Made { result, signature, cached } = made;
        let images = result.images.iter().map(|ImageDigest { platform, digest }| {
            let part = step.parts.iter().find(|part| part.platform.to_string() == *platform);
            let base = part.and_then(|part| part.product.image()?.base.as_ref());
            ReleasedImage {
                platform: platform.clone(),
                digest: *digest,
                tree: part.map(|part| part.tree_id),
                base: base.map(|base| base.manifest.digest),
            }
        });
        Self {
            format: step.kind().name().to_owned(),
            platform: step.platforms(),
            path,
            digest: result.identity,
            size: result.files.iter().map(|file| file.blob.size).sum(),
            tree: step.tree_id(),
            images: images.collect(),
            signature: signature.clone(),
            cached: *cached,
        }
    }
}
