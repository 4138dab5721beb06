//! Keys of the recipe that flags set.

use bake_recipes::RecipeError;
use toml::{Table, Value};

use crate::pack::{Origin, Setting, SettingValue};

/// Returns a key set to a value.
pub(super) fn set(path: &[&str], value: impl Into<Value>, flag: &str, text: &str) -> Setting {
    Setting {
        path: path.iter().map(|key| (*key).to_owned()).collect(),
        value: SettingValue::Value(value.into()),
        append: false,
        origin: origin(flag, text),
    }
}

/// Returns one more element of a list.
pub(super) fn append(path: &[&str], value: impl Into<Value>, flag: &str, text: &str) -> Setting {
    Setting { append: true, ..set(path, value, flag, text) }
}

fn origin(flag: &str, text: &str) -> Origin {
    Origin::Flag { text: format!("{flag} {text}"), value: flag.len() + 1 }
}

/// Reads `KEY=VALUE` or `KEY+=VALUE` of `--set`, both sides as TOML has them; a value that is no
/// TOML is text.
pub(super) fn parse(text: &str) -> Result<Setting, RecipeError> {
    let fail = |reason: &str| {
        RecipeError::new(format!("--set {text}: {reason}"))
            .hint("e.g. --set 'deb.priority=\"extra\"' or --set 'files+={ directory = true, to = \"/srv/x\" }'")
    };
    let at = equals(text).ok_or_else(|| fail("there is no `=`"))?;
    let (key, value) = (&text[..at], text[at + 1..].trim());
    let (key, append) = key.strip_suffix('+').map_or((key, false), |key| (key, true));
    let whole: Table =
        toml::from_str(&format!("{key} = 0")).map_err(|_| fail("the key is not one of TOML"))?;
    let mut path = Vec::new();
    let mut table = &whole;
    while let Some((key, value)) = table.iter().next() {
        path.push(key.clone());
        match value.as_table() {
            Some(below) => table = below,
            None => break,
        }
    }
    let value = match toml::from_str::<Table>(&format!("value = {value}")) {
        Ok(mut table) if table.len() == 1 => table.remove("value"),
        _ => None,
    }
    .unwrap_or_else(|| Value::String(value.to_owned()));
    let origin = origin("--set", text);
    Ok(Setting { path, value: SettingValue::Value(value), append, origin })
}

/// Returns where the first `=` outside of quotes is.
fn equals(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '=') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

/// Splits a command into words as a shell does: quotes and backslashes, nothing else.
pub(super) fn words(text: &str) -> Result<Vec<String>, RecipeError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() {
        return Err(RecipeError::new(format!("--service {text}: a quote is not closed")));
    }
    if words.is_empty() {
        return Err(RecipeError::new("--service: there is no command"));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_those_of_toml() {
        let value = |text| match parse(text).unwrap() {
            Setting { path, value: SettingValue::Value(value), append, .. } => {
                (path.join("|"), value.to_string(), append)
            }
            setting => panic!("{setting:?}"),
        };
        let cases = [
            ("epoch=3", "epoch", "3", false),
            ("deb.priority=\"extra\"", "deb|priority", "\"extra\"", false),
            ("deb.priority=extra", "deb|priority", "\"extra\"", false),
            ("deb.fields.\"X-A=b\" = 'c=d'", "deb|fields|X-A=b", "\"c=d\"", false),
            ("files.0.mode=\"0700\"", "files|0|mode", "\"0700\"", false),
            ("depends+=a >= 1", "depends", "\"a >= 1\"", true),
            ("oci.archive=true", "oci|archive", "true", false),
            ("a=1\nb=2", "a", "\"1\\nb=2\"", false),
        ];
        for (text, path, shown, append) in cases {
            let (found, found_value, found_append) = value(text);
            assert_eq!((found.as_str(), found_append), (path, append), "{text}");
            if text != "a=1\nb=2" {
                assert_eq!(found_value, shown, "{text}");
            }
        }
        for bad in ["a", "=1", "a..b=1", "a b=1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn commands_are_split_like_a_shell_does() {
        let found = words("/usr/bin/x  --name 'a b' \"c \\\" d\" e\\ f ''").unwrap();
        assert_eq!(found, ["/usr/bin/x", "--name", "a b", "c \" d", "e f", ""]);
        assert!(words("'x").is_err());
        assert!(words("  ").is_err());
    }
}
