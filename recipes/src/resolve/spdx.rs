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

/// Returns the identifiers of licences and exceptions in a valid expression, each once, in order.
pub(super) fn identifiers(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    for word in text.split([' ', '(', ')']).filter(|word| !word.is_empty()) {
        let identifier = word.trim_end_matches('+');
        if !matches!(word, "AND" | "OR" | "WITH") && !all.contains(&identifier) {
            all.push(identifier);
        }
    }
    all
}

/// Returns whether every Debian system has the text of a licence, in `/usr/share/common-licenses`.
///
/// The BSD text there is the University of California's own, so it does not count (Debian
/// policy 12.5).
pub(super) fn is_common(identifier: &str) -> bool {
    const COMMON: [&str; 13] = [
        "Apache-2.0",
        "Artistic-1.0-Perl",
        "CC0-1.0",
        "GFDL-1.2",
        "GFDL-1.3",
        "GPL-1.0",
        "GPL-2.0",
        "GPL-3.0",
        "LGPL-2.0",
        "LGPL-2.1",
        "LGPL-3.0",
        "MPL-1.1",
        "MPL-2.0",
    ];
    let base = identifier.strip_suffix("-only").or_else(|| identifier.strip_suffix("-or-later"));
    let base = base.unwrap_or(identifier);
    let base = base.strip_suffix("-invariants").unwrap_or(base);
    COMMON.contains(&base.strip_suffix("-no").unwrap_or(base))
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
    fn names_what_needs_a_text() {
        let text = "(GPL-2.0+ WITH Classpath-exception-2.0) OR (MIT AND MIT)";
        assert_eq!(identifiers(text), ["GPL-2.0", "Classpath-exception-2.0", "MIT"]);
        for common in ["GPL-2.0", "LGPL-2.1-or-later", "GFDL-1.3-no-invariants-only", "CC0-1.0"] {
            assert!(is_common(common), "{common}");
        }
        for rare in ["MIT", "BSD-3-Clause", "AGPL-3.0-only", "GFDL-1.1-only", "LicenseRef-x"] {
            assert!(!is_common(rare), "{rare}");
        }
    }

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
