//! The recipe as it was typed: every key that the file may have, each value with its place.

mod config;
mod deb;
mod documents;
mod files;
mod oci;
mod rpm;
mod scripts;
mod service;
mod system;
mod value;
mod vm;

use std::ops::Range;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

pub use config::{
    Config, ConfigCase, ConfigDelivery, ConfigDeprecation, ConfigDocument, ConfigFile, ConfigKey,
    ConfigReload, ConfigSyntax, ConfigType, ConfigUnknown,
};
pub use deb::{Deb, DebMultiArch, DebPriority, DebScripts, LintianOverride};
pub use documents::{Change, Changelog, ChangelogFile, Copyright, CopyrightFiles};
pub use files::{FileFormat, FileRule, FileType};
pub use oci::{BaseLayers, Layer, Layers, Oci};
pub use rpm::{
    Rpm, RpmFileTrigger, RpmFormat, RpmScriptletRequires, RpmScripts, RpmTrigger, RpmTriggerMoment,
};
pub use scripts::{Hooks, RpmScript, ScriptFile, TextFile};
pub use service::{Account, RestartWhen, Service, StateTable};
pub use system::{Alternative, AutoDepends, Follower, OnUpgrade, Unit};
pub use value::{
    At, Described, FlagOrList, FlagOrText, ListChanges, ListEdit, Scalar, TextOr, TextOrInteger,
    TextOrList,
};
pub use vm::{Vm, VmBase, VmFileSystem, VmFirmware, VmFormat, VmInitrd, VmKind, VmPlacement};

use crate::error::Place;

/// A recipe file that was read: its keys and its text.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The file's path as it was given.
    pub file: Arc<str>,
    /// The file's text, which places are shown in.
    pub text: Arc<str>,
    /// The keys.
    pub keys: Keys,
}

impl Recipe {
    /// Returns the place of some bytes of the file.
    pub fn place(&self, span: &Range<usize>) -> Place {
        Place::of(&self.file, &self.text, span)
    }
}

/// The keys of a recipe.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "bake recipe", rename = "Recipe")]
pub struct Keys {
    /// The name of the package in every format: `a-z`, `0-9`, `+`, `-` and `.`.
    pub name: At<String>,
    /// The version, or where it comes from.
    pub version: At<TextOr<VersionSource>>,
    /// The packaging revision, "1" if absent.
    pub release: Option<At<String>>,
    /// What outranks the version in deb and rpm.
    pub epoch: Option<At<i64>>,
    /// One line about the package.
    pub summary: At<String>,
    /// More lines about the package.
    pub description: Option<At<String>>,
    /// An SPDX licence expression.
    pub license: Option<At<String>>,
    /// `Name <mail>`; a deb needs one.
    pub maintainer: Option<At<String>>,
    /// Who distributes the package.
    pub vendor: Option<At<String>>,
    /// The project's web address.
    pub homepage: Option<At<String>>,
    /// Where the documentation is.
    pub documentation: Option<At<String>>,
    /// The address of the source repository, or `{ from = "git" }`.
    pub vcs: Option<At<TextOr<VcsSource>>>,
    /// The commit that the build output was made from, or where it stands.
    pub revision: Option<At<TextOr<RevisionSource>>>,
    /// The recipe's revision time: seconds since 1970 or a date.
    pub source_date: Option<At<Scalar>>,
    /// The platforms to bake for, e.g. `linux/arm64`; the host's if absent.
    pub platforms: Option<Vec<At<String>>>,
    /// Whether packages are for one platform or for all.
    pub architecture: Option<At<PackageArchitecture>>,
    /// What must be installed: `name`, `name >= 1.2` or `name < 2`.
    #[serde(default)]
    pub depends: Vec<At<String>>,
    /// What should be installed.
    #[serde(default)]
    pub recommends: Vec<At<String>>,
    /// What may be useful.
    #[serde(default)]
    pub suggests: Vec<At<String>>,
    /// What cannot be installed at the same time.
    #[serde(default)]
    pub conflicts: Vec<At<String>>,
    /// What the package stands in for: `name` or `name = 1.2`.
    #[serde(default)]
    pub provides: Vec<At<String>>,
    /// What the package takes the place of.
    #[serde(default)]
    pub replaces: Vec<At<String>>,
    /// What goes where.
    #[serde(default)]
    pub files: Vec<At<FileRule>>,
    /// The service that the outputs run.
    pub service: Option<At<Service>>,
    /// What differs between environments.
    pub config: Option<At<Config>>,
    /// What is done with dependencies that follow from the files; `lint` if absent.
    pub auto_depends: Option<At<AutoDepends>>,
    /// Scripts that deb and rpm run at the same moments.
    #[serde(default)]
    pub scripts: Hooks,
    /// Units among the files that packages manage, besides the service's own.
    #[serde(default)]
    pub units: Vec<At<Unit>>,
    /// Choices for generic names.
    #[serde(default)]
    pub alternatives: Vec<At<Alternative>>,
    /// The package's history, the newest first.
    pub changelog: Option<At<Changelog>>,
    /// Who holds the rights.
    pub copyright: Option<At<Copyright>>,
    /// The Debian package.
    pub deb: Option<At<Deb>>,
    /// The RPM package.
    pub rpm: Option<At<Rpm>>,
    /// The OCI image.
    pub oci: Option<At<Oci>>,
    /// The disk image.
    pub vm: Option<At<Vm>>,
}

/// Where a version comes from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VersionSource {
    /// `Cargo.toml`, `package.json`, `pom.xml`, `git`, or a file whose first line it is.
    pub from: Option<At<String>>,
    /// A variable of the build's identity, e.g. a tag that CI sets.
    pub env: Option<At<String>>,
}

impl Described for VersionSource {
    const EXPECTED: &'static str = "a version or a table with `from` or `env`";
}

/// Where the address of the source repository stands.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VcsSource {
    /// `git`: the remote `origin`.
    pub from: At<String>,
}

impl Described for VcsSource {
    const EXPECTED: &'static str = "an address or a table with `from`";
}

/// Where a revision comes from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RevisionSource {
    /// `git`: the commit that is checked out.
    pub from: Option<At<String>>,
    /// A variable of the build's identity, e.g. `GITHUB_SHA`.
    pub env: Option<At<String>>,
}

impl Described for RevisionSource {
    const EXPECTED: &'static str = "a revision or a table with `from` or `env`";
}

/// Whether packages are for one platform or for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PackageArchitecture {
    /// For the platform they were baked for.
    Native,
    /// For every platform.
    All,
}
