//! Names of environments.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::error::RecipeError;

/// The end of an environment's file name.
pub(super) const SUFFIX: &str = ".toml";

/// The name of an environment, the stem of its file: `[a-z0-9][a-z0-9-]*`, at most 63 bytes, which is what names of
/// packages, services and Kubernetes objects accept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentName(String);

impl EnvironmentName {
    /// The longest name.
    pub const MAX_LEN: usize = 63;

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no name of an environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not the name of an environment: expected small letters, digits and `-`, at most 63"
)]
pub struct NameError {
    found: String,
}

impl FromStr for EnvironmentName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=Self::MAX_LEN).contains(&text.len()) && !text.starts_with('-');
        if fits && text.bytes().all(allowed) {
            return Ok(Self(text.into()));
        }
        Err(NameError { found: text.chars().take(80).flat_map(char::escape_debug).collect() })
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the names of a folder's environments, sorted; a folder that is not there has none.
pub fn list(folder: &Path) -> Result<Vec<EnvironmentName>, RecipeError> {
    let unreadable =
        |error: std::io::Error| RecipeError::new(format!("cannot list the environments: {error}"));
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        names.extend(stem.and_then(|stem| stem.parse::<EnvironmentName>().ok()));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_every_target_accepts() {
        let long = "a".repeat(63);
        for name in ["a", "prod", "eu-west-1", "0", long.as_str()] {
            assert_eq!(name.parse::<EnvironmentName>().unwrap().as_str(), name);
        }
        let longer = "a".repeat(64);
        for name in ["", "-a", "Prod", "a_b", "a.b", "../a", "ä", "a/b", longer.as_str()] {
            assert!(name.parse::<EnvironmentName>().is_err(), "{name}");
        }
    }

    #[test]
    fn lists_what_could_be_an_environment() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(list(&folder.path().join("none")), Ok(Vec::new()));
        for name in ["prod.toml", "base.toml", "Notes.toml", ".prod.toml", "prod.toml.bak", "x"] {
            fs_err::write(folder.path().join(name), "").unwrap();
        }
        let names = list(folder.path()).unwrap();
        assert_eq!(names.iter().map(EnvironmentName::as_str).collect::<Vec<_>>(), ["base", "prod"]);
    }
}
