//! Which manifest of a repository is meant.

use std::fmt;

use bake_formats::digest::Digest;
use bake_formats::oci::Reference;

/// The longest tag (distribution-spec, "Pulling manifests").
const MAX_TAG: usize = 128;

/// A tag or a digest: what the specification calls the reference of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which<'a> {
    /// Whatever a tag leads to at the moment.
    Tag(&'a str),
    /// The one with these bytes.
    Digest(Digest),
}

impl Which<'_> {
    /// Says why a tag cannot be one; a tag becomes part of a path.
    pub(super) fn check(self) -> Result<(), String> {
        let Which::Tag(tag) = self else { return Ok(()) };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_tag = |byte: u8| is_word(byte) || matches!(byte, b'.' | b'-');
        let starts = tag.bytes().next().is_some_and(is_word);
        if starts && tag.len() <= MAX_TAG && tag.bytes().all(is_tag) {
            return Ok(());
        }
        let shown: String = tag.chars().take(MAX_TAG).collect();
        Err(format!(
            "`{}` is no tag: expected 1 to {MAX_TAG} letters, digits, `.`, `-` and `_`, and neither \
             `.` nor `-` first",
            shown.escape_debug()
        ))
    }
}

impl fmt::Display for Which<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl From<Digest> for Which<'_> {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl<'a> From<&'a Reference> for Which<'a> {
    fn from(reference: &'a Reference) -> Self {
        match (reference.digest, &reference.tag) {
            (Some(digest), _) => Self::Digest(digest),
            (None, Some(tag)) => Self::Tag(tag),
            (None, None) => Self::Tag("latest"),
        }
    }
}
