//! How a dynamic loader finds libraries (ld.so(8); musl's `ldso/dynlink.c`).

use std::borrow::Cow;
use std::collections::BTreeSet;

use bake_formats::elf::{Elf, Machine};
use bake_formats::tree::TreePath;

use super::sides::Side;
use crate::survey::{Facts, View};

/// Folders that every loader looks into.
const DEFAULT: [&str; 5] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"];
/// How deep the loader's configuration may include other files.
const MOST_INCLUDES: usize = 8;

/// Debian's names of architectures for folders: machine, width, byte order, name.
const MULTIARCH: [(u16, bool, bool, &str); 10] = [
    (62, true, false, "x86_64-linux-gnu"),
    (3, false, false, "i386-linux-gnu"),
    (183, true, false, "aarch64-linux-gnu"),
    (40, false, false, "arm-linux-gnueabihf"),
    (40, false, false, "arm-linux-gnueabi"),
    (21, true, false, "powerpc64le-linux-gnu"),
    (22, true, true, "s390x-linux-gnu"),
    (243, true, false, "riscv64-linux-gnu"),
    (258, true, false, "loongarch64-linux-gnu"),
    (8, true, false, "mips64el-linux-gnuabi64"),
];

/// A loader in an image.
#[derive(Debug)]
pub(super) struct Loader<'a> {
    view: &'a View,
    /// `LD_LIBRARY_PATH`.
    asked: Vec<String>,
    /// What the system is set up with.
    system: Vec<String>,
}

/// A library that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Library<'a> {
    pub(super) path: &'a TreePath,
    pub(super) elf: &'a Elf,
}

impl<'a> Loader<'a> {
    pub(super) fn of(side: &'a Side) -> Self {
        let view = &side.image;
        let asked = side.run.env.iter().filter_map(|text| text.strip_prefix("LD_LIBRARY_PATH="));
        let asked = asked.flat_map(|list| list.split([':', ';'])).filter(|path| !path.is_empty());
        Self { view, asked: asked.map(str::to_owned).collect(), system: configured(view) }
    }

    /// Looks for a library on behalf of a file, in the loader's order.
    pub(super) fn find(&self, user: &TreePath, elf: &Elf, name: &str) -> Option<Library<'a>> {
        if name.contains('/') {
            return self.library(name, elf.machine);
        }
        let own = elf.search.iter().map(|folder| expand(folder, user, elf.machine));
        let multiarch = MULTIARCH.iter().filter(|row| {
            (row.0, row.1, row.2) == (elf.machine.number, elf.machine.wide, elf.machine.big_endian)
        });
        let multiarch =
            multiarch.flat_map(|row| [format!("/lib/{}", row.3), format!("/usr/lib/{}", row.3)]);
        let folders = own
            .chain(self.asked.iter().cloned())
            .chain(self.system.iter().cloned())
            .chain(multiarch)
            .chain(DEFAULT.map(str::to_owned));
        let mut tried = BTreeSet::new();
        for folder in folders {
            if tried.insert(folder.clone())
                && let Some(found) = self.library(&format!("{folder}/{name}"), elf.machine)
            {
                return Some(found);
            }
        }
        None
    }

    /// Returns the library at a path if it is for a machine; others are passed over.
    fn library(&self, path: &str, machine: Machine) -> Option<Library<'a>> {
        let found = self.view.find(path)?;
        match self.view.facts(found.path)? {
            Facts::Elf(elf) if elf.machine == machine => Some(Library { path: found.path, elf }),
            _ => None,
        }
    }
}

/// Returns the folders that the system is set up with: `ld.so.conf`, and musl's path files.
fn configured(view: &View) -> Vec<String> {
    let mut folders = Vec::new();
    let mut seen = BTreeSet::new();
    include(view, "/etc/ld.so.conf", &mut folders, &mut seen, 0);
    for (name, text) in texts_in(view, "/etc") {
        let is_paths = name.strip_suffix(".path").is_some_and(|stem| stem.starts_with("ld-musl-"));
        if is_paths {
            let paths = text.split([':', '\n']).map(str::trim).filter(|path| !path.is_empty());
            folders.extend(paths.map(str::to_owned));
        }
    }
    folders
}

/// Reads one file of the loader's configuration (ldconfig(8)).
fn include(
    view: &View,
    path: &str,
    folders: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
    depth: usize,
) {
    if depth > MOST_INCLUDES || !seen.insert(path.to_owned()) {
        return;
    }
    for line in view.text(path).unwrap_or_default().lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(patterns) =
            line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t']))
        else {
            let paths = line.split([' ', '\t', ':', ',']).filter(|path| path.starts_with('/'));
            folders.extend(paths.map(|path| path.trim_end_matches('/').to_owned()));
            continue;
        };
        for pattern in patterns.split_whitespace() {
            let whole = if pattern.starts_with('/') {
                pattern.to_owned()
            } else {
                format!("/etc/{pattern}")
            };
            for path in matching(view, &whole) {
                include(view, &path, folders, seen, depth + 1);
            }
        }
    }
}

/// Returns the files that a pattern names; the one star that occurs stands in a file's name.
fn matching(view: &View, pattern: &str) -> Vec<String> {
    let Some((folder, name)) = pattern.rsplit_once('/') else { return Vec::new() };
    let Some((start, end)) = name.split_once('*') else { return vec![pattern.to_owned()] };
    let fits = |name: &str| {
        name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
    };
    let names = texts_in(view, folder).into_iter().map(|(name, _)| name);
    names.filter(|name| fits(name)).map(|name| format!("{folder}/{name}")).collect()
}

/// Returns the texts directly in a folder, by name.
fn texts_in<'a>(view: &'a View, folder: &str) -> Vec<(String, Cow<'a, str>)> {
    let Some(folder) = view.find(folder).map(|found| found.path.clone()) else {
        return Vec::new();
    };
    let depth = folder.depth() + 1;
    let inside = view.tree().below(&folder).filter(|(path, _)| path.depth() == depth);
    let texts = inside.filter_map(|(path, _)| {
        let name = std::str::from_utf8(path.name()).ok()?;
        Some((name.to_owned(), view.text(path.relative_str()?)?))
    });
    texts.collect()
}

/// Replaces what the loader replaces in a search path.
fn expand(folder: &str, user: &TreePath, machine: Machine) -> String {
    let origin = user.parent().map(|parent| parent.absolute()).unwrap_or_default();
    let origin = String::from_utf8_lossy(&origin).into_owned();
    let lib = if machine.wide { "lib64" } else { "lib" };
    let mut text = folder.to_owned();
    for (name, value) in [("ORIGIN", origin.as_str()), ("LIB", lib)] {
        text = text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    text
}
