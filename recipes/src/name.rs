//! Validated identifiers.

use std::fmt;

/// Why text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a {what}: {reason}", .text.escape_debug())]
pub struct NameError {
    text: String,
    what: &'static str,
    reason: String,
    /// A name close to the text that would do.
    pub suggestion: Option<String>,
}

/// The name of a package in every format (Debian policy 5.6.1, the strictest of them).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(String);

impl PackageName {
    /// The longest name.
    pub const MAX_LEN: usize = 128;

    /// Accepts two or more of `a-z 0-9 + - .`, of which the first is a letter or a digit.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
        let reason = if text.len() < 2 {
            "it is shorter than two characters".to_owned()
        } else if text.len() > Self::MAX_LEN {
            format!("it is longer than {} bytes", Self::MAX_LEN)
        } else if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
            format!("`{}` is not one of a-z, 0-9, `+`, `-` and `.`", bad.escape_debug())
        } else if text.starts_with(['+', '-', '.']) {
            "it must start with a letter or a digit".to_owned()
        } else {
            return Ok(Self(text.into()));
        };
        let lowered: String =
            text.to_lowercase().chars().map(|c| if allowed(c) { c } else { '-' }).collect();
        let better = lowered.trim_matches(['-', '.', '+']);
        let fits = (2..=Self::MAX_LEN).contains(&better.len());
        let suggestion = (fits && better != text).then(|| better.to_owned());
        Err(NameError { text: text.into(), what: "package name", reason, suggestion })
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a systemd unit without its suffix (systemd.unit(5)).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(String);

impl ServiceName {
    /// The longest name: `.service` still fits into the 255 bytes of a unit's name.
    pub const MAX_LEN: usize = 247;

    /// Accepts letters, digits and `-`, `_`, `.`, `+`, of which the first is a letter or a digit.
    ///
    /// `@` is refused, since there are no templates, and so is `\`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        let reason = if text.is_empty() {
            "it is empty".to_owned()
        } else if text.len() > Self::MAX_LEN {
            format!("it is longer than {} bytes", Self::MAX_LEN)
        } else if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
            format!("`{}` is not a letter, a digit or one of `-_.+`", bad.escape_debug())
        } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            "it must start with a letter or a digit".to_owned()
        } else {
            return Ok(Self(text.into()));
        };
        let suggestion = text.strip_suffix('@').map(str::to_owned);
        Err(NameError { text: text.into(), what: "service name", reason, suggestion })
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a user or a group (systemd's rule for sysusers.d(5) in strict mode).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

impl AccountName {
    /// The longest name that utmp, and so systemd, accepts.
    pub const MAX_LEN: usize = 31;

    /// Accepts `[a-z_][a-z0-9_-]*` of at most 31 bytes.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        let reason = if text.is_empty() {
            "it is empty".to_owned()
        } else if text.len() > Self::MAX_LEN {
            format!("it is longer than {} bytes", Self::MAX_LEN)
        } else if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
            format!("`{}` is not one of a-z, 0-9, `_` and `-`", bad.escape_debug())
        } else if !text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') {
            "it must start with a letter or `_`".to_owned()
        } else {
            return Ok(Self(text.into()));
        };
        let lowered = text.to_lowercase();
        let suggestion = (lowered != text && Self::parse(&lowered).is_ok()).then_some(lowered);
        Err(NameError { text: text.into(), what: "user or group name", reason, suggestion })
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the number that a service's user has unless the recipe gives one: 10000 plus the
    /// first four bytes of the name's SHA-256, big-endian, modulo 50000.
    ///
    /// So the number is the same on every machine and in every output, above what distributions
    /// give out themselves and below 65534.
    pub fn default_id(&self) -> u32 {
        let digest = bake_formats::digest::Digest::of(self.0.as_bytes());
        let [a, b, c, d, ..] = *digest.as_bytes();
        10_000 + u32::from_be_bytes([a, b, c, d]) % 50_000
    }
}

/// The longest name of a layer, in bytes.
pub(crate) const MAX_LAYER_NAME: usize = 64;

/// Returns whether text may name a layer: `a-z`, `0-9` and, between them, `-`.
pub(crate) fn is_layer_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().is_some_and(plain) && text.bytes().last().is_some_and(plain);
    let all = text.bytes().all(|byte| plain(byte) || byte == b'-');
    ends && all && text.len() <= MAX_LAYER_NAME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_follow_debian_policy() {
        for name in ["a1", "libstdc++6", "0ad", "x.y-z"] {
            assert_eq!(PackageName::parse(name).unwrap().as_str(), name);
        }
        let cases = [
            ("", None),
            ("x", None),
            ("Foo_x", Some("foo-x")),
            ("-foo", Some("foo")),
            ("my app", Some("my-app")),
            ("a\nb", Some("a-b")),
            ("@scope/pkg", Some("scope-pkg")),
        ];
        for (name, expected) in cases {
            let error = PackageName::parse(name).unwrap_err();
            assert_eq!(error.suggestion.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn default_ids_never_move() {
        let id = |name| AccountName::parse(name).unwrap().default_id();
        assert_eq!(id("catalog"), 10_769);
        assert!((10_000..60_000).contains(&id("x")));
    }

    #[test]
    fn account_and_service_names_have_no_room_for_syntax() {
        for bad in ["", "a b", "a:b", "-a", "1a", "A", "a%b", "a\n"] {
            assert!(AccountName::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "a b", "a/b", "a@", ".a", "a%i", "a\\x2d"] {
            assert!(ServiceName::parse(bad).is_err(), "{bad}");
        }
    }
}
