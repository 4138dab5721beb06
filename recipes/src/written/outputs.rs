//! `[oci]` and `[vm]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{At, ListEdit, TextOrInteger};

/// The OCI image.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Oci {
    /// What the image is built on: `scratch`.
    pub base: Option<At<String>>,
    /// The platforms of the image; the recipe's if absent.
    pub platforms: Option<Vec<At<String>>>,
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
    /// `StopSignal`; the service's if absent.
    pub stop_signal: Option<At<String>>,
    /// `none`, `gzip` or `zstd`, perhaps with a level: `gzip:9`.
    pub compression: Option<At<String>>,
    /// Whether a one-file archive is written besides the layout.
    pub archive: Option<bool>,
}

/// The disk image.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Vm {
    /// How the disk is stored; `["qcow2"]` if absent.
    pub formats: Option<At<Vec<At<VmFormat>>>>,
    /// "minimal" or a size such as "2GiB".
    pub size: Option<At<String>>,
    /// The root file system's label.
    pub label: Option<At<String>>,
}

/// How a disk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VmFormat {
    /// Its sectors.
    Raw,
    /// QEMU copy-on-write.
    Qcow2,
}
