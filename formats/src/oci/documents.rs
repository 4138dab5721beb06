//! The two documents of one image: manifest and configuration, as bytes and as what they say.

use super::config::{Config, History};
use super::descriptor::Descriptor;
use super::json::Document;
use super::layer::{LAYER_KEY, Role};
use super::manifest::Manifest;
use super::reader::{LayoutReader, within};
use super::record::{RECORD_KEY, Record};
use super::write::{CREATED_BY, TREE_KEY};
use super::{json, media_type};
use crate::blob::Blob;
use crate::digest::Digest;
use crate::format::ReadError;
use crate::tree::TreeId;

/// The two documents of one image: their bytes, which are the truth, and what they say.
#[derive(Debug, Clone, PartialEq)]
pub struct Documents {
    /// The manifest's bytes, whose digest is the image's identity.
    pub manifest_bytes: Vec<u8>,
    /// The manifest.
    pub manifest: Manifest,
    /// The configuration's bytes, whose digest engines call the image ID.
    pub config_bytes: Vec<u8>,
    /// The configuration.
    pub config: Config,
}

impl Documents {
    /// Parses both documents and checks that they go together: sizes, media types, schema, the
    /// configuration's digest, and one DiffID for each layer.
    ///
    /// Whoever asked for the manifest by digest compares that digest: see
    /// [`Documents::descriptor`].
    pub fn parse(manifest_bytes: Vec<u8>, config_bytes: Vec<u8>) -> Result<Self, ReadError> {
        within(Manifest::WHAT, manifest_bytes.len() as u64, Manifest::LIMIT)?;
        within(Config::WHAT, config_bytes.len() as u64, Config::LIMIT)?;
        let manifest = Manifest::parse(&manifest_bytes)?;
        let (expected, found) = (&manifest.config, Blob::of(&config_bytes));
        if (expected.digest, expected.size) != (found.digest, found.size) {
            let reason = format!(
                "expected {} of {} bytes, found {} of {} bytes",
                expected.digest, expected.size, found.digest, found.size
            );
            return Err(ReadError::invalid(Config::WHAT, reason));
        }
        let config = Config::parse(&config_bytes)?;
        let rootfs = &config.rootfs;
        if rootfs.kind != "layers" {
            let reason = format!("expected `layers`, found `{}`", rootfs.kind);
            return Err(ReadError::invalid("image configuration, rootfs.type", reason));
        }
        let (layers, diff_ids) = (manifest.layers.len(), rootfs.diff_ids.len());
        if layers != diff_ids {
            let reason = format!("expected one for each of {layers} layers, found {diff_ids}");
            return Err(ReadError::invalid("image configuration, rootfs.diff_ids", reason));
        }
        Ok(Self { manifest_bytes, manifest, config_bytes, config })
    }

    /// Reads both from a layout.
    pub(super) fn read(layout: &LayoutReader, descriptor: &Descriptor) -> Result<Self, ReadError> {
        let manifest_bytes = layout.document::<Manifest>(descriptor)?;
        let manifest = Manifest::parse(&manifest_bytes)?;
        if let Some(media_type) = &manifest.media_type
            && *media_type != descriptor.media_type
        {
            let expected = &descriptor.media_type;
            let reason = format!("expected the media type `{expected}`, found `{media_type}`");
            return Err(ReadError::invalid(Manifest::WHAT, reason));
        }
        Self::parse(manifest_bytes, layout.document::<Config>(&manifest.config)?)
    }

    /// Returns the manifest's descriptor, with the platform that the configuration says.
    pub fn descriptor(&self) -> Descriptor {
        let media_type = self.manifest.media_type.as_deref().unwrap_or(media_type::MANIFEST);
        let mut descriptor = Descriptor::new(media_type, Blob::of(&self.manifest_bytes));
        descriptor.platform = Some(self.config.platform());
        descriptor
    }

    /// Returns the layers with the digests they decompress to, the lowest first.
    pub fn layers(&self) -> impl Iterator<Item = (&Descriptor, &Digest)> {
        self.manifest.layers.iter().zip(&self.config.rootfs.diff_ids)
    }

