//! Layers of base images: into the store, when somebody needs their bytes.

use std::collections::BTreeMap;

use bake_formats::digest::Digest;
use bake_formats::oci::Descriptor;

use super::error::{BaseError, chain};
use super::find::{Bases, Found};
use super::images::{ImageSource, name};
use crate::parallel::in_parallel;

/// How many layers are read at once.
const PARALLEL: usize = 4;

impl Bases<'_> {
    /// Brings the layers of a base image into the store, as far as they are not there yet.
    ///
    /// Bytes pass through; none is kept that does not have its layer's digest.
    pub fn fetch_layers(&self, found: &Found) -> Result<(), BaseError> {
        let called = name(&found.source);
        let Some(documents) = &found.base.documents else { return Ok(()) };
        let layers = &documents.manifest.layers;
        let mut missing: BTreeMap<Digest, &Descriptor> = BTreeMap::new();
        for layer in layers.iter().filter(|layer| !self.store.has(&layer.blob())) {
            missing.insert(layer.digest, layer);
        }
        if !missing.is_empty() {
            let source = self.images.open(&found.source)?;
            let count = missing.len();
            let what = format!("{count} of its layers ({} bytes)", bytes(&missing));
            self.ask(&called, &*source, &what).map_err(|error| {
                error.hint(
                    "`bake lock --layers` brings them while there is a network; without \
                     `base-layers = \"copy\"`, `archive` and `accounts` they are not needed",
                )
            })?;
            let missing: Vec<&Descriptor> = missing.into_values().collect();
            in_parallel(PARALLEL, &missing, |layer| self.fetch(&called, &*source, layer))?;
        }
        let blobs: Vec<_> = layers.iter().map(Descriptor::blob).collect();
        self.keep(&called, &layers_key(&found.base.manifest.digest), &blobs)
    }

    fn fetch(
        &self,
        name: &str,
        source: &dyn ImageSource,
        layer: &Descriptor,
    ) -> Result<(), BaseError> {
        let reader = source.blob(layer)?;
        self.store.put_reader(&layer.blob(), reader).map_err(|error| {
            let reason = format!("its layer {}: {}", layer.digest, chain(&error));
            BaseError::new(name, reason)
        })
    }
}

fn bytes(layers: &BTreeMap<Digest, &Descriptor>) -> u64 {
    layers.values().map(|layer| layer.size).sum()
}

/// Returns the name under which a base image's layers are kept.
fn layers_key(manifest: &Digest) -> Digest {
    Digest::of(format!("bake image layers 1\n{manifest}\n").as_bytes())
}
