//! Rules for what goes where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bake_formats::tree::{Mark, Mode, Owner, TreePath, XattrName};
use globset::{GlobBuilder, GlobMatcher};

use super::Output;
use crate::error::Place;

/// One `[[files]]` table: what goes where, and as what.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRule {
    /// What is placed.
    pub source: FileSource,
    /// Where it is placed.
    pub to: Destination,
    /// The mode of files; if absent, 0755 for what its owner may execute and 0644 for the rest.
    pub mode: Option<Mode>,
    /// The mode of directories; if absent, 0755.
    pub directory_mode: Option<Mode>,
    /// The owning user.
    pub owner: Owner,
    /// The owning group.
    pub group: Owner,
    /// What package managers treat the files as.
    pub mark: Mark,
    /// The language of the files, e.g. `de`, which rpm can leave out.
    pub language: Option<String>,
    /// What is left out of a directory or a glob.
    pub exclude: Vec<Glob>,
    /// The outputs that get the files, in order; never empty.
    pub formats: Vec<Output>,
    /// Extended attributes of the files, `security.capability` among them.
    pub xattrs: BTreeMap<XattrName, Vec<u8>>,
    /// The rule's place: that of its source if it has one, else of its destination.
    pub place: Place,
}

impl FileRule {
    /// Returns whether an output gets the files.
    pub fn is_for(&self, output: Output) -> bool {
        self.formats.contains(&output)
    }

    /// Returns the path of the one thing that the rule places, if it is known without the build
    /// output.
    pub fn single_path(&self) -> Option<&TreePath> {
        let single = match &self.source {
            FileSource::Path { pattern, is_glob } => {
                !is_glob && !self.to.into && !pattern.ends_with('/')
            }
            FileSource::Inline(_) | FileSource::Symlink(_) | FileSource::Ghost => true,
            FileSource::Directory => true,
        };
        single.then_some(&self.to.path)
    }

    /// Returns whether a path, relative to the source's [base](FileSource::base), is left out.
    ///
    /// A pattern without a slash is matched against every name in the path, a pattern with one
    /// against the path and each directory above it, so that leaving out a directory leaves out
    /// what is in it. A slash at its beginning stands for the base and nothing more: `/x` is `x`
    /// at the top only.
    pub fn excludes(&self, relative: &Path) -> bool {
        self.exclude.iter().any(|glob| {
            if glob.text.starts_with('/') {
                Path::new("/").join(relative).ancestors().any(|path| glob.is_match(path))
            } else if glob.has_slash() {
                relative.ancestors().any(|path| glob.is_match(path))
            } else {
                relative.components().any(|name| glob.is_match(Path::new(name.as_os_str())))
            }
        })
    }
}

/// What a rule places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileSource {
    /// A file, a whole directory or what a glob matches.
    Path {
        /// Relative to the recipe's folder, or absolute.
        pattern: String,
        /// Whether `pattern` is a glob; else it is the path of a file or of a directory.
        is_glob: bool,
    },
    /// Text from the recipe.
    Inline(Vec<u8>),
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// An empty directory.
    Directory,
    /// A file that the package owns but does not ship.
    Ghost,
}

impl FileSource {
    /// Returns the path that a directory walk starts at, below which the structure is kept.
    ///
    /// For a glob these are the components before the first one with a wildcard.
    pub fn base(&self) -> Option<PathBuf> {
        let Self::Path { pattern, is_glob } = self else { return None };
        if !is_glob {
            return Some(PathBuf::from(pattern));
        }
        let literal = Path::new(pattern).components();
        Some(
            literal
                .take_while(|name| !Glob::is_glob(&name.as_os_str().to_string_lossy()))
                .collect(),
        )
    }
}

/// Where a rule places what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The path.
    pub path: TreePath,
    /// Whether the path is the directory to place into (written with a slash at its end) rather
    /// than the place itself.
    ///
    /// A source directory's contents are placed below the path either way.
    pub into: bool,
}

