//! `bake.lock`: what was found once and is used until somebody asks for something newer.

use std::collections::BTreeMap;

use bake_formats::digest::Digest;
use bake_formats::tree::TreePath;

use crate::platform::Platform;

/// What a recipe's lock file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Base images, by the name that the recipe gives them.
    pub bases: BTreeMap<String, LockedBase>,
    /// Which part of the tree is in which layer, the lowest layer first.
    pub layers: Vec<LockedLayer>,
}

/// What the name of a base image stood for when it was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedBase {
    /// The digest of what the name led to: an index, or a manifest.
    pub digest: Digest,
    /// The manifest for each platform that was asked for.
    pub manifests: BTreeMap<Platform, LockedManifest>,
}

/// A manifest of a base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedManifest {
    /// Its digest.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

/// What one layer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedLayer {
    /// The layer's name, e.g. `dependencies`.
    pub name: String,
    /// Files, and directories with everything below them.
    pub paths: Vec<TreePath>,
}
