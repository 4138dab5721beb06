//! `[[files]]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::service::Account;
use super::value::{At, TextOr};

/// One rule: what goes where, and as what.
///
/// Exactly one of `from`, `content`, `symlink` and `directory`, or none for a ghost.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileRule {
    /// A file, a directory, or a glob with `*`, `**`, `?` and `[…]`.
    pub from: Option<At<String>>,
    /// The text of the file.
    pub content: Option<At<String>>,
    /// The target of a symbolic link.
    pub symlink: Option<At<String>>,
    /// `true` for an empty directory.
    pub directory: Option<At<bool>>,
    /// Where it goes; with a slash at the end, into that directory.
    pub to: At<String>,
    /// The mode of files in octal, e.g. "0644".
    pub mode: Option<At<String>>,
    /// The mode of directories in octal, e.g. "0755".
    pub directory_mode: Option<At<String>>,
    /// The owning user: a name, or a table with `name` and `id`.
    pub owner: Option<At<TextOr<Account>>>,
    /// The owning group: a name, or a table with `name` and `id`.
    pub group: Option<At<TextOr<Account>>>,
    /// What package managers treat the files as.
    #[serde(rename = "type")]
    pub kind: Option<At<FileType>>,
    /// The language of the files, e.g. `de` or `pt_BR`, which rpm can leave out.
    pub lang: Option<At<String>>,
    /// What is left out of a directory or a glob.
    #[serde(default)]
    pub exclude: Vec<At<String>>,
    /// The outputs that get the files; all if absent.
    pub formats: Option<At<Vec<At<FileFormat>>>>,
    /// The platforms that get the files; all if absent.
    pub platforms: Option<At<Vec<At<String>>>>,
    /// File capabilities, e.g. `cap_net_bind_service=ep`.
    pub capabilities: Option<At<String>>,
    /// Extended attributes: text, or `0x` and hex digits.
    #[serde(default)]
    pub xattrs: BTreeMap<At<String>, At<String>>,
}

/// What package managers treat files as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileType {
    /// Configuration.
    Config,
    /// Configuration whose local edits always win.
    ConfigNoreplace,
    /// Configuration that may be absent.
    ConfigMissingok,
    /// Configuration whose local edits always win and that may be absent.
    ConfigNoreplaceMissingok,
    /// Documentation.
    Doc,
    /// A licence text.
    License,
    /// A text to be read first.
    Readme,
    /// A file that was made on the way, e.g. a build id link.
    Artifact,
    /// Owned by the package but not shipped.
    Ghost,
}

/// An output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    /// The Debian package.
    Deb,
    /// The RPM package.
    Rpm,
    /// The OCI image.
    Oci,
    /// The disk image.
    Vm,
}