/// A pattern of paths: `?` and `*` stay within a name, `**` crosses directories, `[a-z]` and
/// `[!a-z]` match one character.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    matcher: GlobMatcher,
}

/// Text that is no glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a glob: {reason}", .text.escape_debug())]
pub struct GlobError {
    text: String,
    reason: String,
}

impl Glob {
    /// Compiles a pattern.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let fail = |reason: String| GlobError { text: text.into(), reason };
        if text.is_empty() {
            return Err(fail("it is empty".into()));
        }
        let named = text.split('/').find(|name| name.contains("**") && *name != "**");
        if let Some(name) = named {
            return Err(fail(format!(
                "`**` must be a whole name, found `{}`",
                name.escape_debug()
            )));
        }
        // Braces mean nothing here, but alternatives to globset.
        let literal = text.replace('{', "[{]").replace('}', "[}]");
        let glob = GlobBuilder::new(&literal)
            .literal_separator(true)
            .backslash_escape(false)
            .build()
            .map_err(|error| fail(error.kind().to_string()))?;
        Ok(Self { text: text.into(), matcher: glob.compile_matcher() })
    }

    /// Returns whether text has a wildcard.
    pub fn is_glob(text: &str) -> bool {
        text.contains(['*', '?', '['])
    }

    /// Returns whether a whole path matches.
    pub fn is_match(&self, path: &Path) -> bool {
        self.matcher.is_match(path)
    }

    /// Returns the pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn has_slash(&self) -> bool {
        self.text.contains('/')
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stay_within_a_name_except_two_stars() {
        let cases = [
            ("*.so", "libx.so", true),
            ("*.so", "lib/libx.so", false),
            ("**/*.so", "libx.so", true),
            ("**/*.so", "a/b/libx.so", true),
            ("a/**", "a/b/c", true),
            ("a/?", "a/b", true),
            ("a?b", "a/b", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("{a,b}", "a", false),
            ("{a,b}", "{a,b}", true),
            ("a\\*", "a\\b", true),
        ];
        for (glob, path, expected) in cases {
            let found = Glob::parse(glob).unwrap().is_match(Path::new(path));
            assert_eq!(found, expected, "{glob} {path}");
        }
        for bad in ["", "[a", "a**", "a/b**/c", "[z-a]"] {
            assert!(Glob::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn base_ends_before_the_first_wildcard() {
        let cases = [
            ("target/release/*.so", true, "target/release"),
            ("*.so", true, ""),
            ("/a/b*/c/d", true, "/a"),
            ("a/b", false, "a/b"),
        ];
        for (pattern, is_glob, expected) in cases {
            let source = FileSource::Path { pattern: pattern.into(), is_glob };
            assert_eq!(source.base(), Some(PathBuf::from(expected)), "{pattern}");
        }
        assert_eq!(FileSource::Directory.base(), None);
    }

    #[test]
    fn a_slash_at_the_beginning_of_an_exclude_is_the_top() {
        let matches = |pattern: &str, path: &str| {
            let rule = FileRule {
                source: FileSource::Directory,
                to: Destination { path: TreePath::root(), into: true },
                mode: None,
                directory_mode: None,
                owner: Owner::root(),
                group: Owner::root(),
                mark: Mark::Plain,
                language: None,
                exclude: vec![Glob::parse(pattern).unwrap()],
                formats: Vec::new(),
                xattrs: BTreeMap::new(),
                place: Place::of(&"bake.toml".into(), "", &(0..0)),
            };
            rule.excludes(Path::new(path))
        };
        let cases = [
            ("/etc", "etc", true),
            ("/etc", "etc/a", true),
            ("/etc", "usr/etc", false),
            ("/etc/**", "etc", false),
            ("/etc/**", "etc/a/b", true),
            ("/a/*.md", "a/x.md", true),
            ("/a/*.md", "b/a/x.md", false),
            ("etc", "usr/etc", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
