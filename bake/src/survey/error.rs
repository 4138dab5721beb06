//! Why an image cannot be surveyed.

use std::io;

use bake_formats::digest::Digest;
use bake_formats::format::ReadError;

/// Why a layer of an image cannot be surveyed.
#[derive(Debug, thiserror::Error)]
#[error("cannot read layer {layer} ({digest})")]
#[must_use]
pub struct SurveyError {
    /// The layer's number, counted from 0, the lowest first.
    pub layer: usize,
    /// The layer's digest.
    pub digest: Digest,
    /// What is wrong with it.
    #[source]
    pub fault: LayerFault,
}

/// What is wrong with a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerFault {
    /// Its bytes are no layer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its bytes cannot be had, or end too early.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its bytes are not those that the manifest lists.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What differs.
        what: &'static str,
        /// What the manifest or the configuration says.
        expected: String,
        /// What the bytes have.
        found: String,
    },
    /// It asks for more than a layer may.
    #[error("{what}: expected at most {limit}, found more")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much is read.
        limit: u64,
    },
}
