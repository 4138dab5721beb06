//! Which part of a tree goes into which layer of an image: what changes least lies lowest.
//!
//! ```text
//! application             what no rule names
//! snapshot-dependencies   jars that are built anew under one name
//! dependencies            node_modules, site-packages, gems, jars of third parties
//! runtime                 Java, Python and Node themselves, shared libraries
//! ```
//!
//! Paths and sizes decide; no content is read. A directory that is a runtime or holds nothing but
//! packages is one path; jars are listed one by one, because what will lie beside them is not known.
//!
//! What a lock file has assigned stays where it is: a path in it keeps its layer, and only paths
//! that it does not cover are assigned by rule. So adding files moves no others, unless they turn
//! the directory around them into a runtime (a `release` beside `bin/java`) or carry an image that
//! had one layer over [`WORTHWHILE`]. Removing files moves none.

mod assign;
mod claim;
mod kind;

use std::collections::BTreeMap;

use bake_formats::oci::{LayerRule, Layering};
use bake_formats::tree::{FileTree, TreePath};
use bake_recipes::lock::LockedLayer;
use bake_recipes::resolved::{LayerSplit, NamedLayer, Oci, Recipe};

use assign::Assignment;
use claim::claims;
use kind::Own;

/// How many bytes below the application make it worth to push and pull them apart: about what a
/// registry takes for one more request.
pub const WORTHWHILE: u64 = 4 << 20;

/// Returns how the tree of one platform is split.
pub fn layering(recipe: &Recipe, table: &Oci, tree: &FileTree, locked: &[LockedLayer]) -> Layering {
    let layers = match &table.layers {
        LayerSplit::Named(layers) => layers.iter().map(locked_layer).collect(),
        LayerSplit::Auto | LayerSplit::One => assignment(recipe, table, &[tree], locked),
    };
    let rules = layers
        .into_iter()
        .map(|LockedLayer { name, mut paths }| {
            paths.retain(|path| tree.get(path).is_some());
            LayerRule { name, paths }
        })
        .filter(|rule| !rule.paths.is_empty())
        .collect();
    Layering { rules }
}

/// Returns what a lock file should say of the trees of all platforms; nothing if the recipe says
/// how they are split.
pub fn assignment(
    recipe: &Recipe,
    table: &Oci,
    trees: &[&FileTree],
    locked: &[LockedLayer],
) -> Vec<LockedLayer> {
    if table.layers != LayerSplit::Auto {
        return Vec::new();
    }
    let version = recipe.version.plain();
    let name = recipe.name.to_string();
    assign(trees, Own { name: &name, version }, locked, table.max_layers)
}

/// Returns what an assignment says and a lock file does not: paths with the names of their layers.
///
/// That moves bytes of images. Paths that are only locked do not: they are in no tree any more.
pub fn unlocked<'a>(
    assigned: &'a [LockedLayer],
    locked: &[LockedLayer],
) -> impl Iterator<Item = (&'a TreePath, &'a str)> {
    let locked: BTreeMap<&TreePath, &str> = by_path(locked).collect();
    by_path(assigned).filter(move |(path, name)| locked.get(path) != Some(name))
}

fn by_path(layers: &[LockedLayer]) -> impl Iterator<Item = (&TreePath, &str)> {
    layers.iter().flat_map(|layer| layer.paths.iter().map(|path| (path, layer.name.as_str())))
}

/// Assigns what a lock file does not, into `most` layers at most, the application's among them.
fn assign(
    trees: &[&FileTree],
    own: Own<'_>,
    locked: &[LockedLayer],
    most: usize,
) -> Vec<LockedLayer> {
    let is_there = |path: &TreePath| trees.iter().any(|tree| tree.get(path).is_some());
    let mut assignment = Assignment::of(locked, is_there);
    let claims = claims(trees, own);
    if locked.is_empty() && !trees.iter().any(|tree| claims.pay(tree)) {
        return Vec::new();
    }
    for (path, kind) in claims.iter() {
        assignment.add(path, kind);
    }
    assignment.finish(most)
}

fn locked_layer(layer: &NamedLayer) -> LockedLayer {
    LockedLayer { name: layer.name.clone(), paths: layer.paths.clone() }
}

#[cfg(test)]
mod tests;
