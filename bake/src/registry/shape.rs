//! What the bytes of a manifest say that they are.

use bake_formats::digest::Digest;
use bake_formats::oci::Descriptor;
use bake_formats::oci::descriptor::media_type;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The types of Docker's first, signed manifests.
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";
/// Types that say nothing of what the JSON is.
const ANY_JSON: [&str; 4] = ["", "application/json", "application/octet-stream", "text/plain"];

/// The fields of a manifest by which it is judged.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    pub(super) artifact_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    pub(super) config: Option<Config>,
    pub(super) subject: Option<Subject>,
    pub(super) annotations: Option<bake_formats::oci::descriptor::StringMap>,
}

/// What a manifest says of its configuration.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    pub(super) media_type: Option<String>,
}

/// The manifest that a manifest is about.
#[derive(Debug, Deserialize)]
pub(super) struct Subject {
    pub(super) digest: Digest,
}

impl Shape {
    /// Parses the bytes of a manifest or an index.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| {
            let what =
                if bytes.trim_ascii_start().starts_with(b"<") { "HTML" } else { "no manifest" };
            format!("expected the JSON of a manifest, found {what}: {error}")
        })
    }

    /// Returns the media type, given what the header `Content-Type` says.
    ///
    /// The two must agree, so that nobody reads the same bytes as something else.
    pub(super) fn judge(&self, content_type: Option<&str>) -> Result<String, String> {
        let header = essence(content_type.unwrap_or_default());
        let is_schema_1 = |text: &str| text.starts_with(SCHEMA_1);
        if self.schema_version == Some(1) || is_schema_1(&header) {
            return Err("this is a manifest of Docker's schema 1, which names no digests of \
                        layers that could be checked; expected schema 2 or OCI"
                .to_owned());
        }
        if self.manifests.is_some() && (self.layers.is_some() || self.config.is_some()) {
            return Err("expected either an index or an image, found `manifests` together with \
                        `layers` or `config`"
                .to_owned());
        }
        let says_nothing = ANY_JSON.contains(&header.as_str());
        match &self.media_type {
            Some(body) if says_nothing || *body == header => Ok(body.clone()),
            Some(body) => Err(format!(
                "expected the same media type in the header and in the manifest, found `{header}` \
                 and `{body}`"
            )),
            None if !says_nothing => Ok(header),
            None if self.manifests.is_some() => Ok(media_type::INDEX.to_owned()),
            None if self.layers.is_some() => Ok(media_type::MANIFEST.to_owned()),
            None => Err("expected a manifest or an index, found neither `layers` nor `manifests`"
                .to_owned()),
        }
    }

    /// Returns how a list of referrers shows a manifest: with its annotations, and with the type of
    /// its configuration if it has no type of its own (distribution-spec, "Listing Referrers").
    pub(super) fn listed(self, mut descriptor: Descriptor) -> Descriptor {
        let config = self.config.and_then(|config| config.media_type);
        let artifact_type = self.artifact_type.filter(|text| !text.is_empty()).or(config);
        if let Some(text) = artifact_type {
            descriptor.other.insert("artifactType".to_owned(), text.into());
        }
        descriptor.annotations = self.annotations.unwrap_or_default();
        descriptor
    }
}

/// Returns a media type without its parameters, in lower case.
pub(super) fn essence(content_type: &str) -> String {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}
