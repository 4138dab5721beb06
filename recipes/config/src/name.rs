//! Names of keys.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a key: `[A-Z][A-Z0-9_]*`, what systemd, POSIX and Kubernetes all accept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The longest name.
    pub const MAX_LEN: usize = 128;

    /// Accepts a name by the rule; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let starts = bytes.next().is_some_and(|byte| byte.is_ascii_uppercase());
        let rest = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        (starts && bytes.all(rest) && text.len() <= Self::MAX_LEN).then(|| Self(text.into()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as file names have it, e.g. `database-url`.
    pub fn kebab(&self) -> String {
        self.0.to_ascii_lowercase().replace('_', "-")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
            .ok_or_else(|| format!("`{}` is not the name of a key", text.escape_debug()))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}
