//! A command line, split into words without a shell.

/// Splits a command at spaces; quotes and backslashes keep spaces, as in a POSIX shell.
///
/// Nothing else is special: variables, `~`, patterns and pipes are ordinary characters.
pub(super) fn split(command: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => loop {
                let word = word.get_or_insert_default();
                match characters.next() {
                    Some('\'') => break,
                    Some(character) => word.push(character),
                    None => return Err("expected another `'`".into()),
                }
            },
            '"' => loop {
                let word = word.get_or_insert_default();
                match characters.next() {
                    Some('"') => break,
                    Some('\\') => word.push_str(&escaped(characters.next())?),
                    Some(character) => word.push(character),
                    None => return Err("expected another `\"`".into()),
                }
            },
            '\\' => {
                let next = characters.next().ok_or("expected a character after `\\`")?;
                word.get_or_insert_default().push(next);
            }
            character => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if words.first().is_none_or(String::is_empty) {
        return Err("it names no program".into());
    }
    Ok(words)
}

/// Returns what a backslash and the character after it mean between double quotes.
fn escaped(next: Option<char>) -> Result<String, String> {
    match next {
        Some(next @ ('"' | '\\' | '$' | '`')) => Ok(next.to_string()),
        Some(next) => Ok(format!("\\{next}")),
        None => Err("expected another `\"`".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_those_of_a_shell() {
        let cases: [(&str, &[&str]); 6] = [
            ("gpg --detach-sign  -u X", &["gpg", "--detach-sign", "-u", "X"]),
            ("a 'b c' \"d e\" f\\ g", &["a", "b c", "d e", "f g"]),
            ("a '' b", &["a", "", "b"]),
            (r#"a "x\"y\\z\n" 'q\'"#, &["a", r#"x"y\z\n"#, r"q\"]),
            ("a $HOME ~ *.x | b", &["a", "$HOME", "~", "*.x", "|", "b"]),
            ("pre'fix 'ed", &["prefix ed"]),
        ];
        for (command, words) in cases {
            assert_eq!(split(command).unwrap(), words, "{command}");
        }
    }

    #[test]
    fn what_is_open_or_empty_is_refused() {
        for command in ["", "  ", "a 'b", "a \"b", "a \\", "'' b"] {
            assert!(split(command).is_err(), "{command}");
        }
    }
}
