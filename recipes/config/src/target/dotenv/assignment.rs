//! Assignments that shells and the libraries called dotenv read alike.
//!
//! | readers | between `'` | between `"` |
//! |---|---|---|
//! | POSIX shells | all but `'` stands for itself | `\`, `$`, `` ` `` and `"` do not |
//! | Ruby, Node.js | the same, but `\'` does not end it | `\` and, in Ruby, `$` do not |
//! | Python | the same, but `\\` is one and `\'` does not end it; `${…}` is filled in | `\` and `${…}` do not |
//!
//! All but shells make a line feed of a carriage return. Some libraries, as Ruby's 2.4, end a value at a line break even
//! between quotes.

/// Appends an assignment; the error says where readers differ.
pub(super) fn assign(file: &mut String, name: &str, value: &str) -> Result<(), &'static str> {
    let quote = quote(value)?;
    file.push_str(name);
    for text in ["=", quote, value, quote, "\n"] {
        file.push_str(text);
    }
    Ok(())
}

fn quote(value: &str) -> Result<&'static str, &'static str> {
    if value.contains(['\n', '\r']) {
        return Err("readers of .env files differ about line breaks");
    }
    if value.contains('\0') {
        return Err("no variable holds a NUL");
    }
    if value.contains("${") {
        return Err("some readers of .env files fill in `${…}` even between single quotes");
    }
    if value.contains("\\\\") || value.ends_with('\\') {
        return Err(
            "readers of .env files differ about a backslash before another one or at the end",
        );
    }
    if !value.contains('\'') {
        return Ok("'");
    }
    if !value.contains(['"', '\\', '$', '`']) {
        return Ok("\"");
    }
    Err("readers of .env files agree on no way to write a `'` beside a `\"`, `\\`, `$` or `` ` ``")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How a library reads what is between quotes.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Dialect {
        Shell,
        Ruby,
        Node,
        Python,
    }

    /// Returns the end of a quoted text, from behind its first quote.
    fn end(text: &str, quote: char, dialect: Dialect) -> Option<usize> {
        let skips = dialect != Dialect::Shell || quote == '"';
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                return Some(at);
            }
            // Only Python skips whatever stands behind a backslash.
            let takes = |(_, next): &(usize, char)| *next == quote || dialect == Dialect::Python;
            if c == '\\' && skips {
                chars.next_if(takes);
            }
        }
        None
    }

    /// Reads a file of quoted assignments; `None` where the value would not be what is between the quotes.
    fn parse(file: &str, dialect: Dialect) -> Option<Vec<(String, String)>> {
        let file = match dialect {
            Dialect::Shell => file.to_owned(),
            Dialect::Ruby | Dialect::Node | Dialect::Python => {
                file.replace("\r\n", "\n").replace('\r', "\n")
            }
        };
        let (mut assignments, mut rest) = (Vec::new(), file.as_str());
        while let Some((name, value)) = rest.split_once('=') {
            let quote = value.chars().next()?;
            let inside = value.get(1..)?;
            let (text, after) = inside.split_at(end(inside, quote, dialect)?);
            let escapes = match (dialect, quote) {
                (Dialect::Shell, '"') => text.contains(['\\', '$', '`']),
                (Dialect::Ruby, '"') => text.contains(['\\', '$']),
                (Dialect::Node, '"') => text.contains('\\'),
                (Dialect::Python, '"') => text.contains('\\') || text.contains("${"),
                (Dialect::Python, _) => text.contains("\\\\") || text.contains("${"),
                (Dialect::Shell | Dialect::Ruby | Dialect::Node, _) => false,
            };
            let ends = dialect == Dialect::Ruby && text.contains('\n');
            if escapes || ends || !after.get(1..)?.starts_with('\n') {
                return None;
            }
            assignments.push((name.to_owned(), text.to_owned()));
            rest = after.get(2..)?;
        }
        Some(assignments)
    }

    #[test]
    fn a_value_is_quoted_or_refused() {
        let cases = [
            ("", Ok("A=''\n")),
            (" a \"b\" $c `d` \\n #e ", Ok("A=' a \"b\" $c `d` \\n #e '\n")),
            ("it's", Ok("A=\"it's\"\n")),
            ("it's $5", Err(())),
            ("${A}", Err(())),
            ("a\\", Err(())),
            ("a\\\\b", Err(())),
            ("a\nb", Err(())),
            ("a\r", Err(())),
        ];
        for (value, expected) in cases {
            let mut file = String::new();
            let found = assign(&mut file, "A", value).map(|()| file.as_str()).map_err(|_| ());
            assert_eq!(found, expected, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn all_dialects_read_what_is_written(values in prop::collection::vec("[a\n\r \"'\\\\$`{}#=]{0,8}|\\PC{0,20}", 1..4)) {
            let (mut file, mut expected) = (String::new(), Vec::new());
            for (index, value) in values.into_iter().enumerate() {
                let name = format!("A_{index}");
                if assign(&mut file, &name, &value).is_ok() {
                    expected.push((name, value));
                }
            }
            for dialect in [Dialect::Shell, Dialect::Ruby, Dialect::Node, Dialect::Python] {
                let found = parse(&file, dialect);
                prop_assert_eq!(found.as_ref(), Some(&expected), "{:?} {:?}", dialect, file);
            }
        }
    }
}
