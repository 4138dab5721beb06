//! Versions of other ecosystems, written as recipes write them.
//!
//! What has no such form is returned as it is, and the recipe says what is wrong with it.

/// Returns a version of PEP 440 without its epoch, which [`python_epoch`] has.
///
/// `1.0rc1` becomes `1.0-rc1`, `1.0.post2` becomes `1.0+post2`. A development release sorts before
/// every other prerelease, as numbers alone do: `1.0.dev3` becomes `1.0-3`.
pub(super) fn python(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let text = text.split_once('!').map_or(text.as_str(), |(_, rest)| rest);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let core = text[..end].trim_end_matches('.');
    let rest = text[end..].trim_start_matches(['.', '-', '_']);
    let number = |rest: &str| rest.trim_start_matches(['.', '-', '_']).to_owned();
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if rest.is_empty() {
        return core.to_owned();
    }
    if rest.starts_with('+') {
        return format!("{core}{rest}");
    }
    for (word, form) in [("post", "+post"), ("rev", "+post"), ("dev", "-")] {
        if let Some(count) = rest.strip_prefix(word).map(number).filter(|count| digits(count)) {
            let count = if count.is_empty() { "0".to_owned() } else { count };
            return format!("{core}{form}{count}");
        }
    }
    let words = [("alpha", "a"), ("beta", "b"), ("preview", "rc"), ("pre", "rc")];
    let words = words.into_iter().chain([("rc", "rc"), ("a", "a"), ("b", "b"), ("c", "rc")]);
    for (word, form) in words {
        if let Some(count) = rest.strip_prefix(word).map(number).filter(|count| digits(count)) {
            return format!("{core}-{form}{count}");
        }
    }
    text.to_owned()
}

/// Returns the epoch of a version of PEP 440.
pub(super) fn python_epoch(text: &str) -> Option<i64> {
    text.trim().split_once('!').and_then(|(epoch, _)| epoch.parse().ok())
}

/// Returns a version of RubyGems: `1.0.0.rc1` becomes `1.0.0-rc1`.
pub(super) fn ruby(text: &str) -> String {
    let mut parts = text.trim().split('.');
    let core: Vec<&str> =
        parts.clone().take_while(|part| part.chars().all(|c| c.is_ascii_digit())).collect();
    let rest: Vec<&str> = parts.by_ref().skip(core.len()).collect();
    if rest.is_empty() { core.join(".") } else { format!("{}-{}", core.join("."), rest.join(".")) }
}

/// Returns a version of Maven: qualifiers that come before the release are kept after `-`, those
/// that mean the release are dropped, and others, e.g. `-jre`, stand after `+`.
pub(super) fn maven(text: &str) -> String {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let core = text[..end].trim_end_matches('.');
    let qualifier = text[end..].trim_start_matches(['.', '-']);
    let lower = qualifier.to_lowercase();
    let word = lower.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    match word {
        "" if qualifier.is_empty() => core.to_owned(),
        "final" | "ga" | "release" if lower == word => core.to_owned(),
        "alpha" | "a" | "beta" | "b" | "milestone" | "m" | "rc" | "cr" | "snapshot" | "pre" => {
            format!("{core}-{qualifier}")
        }
        _ => format!("{core}+{}", qualifier.replace(['-', '_'], ".")),
    }
}

/// Returns a semantic version, perhaps with a `v` before it.
pub(super) fn semantic(text: &str) -> String {
    let text = text.trim();
    let bare = text.strip_prefix(['v', 'V']).unwrap_or(text);
    if bare.starts_with(|c: char| c.is_ascii_digit()) { bare.into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use bake_recipes::version::Version;

    use super::*;

    #[test]
    fn versions_of_other_ecosystems_are_versions() {
        type Form = fn(&str) -> String;
        let cases: [(Form, &str, &str); 20] = [
            (python, "1.2.3", "1.2.3"),
            (python, "1.0rc1", "1.0-rc1"),
            (python, "1.0.b2", "1.0-b2"),
            (python, "1.0-alpha.3", "1.0-a3"),
            (python, "1.0.post2", "1.0+post2"),
            (python, "1.0.dev3", "1.0-3"),
            (python, "1!2.0", "2.0"),
            (python, "1.0+local.7", "1.0+local.7"),
            (ruby, "3.1.0", "3.1.0"),
            (ruby, "1.0.0.rc1", "1.0.0-rc1"),
            (ruby, "2.0.beta.2", "2.0-beta.2"),
            (maven, "1.0-SNAPSHOT", "1.0-SNAPSHOT"),
            (maven, "4.1.0.Final", "4.1.0"),
            (maven, "31.1-jre", "31.1+jre"),
            (maven, "2.0-RC1", "2.0-RC1"),
            (maven, "1.0-20240101.120000-3", "1.0+20240101.120000.3"),
            (semantic, "v1.2.0", "1.2.0"),
            (semantic, "1.2.0-rc.1+x", "1.2.0-rc.1+x"),
            (maven, "1.2", "1.2"),
            (ruby, "1.0.0.pre", "1.0.0-pre"),
        ];
        for (form, text, expected) in cases {
            let version = form(text);
            assert_eq!(version, expected, "{text}");
            assert!(Version::parse(&version).is_ok(), "{version}");
        }
        assert_eq!(python_epoch("1!2.0"), Some(1));
        assert_eq!(python_epoch("2.0"), None);
    }
}
