//! Which packages are meant: `NAME[=VERSION][:ARCH]`.

use std::str::FromStr;

/// Packages by name, and by version and architecture if they matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The name.
    pub name: String,
    /// The version as the repository's tools write it.
    pub version: Option<String>,
    /// The architecture.
    pub architecture: Option<String>,
}

impl Selector {
    /// Returns whether a package is meant.
    pub(super) fn matches(&self, name: &str, version: &str, architecture: &str) -> bool {
        self.name == name
            && self.version.as_deref().is_none_or(|wanted| wanted == version)
            && self.architecture.as_deref().is_none_or(|wanted| wanted == architecture)
    }
}

impl FromStr for Selector {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A version may have a colon after its epoch, which is a number; no architecture is one.
        let (rest, architecture) = match text.rsplit_once(':') {
            Some((rest, last)) if last.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                (rest, Some(last))
            }
            _ => (text, None),
        };
        let (name, version) = match rest.split_once('=') {
            Some((name, version)) => (name, Some(version)),
            None => (rest, None),
        };
        let is_bad = |part: &str| part.is_empty() || part.contains(char::is_whitespace);
        if is_bad(name) || version.is_some_and(is_bad) {
            return Err("expected NAME, NAME=VERSION, NAME:ARCH or NAME=VERSION:ARCH");
        }
        let (version, architecture) = (version.map(Into::into), architecture.map(Into::into));
        Ok(Self { name: name.into(), version, architecture })
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if let Some(version) = &self.version {
            write!(f, "={version}")?;
        }
        match &self.architecture {
            Some(architecture) => write!(f, ":{architecture}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parses() {
        let cases = [
            ("hello", "hello", None, None),
            ("hello=1:2.0-1", "hello", Some("1:2.0-1"), None),
            ("hello:amd64", "hello", None, Some("amd64")),
            ("hello=1:2.0-1:amd64", "hello", Some("1:2.0-1"), Some("amd64")),
        ];
        for (text, name, version, architecture) in cases {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.name, name);
            assert_eq!(selector.version.as_deref(), version, "{text}");
            assert_eq!(selector.architecture.as_deref(), architecture, "{text}");
            assert_eq!(selector.to_string(), text);
        }
        for text in ["", "=1", "hello=", "a b", ":amd64"] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_said_does_not_matter() {
        let matches = |text: &str| {
            let selector: Selector = text.parse().unwrap();
            selector.matches("hello", "1.0", "amd64")
        };
        assert!(matches("hello") && matches("hello=1.0") && matches("hello=1.0:amd64"));
        assert!(!matches("hell") && !matches("hello=1") && !matches("hello:arm64"));
    }
}
