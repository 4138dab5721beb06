//! What was read from an artifact, whatever its format.

use bake_formats::tree::{FileTree, TreeId};

/// What an artifact holds.
#[derive(Debug)]
pub struct Inspected {
    /// What it runs on, in the words of OCI, as far as the artifact says so.
    pub platform: Option<String>,
    /// What the format stores besides the tree.
    pub metadata: serde_json::Value,
    /// The tree.
    pub tree: FileTree,
    /// The tree identity that the artifact says it has.
    pub declared: Option<TreeId>,
}
