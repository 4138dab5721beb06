//! Descriptors: typed references to blobs (image-spec, descriptor.md).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::platform::Platform;
use crate::blob::Blob;
use crate::digest::Digest;
use crate::encode::Codec;

/// The annotation of what only describes another manifest of the same index.
const ATTESTATION_KEY: &str = "vnd.docker.reference.type";

/// Strings by key, as in annotations and labels.
pub type StringMap = BTreeMap<String, String>;

/// Fields that this crate does not interpret, kept as they stand.
pub type OtherFields = BTreeMap<String, Value>;

/// The media types that are read and written (image-spec, media-types.md).
pub mod media_type {
    /// An image index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An image manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An image configuration.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A layer that is not compressed; the suffixes `+gzip` and `+zstd` name a compression.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// Docker's image index.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker's image manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's image configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker's layer, with the suffix `.gzip` or `.zstd` if it is compressed.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
}

/// What a descriptor's media type says that the blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An image index.
    Index,
    /// An image manifest.
    Manifest,
    /// An image configuration.
    Config,
    /// A layer with its compression.
    Layer(Codec),
}

impl Kind {
    /// Returns what a media type stands for, Docker's equivalents included; `None` if it is none
    /// that is read here.
    pub fn of(media_type: &str) -> Option<Self> {
        let compression = |suffix: &str| match suffix {
            "" => Some(Codec::None),
            "+gzip" | ".gzip" => Some(Codec::Gzip),
            "+zstd" | ".zstd" => Some(Codec::Zstd),
            _ => None,
        };
        match media_type {
            media_type::INDEX | media_type::DOCKER_INDEX => Some(Self::Index),
            media_type::MANIFEST | media_type::DOCKER_MANIFEST => Some(Self::Manifest),
            media_type::CONFIG | media_type::DOCKER_CONFIG => Some(Self::Config),
            _ => {
                let oci = media_type.strip_prefix(media_type::LAYER);
                let suffix = oci.or_else(|| media_type.strip_prefix(media_type::DOCKER_LAYER))?;
                compression(suffix).map(Self::Layer)
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Index => "image index",
            Self::Manifest => "image manifest",
            Self::Config => "image configuration",
            Self::Layer(_) => "layer",
        })
    }
}

/// A reference to a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// The blob's digest.
    pub digest: Digest,
    /// The blob's size in bytes.
    pub size: u64,
    /// What a manifest listed in an index runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub annotations: StringMap,
    /// `urls`, `data`, `artifactType` and whatever else stands there.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl Descriptor {
    /// Returns a descriptor without a platform and annotations.
    pub fn new(media_type: impl Into<String>, blob: Blob) -> Self {
        Self {
            media_type: media_type.into(),
            digest: blob.digest,
            size: blob.size,
            platform: None,
            annotations: StringMap::new(),
            other: OtherFields::new(),
        }
    }

    /// Returns what the blob is, if its media type is one that is read here.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of(&self.media_type)
    }

    /// Returns digest and size.
    pub fn blob(&self) -> Blob {
        Blob { digest: self.digest, size: self.size }
    }

    /// Returns whether an index lists this for the sake of another manifest: an attestation, an
    /// artifact.
    pub fn describes_another(&self) -> bool {
        self.annotations.contains_key(ATTESTATION_KEY) || self.other.contains_key("artifactType")
    }

    /// Returns the blob's path below the root of a layout (image-spec, image-layout.md, "Blobs").
    pub fn path(&self) -> String {
        blob_path(&self.digest)
    }
}

/// What the paths of blobs below the root of a layout start with.
const BLOBS: &str = "blobs/sha256/";

/// Returns the path of a blob below the root of a layout.
pub fn blob_path(digest: &Digest) -> String {
    format!("{BLOBS}{}", digest.hex())
}

/// Returns the digest that the path of a blob names; `None` of any other path.
pub(super) fn digest_of_path(path: &str) -> Option<Digest> {
    Digest::from_hex(path.strip_prefix(BLOBS)?).ok()
}

/// The keys below `org.opencontainers.image.` that annotations.md defines.
const DEFINED_KEYS: [&str; 14] = [
    "authors",
    "base.digest",
    "base.name",
    "created",
    "description",
    "documentation",
    "licenses",
    "ref.name",
    "revision",
    "source",
    "title",
    "url",
    "vendor",
    "version",
];

/// Says why text is no key of an annotation; `None` if it is one (annotations.md, "Rules").
pub(super) fn fault_in_key(key: &str) -> Option<&'static str> {
    let reserved = key.strip_prefix("org.opencontainers.image.");
    if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some("expected a key without white space that is not empty")
    } else if reserved.is_some_and(|name| !DEFINED_KEYS.contains(&name)) {
        Some("expected a key that the specification defines, where it reserves the prefix")
    } else {
        None
    }
}

/// Reads `null` as if the field were absent, which writers in Go do.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn knows_the_media_types_of_both_vocabularies() {
        let rows = [
            (media_type::INDEX, Some(Kind::Index)),
            (media_type::DOCKER_MANIFEST, Some(Kind::Manifest)),
            (media_type::CONFIG, Some(Kind::Config)),
            ("application/vnd.oci.image.layer.v1.tar", Some(Kind::Layer(Codec::None))),
            ("application/vnd.oci.image.layer.v1.tar+gzip", Some(Kind::Layer(Codec::Gzip))),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", Some(Kind::Layer(Codec::Gzip))),
            ("application/vnd.oci.image.layer.v1.tar+zstd", Some(Kind::Layer(Codec::Zstd))),
            ("application/vnd.oci.image.layer.v1.tar+xz", None),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", None),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(Kind::of(text), expected, "{text}");
        }
    }

    #[test]
    fn keeps_fields_it_does_not_know() {
        let digest = Digest::of(b"");
        let text = format!(
            r#"{{"annotations":{{"a.b":"c"}},"artifactType":"x/y","data":"","digest":"{digest}","mediaType":"m/n","size":0,"urls":["https://example.com"]}}"#
        );
        let descriptor: Descriptor = json::read("descriptor", text.as_bytes()).unwrap();
        assert_eq!(json::canonical(&descriptor).unwrap(), text.into_bytes());
    }

    #[test]
    fn rejects_a_digest_it_cannot_check() {
        for digest in ["", "sha256:00", "md5:d41d8cd98f00b204e9800998ecf8427e", "../../etc/passwd"]
        {
            let text = format!(r#"{{"mediaType":"m/n","digest":"{digest}","size":1}}"#);
            assert!(json::read::<Descriptor>("descriptor", text.as_bytes()).is_err(), "{digest}");
        }
    }
}
