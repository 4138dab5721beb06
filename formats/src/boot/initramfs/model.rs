//! What a segment stores besides the tree.

use serde::{Serialize, Serializer};

use crate::encode::{Codec, Compression};
use crate::format::WriteError;
use crate::tree::{FileTree, Mark, TreeId, TreePath};

/// One segment with an application.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Initramfs {
    /// What the segment holds, e.g. `catalog`.
    pub name: String,
    /// The version of that.
    pub version: String,
    /// The architecture, in the word that the file name should have.
    pub arch: String,
    /// How the archive is compressed.
    pub compression: Compression,
    /// The folder that the tree's root becomes.
    pub prefix: TreePath,
    /// The tree identity to record; if given, it must be the tree's.
    #[serde(rename = "tree", skip_serializing_if = "Option::is_none")]
    pub tree_id: Option<TreeId>,
    /// What a machine needs besides the tree; its directories may be the tree's too.
    #[serde(serialize_with = "manifest")]
    pub additions: FileTree,
}

impl Initramfs {
    /// Returns `name-version-arch.cpio`, with the ending of its compression.
    pub(super) fn file_name(&self) -> String {
        let Self { name, version, arch, .. } = self;
        let ending = match self.compression.codec {
            Codec::None => "",
            Codec::Gzip => ".gz",
            Codec::Zstd => ".zst",
            Codec::Xz => ".xz",
        };
        format!("{name}-{version}-{arch}.cpio{ending}").replace('/', "_")
    }

    /// Checks every field by itself.
    pub(super) fn check(&self) -> Result<(), WriteError> {
        let fail = |field: &str, reason: &str| {
            let (field, reason) = (field.to_owned(), reason.to_owned());
            Err(WriteError::Field { format: super::FORMAT, field, reason })
        };
        for (field, text) in
            [("name", &self.name), ("version", &self.version), ("arch", &self.arch)]
        {
            if text.is_empty() {
                return fail(field, "expected text, found nothing");
            }
            if text.chars().any(|c| c == '/' || c.is_whitespace() || c.is_control()) {
                return fail(field, "expected neither slash, space nor control character");
            }
        }
        if self.additions.iter().any(|(_, entry)| entry.mark != Mark::Plain) {
            return fail("additions", "expected entries without marks");
        }
        Ok(())
    }
}

/// Writes a tree as the lines of its manifest, each with the numbers of its owners.
fn manifest<S: Serializer>(tree: &FileTree, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = Vec::new();
    tree.write_manifest(&mut text).map_err(serde::ser::Error::custom)?;
    let ids = tree.iter().map(|(_, entry)| format!("{} {}", entry.owner.id, entry.group.id));
    let ids: Vec<String> = ids.collect();
    serializer.collect_str(&format_args!("{}{}", String::from_utf8_lossy(&text), ids.join("\n")))
}
