//! Text as the literals of some languages.

use std::fmt::Write as _;

/// Characters that line-oriented readers of YAML and TOML take for more than themselves, or that YAML refuses.
const INVISIBLE: [char; 6] = ['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{fffe}', '\u{ffff}'];

/// Returns a JSON string (RFC 8259), characters beyond ASCII as they are.
pub(crate) fn json(text: &str) -> String {
    quoted(text, |c| match c {
        '"' | '\\' => Some(format!("\\{c}")),
        '\n' => Some("\\n".into()),
        '\r' => Some("\\r".into()),
        '\t' => Some("\\t".into()),
        c if c.is_control() || INVISIBLE.contains(&c) => Some(format!("\\u{:04x}", u32::from(c))),
        _ => None,
    })
}

/// Returns a double-quoted scalar of YAML 1.1 and 1.2: a JSON string is one.
pub(crate) fn yaml(text: &str) -> String {
    json(text)
}

/// Returns a basic string of TOML: a JSON string is one.
pub(crate) fn toml(text: &str) -> String {
    json(text)
}

fn quoted(text: &str, escape: impl Fn(char) -> Option<String>) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match escape(c) {
            Some(escaped) => quoted.push_str(&escaped),
            None => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns a value of a Java properties file (java.util.Properties), in ASCII.
pub(crate) fn properties(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for (index, c) in text.chars().enumerate() {
        match c {
            ' ' if index == 0 => value.push_str("\\ "),
            '\\' => value.push_str("\\\\"),
            '\n' => value.push_str("\\n"),
            '\r' => value.push_str("\\r"),
            '\t' => value.push_str("\\t"),
            ' '..='~' => value.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a text does not fail.
                    write!(value, "\\u{unit:04x}").unwrap_or_default();
                }
            }
        }
    }
    value
}

/// Returns a key of a Java properties file.
pub(crate) fn properties_key(text: &str) -> String {
    let mut key = String::new();
    for c in properties(text).chars() {
        if matches!(c, ':' | '=' | '#' | '!') {
            key.push('\\');
        }
        key.push(c);
    }
    key
}

/// Returns text of XML or HTML, also for attributes; `None` if it holds what XML 1.0 cannot say.
pub(crate) fn xml(text: &str) -> Option<String> {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // As references, because readers turn them into spaces in attributes.
            '\n' | '\r' | '\t' => write!(escaped, "&#{};", u32::from(c)).unwrap_or_default(),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => return None,
            c => escaped.push(c),
        }
    }
    Some(escaped)
}

/// Returns one word of a POSIX shell.
pub(crate) fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Returns a value of an ini file; the error says why there is no way that all readers understand.
pub(crate) fn ini(text: &str) -> Result<&str, &'static str> {
    if text.contains(['\n', '\r']) {
        return Err("an ini file has no way to write a line break");
    }
    if text.trim() != text {
        return Err("readers of ini files drop space at the ends of values");
    }
    if text.starts_with(['"', '\'']) || text.contains(" ;") || text.contains(" #") {
        return Err("readers of ini files differ about quotes and comments in values");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_say_what_the_text_says() {
        let text = "a\"b\\c\n\té€😀\u{2028}\u{1}\u{ffff}";
        assert_eq!(json(text), r#""a\"b\\c\n\té€😀\u2028\u0001\uffff""#);
        assert_eq!(serde_json::from_str::<String>(&json(text)).unwrap(), text);
        assert_eq!(properties(" a=\\é😀\n"), "\\ a=\\\\\\u00e9\\ud83d\\ude00\\n");
        assert_eq!(properties_key("a:b=c"), "a\\:b\\=c");
        assert_eq!(xml("<a b='c'>&\n").as_deref(), Some("&lt;a b=&#39;c&#39;&gt;&amp;&#10;"));
        assert_eq!(xml("\u{1}"), None);
        assert_eq!(shell("it's"), r"'it'\''s'");
        assert_eq!(ini("a;b#c"), Ok("a;b#c"));
        for text in ["a\nb", " a", "\"a\"", "a ;b"] {
            assert!(ini(text).is_err(), "{text}");
        }
    }
}
