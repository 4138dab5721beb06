//! What follows from the tree: `Installed-Size`, `md5sums`, `conffiles`.

use std::collections::BTreeSet;

use super::NAME;
use super::fields::FieldError;
use crate::digest::hex;
use crate::format::WriteError;
use crate::tree::{Entry, FileTree, Node, TreePath};

/// How a line of `conffiles` says that the file is to be removed.
const REMOVE: &str = "remove-on-upgrade ";

/// Returns the KiB that the files take: each regular file (once) and symbolic link rounded up,
/// and 1 for everything else (deb-substvars(5), `Installed-Size`).
pub(super) fn installed_size(tree: &FileTree) -> u64 {
    let size = |entry: &Entry| match &entry.node {
        Node::File(content) => content.size.div_ceil(1024),
        Node::Symlink(target) => (target.len() as u64).div_ceil(1024),
        Node::HardLink(_) => 0,
        Node::Directory | Node::Device { .. } | Node::Fifo => 1,
    };
    tree.iter().map(|(_, entry)| size(entry)).fold(0, u64::saturating_add)
}

/// Returns whether an entry is a conffile: marked as configuration, and a regular file.
///
/// dpkg handles nothing else as one, so marks on directories and symbolic links have no effect.
pub(super) fn is_conffile(entry: &Entry) -> bool {
    entry.mark.is_config() && matches!(entry.node, Node::File(_) | Node::HardLink(_))
}

/// Returns the file `md5sums`: every regular file but conffiles.
pub(super) fn md5sums(tree: &FileTree) -> Vec<u8> {
    let mut text = Vec::new();
    for (path, entry) in tree.iter().filter(|(_, entry)| !is_conffile(entry)) {
        if let Some(content) = tree.content_of(entry) {
            text.extend_from_slice(hex(&content.md5).as_bytes());
            text.extend_from_slice(b"  ");
            text.extend_from_slice(path.relative());
            text.push(b'\n');
        }
    }
    text
}

/// Parses `md5sums` into paths and digests in hex.
pub(super) fn parse_md5sums(text: &[u8]) -> Result<Vec<(TreePath, String)>, FieldError> {
    let line = |line: &[u8]| {
        let (digest, path) = line.split_at_checked(32)?;
        let path = path.strip_prefix(b"  ").filter(|path| !path.is_empty())?;
        let is_hex = digest.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
        let digest = std::str::from_utf8(digest).ok().filter(|_| is_hex)?;
        Some((TreePath::parse(path).ok()?, digest.to_owned()))
    };
    lines(text)
        .enumerate()
        .map(|(index, bytes)| {
            let reason = format!("line {}: expected 32 hex digits, two spaces, a path", index + 1);
            line(bytes).ok_or_else(|| FieldError::new("md5sums", reason))
        })
        .collect()
}

/// Returns the file `conffiles`.
pub(super) fn conffiles(
    tree: &FileTree,
    removed: &BTreeSet<String>,
) -> Result<Vec<u8>, WriteError> {
    let links = tree.link_counts();
    let mut text = Vec::new();
    for (path, entry) in tree.iter().filter(|(_, entry)| is_conffile(entry)) {
        let unsupported = |what: &str, reason: &str| WriteError::Unsupported {
            format: NAME,
            path: path.clone(),
            what: what.into(),
            reason: Some(reason.into()),
        };
        if links.contains_key(path) || matches!(entry.node, Node::HardLink(_)) {
            let reason = "dpkg would break the link when it updates the file, use a copy";
            return Err(unsupported("a hard link to the configuration file", reason));
        }
        if path.name().ends_with(b" ") || path.name().ends_with(b"\t") {
            return Err(unsupported("the name", "white space at the end is lost in conffiles"));
        }
        text.extend_from_slice(&path.absolute());
        text.push(b'\n');
    }
    for name in removed {
        let path = TreePath::parse(name).map_err(|error| FieldError::new("conffiles", error))?;
        let is_same = path.absolute() == name.as_bytes();
        if !is_same || path.is_root() || name.contains(char::is_control) || name.trim() != name {
            let reason = format!("`{}` is not a clean absolute path", name.escape_default());
            return Err(FieldError::new("conffiles", reason).into());
        }
        if tree.get(&path).is_some() {
            let reason = format!("`{name}` is to be removed, but the package holds it");
            return Err(FieldError::new("conffiles", reason).into());
        }
        text.extend_from_slice(REMOVE.as_bytes());
        text.extend_from_slice(name.as_bytes());
        text.push(b'\n');
    }
    Ok(text)
}

/// What `conffiles` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Conffiles {
    pub(super) kept: BTreeSet<TreePath>,
    pub(super) removed: BTreeSet<String>,
}

/// Parses `conffiles`.
pub(super) fn parse_conffiles(text: &[u8]) -> Result<Conffiles, FieldError> {
    let mut conffiles = Conffiles::default();
    for (index, line) in lines(text).enumerate() {
        let fail =
            |reason: &str| FieldError::new("conffiles", format!("line {}: {reason}", index + 1));
        let parse = |path: &[u8]| {
            let is_absolute = path.starts_with(b"/");
            TreePath::parse(path).ok().filter(|path| is_absolute && !path.is_root())
        };
        let is_new = if let Some(path) = line.strip_prefix(REMOVE.as_bytes()) {
            let name = std::str::from_utf8(path).ok().filter(|_| parse(path).is_some());
            conffiles.removed.insert(name.ok_or_else(|| fail("expected a path"))?.into())
        } else {
            conffiles.kept.insert(parse(line).ok_or_else(|| fail("expected an absolute path"))?)
        };
        if !is_new {
            return Err(fail("the path is there twice"));
        }
    }
    Ok(conffiles)
}

/// The directives of `triggers` (deb-triggers(5)).
const DIRECTIVES: [&str; 6] = [
    "interest",
    "interest-await",
    "interest-noawait",
    "activate",
    "activate-await",
    "activate-noawait",
];

/// Checks the file `triggers`: dpkg refuses a package with a line that it does not know.
pub(super) fn check_triggers(text: &str) -> Result<(), FieldError> {
    for (index, line) in text.lines().enumerate() {
        // Comments and empty lines are allowed.
        let words: Vec<&str> =
            line.split('#').next().unwrap_or_default().split_whitespace().collect();
        let is_known = matches!(words.as_slice(), [directive, _] if DIRECTIVES.contains(directive));
        if !words.is_empty() && !is_known {
            let reason = format!("line {}: expected a directive and a trigger", index + 1);
            return Err(FieldError::new("triggers", reason));
        }
    }
    Ok(())
}

/// Returns the lines of a text, without what follows the last line feed if that is nothing.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.split(|byte| *byte == b'\n').filter(move |_| !text.is_empty())
}
