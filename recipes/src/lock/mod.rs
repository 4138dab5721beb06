//! `bake.lock`: what was found once and is used until somebody asks for something newer.
//!
//! ```toml
//! version = 1
//!
//! [[base]]
//! name = "docker.io/library/debian:12-slim"
//! digest = "sha256:…"                        # an index, or a manifest
//!
//! [[base.manifest]]
//! platform = "linux/amd64"
//! digest = "sha256:…"
//! size = 529
//! media-type = "application/vnd.oci.image.manifest.v1+json"
//!
//! [[layer]]                                  # the lowest first
//! name = "dependencies"
//! paths = [
//!     "/opt/catalog/lib",
//! ]
//! ```
//!
//! It is printed in one way only, so that two machines write the same file and a difference is one
//! of meaning.

mod print;
mod read;

use std::collections::BTreeMap;

use bake_formats::digest::Digest;
use bake_formats::tree::TreePath;

use crate::platform::Platform;

pub use read::{MAX_LEN, load, parse};

/// The file's name, beside the recipe.
pub const FILE_NAME: &str = "bake.lock";

/// The version of the file's grammar.
const VERSION: i64 = 1;

/// What a recipe's lock file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Base images, by the name that the recipe gives them, in full
    /// ([`Reference`](bake_formats::oci::Reference) as it is printed).
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
    /// How many bytes it has; at most 2⁶³ - 1.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

/// What one layer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedLayer {
    /// The layer's name, e.g. `dependencies`.
    pub name: String,
    /// Files, and directories with everything below them, all in UTF-8; each path in one layer.
    pub paths: Vec<TreePath>,
}

#[cfg(test)]
mod tests;
