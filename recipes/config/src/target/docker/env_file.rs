//! Files that `--env-file` names: a variable a line, everything behind the first `=` stands for itself.
//!
//! Podman reads them as Docker does, line by line with at most 64 KiB each. Both drop a carriage return before a line's
//! end.

/// The longest line, in bytes, without its end.
const MAX_LINE: usize = 64 * 1024 - 2;

/// Appends a line; the error says why there is none.
pub(super) fn assign(file: &mut String, name: &str, value: &str) -> Result<(), &'static str> {
    if value.contains('\n') {
        return Err("docker's files of variables have no way to write a line break");
    }
    if value.ends_with('\r') {
        return Err("docker drops a carriage return at the end of a variable");
    }
    if value.contains('\0') {
        return Err("no variable holds a NUL");
    }
    if name.len() + "=".len() + value.len() > MAX_LINE {
        return Err("docker reads no file of variables with a line of 64 KiB or more");
    }
    file.push_str(name);
    file.push('=');
    file.push_str(value);
    file.push('\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads assignments as Docker does.
    fn parse(file: &str) -> Vec<(String, String)> {
        let mut assignments = Vec::new();
        for line in file.strip_suffix('\n').unwrap_or(file).split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line).trim_start_matches([' ', '\t']);
            if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                assignments.push((name.into(), value.into()));
            }
        }
        assignments
    }

    #[test]
    fn a_value_stands_as_it_is_or_not_at_all() {
        let mut file = String::new();
        for value in ["", " a 'b' \"c\" $D \\ #e ", "\ra"] {
            assert_eq!(assign(&mut file, "A", value), Ok(()));
        }
        assert_eq!(file, "A=\nA= a 'b' \"c\" $D \\ #e \nA=\ra\n");
        for value in ["a\nb", "a\r", "\0", &"x".repeat(64 * 1024)] {
            assert!(assign(&mut file, "A", value).is_err());
        }
        assert_eq!(assign(&mut file, "A", &"x".repeat(MAX_LINE - 2)), Ok(()));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec("[ -~\n\r\té€😀]{0,20}|\\PC{0,20}", 1..4)) {
            let (mut file, mut expected) = (String::new(), Vec::new());
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