    /// Returns what the image is built on and says so itself, which only bake's own images do.
    pub fn built_on(&self) -> Result<Option<BuiltOn>, ReadError> {
        let Some(record) = self.record()? else { return Ok(None) };
        let Some(base) = record.base else { return Ok(None) };
        if base.layers > self.manifest.layers.len() {
            let found = self.manifest.layers.len();
            let reason = format!("the base has {} layers, found {found} in all", base.layers);
            return Err(ReadError::invalid(format!("annotation {RECORD_KEY}"), reason));
        }
        let name = self.manifest.annotations.get(BASE_NAME_KEY).cloned();
        let accounts = base.accounts.is_some();
        Ok(Some(BuiltOn { name, manifest: base.manifest, layers: base.layers, accounts }))
    }

    /// Returns for each layer what it is for; nothing for layers of the base.
    ///
    /// Tools that compress layers anew drop what their descriptors say (skopeo does). Then history
    /// tells, which is part of the configuration and stays. If no layer says what it is for, all
    /// belong to the payload.
    pub(super) fn roles(&self) -> Result<Vec<Option<Role>>, ReadError> {
        let below = self.built_on()?.map(|base| base.layers);
        let mut words: Vec<Option<&str>> = Vec::new();
        for (number, layer) in self.manifest.layers.iter().enumerate() {
            let is_own = below.is_none_or(|below| number >= below);
            words.push(layer.annotations.get(LAYER_KEY).filter(|_| is_own).map(String::as_str));
        }
        if words.iter().all(Option::is_none) && self.record()?.is_some() {
            words = self.remembered(below.unwrap_or_default());
        }
        let is_mute = below.is_none() && !words.contains(&Some(Role::Payload.word()));
        let role = |word: Option<&str>| {
            let known = [Role::Payload, Role::Support, Role::Accounts];
            if is_mute {
                Some(Role::Payload)
            } else {
                known.into_iter().find(|role| word == Some(role.word()))
            }
        };
        Ok(words.into_iter().map(role).collect())
    }

    /// Returns for each layer what history says that it is for, if bake made it.
    fn remembered(&self, below: usize) -> Vec<Option<&'static str>> {
        let made: Vec<_> = self.config.history.iter().filter(|step| !step.empty_layer).collect();
        let count = self.manifest.layers.len();
        if made.len() != count {
            return vec![None; count];
        }
        let role = |step: &History| {
            let is_own = step.created_by.as_deref() == Some(CREATED_BY);
            step.comment.as_deref().filter(|_| is_own).map(|text| Role::of_comment(text).word())
        };
        let own = made.into_iter().skip(below).map(role);
        std::iter::repeat_n(None, below.min(count)).chain(own).collect()
    }

    /// Returns the tree identity that the image says it has.
    pub fn declared(&self) -> Result<Option<TreeId>, ReadError> {
        let Some(text) = self.manifest.annotations.get(TREE_KEY) else { return Ok(None) };
        let invalid = |error: crate::digest::DigestError| {
            ReadError::invalid(format!("annotation {TREE_KEY}"), error.to_string())
        };
        text.parse().map(Some).map_err(invalid)
    }

    /// Returns what only the model says, if bake made the image.
    pub(super) fn record(&self) -> Result<Option<Record>, ReadError> {
        let Some(text) = self.manifest.annotations.get(RECORD_KEY) else { return Ok(None) };
        json::read(&format!("annotation {RECORD_KEY}"), text.as_bytes()).map(Some)
    }
}

/// The annotation with the name of what an image is built on (image-spec, annotations.md).
pub const BASE_NAME_KEY: &str = "org.opencontainers.image.base.name";
/// The annotation with the digest of the manifest that an image is built on.
pub const BASE_DIGEST_KEY: &str = "org.opencontainers.image.base.digest";

/// What an image says that it is built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltOn {
    /// What people call it.
    pub name: Option<String>,
    /// The manifest: media type, digest and size.
    pub manifest: Descriptor,
    /// How many of the image's layers, from the lowest, are the base's.
    pub layers: usize,
    /// Whether the image's accounts are merged with the base's.
    pub accounts: bool,
}
