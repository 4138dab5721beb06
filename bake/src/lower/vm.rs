//! From the recipe to a disk.

use bake_formats::tree::TreeId;
use bake_formats::vm::{Disk, DiskSize};
use bake_recipes::resolved::{self, Recipe, Vm};

/// Returns the description of a recipe's disk.
pub(super) fn disk(recipe: &Recipe, table: &Vm, tree_id: TreeId) -> Disk {
    Disk {
        name: recipe.name.to_string(),
        version: recipe.version.to_string(),
        arch: recipe.platform.architecture().to_owned(),
        size: match table.size {
            resolved::DiskSize::Minimal => DiskSize::Minimal,
            resolved::DiskSize::Bytes(bytes) => DiskSize::Bytes(bytes),
        },
        label: Some(table.label.clone()).filter(|label| !label.is_empty()),
        tree_id: Some(tree_id),
    }
}
