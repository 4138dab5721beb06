//! `[oci]`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::value::{At, FlagOrList, FlagOrText, ListEdit, TextOrInteger};

/// The OCI image.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Oci {
    /// What the image is built on: a reference such as `docker.io/library/debian:12-slim`,
    /// `oci:PATH[:NAME]`, `oci-archive:PATH[:NAME]`, `docker-archive:PATH[:NAME]`, or `scratch`.
    pub base: Option<At<String>>,
    /// Whether outputs hold the bytes of the base's layers; `refer` for a base in a registry and
    /// `copy` for one of this machine if absent.
    pub base_layers: Option<At<BaseLayers>>,
    /// The platforms of the image; the recipe's if absent.
    pub platforms: Option<Vec<At<String>>>,
    /// Whether there is an index even for one platform.
    pub index: Option<bool>,
    /// Where `bake push` pushes to: `HOST/NAME`.
    pub repository: Option<At<String>>,
    /// Tags besides the version: `latest`, `major`, `major.minor`, or any other as it stands.
    #[serde(default)]
    pub tags: Vec<At<String>>,
    /// `Entrypoint`; the service's command if absent.
    pub entrypoint: Option<Vec<At<String>>>,
    /// `Cmd`.
    pub cmd: Option<Vec<At<String>>>,
    /// `Env` as `NAME=value`, on top of the service's environment.
    pub env: Option<At<ListEdit<String>>>,
    /// `User`; the service's if absent.
    pub user: Option<At<String>>,
    /// `WorkingDir`; the service's if absent.
    pub workdir: Option<At<String>>,
    /// `ExposedPorts`, on top of the service's ports.
    pub ports: Option<At<ListEdit<TextOrInteger>>>,
    /// `Volumes`, on top of the service's state directories.
    pub volumes: Option<At<ListEdit<String>>>,
    /// `Labels`.
    #[serde(default)]
    pub labels: BTreeMap<At<String>, At<String>>,
    /// Annotations of the manifest.
    #[serde(default)]
    pub annotations: BTreeMap<At<String>, At<String>>,
    /// Annotations of the index.
    #[serde(default)]
    pub index_annotations: BTreeMap<At<String>, At<String>>,
    /// Annotations of each layer that is not the base's.
    #[serde(default)]
    pub layer_annotations: BTreeMap<At<String>, At<String>>,
    /// `StopSignal`; the service's if absent.
    pub stop_signal: Option<At<String>>,
    /// Whether the image's accounts are added to `/etc/passwd` and `/etc/group`; `true` on scratch
    /// and `false` on a base if absent.
    pub accounts: Option<At<bool>>,
    /// The certificate authorities to trust: `true` for Mozilla's, or a PEM file.
    pub ca_certificates: Option<At<FlagOrText>>,
    /// The time zones to have: `true` for all, or a list of names.
    pub time_zones: Option<At<FlagOrList>>,
    /// How the tree is split: `auto`, `one`, or a list of layers, the lowest first.
    pub layers: Option<At<Layers>>,
    /// How many layers the tree may have.
    pub max_layers: Option<At<i64>>,
    /// `none`, `gzip` or `zstd`, perhaps with a level: `gzip:9`.
    pub compression: Option<At<String>>,
    /// Whether a one-file archive is written besides the layout.
    pub archive: Option<bool>,
}

/// Whether outputs hold the bytes of a base image's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BaseLayers {
    /// Layouts refer to them.
    Refer,
    /// Outputs are complete.
    Copy,
}

/// How a tree is split into layers.
#[derive(Debug, Clone)]
pub enum Layers {
    /// `auto` or `one`.
    Word(String),
    /// Layers, the lowest first.
    Named(Vec<At<Layer>>),
}

/// One layer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Layer {
    /// Its name, e.g. `runtime`.
    pub name: At<String>,
    /// Files, and directories with everything below them.
    pub paths: At<Vec<At<String>>>,
}

impl<'de> Deserialize<'de> for Layers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Layers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`auto`, `one` or an array of tables with `name` and `paths`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Layers, E> {
                Ok(Layers::Word(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Layers, A::Error> {
                let mut all = Vec::new();
                while let Some(layer) = list.next_element()? {
                    all.push(layer);
                }
                Ok(Layers::Named(all))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

impl JsonSchema for Layers {
    fn schema_name() -> Cow<'static, str> {
        "Layers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let layers = generator.subschema_for::<Vec<Layer>>();
        json_schema!({ "anyOf": [{ "enum": ["auto", "one"] }, layers] })
    }
}
