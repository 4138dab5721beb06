//! Capabilities that rpms require and provide because of their files, as rpm's generators find them.
//!
//! | generator | from | gives |
//! |---|---|---|
//! | `elfdeps` | programs and libraries | `libc.so.6(GLIBC_2.34)(64bit)`, `libm.so.6()(64bit)`, `rtld(GNU_HASH)` |
//! | `script.req` | executable scripts | `/usr/bin/python3` |
//! | `python` | modules of one Python | `python(abi) = 3.11` |
//!
//! Two things differ. Libraries outside of the loader's folders are for the package alone: they are
//! neither provided nor required. And what `env` looks for is required where it is known.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::elf::{Elf, Kind};

use super::debian::{Why, is_program};
use super::facts::Facts;
use super::own::{Own, is_public};
use super::survey::Item;

/// What an rpm requires and provides because of its files.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    /// By name, with the first file that needs it.
    pub(super) requires: BTreeMap<String, Why>,
    /// `python(abi)` by version.
    pub(super) python: BTreeMap<String, Why>,
    pub(super) provides: BTreeSet<String>,
}

/// Returns what the libraries and modules of a tree come to; only files for `architecture`, in
/// Debian's words, count.
pub(super) fn capabilities(items: &[Item<'_>], own: &Own<'_>, architecture: &str) -> Capabilities {
    let mut found = Capabilities::default();
    for item in items {
        let Facts::Elf(elf) = &item.facts else { continue };
        if !elf.machine.is_debian(architecture) || !elf.is_dynamic {
            continue;
        }
        if is_program(item, elf) {
            for (library, name) in required(elf) {
                if library.is_some_and(|library| own.has_private_library(elf.machine, library)) {
                    continue;
                }
                let what = library.unwrap_or("the dynamic loader").to_owned();
                let why = || Why { path: item.path.to_string(), what };
                found.requires.entry(name).or_insert_with(why);
            }
        }
        if is_public(item.path) {
            found.provides.extend(provided(elf, item.path.name()));
        }
    }
    found
}

/// Returns what a file requires, with the library that each name is about.
fn required(elf: &Elf) -> Vec<(Option<&str>, String)> {
    let mut names = Vec::new();
    for library in &elf.needed {
        names.push((Some(library.as_str()), name(elf, library, "")));
    }
    for required in &elf.requires {
        for version in &required.versions {
            let library = required.library.as_str();
            names.push((Some(library), name(elf, library, version)));
        }
    }
    names.retain(|(library, _)| library.is_some_and(is_library));
    if elf.has_gnu_hash && !elf.has_hash {
        names.push((None, "rtld(GNU_HASH)".to_owned()));
    }
    names
}

/// Returns what a file provides.
fn provided(elf: &Elf, file: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(base) = elf.version_base.as_deref().filter(|base| is_library(base)) {
        names.extend(elf.defines.iter().map(|version| name(elf, base, version)));
    }
    // Programs at any address have this entry, libraries have not.
    if elf.kind == Kind::Shared && !elf.has_debug {
        let file = std::str::from_utf8(file).ok();
        let library = elf.soname.as_deref().or(file).filter(|library| is_library(library));
        names.extend(library.map(|library| name(elf, library, "")));
    }
    names
}

fn name(elf: &Elf, library: &str, version: &str) -> String {
    match (version, elf.machine.is_marked_64bit()) {
        ("", false) => library.to_owned(),
        (version, false) => format!("{library}({version})"),
        (version, true) => format!("{library}({version})(64bit)"),
    }
}

/// Returns whether a soname is that of a library or a loader rather than of a plugin.
fn is_library(soname: &str) -> bool {
    let starts = ["ld.", "ld-", "ld64.", "ld64-", "lib"];
    soname.contains(".so")
        && starts.iter().any(|start| soname.starts_with(start))
        && soname.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns the version of Python that a module is for by its path.
pub(super) fn python_abi(path: &[u8]) -> Option<&str> {
    let path = std::str::from_utf8(path).ok()?;
    let rest = path.strip_prefix("usr/lib64/").or_else(|| path.strip_prefix("usr/lib/"))?;
    let (version, rest) = rest.strip_prefix("python")?.split_once('/')?;
    let (major, minor) = version.split_once('.')?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_module = [".py", ".pyc", ".pyo", ".so"].iter().any(|end| rest.ends_with(end));
    (digits(major) && digits(minor) && is_module).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_tell_their_python_by_their_path() {
        assert_eq!(python_abi(b"usr/lib/python3.11/site-packages/x.py"), Some("3.11"));
        assert_eq!(python_abi(b"usr/lib64/python3.9/a/b.so"), Some("3.9"));
        for none in [
            "usr/lib/python3/dist-packages/x.py",
            "usr/lib/python3.11/x.txt",
            "opt/python3.11/x.py",
            "usr/lib/python3.x/a.py",
        ] {
            assert_eq!(python_abi(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn plugins_are_no_libraries() {
        for library in ["libc.so.6", "ld-linux-x86-64.so.2", "ld64.so.1", "libx.so"] {
            assert!(is_library(library), "{library}");
        }
        for other in ["", " ", "plugin.so", "lib", "libc", "lib x.so", "lib\n.so"] {
            assert!(!is_library(other), "{other}");
        }
    }
}
