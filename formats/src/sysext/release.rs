//! `extension-release`: to which systems an extension may be added (os-release(5)).

use serde::{Deserialize, Serialize};

use super::Sysext;
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
    /// `SYSEXT_LEVEL`, which some systems have in place of a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysext_level: Option<String>,
    /// `ARCHITECTURE`, in systemd's word for it, e.g. `x86-64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
}

impl Default for Release {
    fn default() -> Self {
        Self { id: "_any".into(), version_id: None, sysext_level: None, architecture: None }
    }
}

impl Release {
    /// Returns where an extension says it.
    pub(super) fn path(name: &str) -> Result<TreePath, PathError> {
        TreePath::parse(format!("/usr/lib/extension-release.d/extension-release.{name}"))
    }

    /// Checks every field.
    pub(super) fn check(&self) -> Result<(), WriteError> {
        for (field, value) in self.fields() {
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
    pub(super) fn text(&self) -> String {
        let line = |text: String, (field, value): (&str, &str)| text + field + "=" + value + "\n";
        self.fields().fold(String::new(), line)
    }

    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let optional = [
            ("VERSION_ID", &self.version_id),
            ("SYSEXT_LEVEL", &self.sysext_level),
            ("ARCHITECTURE", &self.architecture),
        ];
        let optional =
            optional.into_iter().filter_map(|(field, value)| Some((field, value.as_deref()?)));
        std::iter::once(("ID", self.id.as_str())).chain(optional)
    }
}
