//! `extension-release`: to which systems an extension may be added (os-release(5)).

use serde::{Deserialize, Serialize};

use super::Sysext;
use super::scope::Scope;
use crate::format::{Format, WriteError};
use crate::tree::{PathError, TreePath};

/// Fields of the system's `os-release` that must be the same there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// `ID`, e.g. `debian`, or `_any` for every system.
    pub id: String,
    /// `VERSION_ID`, e.g. `12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// `SYSEXT_LEVEL` or `CONFEXT_LEVEL`, which some systems have in place of a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysext_level: Option<String>,
    /// `ARCHITECTURE`, in systemd's word for it, e.g. `x86-64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Whether systemd reads its units again when the extension comes or goes.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub reload: Reload,
}

/// Whether systemd reads its units again when an extension comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reload {
    /// It does not.
    #[default]
    None,
    /// It does: `EXTENSION_RELOAD_MANAGER=1`.
    Manager,
}

impl Default for Release {
    fn default() -> Self {
        Self {
            id: "_any".into(),
            version_id: None,
            sysext_level: None,
            architecture: None,
            reload: Reload::None,
        }
    }
}

impl Release {
    /// Returns where an extension says it.
    pub(super) fn place(name: &str, scope: Scope) -> String {
        format!("{}/extension-release.{name}", scope.releases())
    }

    /// Returns that place as a path of a tree.
    pub(super) fn path(name: &str, scope: Scope) -> Result<TreePath, PathError> {
        TreePath::parse(Self::place(name, scope))
    }

    /// Checks every field.
    pub(super) fn check(&self, scope: Scope) -> Result<(), WriteError> {
        for (field, value) in self.fields(scope) {
            let is_word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if value.is_empty() || !value.chars().all(is_word) {
                let reason = format!(
                    "expected letters, digits, `.`, `_` and `-`, found `{}`",
                    value.escape_default()
                );
                return Err(WriteError::Field {
                    format: Sysext::NAME,
                    field: field.into(),
                    reason,
                });
            }
        }
        Ok(())
    }

    /// Returns the file's text.
    pub(super) fn text(&self, scope: Scope) -> String {
        let line = |text: String, (field, value): (&str, &str)| text + field + "=" + value + "\n";
        self.fields(scope).fold(String::new(), line)
    }

    fn fields(&self, scope: Scope) -> impl Iterator<Item = (&'static str, &str)> {
        let reload = (self.reload == Reload::Manager).then_some("1");
        let optional = [
            ("VERSION_ID", &self.version_id),
            (scope.level(), &self.sysext_level),
            ("ARCHITECTURE", &self.architecture),
        ];
        let optional =
            optional.into_iter().filter_map(|(field, value)| Some((field, value.as_deref()?)));
        let reload = reload.map(|value| ("EXTENSION_RELOAD_MANAGER", value));
        std::iter::once(("ID", self.id.as_str())).chain(optional).chain(reload)
    }
}
