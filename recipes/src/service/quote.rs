//! Quoting for systemd's files (systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers").

use std::fmt::Write as _;

/// Doubles `%`, which introduces a specifier.
pub(super) fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// Returns text as one word: quoted if it must be, with escapes for what a quoted word cannot
/// hold.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%~^".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => {
                let written = write!(quoted, "\\x{:02x}", u32::from(c));
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns an argument of a command line, in which `$` introduces a variable as well.
pub(super) fn argument(text: &str) -> String {
    word(&specifiers(text).replace('$', "$$"))
}
