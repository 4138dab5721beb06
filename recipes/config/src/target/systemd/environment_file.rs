//! Files that `EnvironmentFile=` names (systemd.exec(5)).
//!
//! Within double quotes everything stands for itself, line breaks included, but for a backslash before one of
//! `"`, `\`, `` ` `` and `$`, which then stands for the latter, and before a line break, which then is none.

use zeroize::Zeroizing;

/// What stands for itself only behind a backslash.
const ESCAPED: [char; 4] = ['"', '\\', '`', '$'];

/// Appends an assignment; the error says why there is none.
pub(super) fn assign(
    file: &mut Zeroizing<String>,
    name: &str,
    value: &str,
) -> Result<(), &'static str> {
    if value.chars().any(is_refused) {
        return Err(
            "systemd refuses files with NUL, a byte order mark or a noncharacter of Unicode",
        );
    }
    // Room for all of it at once: growing would leave copies of a secret behind.
    file.reserve(name.len() + 2 * value.len() + 4);
    file.push_str(name);
    file.push_str("=\"");
    for c in value.chars() {
        if ESCAPED.contains(&c) {
            file.push('\\');
        }
        file.push(c);
    }
    file.push_str("\"\n");
    Ok(())
}

fn is_refused(c: char) -> bool {
    let code = u32::from(c);
    matches!(c, '\0' | '\u{feff}' | '\u{fdd0}'..='\u{fdef}') || code & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes next in a file.
    enum State {
        Name,
        Bare,
        Single,
        Double,
    }

    /// Reads assignments as the manual says.
    fn parse(file: &str) -> Vec<(String, String)> {
        let (mut assignments, mut state) = (Vec::new(), State::Name);
        let (mut name, mut value, mut bare_end) = (String::new(), String::new(), 0);
        let mut chars = format!("{file}\n").chars().collect::<Vec<_>>().into_iter().peekable();
        while let Some(c) = chars.next() {
            match state {
                State::Name if c == '\n' || c == '\r' => name.clear(),
                State::Name if name.is_empty() && (c == '#' || c == ';') => {
                    while chars.next_if(|c| *c != '\n').is_some() {}
                }
                State::Name if c == '=' => (state, bare_end) = (State::Bare, 0),
                State::Name => name.push(c),
                State::Bare if c == '\n' || c == '\r' => {
                    value.truncate(bare_end);
                    let name = std::mem::take(&mut name).trim().to_owned();
                    assignments.push((name, std::mem::take(&mut value)));
                    state = State::Name;
                }
                State::Bare if c == '\'' => state = State::Single,
                State::Bare if c == '"' => state = State::Double,
                State::Bare if c == '\\' => {
                    value.extend(chars.next().filter(|c| *c != '\n'));
                    bare_end = value.len();
                }
                State::Bare if c.is_ascii_whitespace() => {
                    if bare_end > 0 {
                        value.push(c);
                    }
                }
                State::Bare => {
                    value.push(c);
                    bare_end = value.len();
                }
                State::Single | State::Double
                    if (c == '\'') == matches!(state, State::Single) && (c == '\'' || c == '"') =>
                {
                    (state, bare_end) = (State::Bare, value.len());
                }
                State::Double if c == '\\' => match chars.next() {
                    Some('\n') | None => {}
                    Some(c) if ESCAPED.contains(&c) => value.push(c),
                    Some(c) => value.extend(['\\', c]),
                },
                State::Single | State::Double => value.push(c),
            }
        }
        assignments
    }

    #[test]
    fn the_parser_of_these_tests_knows_the_grammar() {
        let file = "# A=1\n;B=2\nC = a\\ b \\$\n\nD='a\nb\\'\"c\"  d\nE=\"a\\\nb\\c\\\"\"\n";
        let expected = [("C", "a b $"), ("D", "a\nb\\c  d"), ("E", "ab\\c\"")];
        let found = parse(file);
        let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_value_is_quoted() {
        let mut file = Zeroizing::default();
        assert_eq!(assign(&mut file, "A", "a \"b\" $c `d` \\\n'e' %n"), Ok(()));
        assert_eq!(&**file, "A=\"a \\\"b\\\" \\$c \\`d\\` \\\\\n'e' %n\"\n");
        for value in ["\0", "\u{feff}a", "\u{fdd0}", "\u{fffe}", "\u{10ffff}"] {
            assert!(assign(&mut file, "A", value).is_err(), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec("(?s)[ -~\n\r\t\"'\\\\$`é€😀]{0,20}|\\PC{0,20}", 0..4)) {
            let mut file = Zeroizing::new(String::from("# A comment.\n"));
            let mut expected = Vec::new();
            for (index, value) in values.into_iter().enumerate() {
                let name = format!("A_{index}");
                if assign(&mut file, &name, &value).is_ok() {
                    expected.push((name, value));
                }
            }
            prop_assert_eq!(parse(&file), expected);
        }
    }
}
