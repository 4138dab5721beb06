//! `[deb]`, `[rpm]`, `[oci]` and `[vm]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{At, Described, ListEdit, TextOr, TextOrInteger};

/// The Debian package.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Deb {
    /// The revision; the common release if absent.
    pub release: Option<At<String>>,
    /// `Depends`, on top of the common `depends`.
    pub depends: Option<At<ListEdit<String>>>,
    /// `Pre-Depends`.
    #[serde(default)]
    pub pre_depends: Vec<At<String>>,
    /// `Recommends`, on top of the common `recommends`.
    pub recommends: Option<At<ListEdit<String>>>,
    /// `Suggests`, on top of the common `suggests`.
    pub suggests: Option<At<ListEdit<String>>>,
    /// `Enhances`.
    #[serde(default)]
    pub enhances: Vec<At<String>>,
    /// `Breaks`.
    #[serde(default)]
    pub breaks: Vec<At<String>>,
    /// `Conflicts`, on top of the common `conflicts` and `replaces`.
    pub conflicts: Option<At<ListEdit<String>>>,
    /// `Replaces`, on top of the common `replaces`.
    pub replaces: Option<At<ListEdit<String>>>,
    /// `Provides`, on top of the common `provides`.
    pub provides: Option<At<ListEdit<String>>>,
    /// `Section`; `misc` if absent.
    pub section: Option<At<String>>,
    /// `Priority`; `optional` if absent.
    pub priority: Option<At<DebPriority>>,
    /// `Multi-Arch`.
    pub multi_arch: Option<At<DebMultiArch>>,
    /// Further control fields.
    #[serde(default)]
    pub fields: BTreeMap<At<String>, At<String>>,
    /// `none`, `gzip`, `zstd` or `xz`, perhaps with a level: `zstd:9`.
    pub compression: Option<At<String>>,
    /// Maintainer scripts.
    #[serde(default)]
    pub scripts: DebScripts,
}

/// How much a Debian package matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "Debian's own words")]
pub enum DebPriority {
    Required,
    Important,
    Standard,
    Optional,
    Extra,
}

/// How a package behaves beside itself for another architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "Debian's own words")]
pub enum DebMultiArch {
    Same,
    Foreign,
    Allowed,
}

/// A script: its text, or a table with its file.
type Script = Option<At<TextOr<ScriptFile>>>;

/// A file that holds a script.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScriptFile {
    /// Its path.
    pub file: At<String>,
}

impl Described for ScriptFile {
    const EXPECTED: &'static str = "the text of a script or a table with `file`";
}

/// Debian maintainer scripts.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DebScripts {
    /// Before unpacking.
    pub preinst: Script,
    /// After unpacking.
    pub postinst: Script,
    /// Before removal.
    pub prerm: Script,
    /// After removal.
    pub postrm: Script,
}

/// The RPM package.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rpm {
    /// The release; the common one if absent.
    pub release: Option<At<String>>,
    /// `Requires`, on top of the common `depends`.
    pub requires: Option<At<ListEdit<String>>>,
    /// `Recommends`, on top of the common `recommends`.
    pub recommends: Option<At<ListEdit<String>>>,
    /// `Suggests`, on top of the common `suggests`.
    pub suggests: Option<At<ListEdit<String>>>,
    /// `Supplements`.
    #[serde(default)]
    pub supplements: Vec<At<String>>,
    /// `Enhances`.
    #[serde(default)]
    pub enhances: Vec<At<String>>,
    /// `Conflicts`, on top of the common `conflicts`.
    pub conflicts: Option<At<ListEdit<String>>>,
    /// `Obsoletes`, on top of the common `replaces`.
    pub obsoletes: Option<At<ListEdit<String>>>,
    /// `Provides`, on top of the common `provides`.
    pub provides: Option<At<ListEdit<String>>>,
    /// `Group`.
    pub group: Option<At<String>>,
    /// `Packager`; the maintainer if absent.
    pub packager: Option<At<String>>,
    /// `none`, `gzip`, `zstd` or `xz`, perhaps with a level: `zstd:9`.
    pub compression: Option<At<String>>,
    /// Scriptlets.
    #[serde(default)]
    pub scripts: RpmScripts,
}

/// RPM scriptlets.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RpmScripts {
    /// Before unpacking.
    pub pre: Script,
    /// After unpacking.
    pub post: Script,
    /// Before removal.
    pub preun: Script,
    /// After removal.
    pub postun: Script,
    /// Before the transaction.
    pub pretrans: Script,
    /// After the transaction.
    pub posttrans: Script,
}

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
