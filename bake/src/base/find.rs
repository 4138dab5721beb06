//! From the name of a base image to its documents: the lock, the index, the platform.

use std::collections::BTreeMap;
use std::sync::Arc;

use bake_formats::blob::Blob;
use bake_formats::oci::descriptor::Kind;
use bake_formats::oci::index::Index;
use bake_formats::oci::{self, Base, Descriptor};
use bake_recipes::Platform;
use bake_recipes::lock::{Lock, LockedBase, LockedManifest};
use bake_recipes::resolved::BaseSource;

use super::error::BaseError;
use super::images::{Document, ImageSource, Images, name};
use super::rules::{Locking, Network, Rules};
use crate::store::Store;

/// Finds base images, and remembers in a [`Lock`] what was found.
pub struct Bases<'a> {
    /// Where images come from.
    pub images: &'a dyn Images,
    /// Where documents and layers are kept.
    pub store: &'a Store,
    /// What may be done.
    pub rules: Rules,
    /// What was found before, and what is found now.
    pub lock: Lock,
    /// What names lead to, as far as this run looked it up.
    looked_up: BTreeMap<String, Document>,
}

impl std::fmt::Debug for Bases<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bases").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// A base image that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it is.
    pub source: BaseSource,
    /// What images are built on.
    pub base: Base,
}

impl<'a> Bases<'a> {
    /// Starts from what a lock file says.
    pub fn new(images: &'a dyn Images, store: &'a Store, rules: Rules, lock: Lock) -> Self {
        Self { images, store, rules, lock, looked_up: BTreeMap::new() }
    }

    /// Finds the base image for a platform.
    ///
    /// Layers are not read. The image's documents are read from where it is only if the store does
    /// not have them, its name is looked up only if it is not locked.
    ///
    /// # Errors
    ///
    /// If there is no such image or none for the platform, if it is not what is locked, or if the
    /// rules forbid to find out; then [`BaseError::is_unknown`] is set.
    pub fn find(&mut self, source: &BaseSource, platform: Platform) -> Result<Found, BaseError> {
        let called = name(source);
        let images = self.images;
        let opened = images.open(source)?;
        let opened = &*opened;
        let manifest = match self.locked_manifest(&called, opened, platform) {
            Some(manifest) => manifest,
            None => self.look_up(&called, source, opened, platform)?,
        };
        let documents = self.documents(&called, opened, &manifest)?;
        let (offered, wanted) = (documents.config.platform(), in_oci(platform));
        if !offered.fits(&wanted) {
            let reason = format!("it is for {offered}, not for {wanted}");
            return Err(BaseError::new(called, reason)
                .hint("name an image for this platform, or bake for that one"));
        }
        self.remember(&called, source, platform, &manifest)?;
        // As the documents themselves say it, whoever listed them: equal bases give equal images.
        let manifest = documents.descriptor();
        let base = Base::new(public_name(source), manifest, Arc::new(documents));
        Ok(Found { source: source.clone(), base })
    }

    /// Returns the manifest that the lock names, unless it must be looked up or compared first.
    fn locked_manifest(
        &self,
        name: &str,
        source: &dyn ImageSource,
        platform: Platform,
    ) -> Option<Descriptor> {
        // What lies here may have changed, and is looked at every time.
        if !source.is_remote() {
            return None;
        }
        self.lock.bases.get(name)?.manifests.get(&platform).map(descriptor)
    }

    /// Finds the manifest for a platform through what the name leads to.
    fn look_up(
        &mut self,
        name: &str,
        source: &BaseSource,
        opened: &dyn ImageSource,
        platform: Platform,
    ) -> Result<Descriptor, BaseError> {
        let root = self.root(name, source, opened)?;
        if root.descriptor.kind() == Some(Kind::Manifest) {
            return Ok(root.descriptor);
        }
        let what = format!("its index {}", root.descriptor.digest);
        let index = Index::parse(&root.bytes);
        let index = index.map_err(|error| BaseError::read(name, &what, &error))?;
        let found = match index.manifests.as_slice() {
            // Somebody who lists one image need not say what it runs on.
            [one] if one.platform.is_none() && one.kind() == Some(Kind::Manifest) => one,
            several => oci::select(several, &in_oci(platform)).map_err(|_| {
                BaseError::new(name, format!("there is none for {platform}"))
                    .hint(format!("there are images for {}", platforms(several)))
            })?,
        };
        Ok(Descriptor::new(found.media_type.clone(), found.blob()))
    }

