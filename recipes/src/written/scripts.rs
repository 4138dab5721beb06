//! Scripts, and other texts that are written here or in a file.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{At, Described, TextOr, TextOrList};

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

/// A file that holds a text.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TextFile {
    /// Its path.
    pub file: At<String>,
}

impl Described for TextFile {
    const EXPECTED: &'static str = "text or a table with `file`";
}

/// Scripts that deb and rpm run at the same moments: fragments for `/bin/sh`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hooks {
    /// Before the first version is unpacked.
    pub before_install: Option<At<TextOr<ScriptFile>>>,
    /// After the first version was unpacked.
    pub after_install: Option<At<TextOr<ScriptFile>>>,
    /// Before a later version is unpacked.
    pub before_upgrade: Option<At<TextOr<ScriptFile>>>,
    /// After a later version was unpacked.
    pub after_upgrade: Option<At<TextOr<ScriptFile>>>,
    /// Before the package is removed, not upgraded.
    pub before_remove: Option<At<TextOr<ScriptFile>>>,
    /// After the package was removed, not upgraded.
    pub after_remove: Option<At<TextOr<ScriptFile>>>,
    /// After its configuration was removed too.
    pub purge: Option<At<TextOr<ScriptFile>>>,
}

/// A scriptlet with what rpm is told about it: exactly one of `file` and `text`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RpmScript {
    /// The file that holds it.
    pub file: Option<At<String>>,
    /// Its text.
    pub text: Option<At<String>>,
    /// What runs it: an absolute path, perhaps with arguments, or `<lua>`; `/bin/sh` if absent.
    pub interpreter: Option<At<TextOrList>>,
    /// Whether rpm expands macros in it on the machine that installs.
    pub expand: Option<bool>,
    /// Whether rpm expands it as a query format of the package's header.
    pub qformat: Option<bool>,
    /// Whether its failure fails the transaction.
    pub critical: Option<bool>,
}

impl Described for RpmScript {
    const EXPECTED: &'static str = "the text of a script or a table with `file` or `text`";
}
