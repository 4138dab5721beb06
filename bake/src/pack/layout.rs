//! What goes where, before it is a recipe.

use std::path::PathBuf;

use bake_recipes::Platform;

/// What a source places and what it needs to run.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) rules: Vec<Rule>,
    /// Debian's names of what it needs.
    pub(super) deb_depends: Vec<String>,
    /// RPM's names of what it needs.
    pub(super) rpm_requires: Vec<String>,
    /// Whether it runs on one platform only.
    pub(super) native: bool,
    /// The platform, if the source says so.
    pub(super) platform: Option<Platform>,
    /// For people.
    pub(super) notes: Vec<String>,
}

/// One `[[files]]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) what: What,
    pub(super) to: String,
    pub(super) mode: Option<&'static str>,
    pub(super) mark: Option<&'static str>,
    pub(super) exclude: Vec<String>,
}

/// What a rule places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A file where it is.
    File(PathBuf),
    /// A directory where it is.
    Directory(PathBuf),
    /// Text that follows from the source.
    Content(String),
    /// A link to this target.
    Symlink(String),
}

impl Rule {
    pub(super) fn new(what: What, to: impl Into<String>) -> Self {
        Self { what, to: to.into(), mode: None, mark: None, exclude: Vec::new() }
    }

    /// Returns a program whose text follows from the source.
    pub(super) fn program(text: String, to: impl Into<String>) -> Self {
        Self { mode: Some("0755"), ..Self::new(What::Content(text), to) }
    }
}

/// Returns whether text can be the name of a command: nothing that a shell or a path reads.
pub(super) fn is_command(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    !name.is_empty()
        && name.len() <= 200
        && name.chars().all(allowed)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}
