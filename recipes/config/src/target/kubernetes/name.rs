//! Names of objects (RFC 1123, as Kubernetes reads it) and of keys in them.

/// The longest name of an object.
const MAX_SUBDOMAIN: usize = 253;
/// The longest name of a container, and the longest value of a label.
const MAX_LABEL: usize = 63;
/// The longest key of a ConfigMap or a Secret that is made of a path here; Kubernetes has 253.
const MAX_KEY: usize = 200;

/// Returns whether a text is the name of an object.
pub(super) fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN && text.split('.').all(is_alphanumeric)
}

/// Returns whether a text is the name of a container.
pub(super) fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && is_alphanumeric(text)
}

fn is_alphanumeric(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(plain) && text.ends_with(plain) && text.chars().all(|c| plain(c) || c == '-')
}

/// Returns the key that a rendered file has; the number sets files of one name apart.
pub(super) fn key_of(path: &str, number: usize) -> String {
    let (_, name) = path.rsplit_once('/').unwrap_or(("", path));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let name = name.chars().map(|c| if allowed(c) { c } else { '_' });
    format!("{number}-{}", name.take(MAX_KEY).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes() {
        let cases = [
            ("a", true, true),
            ("a-1", true, true),
            ("a.b", true, false),
            ("-a", false, false),
            ("a-", false, false),
            ("a..b", false, false),
            ("A", false, false),
            ("a+b", false, false),
            ("", false, false),
            (&"a".repeat(64), true, false),
            (&"a".repeat(254), false, false),
        ];
        for (text, subdomain, label) in cases {
            assert_eq!((is_subdomain(text), is_label(text)), (subdomain, label), "{text}");
        }
        assert_eq!(key_of("/etc/app/app@é.yaml", 2), "2-app__.yaml");
    }
}
