//! The little XML that indices need: written with care, read by the line.

/// Returns text as it stands in an attribute.
pub(super) fn quote(text: &str) -> String {
    escape(text).replace('"', "&quot;").replace('\t', "&#9;").replace('\n', "&#10;")
}

/// Returns text as it stands between tags; what XML cannot say is left out.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

/// Returns text as it was before [`escape`]; `None` for an entity that XML does not have.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (entity, after) = after.split_once(';')?;
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let number = number.strip_prefix('#')?;
                let code = number.strip_prefix('x').map_or_else(
                    || number.parse().ok(),
                    |digits| u32::from_str_radix(digits, 16).ok(),
                );
                char::from_u32(code?)?
            }
        });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// Returns the start tag of the first element of a name, without its brackets.
fn tag<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let open = format!("<{name}");
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once(&open)?;
        if after.starts_with([' ', '>', '/', '\n']) {
            return after.split_once('>');
        }
        rest = after;
    }
}

/// Returns the text of the first element of a name, which holds nothing but text.
pub(super) fn element(text: &str, name: &str) -> Option<String> {
    let (start, after) = tag(text, name)?;
    if start.ends_with('/') {
        return Some(String::new());
    }
    unescape(after.split_once("</")?.0)
}

/// Returns an attribute of the first element of a name.
pub(super) fn attribute(text: &str, name: &str, attribute: &str) -> Option<String> {
    let (start, _) = tag(text, name)?;
    let (_, after) = start.split_once(&format!(" {attribute}=\""))?;
    unescape(after.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let hard = "a & b <c> \"d\" 'e' \r\n\té";
        let text = format!(
            "<x>\n  <nam>no</nam>\n  <name k=\"{}\">{}</name>\n</x>",
            quote(hard),
            escape(hard)
        );
        assert_eq!(element(&text, "name").as_deref(), Some(hard));
        assert_eq!(attribute(&text, "name", "k").as_deref(), Some(hard));
        assert_eq!(attribute(&text, "name", "v"), None);
        assert_eq!(element("<name/>", "name").as_deref(), Some(""));
        assert_eq!(element("<names/>", "name"), None);
        assert_eq!(escape("a\u{1}b\u{ffff}c\u{85}"), "abc");
    }

    #[test]
    fn what_is_no_entity_is_refused() {
        for text in ["&", "&x;", "&#;", "&#x110000;", "&amp", "a&b;c"] {
            assert_eq!(unescape(text), None, "{text}");
        }
        assert_eq!(unescape("&#65;&#x42;&apos;").as_deref(), Some("AB'"));
    }
}
