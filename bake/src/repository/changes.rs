//! What an update did, or would do.

use bake_formats::digest::Digest;
use serde::Serialize;

/// One package that came or went.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Changed {
    /// The package's name.
    pub name: String,
    /// Its version, as the repository's tools write it.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
    /// Where it is, or was, below the repository's folder.
    pub path: String,
    /// The digest of its bytes.
    pub digest: Digest,
}

/// What an update did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Packages that were not there before.
    pub added: Vec<Changed>,
    /// Packages that are not there any more.
    pub removed: Vec<Changed>,
    /// Packages given that were there already, byte for byte.
    pub present: Vec<Changed>,
    /// Packages given that are older than those to be kept.
    pub outdated: Vec<Changed>,
    /// How many packages there are now.
    pub packages: usize,
    /// Whether the published indices changed.
    pub published: bool,
    /// What a user's machine needs to know of the repository: a configuration file's text.
    pub client: String,
}
