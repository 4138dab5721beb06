//! Words of the shell.

/// Returns a word that the shell takes as it is.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
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
        assert_eq!(quote("dev-disk\\x2d1.mount"), "'dev-disk\\x2d1.mount'");
    }
}
