//! SPDX licence expressions (SPDX 2.3, annex D): their grammar, not the list of licences.

/// Checks an expression; the error is a reason.
pub(super) fn check(text: &str) -> Result<(), String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut depth = 0_usize;
    let mut operand_next = true;
    let mut after_with = false;
    let mut words = 0_usize;
    for word in spaced.split_whitespace() {
        words += 1;
        let identifier = !matches!(word, "AND" | "OR" | "WITH" | "(" | ")");
        if after_with && !identifier {
            return Err(format!("expected an exception after `WITH`, found `{word}`"));
        }
        match word {
            "(" if operand_next => depth += 1,
            ")" if !operand_next && depth > 0 => depth -= 1,
            "AND" | "OR" if !operand_next => operand_next = true,
            "WITH" if !operand_next => {
                operand_next = true;
                after_with = true;
            }
            _ if identifier && operand_next => {
                identifier_is_valid(word)?;
                operand_next = false;
                after_with = false;
            }
            _ => return Err(format!("`{word}` is not expected there")),
        }
    }
    if words == 0 || operand_next {
        return Err("it ends where a licence is expected".into());
    }
    if depth > 0 {
        return Err("a parenthesis is not closed".into());
    }
    Ok(())
}

fn identifier_is_valid(word: &str) -> Result<(), String> {
    let plain = word.strip_suffix('+').unwrap_or(word);
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
    match plain.chars().find(|c| !allowed(*c)) {
        Some(bad) => Err(format!("`{}` cannot stand in a licence", bad.escape_debug())),
        None if plain.is_empty() => Err("`+` is not a licence".into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_grammar() {
        let good = [
            "MIT",
            "Apache-2.0 OR MIT",
            "(GPL-2.0-or-later WITH Classpath-exception-2.0) AND (MIT OR BSD-3-Clause)",
            "LicenseRef-Proprietary",
            "GPL-2.0+",
            "DocumentRef-x:LicenseRef-y",
        ];
        for text in good {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        let bad = [
            "",
            "Apache 2.0",
            "MIT OR",
            "OR MIT",
            "(MIT",
            "MIT)",
            "MIT/Apache-2.0",
            "+",
            "()",
            "MIT WITH (x)",
            "MIT and BSD",
        ];
        for text in bad {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
