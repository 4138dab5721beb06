//! What errors show of a line: an environment's file may hold a secret where none belongs.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Place, RecipeError};

/// What stands for the rest of a line.
const HIDDEN: &str = "…";

/// Returns the place of a byte range, without what is written after the key.
pub(super) fn place(file: &Arc<str>, text: &str, span: &Range<usize>) -> Place {
    hidden(Place::of(file, text, span))
}

/// Returns a place whose text is a key or the head of a table at most.
pub(super) fn hidden(place: Place) -> Place {
    let line = &*place.text;
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '"');
    let key = trimmed.split_once('=').filter(|(key, _)| key.len() <= 160 && key.chars().all(bare));
    let is_head = trimmed.starts_with('[') && trimmed.trim_end().ends_with(']');
    let shown = match key {
        _ if is_head => line.to_owned(),
        Some((key, _)) => format!("{}= {HIDDEN}", &line[..indent + key.len()]),
        None if trimmed.is_empty() => String::new(),
        None => HIDDEN.to_owned(),
    };
    let boundary = |offset: usize| {
        let mut offset = offset.min(shown.len());
        while !shown.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    let start = boundary(place.span.start);
    let span = start..boundary(place.span.end).max(start);
    Place { text: Arc::from(shown), span, ..place }
}

/// Returns an error without what is written in the file: its line, and the value that was found.
pub(super) fn without_value(error: RecipeError) -> RecipeError {
    let message = match error.message.find("found the ") {
        None => error.message,
        Some(found) => {
            let kept = &error.message[found..];
            let end = kept.find(['"', '`']).unwrap_or(kept.len());
            let what = kept[..end].trim_end().trim_start_matches("found the ");
            let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            format!("{}found {article} {what}", &error.message[..found])
        }
    };
    // The hint for text without quotes repeats it.
    let hint = error.hint.filter(|hint| !hint.starts_with("put it in quotes"));
    RecipeError { message, hint, place: error.place.map(hidden) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_and_heads_are_shown() {
        let cases = [
            ("DB_PASSWORD = \"hunter2\"", "DB_PASSWORD = …"),
            ("  DB_PASSWORD=hunter2", "  DB_PASSWORD= …"),
            ("[secrets]", "[secrets]"),
            ("hunter2", "…"),
            ("hunter2!=more", "…"),
            ("", ""),
        ];
        for (line, expected) in cases {
            for (start, end) in [(0, 0), (0, line.len()), (line.len(), line.len())] {
                let place = place(&Arc::from("prod.toml"), line, &(start..end));
                assert_eq!(&*place.text, expected, "{line}");
                assert!(place.text.get(place.span.clone()).is_some(), "{line}");
            }
        }
    }
}
