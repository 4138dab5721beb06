//! References: the name and the tag that people call an image by.
//!
//! Two grammars meet. A registry's name and tag follow the distribution specification ("Pulling
//! manifests"); `org.opencontainers.image.ref.name` follows image-spec, annotations.md. What is
//! written here satisfies both, so that every tool can use it.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// The longest name, registry host included.
const MAX_NAME: usize = 255;
/// The longest tag.
const MAX_TAG: usize = 128;

/// An image in a registry, in full (distribution-spec, "Pulling manifests").
///
/// Read as Docker reads it: a name without a host is one of `docker.io`, and one of a single word
/// lies below `library/` there. Printed in full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The host and perhaps a port, e.g. `docker.io` or `localhost:5000`.
    pub registry: String,
    /// The name within the registry, e.g. `library/debian`.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest of the manifest or index.
    pub digest: Option<Digest>,
}

/// Text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no image reference: {reason}", .text.escape_debug())]
pub struct ReferenceError {
    text: String,
    reason: String,
}

impl Reference {
    /// Returns the name without tag and digest, e.g. `docker.io/library/debian`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// Returns the same repository with a tag and nothing else.
    pub fn with_tag(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }

    /// Returns the same repository with a digest and nothing else.
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// Returns what stands after `manifests/` in a path: the digest if there is one, else the tag,
    /// else `latest`.
    pub fn target(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let fail = |reason: String| ReferenceError { text: text.to_owned(), reason };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest.parse().map_err(|error| fail(format!("{error}")))?;
                (rest, Some(digest))
            }
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(fault) = tag.and_then(fault_in_registry_tag) {
            return Err(fail(format!("in the tag, {fault}")));
        }
        if let Some(fault) = fault_in_name(name) {
            return Err(fail(fault.to_owned()));
        }
        let (registry, repository) = match split_host(name) {
            (Some("index.docker.io" | "registry-1.docker.io" | "docker.io") | None, path) => {
                let library = if path.contains('/') { "" } else { "library/" };
                ("docker.io", format!("{library}{path}"))
            }
            (Some(host), path) => (host, path.to_owned()),
        };
        let (registry, tag) = (registry.to_owned(), tag.map(str::to_owned));
        Ok(Self { registry, repository, tag, digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.as_ref().map_or(Ok(()), |tag| write!(f, ":{tag}"))?;
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// Says why text is no tag that a registry may have; wider than [`fault_in_tag`], which also
/// satisfies layouts.
fn fault_in_registry_tag(tag: &str) -> Option<&'static str> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_tag = |byte: u8| is_word(byte) || matches!(byte, b'.' | b'-');
    let starts = tag.bytes().next().is_some_and(is_word);
    if tag.len() > MAX_TAG {
        Some("expected 1 to 128 characters")
    } else if !starts || !tag.bytes().all(is_tag) {
        Some("expected letters, digits, `.`, `-` and `_`, and neither `.` nor `-` first")
    } else {
        None
    }
}

/// Says why text is no repository name; `None` if it is one.
pub(super) fn fault_in_name(name: &str) -> Option<&'static str> {
    if name.len() > MAX_NAME {
        return Some("expected at most 255 bytes");
    }
    let (host, path) = split_host(name);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    if host.is_some_and(|host| !host.bytes().all(is_host)) {
        return Some("expected a host of letters, digits, `.`, `-` and `:` before the first slash");
    }
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((host, port)) = host.and_then(|host| host.split_once(':'))
        && (host.is_empty() || !is_port(port))
    {
        return Some("expected a host, and after a colon its port, before the first slash");
    }
    let all_valid = path.split('/').all(is_path_component);
    let expected = "expected lower-case letters and digits, joined by `.`, `_`, `__`, `-` or `/`";
    if all_valid { None } else { Some(expected) }
}

/// Returns whether text is runs of lower-case letters and digits between single separators.
fn is_path_component(text: &str) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends_plain = bytes.first().is_some_and(is_plain) && bytes.last().is_some_and(is_plain);
    let mut separators = bytes.split(is_plain).filter(|separator| !separator.is_empty());
    let is_separator =
        |s: &[u8]| matches!(s, b"." | b"_" | b"__") || s.iter().all(|byte| *byte == b'-');
    ends_plain && separators.all(is_separator)
}

/// Says why text is no tag; `None` if it is one.
pub(super) fn fault_in_tag(tag: &str) -> Option<&'static str> {
    let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if tag.is_empty() || tag.len() > MAX_TAG {
        Some("expected 1 to 128 characters")
    } else if !tag.bytes().all(is_tag) {
        Some("expected letters, digits, `.`, `-` and `_`")
    } else if fault_in_ref_name(tag).is_some() {
        Some("expected a letter or digit at both ends and between separators")
    } else {
        None
    }
}

