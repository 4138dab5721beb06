//! Which part of a tree goes into which layer.

use serde::{Deserialize, Serialize};

use crate::tree::TreePath;

/// The name of the layer that holds whatever no rule names.
pub const REST: &str = "application";

/// How a tree is split into layers: what changes least lies lowest.
///
/// A path belongs to the rule with the longest matching path, and to a layer called [`REST`] on top
/// of the others if there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layering {
    /// The layers below the topmost, the lowest first.
    pub rules: Vec<LayerRule>,
}

/// What one layer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRule {
    /// The layer's name, e.g. `dependencies`.
    pub name: String,
    /// Files, and directories with everything below them.
    pub paths: Vec<TreePath>,
}
