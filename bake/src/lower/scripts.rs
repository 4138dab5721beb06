//! The text of the scripts that a recipe names.

use bake_recipes::Place;
use bake_recipes::resolved::{Script, ScriptSource};

use super::Texts;
use crate::error::Error;

/// A script is text for a person to read; a larger file is a mistake in the recipe.
const LIMIT: u64 = 1 << 20;

/// Returns a script's text, from the recipe or from the file it names.
pub(super) fn text(script: &Script, texts: &Texts) -> Result<String, Error> {
    source_text(&script.source, &script.place, texts)
}

/// Returns a text of the recipe, or that of the file it names.
pub(super) fn source_text(
    source: &ScriptSource,
    place: &Place,
    texts: &Texts,
) -> Result<String, Error> {
    match source {
        ScriptSource::Inline(text) => Ok(text.clone()),
        ScriptSource::File(name) => file_text("script", name, place, texts),
    }
}

/// Returns the text of a file that a recipe names; `what` is how errors call it.
pub(super) fn file_text(
    what: &str,
    name: &str,
    place: &Place,
    texts: &Texts,
) -> Result<String, Error> {
    let fail = |reason: String| place.error(format!("{what} `{name}`: {reason}"));
    let path = texts.path(name);
    let metadata = fs_err::metadata(&path).map_err(|_| fail("it is not there".into()))?;
    // Reading a pipe would wait for a writer.
    if !metadata.is_file() {
        return Err(fail("it is not a regular file".into()).into());
    }
    let size = metadata.len();
    if size > LIMIT {
        return Err(fail(format!("it has {size} bytes, at most {LIMIT} are allowed")).into());
    }
    Ok(fs_err::read_to_string(&path).map_err(|error| fail(error.to_string()))?)
}

/// Splits the `#!` line off a script: the interpreter with its arguments, and the rest.
///
/// A script without one is for `/bin/sh`.
pub(super) fn split_interpreter(text: &str) -> (Vec<String>, String) {
    let Some(rest) = text.strip_prefix("#!") else {
        return (vec!["/bin/sh".into()], text.into());
    };
    let (line, body) = rest.split_once('\n').unwrap_or((rest, ""));
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if words.is_empty() { (vec!["/bin/sh".into()], body.into()) } else { (words, body.into()) }
}

/// Returns a script that begins with an interpreter line; one without is for `/bin/sh`.
pub(super) fn with_interpreter(text: String) -> String {
    if text.starts_with("#!") { text } else { format!("#!/bin/sh\nset -e\n{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_line_is_split_off_or_supplied() {
        let sh = vec!["/bin/sh".to_owned()];
        assert_eq!(split_interpreter("true\n"), (sh.clone(), "true\n".to_owned()));
        let bash = vec!["/bin/bash".to_owned(), "-e".to_owned()];
        assert_eq!(split_interpreter("#! /bin/bash -e\ntrue\n"), (bash, "true\n".to_owned()));
        assert_eq!(split_interpreter("#!\ntrue"), (sh, "true".to_owned()));
        assert_eq!(with_interpreter("true\n".into()), "#!/bin/sh\nset -e\ntrue\n");
        assert_eq!(with_interpreter("#!/bin/bash\n".into()), "#!/bin/bash\n");
    }
}
