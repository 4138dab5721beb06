//! What was probably meant by a word that nobody knows.

/// Returns the word that was probably meant.
pub(crate) fn nearest<'a>(found: &str, allowed: &[&'a str]) -> Option<&'a str> {
    allowed
        .iter()
        .map(|word| (strsim::damerau_levenshtein(found, word), *word))
        .min()
        .filter(|(distance, word)| *distance <= 1 + word.len() / 4)
        .map(|(_, word)| word)
}

/// Says which word was probably meant, or else which words there are.
pub(crate) fn hint(found: &str, allowed: &[&str]) -> String {
    match nearest(found, allowed) {
        Some(near) => format!("did you mean `{near}`?"),
        None if allowed.len() == 1 => format!("expected `{}`", allowed.join("")),
        None => format!("expected one of `{}`", allowed.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let words = ["summary", "version", "to"];
        assert_eq!(nearest("verison", &words), Some("version"));
        assert_eq!(nearest("summery", &words), Some("summary"));
        assert_eq!(nearest("platform", &words), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
