//! From what was assigned and what the rules say to layers.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::tree::TreePath;
use bake_recipes::lock::LockedLayer;

use super::kind::Kind;

/// Layers that are being filled.
#[derive(Debug)]
pub(super) struct Assignment {
    /// The names, the lowest first.
    names: Vec<String>,
    /// The layer of each path.
    paths: BTreeMap<TreePath, String>,
    /// The paths that were assigned before.
    locked: BTreeSet<TreePath>,
}

impl Assignment {
    /// Starts with what is locked and still there.
    pub(super) fn of(locked: &[LockedLayer], is_there: impl Fn(&TreePath) -> bool) -> Self {
        let names = locked.iter().map(|layer| layer.name.clone()).collect();
        let there = |layer: &LockedLayer| {
            let paths = layer.paths.iter().filter(|path| is_there(path));
            paths.map(|path| (path.clone(), layer.name.clone())).collect::<Vec<_>>()
        };
        let paths: BTreeMap<TreePath, String> = locked.iter().flat_map(there).collect();
        let locked = paths.keys().cloned().collect();
        Self { names, paths, locked }
    }

    /// Assigns a path by its kind, unless it or a directory around it was assigned before.
    pub(super) fn add(&mut self, path: &TreePath, kind: Kind) {
        let mut above = Some(path.clone());
        while let Some(path) = above {
            if self.locked.contains(&path) {
                return;
            }
            above = path.parent();
        }
        self.ensure(kind);
        self.paths.insert(path.clone(), kind.layer().to_owned());
    }

    /// Makes the layer of a kind if there is none, below the first of a kind that changes more.
    fn ensure(&mut self, kind: Kind) {
        if self.names.iter().any(|name| name == kind.layer()) {
            return;
        }
        let changes_more = |name: &String| Kind::of_layer(name).is_some_and(|other| other > kind);
        let place = self.names.iter().position(changes_more).unwrap_or(self.names.len());
        self.names.insert(place, kind.layer().to_owned());
    }

    /// Returns the layers, at most `most` together with the application's: if there are more, the
    /// lowest become one, under the name of the highest of them.
    pub(super) fn finish(self, most: usize) -> Vec<LockedLayer> {
        let mut layers: Vec<LockedLayer> = Vec::new();
        for name in self.names {
            let is_in = |found: &&TreePath| self.paths.get(found) == Some(&name);
            let paths = self.paths.keys().filter(is_in).cloned().collect();
            layers.push(LockedLayer { name, paths });
        }
        layers.retain(|layer| !layer.paths.is_empty());
        let most = most.saturating_sub(1);
        if most == 0 {
            return Vec::new();
        }
        let merged = layers.len().saturating_sub(most);
        let lowest: Vec<LockedLayer> = layers.drain(..merged).collect();
        if let Some(first) = layers.first_mut() {
            first.paths.extend(lowest.into_iter().flat_map(|layer| layer.paths));
            first.paths.sort();
        }
        without_needless(layers)
    }
}

/// Leaves out paths that a directory around them already brings into the same layer.
fn without_needless(mut layers: Vec<LockedLayer>) -> Vec<LockedLayer> {
    let places = layers.iter().enumerate();
    let all: BTreeMap<TreePath, usize> = places
        .flat_map(|(index, layer)| layer.paths.iter().map(move |path| (path.clone(), index)))
        .collect();
    for (index, layer) in layers.iter_mut().enumerate() {
        layer.paths.retain(|path| {
            let mut above = path.parent();
            while let Some(path) = above {
                if let Some(around) = all.get(&path) {
                    return *around != index;
                }
                above = path.parent();
            }
            true
        });
    }
    layers
}