/// Says why text cannot be `org.opencontainers.image.ref.name`; `None` if it can.
pub(super) fn fault_in_ref_name(text: &str) -> Option<&'static str> {
    let is_component = |component: &str| {
        let bytes = component.as_bytes();
        let ends_plain = bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric);
        let mut separators =
            bytes.split(u8::is_ascii_alphanumeric).filter(|separator| !separator.is_empty());
        let is_separator =
            |s: &[u8]| s == b"--" || matches!(s, [b'-' | b'.' | b'_' | b':' | b'@' | b'+']);
        ends_plain && separators.all(is_separator)
    };
    let expected = "expected letters and digits, joined by single `-`, `.`, `_`, `:`, `@`, `+`, \
                    `/` or by `--`";
    if text.split('/').all(is_component) { None } else { Some(expected) }
}

/// Returns the reference in full, as containerd names images: `docker.io/library/NAME:TAG`.
pub(super) fn qualified(name: &str, tag: &str) -> String {
    match split_host(name) {
        (Some(_), _) => format!("{name}:{tag}"),
        (None, path) if path.contains('/') => format!("docker.io/{path}:{tag}"),
        (None, path) => format!("docker.io/library/{path}:{tag}"),
    }
}

/// Undoes [`qualified`]; the tag is empty if there is none.
pub(super) fn split_qualified(reference: &str) -> (&str, &str) {
    let short = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let short = short.strip_prefix("library/").unwrap_or(short);
    match short.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (short, ""),
    }
}

/// Splits a name at its first slash if a registry's host stands there.
fn split_host(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
            (Some(host), path)
        }
        _ => (None, name),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// References put together from their parts, in any order, and any text.
    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[a-z0-9]{1,4}",
            Just(format!("@{}", Digest::of(b"x"))),
            Just("@sha256:".to_owned()),
            Just("localhost:5000/".to_owned()),
            Just("[::1]:5000/".to_owned()),
            "[A-Za-z0-9/:@._-]",
            Just("ä".to_owned()),
        ];
        let parts = proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat());
        prop_oneof![parts, ".{0,80}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_a_reference_is_the_same_one_when_printed(text in texts()) {
            if let Ok(found) = text.parse::<Reference>() {
                prop_assert_eq!(found.to_string().parse(), Ok(found));
            }
        }
    }

    #[test]
    fn tells_names_from_others() {
        let names =
            ["a", "hello-world", "acme/x__y.z", "ghcr.io/acme/x", "localhost:5000/x", "a--b"];
        for name in names {
            assert_eq!(fault_in_name(name), None, "{name}");
        }
        let long = "a".repeat(256);
        for name in [
            "", "/", "a/", "Hello", "a..b", "-a", "a_", "a b", "a___b", "ä", &long, "a.b/",
            "h.o?t/x",
        ] {
            assert!(fault_in_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn reads_references_as_docker_does() {
        let digest = Digest::of(b"x");
        let rows = [
            ("debian", "docker.io/library/debian"),
            ("debian:12-slim", "docker.io/library/debian:12-slim"),
            ("acme/app", "docker.io/acme/app"),
            ("index.docker.io/acme/app", "docker.io/acme/app"),
            ("localhost/app:1", "localhost/app:1"),
            ("localhost:5000/a/b/c", "localhost:5000/a/b/c"),
            ("ghcr.io/acme/app:_x", "ghcr.io/acme/app:_x"),
        ];
        for (text, expected) in rows {
            let found: Reference = text.parse().unwrap();
            assert_eq!(found.to_string(), expected);
            assert_eq!(expected.parse(), Ok(found));
            let full = format!("{text}@{digest}");
            let found: Reference = full.parse().unwrap();
            assert_eq!(found.to_string(), format!("{expected}@{digest}"));
            assert_eq!(found.target(), digest.to_string());
        }
        for text in [
            "",
            ":",
            "a:",
            "A",
            "a:b c",
            "a@sha256:00",
            "a:-x",
            "h.io/",
            "a//b",
            "h:5000/",
            "oci:/a",
            "h:a/b",
            ":5000/a",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn tells_tags_from_others() {
        for tag in ["1", "v1.2.3-rc.1", "1.0_2", "Latest", "a--b"] {
            assert_eq!(fault_in_tag(tag), None, "{tag}");
        }
        let long = "1".repeat(129);
        for tag in ["", "1+2", "1~2", "-1", "1.", "a..b", "a/b", "a:b", &long] {
            assert!(fault_in_tag(tag).is_some(), "{tag}");
        }
    }

    #[test]
    fn tells_ref_names_from_others() {
        for name in ["1", "v1.2", "docker.io/library/x:1", "a@b", "a+b", "A--b"] {
            assert_eq!(fault_in_ref_name(name), None, "{name}");
        }
        for name in ["", "a//b", "a..b", ".a", "a-", "a b", "a---b", "a~b"] {
            assert!(fault_in_ref_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn qualifies_as_docker_does() {
        let rows = [
            ("hello", "docker.io/library/hello:1"),
            ("acme/hello", "docker.io/acme/hello:1"),
            ("ghcr.io/acme/hello", "ghcr.io/acme/hello:1"),
            ("localhost:5000/hello", "localhost:5000/hello:1"),
        ];
        for (name, expected) in rows {
            assert_eq!(qualified(name, "1"), expected);
            assert_eq!(split_qualified(expected), (name, "1"));
        }
        assert_eq!(split_qualified("localhost:5000/hello"), ("localhost:5000/hello", ""));
    }
}
