//! Paths inside a tree.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::manifest::escape;

/// A path inside a tree: absolute, normalised, made of bytes, ordered component by component.
///
/// By components a directory comes before its contents and its subtree is contiguous; plain byte
/// order would put `/etc-old` between `/etc` and `/etc/motd`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TreePath {
    /// Without the leading slash; empty for the root.
    bytes: Arc<[u8]>,
}

/// Why bytes are not a path inside a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a path inside the tree: {reason}")]
pub struct PathError {
    path: String,
    /// What is wrong, as a phrase.
    pub reason: &'static str,
}

impl TreePath {
    /// The longest path that Linux accepts, in bytes.
    pub const MAX_LEN: usize = 4095;
    /// The longest name of one component that Linux file systems accept, in bytes.
    pub const MAX_NAME: usize = 255;

    /// Returns the root directory `/`.
    pub fn root() -> Self {
        Self { bytes: Arc::from([]) }
    }

    /// Parses a path, with or without a leading `/` or `./`; a trailing `/` is dropped.
    ///
    /// `.` components and empty ones are dropped; `..`, NUL bytes and names over the limits are
    /// errors.
    pub fn parse(path: impl AsRef<[u8]>) -> Result<Self, PathError> {
        Self::of_parts(&[], path.as_ref())
    }

    /// Puts a path that was parsed and one that was not together.
    fn of_parts(above: &[u8], below: &[u8]) -> Result<Self, PathError> {
        let mut bytes = Vec::with_capacity(above.len() + 1 + below.len());
        bytes.extend_from_slice(above);
        match push_names(&mut bytes, below) {
            Ok(()) => Ok(Self { bytes: bytes.into() }),
            Err(reason) => {
                let path = if above.is_empty() { below } else { &[above, below].join(&b'/') };
                Err(PathError { path: escape(path), reason })
            }
        }
    }

    /// Returns whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the bytes without the leading slash; empty for the root.
    pub fn relative(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes with the leading slash.
    pub fn absolute(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes.len() + 1);
        bytes.push(b'/');
        bytes.extend_from_slice(&self.bytes);
        bytes
    }

    /// Returns the path as text without the leading slash, if it is UTF-8.
    pub fn relative_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// Returns the directory that holds this path; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self { bytes: self.bytes[..end].into() })
    }

    /// Returns the last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        let start = self.bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        &self.bytes[start..]
    }

    /// Returns this path with more components below it.
    pub fn join(&self, below: impl AsRef<[u8]>) -> Result<Self, PathError> {
        Self::of_parts(&self.bytes, below.as_ref())
    }

    /// Returns whether this path lies strictly below a directory.
    pub fn is_below(&self, directory: &TreePath) -> bool {
        let (path, above) = (&self.bytes, &directory.bytes);
        if above.is_empty() {
            return !path.is_empty();
        }
        path.len() > above.len() && path.starts_with(above) && path[above.len()] == b'/'
    }

    /// Returns whether this path lies in a directory itself, not further below.
    pub fn is_in(&self, directory: &TreePath) -> bool {
        self.is_below(directory) && {
            let start = if directory.is_root() { 0 } else { directory.bytes.len() + 1 };
            !self.bytes[start..].contains(&b'/')
        }
    }

    /// Returns how many components there are; 0 for the root.
    pub fn depth(&self) -> usize {
        if self.is_root() {
            return 0;
        }
        1 + self.bytes.iter().filter(|byte| **byte == b'/').count()
    }
}

/// Appends the components of a path to those of another; what is wrong with them is a phrase.
fn push_names(bytes: &mut Vec<u8>, path: &[u8]) -> Result<(), &'static str> {
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => continue,
            b".." => return Err("it contains `..`"),
            _ if name.contains(&0) => return Err("it contains a NUL byte"),
            _ if name.len() > TreePath::MAX_NAME => {
                return Err("a name in it is longer than 255 bytes");
            }
            _ => {}
        }
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
    }
    if bytes.len() > TreePath::MAX_LEN {
        return Err("it is longer than 4095 bytes");
    }
    Ok(())
}

impl Ord for TreePath {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        let same = same_start(&self.bytes, &other.bytes);
        let (this, other) = (&self.bytes[same..], &other.bytes[same..]);
        this.iter().map(key).cmp(other.iter().map(key))
    }
}

/// Returns about how many bytes two paths begin with in common: most of those of a tree do.
fn same_start(one: &[u8], other: &[u8]) -> usize {
    let words = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    8 * words.take_while(|(one, other)| one == other).count()
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", escape(&self.bytes))
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Written as text that begins with a slash; a path that is not UTF-8 is an error.
impl Serialize for TreePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.relative_str() {
            Some(text) => serializer.collect_str(&format_args!("/{text}")),
            None => Err(serde::ser::Error::custom(format!("the path `{self}` is not UTF-8"))),
        }
    }
}

impl<'de> Deserialize<'de> for TreePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    #[test]
    fn normalises_once() {
        for text in ["usr/bin", "/usr/bin", "./usr/bin", "//usr//./bin/", "/usr/bin/."] {
            assert_eq!(path(text).to_string(), "/usr/bin");
        }
        assert!(path("/").is_root() && path(".").is_root() && path("").is_root());
    }

    #[test]
    fn rejects_what_leaves_the_tree_or_cannot_be_named() {
        let long = "a".repeat(256);
        let deep = "abcdefgh/".repeat(500);
        for text in ["..", "/a/../b", "a\0b", &long, &deep] {
            assert!(TreePath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_subtree_is_contiguous() {
        let mut paths: Vec<_> =
            ["/etc-old", "/etc/motd", "/etc", "/", "/etc/a/b", "/etc.d"].map(path).into();
        paths.sort();
        let sorted: Vec<_> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["/", "/etc", "/etc/a/b", "/etc/motd", "/etc-old", "/etc.d"]);
    }

    #[test]
    fn the_order_does_not_depend_on_what_paths_have_in_common() {
        let names = ["", "/", "-", ".", "a", "0", "/a", "a/"];
        let starts = (0..20).map(|len| "abcdefgh/jklmnop/rstuvwx"[..len].to_owned());
        let paths = starts.flat_map(|start| names.map(|name| path(&format!("{start}{name}"))));
        let paths: Vec<_> = paths.collect();
        let components = |path: &TreePath| {
            path.relative().split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        for one in &paths {
            for other in &paths {
                assert_eq!(
                    one.cmp(other),
                    components(one).cmp(&components(other)),
                    "{one} {other}"
                );
            }
        }
    }

    #[test]
    fn knows_its_place() {
        let file = path("/usr/bin/x");
        assert_eq!(file.parent(), Some(path("/usr/bin")));
        assert_eq!(file.name(), b"x");
        assert_eq!(file.depth(), 3);
        assert!(file.is_below(&path("/usr")) && !file.is_below(&path("/usr/b")));
        assert!(file.is_in(&path("/usr/bin")) && !file.is_in(&path("/usr")) && !file.is_in(&file));
        assert!(path("/usr").is_in(&TreePath::root()) && !file.is_in(&TreePath::root()));
        assert!(!TreePath::root().is_in(&TreePath::root()));
        assert!(!file.is_below(&file) && file.is_below(&TreePath::root()));
        assert_eq!(path("/usr").parent(), Some(TreePath::root()));
        assert_eq!(TreePath::root().parent(), None);
    }
}
