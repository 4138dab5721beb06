//! The image manifest: one configuration and a stack of layers (image-spec, manifest.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::descriptor::{Descriptor, Kind, OtherFields, StringMap, media_type, or_default};
use super::json::Document;
use crate::format::ReadError;

/// The only schema version there is; 1 was Docker's signed form.
pub(super) const SCHEMA_VERSION: u64 = 2;

/// How many layers are read; container engines give up at about 127.
pub(super) const MAX_LAYERS: usize = 1000;

/// An image manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u64,
    /// The manifest's own media type, which must be the one of the descriptor that led here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The image configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// Annotations of the image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub annotations: StringMap,
    /// `subject`, `artifactType` and whatever else stands there.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl Document for Manifest {
    type Strict = oci_spec::image::ImageManifest;
    const WHAT: &'static str = "image manifest";
    const LIMIT: u64 = 4 << 20;
}

impl Manifest {
    /// Returns the manifest of an image.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>, annotations: StringMap) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            media_type: Some(media_type::MANIFEST.into()),
            config,
            layers,
            annotations,
            other: OtherFields::new(),
        }
    }

    /// Parses a manifest and checks what leads on from it: schema, media types.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        refuse_schema_1(Self::WHAT, bytes)?;
        let manifest = <Self as Document>::parse(bytes)?;
        if let Some(media_type) = &manifest.media_type
            && Kind::of(media_type) != Some(Kind::Manifest)
        {
            let reason =
                format!("expected the media type of an image manifest, found `{media_type}`");
            return Err(ReadError::invalid("image manifest", reason));
        }
        expect_kind(
            "config",
            &manifest.config,
            |kind| kind == Kind::Config,
            "an image configuration",
        )?;
        let layers = manifest.layers.len();
        if layers > MAX_LAYERS {
            let reason = format!("expected at most {MAX_LAYERS} layers, found {layers}");
            return Err(ReadError::invalid(Self::WHAT, reason));
        }
        for (number, layer) in manifest.layers.iter().enumerate() {
            let is_layer = |kind| matches!(kind, Kind::Layer(_));
            expect_kind(&format!("layer {number}"), layer, is_layer, "a layer")?;
        }
        Ok(manifest)
    }
}

/// Fails unless a descriptor's media type is of the kind that belongs in its place.
fn expect_kind(
    place: &str,
    descriptor: &Descriptor,
    accept: impl Fn(Kind) -> bool,
    expected: &str,
) -> Result<(), ReadError> {
    if descriptor.kind().is_some_and(accept) {
        return Ok(());
    }
    let found: String = descriptor.media_type.chars().take(200).collect();
    let is_elsewhere = [".nondistributable.", ".foreign."].iter().any(|part| found.contains(part));
    let hint = if is_elsewhere {
        ", which registries do not keep: take an image without such layers"
    } else {
        ""
    };
    let found = found.escape_debug();
    let reason = format!("expected the media type of {expected}, found `{found}`{hint}");
    Err(ReadError::invalid(format!("image manifest, {place}"), reason))
}

/// Fails with a clear error on Docker's old manifests, which parse as nothing else.
pub(super) fn refuse_schema_1(what: &str, bytes: &[u8]) -> Result<(), ReadError> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(rename = "schemaVersion")]
        schema_version: u64,
    }
    let Version { schema_version } = super::json::read(what, bytes)?;
    if schema_version == SCHEMA_VERSION {
        return Ok(());
    }
    let hint = match schema_version {
        1 => ", Docker's old form: pull the image with a current tool and push it again",
        _ => "",
    };
    let reason = format!("expected schema version 2, found {schema_version}{hint}");
    Err(ReadError::invalid(what, reason))
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;
    use crate::blob::Blob;

    fn descriptor(media_type: &str) -> Descriptor {
        Descriptor::new(media_type, Blob::of(b"x"))
    }

    #[test]
    fn keeps_fields_it_does_not_know() {
        let mut manifest = Manifest::new(
            descriptor(media_type::CONFIG),
            vec![descriptor(media_type::LAYER)],
            StringMap::new(),
        );
        manifest.other.insert("vendor".into(), serde_json::json!({"b": 1, "a": [2]}));
        let bytes = json::canonical(&manifest).unwrap();
        assert_eq!(Manifest::parse(&bytes).unwrap(), manifest);
    }

    #[test]
    fn rejects_what_is_not_an_image() {
        let config = || descriptor(media_type::CONFIG);
        let image = |change: fn(&mut Manifest)| {
            let mut manifest = Manifest::new(config(), vec![], StringMap::new());
            change(&mut manifest);
            json::canonical(&manifest).unwrap()
        };
        let schema_1 = br#"{"schemaVersion":1,"name":"x","tag":"y","fsLayers":[]}"#.to_vec();
        let rows = [
            (schema_1, "expected schema version 2, found 1"),
            (
                image(|m| m.media_type = Some(media_type::INDEX.into())),
                "found `application/vnd.oci.image.index",
            ),
            (
                image(|m| m.config.media_type = "application/vnd.oci.empty.v1+json".into()),
                "expected the media type of an image configuration",
            ),
            (
                image(|m| m.layers.push(descriptor("text/plain"))),
                "layer 0: expected the media type of a layer, found `text/plain`",
            ),
            (b"{\"schemaVersion\":2}".to_vec(), "missing field `config`"),
        ];
        for (bytes, expected) in rows {
            let error = Manifest::parse(&bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
