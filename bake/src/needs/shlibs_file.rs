//! The control file `shlibs` (deb-shlibs(5)): the dependency of everything that uses a library.
//!
//! ```text
//! [TYPE: ]LIBRARY VERSION [DEPENDENCIES]
//! libz 1 zlib1g (>= 1:1.2.0)
//! ```

/// Returns what users of a library depend on: perhaps nothing. `None` if the file does not say.
pub(super) fn dependency<'a>(text: &'a str, soname: &str) -> Option<&'a str> {
    let (library, version) = split(soname)?;
    let mut general = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (kind, rest) = match line.trim_start().split_once(char::is_whitespace) {
            Some((first, rest)) if first.ends_with(':') => (Some(first), rest),
            _ => (None, line),
        };
        let (found, rest) = word(rest);
        let (number, dependencies) = word(rest);
        if (found, number) != (library, version) {
            continue;
        }
        match kind {
            Some("deb:") => return Some(dependencies.trim()),
            Some(_) => {}
            None => general = general.or(Some(dependencies.trim())),
        }
    }
    general
}

/// Returns the libraries that a file is about, by name and version.
pub(super) fn libraries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (first, rest) = word(line);
        let (first, rest) = if first.ends_with(':') { word(rest) } else { (first, rest) };
        let (version, _) = word(rest);
        (!first.is_empty() && !version.is_empty()).then_some((first, version))
    })
}

/// Splits a soname into name and version: `libz.so.1`, `libdb-5.3.so`.
pub(super) fn split(soname: &str) -> Option<(&str, &str)> {
    if let Some((name, version)) =
        soname.rsplit_once(".so.").filter(|(_, version)| !version.is_empty())
    {
        return Some((name, version)).filter(|(name, _)| !name.is_empty());
    }
    let stem = soname.strip_suffix(".so")?;
    let dash = |(at, _): &(usize, &str)| {
        *at > 0 && stem[at + 1..].starts_with(|c: char| c.is_ascii_digit())
    };
    let (at, _) = stem.rmatch_indices('-').find(dash)?;
    Some((&stem[..at], &stem[at + 1..]))
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sonames_split_into_name_and_version() {
        assert_eq!(split("libz.so.1"), Some(("libz", "1")));
        assert_eq!(split("libcrypto.so.1.1"), Some(("libcrypto", "1.1")));
        assert_eq!(split("libdb-5.3.so"), Some(("libdb", "5.3")));
        assert_eq!(split("libx-y-2.so"), Some(("libx-y", "2")));
        for none in ["libplugin.so", "lib-x.so", ".so.1", "", "libz.so."] {
            assert_eq!(split(none), None, "{none}");
        }
    }

    #[test]
    fn a_line_of_the_package_type_goes_before_a_general_one() {
        let text = "# c\nlibz 1 zlib1g (>= 1:1.2.0), other\nudeb: libz 1 zlib1g-udeb\nliba 2\n";
        assert_eq!(dependency(text, "libz.so.1"), Some("zlib1g (>= 1:1.2.0), other"));
        assert_eq!(dependency(text, "liba.so.2"), Some(""));
        assert_eq!(dependency(text, "libz.so.2"), None);
        let text = "libz 1 general\ndeb: libz 1 special\nlibz 1 later\n";
        assert_eq!(dependency(text, "libz.so.1"), Some("special"));
        assert_eq!(libraries(text).next(), Some(("libz", "1")));
    }
}
