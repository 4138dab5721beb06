//! Whether text is what its format says: rendered files are read back before anybody deploys them.
//!
//! Without the feature `syntax` there are no readers of TOML and YAML, and nothing is said of those.

use crate::schema::Format;

/// Reads a text of some format; the error says where it is broken and never what stands there.
pub fn check(format: Format, text: &str) -> Result<(), String> {
    match format {
        Format::Json => {
            serde_json::from_str::<serde_json::Value>(text).map(drop).map_err(|error| {
                format!("no JSON at line {}, column {}", error.line(), error.column())
            })
        }
        #[cfg(feature = "syntax")]
        Format::Toml => toml(text),
        #[cfg(feature = "syntax")]
        Format::Yaml => yaml(text),
        #[cfg(not(feature = "syntax"))]
        Format::Toml | Format::Yaml => Ok(()),
        Format::Properties => properties(text),
        Format::Ini => ini(text),
    }
}

#[cfg(feature = "syntax")]
fn toml(text: &str) -> Result<(), String> {
    text.parse::<toml::Table>().map(drop).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        format!("no TOML at line {}", before.matches('\n').count() + 1)
    })
}

#[cfg(feature = "syntax")]
fn yaml(text: &str) -> Result<(), String> {
    use saphyr::LoadableYamlNode as _;

    saphyr::Yaml::load_from_str(text).map(drop).map_err(|error| {
        let place = error.marker();
        format!("no YAML at line {}, column {}", place.line(), place.col() + 1)
    })
}

/// The escapes of java.util.Properties must be whole.
fn properties(text: &str) -> Result<(), String> {
    for (index, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once('\\') {
            let digits = after.strip_prefix('u').map(|digits| digits.as_bytes().get(..4));
            if digits.is_some_and(|digits| {
                !digits.is_some_and(|four| four.iter().all(u8::is_ascii_hexdigit))
            }) {
                return Err(format!("`\\u` without four digits at line {}", index + 1));
            }
            let mut chars = after.chars();
            chars.next();
            rest = chars.as_str();
        }
    }
    Ok(())
}

/// Every line is a section, a comment, an assignment, or the continuation of one.
fn ini(text: &str) -> Result<(), String> {
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        let is_section = trimmed.starts_with('[') && trimmed.contains(']');
        let is_comment = trimmed.is_empty() || trimmed.starts_with([';', '#']);
        let continues = line.starts_with([' ', '\t']) && index > 0;
        if !is_section && !is_comment && !continues && !trimmed.contains(['=', ':']) {
            return Err(format!("neither a section nor an assignment at line {}", index + 1));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_text_is_found_without_being_shown() {
        for (format, good, bad, line) in [
            (Format::Json, "{\"a\": 1}", "{\n\"a\": s3cret}", "line 2"),
            #[cfg(feature = "syntax")]
            (Format::Toml, "a = 1\n[b]\nc = 'x'", "a = 1\nb = s3cret", "line 2"),
            #[cfg(feature = "syntax")]
            (Format::Yaml, "a: 1\nb: [x, y]\n", "a: 1\nb: [s3cret\n", "line"),
            (Format::Properties, "a=\\u00e9\\\\u\n", "a=1\nb=\\u00s3cret", "line 2"),
            (Format::Ini, "x = 1\n[a]\n; c\nb: 1\n  more\n", "[a]\ns3cret", "line 2"),
        ] {
            assert_eq!(check(format, good), Ok(()), "{good}");
            let error = check(format, bad).unwrap_err();
            assert!(error.contains(line) && !error.contains("s3cret"), "{error}");
        }
    }
}
