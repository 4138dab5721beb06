//! Words and conditions of the shell.

/// `postinst` is run to configure the package, and to undo what another script has failed at
/// (Debian Policy 6.5); what it sets up is needed after either.
pub(super) const CONFIGURE: &str =
    "case \"$1\" in\nconfigure | abort-upgrade | abort-deconfigure | abort-remove)\n";

/// Returns a word that the shell takes as it is.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Returns a path below the root that dpkg works on, as a word.
pub(super) fn rooted(path: &str) -> String {
    format!("\"${{DPKG_ROOT:-}}\"{}", quote(path))
}

/// Returns words, each quoted.
pub(super) fn words<'a>(all: impl IntoIterator<Item = &'a str>) -> String {
    all.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_need_it() {
        assert_eq!(words(["a.service", "a b", "", "it's"]), "a.service 'a b' '' 'it'\\''s'");
        assert_eq!(rooted("/usr/bin/x"), "\"${DPKG_ROOT:-}\"/usr/bin/x");
        assert_eq!(quote("dev-disk\\x2d1.mount"), "'dev-disk\\x2d1.mount'");
    }
}
