//! Reading a recipe file.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::error::{Place, RecipeError, RecipeErrors};
use crate::written::Recipe;

/// The largest recipe that is read, in bytes.
pub const MAX_LEN: u64 = 4 * 1024 * 1024;

/// Reads a recipe file.
pub fn load(path: &Path) -> Result<Recipe, RecipeErrors> {
    let text = read(path, "recipe", MAX_LEN).map_err(|fault| match fault {
        Fault::Missing(error) => error.hint("name another with `-f FILE`; `bake pack` needs none"),
        Fault::Other(error) => error,
    })?;
    parse(&path.display().to_string(), &text)
}

/// Parses the text of a recipe; `file` is what errors call it.
pub fn parse(file: &str, text: &str) -> Result<Recipe, RecipeErrors> {
    let keys = keys(file, text)?;
    Ok(Recipe { file: Arc::from(file), text: Arc::from(text), keys })
}

/// Why a file cannot be read as text.
pub(crate) enum Fault {
    /// It is not there.
    Missing(RecipeError),
    /// Anything else.
    Other(RecipeError),
}

/// Reads a text file of at most `most` bytes; `what` is how errors call it.
pub(crate) fn read(path: &Path, what: &str, most: u64) -> Result<String, Fault> {
    let file = path.display().to_string();
    let unreadable = |reason: String| RecipeError::new(format!("cannot read the {what}: {reason}"));
    let opened = fs_err::File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::Missing(unreadable(error.to_string())),
        _ => Fault::Other(unreadable(error.to_string())),
    })?;
    let mut bytes = Vec::new();
    let read = opened.take(most + 1).read_to_end(&mut bytes);
    let len = read.map_err(|error| Fault::Other(unreadable(error.to_string())))?;
    if len as u64 > most {
        return Err(Fault::Other(unreadable(format!("`{file}` is larger than {most} bytes"))));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let place = Place::of(&Arc::from(file), &text, &(valid..valid + 1));
        Fault::Other(place.error(format!("the {what} is not UTF-8")))
    })
}

/// Parses TOML into what is written there; `file` is what errors call it.
pub(crate) fn keys<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, RecipeErrors> {
    toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        explain(&Arc::from(file), text, &span, error.message()).into()
    })
}

/// Says in the recipe's words what a serde message says in Rust's.
fn explain(file: &Arc<str>, text: &str, span: &Range<usize>, message: &str) -> RecipeError {
    let place = Place::of(file, text, span);
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field") || message.starts_with("unknown variant") {
        let what = if message.starts_with("unknown field") { "key" } else { "word" };
        let (found, allowed) = quoted.split_first().unwrap_or((&"", &[]));
        let error = place.error(format!("unknown {what} `{found}`"));
        return match nearest_key(found, allowed) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if allowed.is_empty() => error,
            None if allowed.len() == 1 => error.hint(format!("expected `{}`", allowed.join(""))),
            None => error.hint(format!("expected one of `{}`", allowed.join("`, `"))),
        };
    }
    if let ("missing field", Some(key)) = (message.get(..13).unwrap_or_default(), quoted.first()) {
        return place.error(format!("missing key `{key}`"));
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        let expected = match expected {
            text if text.starts_with("struct ") => "a table",
            text if text.contains("sequence") => "an array",
            "i64" | "i32" | "u32" => "a whole number",
            text => text,
        };
        let found = found.replace("map", "table").replace("sequence", "array");
        let found = found.replace("floating point", "number");
        let error = place.error(format!("expected {expected}, found the {found}"));
        let error = match (expected, quoted.first()) {
            ("a string", Some(value)) => error.hint(format!("put it in quotes: \"{value}\"")),
            (text, _) if text.contains("tables or a table with `file`") => {
                error.hint("name a file with `{ file = \"…\" }`")
            }
            ("an array", _) => error.hint("put it in brackets: `[…]`"),
            _ => error,
        };
        return error;
    }
    place.error(message.replace('\n', ", "))
}

/// Returns the key or word that was probably meant.
fn nearest_key<'a>(found: &str, allowed: &[&'a str]) -> Option<&'a str> {
    crate::suggestion::nearest(&found.to_lowercase().replace('_', "-"), allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Look;

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let errors = load(Path::new("no-such-recipe.toml")).unwrap_err();
        assert!(errors.to_string().contains("no-such-recipe.toml"), "{errors}");
    }

    #[test]
    fn bytes_that_are_not_text_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bake.toml");
        fs_err::write(&path, b"name = \"a\"\nsummary = \"\xff\"\n").unwrap();
        let errors = load(&path).unwrap_err();
        let place = errors.iter().next().unwrap().place.clone().unwrap();
        assert_eq!((place.line, place.column), (2, 12));
    }

    #[test]
    fn columns_are_counted_in_characters() {
        let errors = parse("bake.toml", "name = \"ab\"\r\n\"é\" = 1\r\n").unwrap_err();
        let place = errors.iter().next().unwrap().place.clone().unwrap();
        assert_eq!((place.line, place.column, &*place.text), (2, 1, "\"é\" = 1"));
    }

    #[test]
    fn errors_hold_no_control_characters() {
        let texts = ["a\u{1b}[31m = 1", "\"a\\u001b[31m\" = 1", "a = \"\u{7}\"", "[a]\r[b]"];
        for text in texts {
            let errors = parse("bake.toml", text).unwrap_err();
            for shown in [errors.render(Look::Plain), errors.to_string()] {
                assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
            }
        }
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let text = format!("a = {}", "[".repeat(100_000));
        assert!(parse("bake.toml", &text).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_recipe_or_an_error_that_can_be_shown(
            text in "\\PC{0,80}|([a-z]{1,8} = [\\[{\"0-9a-z=,.\\]}\\n]{0,20}\n){0,4}"
        ) {
            if let Err(errors) = parse("bake.toml", &text) {
                prop_assert!(errors.render(Look::Plain).starts_with("error: "));
            }
        }
    }
}
