//! Suffixes of names that move with what is in a ConfigMap, as kustomize makes them.

use sha2::{Digest as _, Sha256};

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The length of a suffix.
const LEN: usize = 10;

/// Returns the suffix of a ConfigMap of this data.
///
/// It is made of the SHA-256 of JSON as Go writes it, with the digits that could make words replaced by letters. The
/// name in it is empty, since kustomize 5 takes it from a field that no object has.
pub(super) fn suffix(data: &BTreeMap<String, String>) -> String {
    let mut json = String::from("{\"data\":{");
    for (index, (key, value)) in data.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        push_text(&mut json, key);
        json.push(':');
        push_text(&mut json, value);
    }
    json.push_str("},\"kind\":\"ConfigMap\",\"name\":\"\"}");
    letters(&Sha256::digest(json))
}

/// Returns a suffix made of the first digits of a digest.
fn letters(digest: &[u8]) -> String {
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(LEN);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).map(letter).collect()
}

fn letter(digit: char) -> char {
    match digit {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        other => other,
    }
}

/// Appends a JSON string as Go's encoder writes it: what HTML gives a meaning is escaped too.
fn push_text(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a text does not fail.
                write!(json, "\\u{:04x}", u32::from(c)).unwrap_or_default();
            }
            c => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Suffixes that kustomize's own tests and documents have.
    #[test]
    fn suffixes_are_those_of_kustomize() {
        let data = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
        };
        assert_eq!(suffix(&data(&[])), "42745tchd9");
        assert_eq!(suffix(&data(&[("one", "")])), "9g67k2htb6");
        let three = data(&[("two", "2"), ("one", ""), ("three", "3")]);
        assert_eq!(suffix(&three), "f5h7t85m9b");
        // Of `kubectl kustomize` 5.5, for a ConfigMap `cfg`.
        assert_eq!(suffix(&data(&[("a", "x")])), "5642bm9b6f");
        assert_eq!(suffix(&data(&[("a", "<a>")])), "4254c2mb4b");
    }

    #[test]
    fn text_is_escaped_as_go_does() {
        let mut json = String::new();
        push_text(&mut json, "<a href=\"x\">&\\\n\t\u{1}\u{8}\u{7f}é\u{2028}😀");
        assert_eq!(
            json,
            r#""\u003ca href=\"x\"\u003e\u0026\\\n\t\u0001\b"#.to_owned() + "\u{7f}é\\u2028😀\""
        );
    }
}
