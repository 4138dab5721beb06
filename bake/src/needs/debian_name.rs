//! What Debian calls the package of a library (policy 8.1), to tell whether a recipe names it.
//!
//! This is good for recognising what somebody wrote and for a hint. It is too weak to declare
//! anything: it knows no versions, and packages are free to differ.

use super::shlibs_file::split;

/// Libraries whose packages have other names: the start of the soname, the package.
const DIFFERENT: [(&str, &str); 12] = [
    ("libz.so.1", "zlib1g"),
    ("libcrypto.so.3", "libssl3"),
    ("libcrypto.so.1.1", "libssl1.1"),
    ("libglib-2.0.so.0", "libglib2.0-0"),
    ("libgobject-2.0.so.0", "libglib2.0-0"),
    ("libgio-2.0.so.0", "libglib2.0-0"),
    ("libgmodule-2.0.so.0", "libglib2.0-0"),
    ("libgthread-2.0.so.0", "libglib2.0-0"),
    ("libcurl-gnutls.so.4", "libcurl3-gnutls"),
    ("libpcre2-8.so.0", "libpcre2-8-0"),
    ("libgtk-3.so.0", "libgtk-3-0"),
    ("libstdc++.so.6", "libstdc++6"),
];

/// Returns the package that a library would be in: `libssl.so.3` in `libssl3`, `libx-2.so.1` in
/// `libx-2-1`.
pub(super) fn of(soname: &str) -> Option<String> {
    if let Some((_, package)) = DIFFERENT.iter().find(|(name, _)| *name == soname) {
        return Some((*package).to_owned());
    }
    let (name, version) = split(soname)?;
    let name = name.to_ascii_lowercase().replace('_', "-");
    // `libicudata.so.72` and its siblings are in one package.
    let name = if name.starts_with("libicu") { "libicu" } else { &name };
    let dash = if name.ends_with(|c: char| c.is_ascii_digit()) { "-" } else { "" };
    Some(format!("{name}{dash}{version}"))
}

/// Returns whether a package's name is that of a library, perhaps with the suffix of a transition
/// such as `t64`.
pub(super) fn is_of(package: &str, soname: &str) -> bool {
    let Some(name) = of(soname) else { return false };
    package.strip_prefix(name.as_str()).is_some_and(|rest| {
        rest.is_empty() || rest == "t64" || rest.starts_with(|c: char| c.is_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_soname() {
        for (soname, package) in [
            ("libssl.so.3", "libssl3"),
            ("libcrypto.so.3", "libssl3"),
            ("libz.so.1", "zlib1g"),
            ("libsqlite3.so.0", "libsqlite3-0"),
            ("libX11.so.6", "libx11-6"),
            ("libcom_err.so.2", "libcom-err2"),
            ("libicudata.so.72", "libicu72"),
            ("libdb-5.3.so", "libdb5.3"),
        ] {
            assert_eq!(of(soname).as_deref(), Some(package));
            assert!(is_of(package, soname) && is_of(&format!("{package}t64"), soname));
        }
        assert!(!is_of("libssl30", "libssl.so.3") && !is_of("libssl3-dev", "libssl.so.3"));
        assert_eq!(of("plugin.so"), None);
    }
}
