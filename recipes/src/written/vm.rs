//! `[vm]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::At;

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
