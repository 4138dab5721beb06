//! How often a part of a tree changes, told by its path.

use bake_formats::tree::{Entry, FileTree, Node, TreePath};

/// How often something changes; what changes least comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// What runs the application.
    Runtime,
    /// What others released.
    Dependencies,
    /// What others build anew under one name.
    Snapshots,
}

impl Kind {
    /// Returns the name of the layer.
    pub(super) fn layer(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Dependencies => "dependencies",
            Self::Snapshots => "snapshot-dependencies",
        }
    }

    /// Returns the kind that a layer is named after.
    pub(super) fn of_layer(name: &str) -> Option<Self> {
        let all = [Self::Runtime, Self::Dependencies, Self::Snapshots];
        all.into_iter().find(|kind| kind.layer() == name)
    }
}

/// What the application itself is called, among packages of others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    /// The recipe's name.
    pub(super) name: &'a str,
    /// The recipe's version.
    pub(super) version: &'a str,
}

/// Directories in which package managers put packages, the application perhaps among them.
const PACKAGES: [&str; 3] = ["node_modules", "site-packages", "dist-packages"];
/// Directories in which jars that the application needs lie, by their last name.
const JARS: [&str; 6] = ["lib", "libs", "ext", "java", "dependency", "dependencies"];
/// Programs that run scripts, in a directory `bin`.
const INTERPRETERS: [&str; 4] = ["node", "nodejs", "deno", "bun"];
/// Directories in which the system's shared libraries lie.
const LIBRARIES: [&str; 5] = ["usr/lib", "usr/lib64", "usr/local/lib", "lib", "lib64"];

impl Own<'_> {
    /// Returns whether a directory entry among packages is the application's: `catalog`, or
    /// `catalog-1.4.0.dist-info`.
    pub(super) fn is_package(self, name: &str) -> bool {
        let first = |text: &str| text.bytes().next().map(|byte| byte.to_ascii_lowercase());
        if first(self.name) != first(name) {
            return false;
        }
        let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '.'], "_");
        let (own, name) = (plain(self.name), plain(name));
        let rest = name.strip_prefix(&own);
        rest.is_some_and(|rest| match rest.strip_prefix('_') {
            Some(rest) => rest.starts_with(|c: char| c.is_ascii_digit()) || rest == "py",
            None => rest.is_empty(),
        })
    }

    /// Returns whether a jar, without its ending, is the application's: `catalog`,
    /// `catalog-1.4.0`, or another module of its version.
    fn is_jar(self, stem: &str) -> bool {
        let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        let rest = stem.strip_prefix(self.name);
        let named = rest
            .is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(is_number));
        let versioned = stem.strip_suffix(self.version).is_some_and(|rest| rest.ends_with('-'));
        named || versioned
    }
}

/// Returns whether packages lie in a directory.
pub(super) fn holds_packages(path: &TreePath) -> bool {
    name(path).is_some_and(|name| PACKAGES.contains(&name))
}

/// Returns the directory that is as a whole of one kind because an entry is where it is.
pub(super) fn root(tree: &FileTree, path: &TreePath, entry: &Entry) -> Option<(TreePath, Kind)> {
    let is_root = |kind: Kind| Some((path.clone(), kind));
    let found = match (name(path)?, entry.is_directory()) {
        // Every JDK and every image that jlink makes has this file.
        ("release", false) => {
            let above = path.parent()?;
            let there = |below| above.join(below).is_ok_and(|path| tree.get(&path).is_some());
            (there("bin/java") || there("lib/modules")).then_some((above, Kind::Runtime))
        }
        // Python's own modules; packages below them are found by their directory.
        ("os.py", false) => {
            let above = path.parent()?;
            name(&above)?.starts_with("python3").then_some((above, Kind::Runtime))
        }
        ("bundle", true) if name(&path.parent()?)? == "vendor" => is_root(Kind::Dependencies),
        ("gems", true) if is_ruby(&path.parent()?) => is_root(Kind::Dependencies),
        (found, true) if PACKAGES.contains(&found) => is_root(Kind::Dependencies),
        _ => None,
    };
    found.filter(|(path, _)| !path.is_root())
}

/// Returns whether a directory is `ruby`, or of one version below it: `ruby/3.3.0`.
fn is_ruby(path: &TreePath) -> bool {
    let is_ruby = |path: &TreePath| name(path) == Some("ruby");
    is_ruby(path) || path.parent().is_some_and(|above| is_ruby(&above))
}

/// Returns the kind of a file or a link that lies in no directory of one kind.
pub(super) fn loose(tree: &FileTree, path: &TreePath, entry: &Entry, own: Own<'_>) -> Option<Kind> {
    let file = name(path)?;
    if let Some(stem) = file.strip_suffix(".jar") {
        let is_others = JARS.contains(&name(&path.parent()?)?) && !own.is_jar(stem);
        let snapshot =
            if stem.ends_with("-SNAPSHOT") { Kind::Snapshots } else { Kind::Dependencies };
        return is_others.then_some(snapshot);
    }
    let is_runtime = if is_shared(file) {
        is_of_system(&path.parent()?)
    } else if INTERPRETERS.contains(&file) {
        let is_program = matches!(entry.node, Node::File(_) | Node::HardLink(_));
        is_program && name(&path.parent()?)? == "bin"
    } else {
        file.starts_with("python") && is_environment(tree, &path.parent()?)
    };
    is_runtime.then_some(Kind::Runtime)
}

/// Returns whether a directory is the `bin` of a Python environment (PEP 405).
fn is_environment(tree: &FileTree, bin: &TreePath) -> bool {
    let marker = bin.parent().and_then(|above| above.join("pyvenv.cfg").ok());
    name(bin) == Some("bin") && marker.is_some_and(|marker| tree.get(&marker).is_some())
}

/// Returns whether a name is that of a shared library: `libssl.so` or `libssl.so.3`.
fn is_shared(file: &str) -> bool {
    file.starts_with("lib") && file.split('.').any(|part| part == "so")
        || file.starts_with("ld-linux")
}

/// Returns whether the system's shared libraries lie directly in a directory, or would in the one
/// around it if there were one architecture only, e.g. in `/usr/lib/x86_64-linux-gnu`.
fn is_of_system(directory: &TreePath) -> bool {
    let is_system =
        |path: &TreePath| path.relative_str().is_some_and(|path| LIBRARIES.contains(&path));
    let is_triplet = name(directory).is_some_and(|name| name.contains("-linux-"));
    is_system(directory) || is_triplet && directory.parent().is_some_and(|above| is_system(&above))
}

/// Returns the last name of a path, if all of the path is UTF-8.
pub(super) fn name(path: &TreePath) -> Option<&str> {
    path.relative_str()?.rsplit('/').next()
}
