//! What an extension stores besides the tree.

use serde::{Deserialize, Serialize, Serializer};

use super::Sysext;
use super::release::Release;
use super::scope::Scope;
use crate::format::{Format, WriteError};
use crate::tree::{FileTree, TreeId};
use crate::vm::Guid;

/// The longest name, so that the name of the file `extension-release.NAME` is not too long.
const NAME_MAX: usize = 128;

/// The longest label that EROFS has room for, in bytes.
const LABEL_MAX: usize = 16;

/// What identities are derived for.
const PURPOSE: &str = "bake sysext 1";

/// One extension.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Extension {
    /// The name, which the file must have too, e.g. `catalog`.
    pub name: String,
    /// The version of what it holds.
    pub version: String,
    /// Which directories it is merged into.
    #[serde(skip_serializing_if = "super::is_default")]
    pub scope: Scope,
    /// To which systems it may be added.
    pub release: Release,
    /// How its bytes are checked where it is used.
    pub protection: Protection,
    /// Files that are no part of the tree.
    #[serde(serialize_with = "manifest")]
    pub additions: FileTree,
    /// The tree identity to record; if given, it must be the tree's.
    #[serde(rename = "tree", skip_serializing_if = "Option::is_none")]
    pub tree_id: Option<TreeId>,
}

/// How the bytes of an extension are checked where it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Not at all: the image is a file system alone.
    #[default]
    None,
    /// By dm-verity: the image is a disk with a partition of hashes.
    Verity,
}

/// The manifest says of a tree what it is, and the numbers of accounts are all that it leaves out.
fn manifest<S: Serializer>(tree: &FileTree, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::Error;
    let mut text = Vec::new();
    tree.write_manifest(&mut text).map_err(S::Error::custom)?;
    for (path, entry) in tree.iter() {
        let ids = format!("{path} {} {}\n", entry.owner.id, entry.group.id);
        text.extend(ids.as_bytes());
    }
    serializer.serialize_str(&String::from_utf8_lossy(&text))
}

impl Extension {
    /// Returns a system extension for every system, without additions.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            scope: Scope::System,
            release: Release::default(),
            protection: Protection::None,
            additions: FileTree::default(),
            tree_id: None,
        }
    }

    /// Returns the absolute path and the text of the file that says to which systems it may be added.
    pub fn release_file(&self) -> (String, String) {
        (Release::place(&self.name, self.scope), self.release.text(self.scope))
    }

    /// Checks every field by itself.
    pub(super) fn check(&self) -> Result<(), WriteError> {
        let fail = |field: &str, reason: String| {
            Err(WriteError::Field { format: Sysext::NAME, field: field.into(), reason })
        };
        let is_word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !(1..=NAME_MAX).contains(&self.name.len())
            || self.name.starts_with('.')
            || !self.name.chars().all(is_word)
        {
            let found = self.name.escape_default();
            let reason = format!(
                "expected at most {NAME_MAX} letters, digits, `.`, `_` and `-`, the first no `.`, found `{found}`"
            );
            return fail("name", reason);
        }
        if self.version.is_empty() || self.version.chars().any(|c| c == '/' || c.is_control()) {
            return fail("version", "expected text without slashes and control characters".into());
        }
        self.release.check(self.scope)
    }

    /// Returns the label of the file system, which has room for short names only.
    pub(super) fn label(&self) -> Option<&str> {
        (self.name.len() <= LABEL_MAX).then_some(&self.name)
    }

    /// Derives a GUID for something of one extension: from the tree and the model alone.
    pub(super) fn guid(&self, purpose: &str, tree: &TreeId, record: &[u8]) -> Guid {
        let record = crate::digest::Digest::of(record).to_string();
        let additions = self.additions.id().to_string();
        Guid::derive(PURPOSE, &[purpose, &tree.to_string(), &additions, &record])
    }
}
