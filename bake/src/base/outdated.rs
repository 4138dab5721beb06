//! Which base images moved since they were locked.

use bake_formats::digest::Digest;
use bake_recipes::resolved::BaseSource;
use serde::Serialize;

use super::error::BaseError;
use super::find::Bases;
use super::images::name;

/// What became of a base image since it was locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// What the recipe calls it.
    pub name: String,
    /// The digest that bakes use: locked, or pinned by the recipe; absent if neither.
    pub used: Option<Digest>,
    /// The digest that the name leads to now; absent if there is no such image any more.
    pub found: Option<Digest>,
    /// What the used image says of itself, as far as the store knows.
    pub about: About,
}

/// What an image says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// When it was made, as RFC 3339.
    pub created: Option<String>,
    /// Its version, by its labels or annotations.
    pub version: Option<String>,
}

impl Standing {
    /// Returns whether the name leads to what is used.
    pub fn is_current(&self) -> bool {
        self.used.is_some() && self.used == self.found
    }
}

/// The standard name of a version (image-spec, annotations.md).
const VERSION: &str = "org.opencontainers.image.version";

impl Bases<'_> {
    /// Looks where the name of a base image leads now: one request, and no body.
    pub fn standing(&self, source: &BaseSource) -> Result<Standing, BaseError> {
        let called = name(source);
        let opened = self.images.open(source)?;
        self.ask(&called, &*opened, "where it leads")?;
        let found = opened.look()?.map(|descriptor| descriptor.digest);
        let pinned = match source {
            BaseSource::Registry(reference) => reference.digest,
            BaseSource::Local { .. } => None,
        };
        let used = pinned.or_else(|| Some(self.lock.bases.get(&called)?.digest));
        let about = self.about(&called).unwrap_or_default();
        Ok(Standing { name: called, used, found, about })
    }

    /// Returns what a locked image says of itself, if its documents are in the store.
    fn about(&self, name: &str) -> Option<About> {
        let locked = self.lock.bases.get(name)?.manifests.values().next()?;
        let documents = self.kept_documents(&locked.digest)?;
        let labels = documents.config.config.as_ref().map(|config| &config.labels);
        let version = labels.and_then(|labels| labels.get(VERSION));
        let version = version.or_else(|| documents.manifest.annotations.get(VERSION));
        Some(About { created: documents.config.created.clone(), version: version.cloned() })
    }
}
