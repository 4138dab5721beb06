//! What the tree of an image holds, found without unpacking it.
//!
//! ```text
//! layer ──► hash ──► decompress ──► hash ──► tar members ──► entries, and facts of contents
//!            │                       │                        │
//!            └─ its digest, size     └─ its DiffID            └─► kept in the store, by layer
//!
//! layers of an image, the lowest first ──► [`View`]: one tree, whiteouts applied, links followed
//! ```
//!
//! A layer is read once, as a stream; what is kept of it is its list of entries and what matters
//! in its contents: ELF files, `#!` lines, and a few texts (accounts, the loader's configuration,
//! the distribution). Whoever surveys an image whose layers were surveyed before reads no byte of
//! them. Memory grows with the number of entries, within [`Limits`], never with contents.

mod contents;
mod error;
#[cfg(test)]
pub(crate) mod handmade;
mod kept;
mod layer;
#[cfg(test)]
mod tests;
mod view;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use bake_formats::oci::Documents;
use bake_formats::oci::descriptor::Descriptor;

use crate::store::Store;

pub use contents::{Facts, Text};
pub use error::{LayerFault, SurveyError};
pub use layer::{LayerSurvey, Limits};
pub(crate) use view::find;
pub use view::{Found, View};

/// Where the bytes of layers come from: a layout, the store, a registry.
pub trait LayerSource {
    /// Opens a layer's bytes as the manifest lists them; they need not be verified.
    fn open_layer(&self, layer: &Descriptor) -> std::io::Result<Box<dyn Read + '_>>;
}

/// Surveys layers, and remembers what it found.
#[derive(Debug)]
pub struct Surveyor<'a> {
    store: Option<&'a Store>,
    /// Where contents that must be read twice are put meanwhile.
    scratch: &'a Path,
    limits: Limits,
}

impl<'a> Surveyor<'a> {
    /// Returns a surveyor that keeps what it finds in a store.
    pub fn new(store: &'a Store) -> Self {
        Self { store: Some(store), scratch: store.root(), limits: Limits::default() }
    }

    /// Returns a surveyor that keeps nothing; `scratch` is a folder for contents that must be read
    /// twice.
    pub fn forgetful(scratch: &'a Path, limits: Limits) -> Self {
        Self { store: None, scratch, limits }
    }

    /// Surveys every layer of an image, the lowest first.
    ///
    /// Fails with the number of the layer if its bytes do not have their digest, size or DiffID, or
    /// are no archive that stays within the tree and the limits.
    pub fn survey(
        &self,
        documents: &Documents,
        source: &dyn LayerSource,
    ) -> Result<Vec<Arc<LayerSurvey>>, SurveyError> {
        let layers = documents.manifest.layers.iter().zip(&documents.config.rootfs.diff_ids);
        let mut surveys = Vec::new();
        for (number, (layer, diff_id)) in layers.enumerate() {
            let in_layer = |fault| SurveyError { layer: number, digest: layer.digest, fault };
            let key = kept::key(&layer.digest, diff_id);
            if let Some(survey) = self.store.and_then(|store| kept::read(store, &key)) {
                surveys.push(Arc::new(survey));
                continue;
            }
            let input = source.open_layer(layer).map_err(|error| in_layer(error.into()))?;
            let survey = LayerSurvey::read(input, layer, diff_id, self.scratch, self.limits)
                .map_err(in_layer)?;
            if let Some(store) = self.store {
                kept::write(store, &key, &survey).map_err(|error| in_layer(error.into()))?;
            }
            surveys.push(Arc::new(survey));
        }
        Ok(surveys)
    }
}