    /// Returns what the name leads to: what is locked, unless it is to be looked up.
    fn root(
        &mut self,
        name: &str,
        source: &BaseSource,
        opened: &dyn ImageSource,
    ) -> Result<Document, BaseError> {
        if let Some(root) = self.looked_up.get(name) {
            return Ok(root.clone());
        }
        let locked = self.lock.bases.get(name).map(|base| base.digest);
        let pinned = match source {
            BaseSource::Registry(reference) => reference.digest,
            BaseSource::Local { .. } => None,
        };
        if let Some(digest) = pinned.or(locked).filter(|_| opened.is_remote())
            && let Some(root) = self.kept_root(name, &digest)?
        {
            return Ok(self.found_root(name, root));
        }
        if pinned.or(locked).is_none() && self.rules.locking == Locking::Frozen {
            return Err(unlocked(name, "it"));
        }
        self.ask(name, opened, "what the name stands for")?;
        let root = match pinned.or(locked).filter(|_| opened.is_remote()) {
            Some(digest) => opened.by_digest(&digest)?,
            None => opened.root()?,
        };
        if let Some(expected) = pinned.or(locked).filter(|digest| *digest != root.descriptor.digest)
        {
            let found = root.descriptor.digest;
            let reason = format!("it changed: expected {expected}, found {found}");
            return Err(BaseError::new(name, reason)
                .hint("`bake lock --update` takes the image that is there now"));
        }
        self.keep_root(name, &root)?;
        Ok(self.found_root(name, root))
    }

    fn found_root(&mut self, name: &str, root: Document) -> Document {
        self.looked_up.insert(name.to_owned(), root.clone());
        root
    }

    /// Fails if something would have to be read over the network and the rules forbid it.
    pub(super) fn ask(
        &self,
        name: &str,
        source: &dyn ImageSource,
        what: &str,
    ) -> Result<(), BaseError> {
        if !source.is_remote() || self.rules.network == Network::Allowed {
            return Ok(());
        }
        let reason = match self.rules.network {
            Network::Offline => {
                format!("{what} is not in the store, and `--offline` forbids to ask")
            }
            Network::Allowed | Network::Unneeded => format!("{what} is not in the store"),
        };
        let hint = "run `bake lock` once where there is a network, with the same store";
        Err(BaseError { is_unknown: true, ..BaseError::new(name, reason).hint(hint) })
    }

    /// Puts into the lock what was found, unless that may not change; then it must be there already.
    /// A name with a digest needs no lock.
    fn remember(
        &mut self,
        name: &str,
        source: &BaseSource,
        platform: Platform,
        manifest: &Descriptor,
    ) -> Result<(), BaseError> {
        if matches!(source, BaseSource::Registry(reference) if reference.digest.is_some()) {
            return Ok(());
        }
        let locked = self.lock.bases.get(name);
        let found = self.looked_up.get(name).map(|root| root.descriptor.digest);
        let Some(root) = found.or_else(|| locked.map(|base| base.digest)) else { return Ok(()) };
        let Descriptor { media_type, digest, size, .. } = manifest.clone();
        let manifest = LockedManifest { digest, size, media_type };
        let is_locked = locked.is_some_and(|base| {
            base.digest == root && base.manifests.get(&platform) == Some(&manifest)
        });
        if is_locked {
            return Ok(());
        }
        if self.rules.locking == Locking::Frozen {
            return Err(unlocked(name, &format!("its image for {platform}")));
        }
        let nothing = || LockedBase { digest: root, manifests: BTreeMap::default() };
        let entry = self.lock.bases.entry(name.to_owned()).or_insert_with(nothing);
        if entry.digest != root {
            *entry = nothing();
        }
        entry.manifests.insert(platform, manifest);
        Ok(())
    }
}

/// Returns the error about what the lock file does not say and may not be made to say.
fn unlocked(name: &str, what: &str) -> BaseError {
    let reason = format!("{what} is not in the lock file, which `--locked` keeps as it is");
    BaseError::new(name, reason).hint("run `bake lock` and commit the file that it writes")
}

/// Returns the descriptor of a locked manifest.
fn descriptor(locked: &LockedManifest) -> Descriptor {
    let LockedManifest { digest, size, media_type } = locked.clone();
    Descriptor::new(media_type, Blob { digest, size })
}

/// Returns a platform in the words of image configurations.
pub fn in_oci(platform: Platform) -> oci::Platform {
    oci::Platform {
        os: platform.os().to_owned(),
        architecture: platform.architecture().to_owned(),
        variant: platform.variant().map(str::to_owned),
    }
}

/// Returns the platforms that an index lists, for people.
fn platforms(listed: &[Descriptor]) -> String {
    let unknown = |platform: &&oci::Platform| platform.os != "unknown";
    let all = listed.iter().filter_map(|listed| listed.platform.as_ref()).filter(unknown);
    let words: Vec<String> = all.map(ToString::to_string).collect();
    if words.is_empty() { "no platform".into() } else { words.join(", ") }
}

/// Returns the name by which others find the base: with the tag, else with the digest.
pub fn public_name(source: &BaseSource) -> Option<String> {
    match source {
        BaseSource::Registry(reference) if reference.tag.is_some() => {
            Some(oci::Reference { digest: None, ..reference.clone() }.to_string())
        }
        BaseSource::Registry(reference) => Some(reference.to_string()),
        BaseSource::Local { .. } => None,
    }
}
