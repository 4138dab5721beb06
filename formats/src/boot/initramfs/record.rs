//! `.bake/tree.json`: what the segment knows that newc has no field for.
//!
//! Compact JSON:
//!
//! ```json
//! {"schema":1,"name":"hello","version":"1.0","arch":"x86_64",
//!  "compression":{"codec":"zstd","level":3},"prefix":"/bake/app","tree":"sha256:…",
//!  "owners":{"users":{"0":"root"},"groups":{"0":"root"}},
//!  "additions":["/var/lib/hello"],"shared":["/var/lib"]}
//! ```
//!
//! `additions` are the paths of the tree of additions, without directories that only lead to them;
//! `shared` are the directories among those, or leading to those, that the tree has for its own
//! sake as well.

use serde::{Deserialize, Serialize};

use super::model::Initramfs;
use crate::encode::Compression;
use crate::owners::Owners;
use crate::tree::{FileTree, TreeId, TreePath};

/// The only version of the record there is.
const SCHEMA: u32 = 1;

/// The record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    schema: u32,
    name: String,
    version: String,
    arch: String,
    compression: Compression,
    pub(super) prefix: TreePath,
    #[serde(rename = "tree", default, skip_serializing_if = "Option::is_none")]
    tree_id: Option<TreeId>,
    pub(super) owners: Owners,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) additions: Vec<TreePath>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) shared: Vec<TreePath>,
}

impl Record {
    pub(super) fn new(model: &Initramfs, payload: &FileTree, owners: Owners) -> Self {
        let Initramfs { name, version, arch, compression, prefix, tree_id, additions } =
            model.clone();
        let own = additions.iter().filter(|(_, entry)| !entry.implied);
        let is_own = |path: &TreePath| payload.get(path).is_some_and(|entry| !entry.implied);
        let both = additions.iter().filter(|(path, _)| is_own(path));
        let (paths, shared) = (
            own.map(|(path, _)| path.clone()).collect(),
            both.map(|(path, _)| path.clone()).collect(),
        );
        Self {
            schema: SCHEMA,
            name,
            version,
            arch,
            compression,
            prefix,
            tree_id,
            owners,
            additions: paths,
            shared,
        }
    }

    /// Returns the model that the record was made from.
    pub(super) fn into_model(self, additions: FileTree) -> Initramfs {
        let Self { name, version, arch, compression, prefix, tree_id, .. } = self;
        Initramfs { name, version, arch, compression, prefix, tree_id, additions }
    }
}

impl crate::record::Record for Record {
    fn schema(&self) -> u32 {
        self.schema
    }

    fn expected_schema(&self) -> u32 {
        SCHEMA
    }
}
