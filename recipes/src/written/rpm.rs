//! `[rpm]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::scripts::RpmScript;
use super::value::{At, ListEdit, TextOr};

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
    /// What each scriptlet needs before it runs.
    #[serde(default)]
    pub scriptlet_requires: RpmScriptletRequires,
    /// `OrderWithRequires`: what comes first if it is installed in the same transaction.
    pub order_with_requires: Option<At<ListEdit<String>>>,
    /// `Supplements`.
    pub supplements: Option<At<ListEdit<String>>>,
    /// `Enhances`.
    pub enhances: Option<At<ListEdit<String>>>,
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
    /// `Distribution`.
    pub distribution: Option<At<String>>,
    /// `BugURL`: where faults are reported.
    pub bug_url: Option<At<String>>,
    /// Where files may be relocated from.
    #[serde(default)]
    pub prefixes: Vec<At<String>>,
    /// The version of the package format; `v4` if absent.
    pub format: Option<At<RpmFormat>>,
    /// Scripts that other packages' coming or going runs.
    #[serde(default)]
    pub triggers: Vec<At<RpmTrigger>>,
    /// Scripts that the coming or going of files runs.
    #[serde(default)]
    pub file_triggers: Vec<At<RpmFileTrigger>>,
    /// `none`, `gzip`, `zstd` or `xz`, perhaps with a level: `zstd:9`.
    pub compression: Option<At<String>>,
    /// Scriptlets.
    #[serde(default)]
    pub scripts: RpmScripts,
}

/// The version of the rpm package format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RpmFormat {
    /// What every rpm since 4.6 reads.
    V4,
    /// What rpm 6 writes by default.
    V6,
}

/// What each scriptlet needs before it runs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RpmScriptletRequires {
    /// `Requires(pre)`.
    #[serde(default)]
    pub pre: Vec<At<String>>,
    /// `Requires(post)`.
    #[serde(default)]
    pub post: Vec<At<String>>,
    /// `Requires(preun)`.
    #[serde(default)]
    pub preun: Vec<At<String>>,
    /// `Requires(postun)`.
    #[serde(default)]
    pub postun: Vec<At<String>>,
    /// `Requires(pretrans)`.
    #[serde(default)]
    pub pretrans: Vec<At<String>>,
    /// `Requires(posttrans)`.
    #[serde(default)]
    pub posttrans: Vec<At<String>>,
    /// `Requires(preuntrans)`.
    #[serde(default)]
    pub preuntrans: Vec<At<String>>,
    /// `Requires(postuntrans)`.
    #[serde(default)]
    pub postuntrans: Vec<At<String>>,
    /// `Requires(verify)`.
    #[serde(default)]
    pub verify: Vec<At<String>>,
    /// `Requires(interp)`: what runs the scriptlets.
    #[serde(default)]
    pub interp: Vec<At<String>>,
    /// `Requires(meta)`: not for ordering.
    #[serde(default)]
    pub meta: Vec<At<String>>,
}

/// When a trigger runs, seen from what sets it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RpmTriggerMoment {
    /// Before it is installed; not for files.
    Prein,
    /// After it was installed.
    In,
    /// Before it is removed.
    Un,
    /// After it was removed.
    Postun,
}

/// A script that other packages' coming or going runs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RpmTrigger {
    /// The packages: `name` or `name >= 1.2`.
    pub on: At<Vec<At<String>>>,
    /// When.
    pub when: At<RpmTriggerMoment>,
    /// What runs.
    pub script: At<TextOr<RpmScript>>,
}

/// A script that the coming or going of files runs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RpmFileTrigger {
    /// What the paths of the files begin with.
    pub paths: At<Vec<At<String>>>,
    /// When; not `prein`.
    pub when: At<RpmTriggerMoment>,
    /// Whether it runs once for a transaction rather than once for a package.
    pub transaction: Option<bool>,
    /// Higher runs first; 1000000 if absent.
    pub priority: Option<At<i64>>,
    /// What runs; it reads the paths from its standard input.
    pub script: At<TextOr<RpmScript>>,
}

/// RPM scriptlets.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RpmScripts {
    /// Before unpacking.
    pub pre: Option<At<TextOr<RpmScript>>>,
    /// After unpacking.
    pub post: Option<At<TextOr<RpmScript>>>,
    /// Before removal.
    pub preun: Option<At<TextOr<RpmScript>>>,
    /// After removal.
    pub postun: Option<At<TextOr<RpmScript>>>,
    /// Before the transaction.
    pub pretrans: Option<At<TextOr<RpmScript>>>,
    /// After the transaction.
    pub posttrans: Option<At<TextOr<RpmScript>>>,
    /// Before the transaction that removes the package.
    pub preuntrans: Option<At<TextOr<RpmScript>>>,
    /// After the transaction that removes the package.
    pub postuntrans: Option<At<TextOr<RpmScript>>>,
    /// When the package is verified.
    pub verify: Option<At<TextOr<RpmScript>>>,
}
