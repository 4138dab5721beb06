//! Manifests and configurations: from the store if they are there, else from where the image is.

use std::io::Read;

use bake_formats::blob::{Blob, BlobStore};
use bake_formats::digest::Digest;
use bake_formats::oci::descriptor::media_type;
use bake_formats::oci::{Descriptor, Documents, Manifest};

use super::error::{BaseError, chain};
use super::find::Bases;
use super::images::{Document, ImageSource};
use crate::store;

/// The longest manifest, index or configuration that is read, in bytes.
pub(super) const MAX_DOCUMENT: u64 = 8 << 20;

impl Bases<'_> {
    /// Returns an image's manifest and configuration.
    ///
    /// They are kept in the store under their digests, as long as somebody uses them.
    pub(super) fn documents(
        &self,
        name: &str,
        source: &dyn ImageSource,
        manifest: &Descriptor,
    ) -> Result<Documents, BaseError> {
        let what = format!("its manifest {}", manifest.digest);
        let manifest_bytes = self.document(name, source, manifest, &what, || {
            Ok(source.by_digest(&manifest.digest)?.bytes)
        })?;
        let unusable = |error| BaseError::read(name, &what, &error);
        let config = Manifest::parse(&manifest_bytes).map_err(unusable)?.config;
        let what = format!("its configuration {}", config.digest);
        let config_bytes = self.document(name, source, &config, &what, || {
            let mut bytes = Vec::new();
            let limit = config.size.min(MAX_DOCUMENT) + 1;
            let read = source.blob(&config)?.take(limit).read_to_end(&mut bytes);
            read.map_err(|error| BaseError::new(name, format!("{what}: {}", chain(&error))))?;
            Ok(bytes)
        })?;
        let documents = Documents::parse(manifest_bytes, config_bytes);
        let documents =
            documents.map_err(|error| BaseError::read(name, "its documents", &error))?;
        self.keep(name, &image_key(&manifest.digest), &[manifest.blob(), config.blob()])?;
        Ok(documents)
    }

    /// Returns an image's documents if the store has them, sound.
    pub(super) fn kept_documents(&self, manifest: &Digest) -> Option<Documents> {
        let kept = self.store.kept(&image_key(manifest))?;
        let [manifest, config] = kept.as_slice() else { return None };
        // What cannot be read is as good as not there: it is read again when it is needed.
        let manifest = self.store.read(manifest, MAX_DOCUMENT).ok()?;
        let config = self.store.read(config, MAX_DOCUMENT).ok()?;
        Documents::parse(manifest, config).ok()
    }

    /// Returns the bytes of a document, from the store or by `fetch`, after comparing them with the
    /// descriptor.
    pub(super) fn document(
        &self,
        name: &str,
        source: &dyn ImageSource,
        descriptor: &Descriptor,
        what: &str,
        fetch: impl FnOnce() -> Result<Vec<u8>, BaseError>,
    ) -> Result<Vec<u8>, BaseError> {
        let Descriptor { digest, size, .. } = descriptor;
        if *size > MAX_DOCUMENT {
            let reason = format!("{what} has {size} bytes, at most {MAX_DOCUMENT} are read");
            return Err(BaseError::new(name, reason));
        }
        if let Some(bytes) = self.stored(name, descriptor)? {
            return Ok(bytes);
        }
        self.ask(name, source, what)?;
        let bytes = fetch()?;
        let (found, len) = (Digest::of(&bytes), bytes.len() as u64);
        if (found, len) != (*digest, *size) {
            let reason = format!("{what}: expected {size} bytes, found {len} with {found}");
            return Err(BaseError::new(name, reason)
                .hint("what sent them is damaged or lies; nothing of it was kept"));
        }
        self.store.put(&bytes).map_err(|error| self.unkept(name, &error))?;
        Ok(bytes)
    }

    /// Returns the bytes of a document if the store has them; damaged ones are forgotten.
    fn stored(&self, name: &str, descriptor: &Descriptor) -> Result<Option<Vec<u8>>, BaseError> {
        let blob = descriptor.blob();
        if !self.store.has(&blob) {
            return Ok(None);
        }
        match self.store.read(&blob, MAX_DOCUMENT) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => match store::is_damage(&error) {
                Some(digest) => {
                    self.store.discard(&digest).map_err(|error| self.unkept(name, &error))?;
                    Ok(None)
                }
                None => Err(self.unkept(name, &error)),
            },
        }
    }

    /// Sees to it that collection leaves blobs alone as long as they are used.
    pub(super) fn keep(&self, name: &str, key: &Digest, blobs: &[Blob]) -> Result<(), BaseError> {
        self.store.keep(key, blobs).map_err(|error| self.unkept(name, &error))
    }

    /// Returns the error of a store that cannot be used.
    pub(super) fn unkept(&self, name: &str, error: &std::io::Error) -> BaseError {
        let store = self.store.root().display();
        BaseError::new(name, format!("the store `{store}` cannot be used: {}", chain(error)))
    }
}

impl Bases<'_> {
    /// Returns what a digest leads to, if the store has it.
    pub(super) fn kept_root(
        &self,
        name: &str,
        digest: &Digest,
    ) -> Result<Option<Document>, BaseError> {
        let Some(blobs) = self.store.kept(&root_key(digest)) else { return Ok(None) };
        let Some(blob) = blobs.first() else { return Ok(None) };
        let descriptor = Descriptor::new(media_type::INDEX, *blob);
        let Some(bytes) = self.stored(name, &descriptor)? else { return Ok(None) };
        let descriptor = Descriptor { media_type: media_type_of(&bytes), ..descriptor };
        Ok(Some(Document { descriptor, bytes }))
    }

    /// Keeps what a name leads to, after comparing it with its descriptor.
    pub(super) fn keep_root(&self, name: &str, root: &Document) -> Result<(), BaseError> {
        let Document { descriptor, bytes } = root;
        if Blob::of(bytes) != descriptor.blob() {
            let reason = format!("the bytes of {} have another digest", descriptor.digest);
            return Err(BaseError::new(name, reason));
        }
        self.store.put(bytes).map_err(|error| self.unkept(name, &error))?;
        self.keep(name, &root_key(&descriptor.digest), &[descriptor.blob()])
    }
}

/// Returns the media type of a manifest or an index that is kept: what it says, else what it looks
/// like.
fn media_type_of(bytes: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
    }
    match serde_json::from_slice(bytes) {
        Ok(Shape { media_type: Some(media_type), .. }) => media_type,
        Ok(Shape { manifests: Some(_), .. }) => media_type::INDEX.into(),
        Ok(Shape { manifests: None, .. }) | Err(_) => media_type::MANIFEST.into(),
    }
}

/// Returns the name under which what a base's name leads to is kept.
fn root_key(digest: &Digest) -> Digest {
    Digest::of(format!("bake image root 1\n{digest}\n").as_bytes())
}

/// Returns the name under which an image's documents are kept.
fn image_key(manifest: &Digest) -> Digest {
    Digest::of(format!("bake image documents 1\n{manifest}\n").as_bytes())
}
