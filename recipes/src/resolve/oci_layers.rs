//! `layers` and `max-layers` of `[oci]`.

use std::collections::BTreeSet;

use bake_formats::oci::layering::REST;
use bake_formats::tree::TreePath;

use super::Resolver;
use crate::name::{MAX_LAYER_NAME, is_layer_name};
use crate::resolved::{LayerSplit, NamedLayer};
use crate::suggestion;
use crate::written::{At, Layer, Layers};

/// How many layers a tree may have at most: overlay file systems mount about 127, and the base has
/// some of its own.
const MAX_LAYERS: usize = 100;

impl Resolver<'_> {
    /// Returns how the tree is split, and into how many layers at most.
    pub(super) fn layers(
        &self,
        at: Option<&At<Layers>>,
        most: Option<&At<i64>>,
    ) -> Option<(LayerSplit, usize)> {
        let max = most.map_or(Some(MAX_LAYERS), |at| self.max_layers(at));
        let split = match at.map(|at| (at, &at.value)) {
            None => Some(LayerSplit::default()),
            Some((at, Layers::Word(word))) => self.split_word(at, word),
            Some((at, Layers::Named(layers))) => self.named_layers(at, layers),
        };
        let (max, split) = (max?, split?);
        if let (Some(at), LayerSplit::Named(layers)) = (at, &split)
            && layers.len() >= max
        {
            let found = layers.len() + 1;
            let message = format!("expected at most {max} layers, found {found}");
            self.advise(at, message, format!("what no layer names lies in one called `{REST}`"));
            return None;
        }
        Some((split, max))
    }

    fn max_layers(&self, at: &At<i64>) -> Option<usize> {
        let found = usize::try_from(at.value).ok().filter(|max| (1..=MAX_LAYERS).contains(max));
        if found.is_none() {
            let found = at.value;
            self.fault(at, format!("expected from 1 to {MAX_LAYERS} layers, found {found}"));
        }
        found
    }

    fn split_word(&self, at: &At<Layers>, word: &str) -> Option<LayerSplit> {
        match word {
            "auto" => Some(LayerSplit::Auto),
            "one" => Some(LayerSplit::One),
            _ => {
                let message = format!("unknown word `{}`", word.escape_debug());
                self.advise(at, message, suggestion::hint(word, &["auto", "one"]));
                None
            }
        }
    }

    fn named_layers(&self, at: &At<Layers>, layers: &[At<Layer>]) -> Option<LayerSplit> {
        if layers.is_empty() {
            self.advise(at, "`layers` is empty", "write `layers = \"one\"` for a single layer");
            return None;
        }
        let before = self.errors.borrow().len();
        let mut names = BTreeSet::new();
        let mut paths = BTreeSet::new();
        let mut all = Vec::new();
        for layer in layers {
            let name = &layer.value.name;
            self.check_layer_name(name);
            if !names.insert(&name.value) {
                let found = name.value.escape_debug();
                self.fault(name, format!("there are two layers called `{found}`"));
            }
            let paths = self.layer_paths(&layer.value.paths, &mut paths);
            all.push(NamedLayer { name: name.value.clone(), paths });
        }
        (self.errors.borrow().len() == before).then_some(LayerSplit::Named(all))
    }

    fn check_layer_name(&self, at: &At<String>) {
        let name = at.value.as_str();
        if name == REST {
            let message = format!("`{REST}` is the layer of what no other layer names");
            self.advise(at, message, "leave it out: it is always there, above all others");
        } else if !is_layer_name(name) {
            let message = format!("`{}` is not the name of a layer", name.escape_debug());
            let hint = format!("expected 1 to {MAX_LAYER_NAME} lower-case letters, digits and `-`");
            self.advise(at, message, hint);
        }
    }

    fn layer_paths(
        &self,
        at: &At<Vec<At<String>>>,
        known: &mut BTreeSet<TreePath>,
    ) -> Vec<TreePath> {
        if at.value.is_empty() {
            self.fault(at, "`paths` is empty");
        }
        at.value.iter().filter_map(|at| self.layer_path(at, known)).collect()
    }

    fn layer_path(&self, at: &At<String>, known: &mut BTreeSet<TreePath>) -> Option<TreePath> {
        let path = self.tree_path(at)?;
        let found = at.value.escape_debug();
        if at.value.contains('*') {
            let message = format!("`{found}` is a pattern, and layers are made of paths");
            self.advise(at, message, "name the directory: all that is below it goes along");
        } else if path.is_root() {
            let hint = "leave the layer out: what no layer names has one of its own";
            self.advise(at, "the layer would hold everything", hint);
        } else if !known.insert(path.clone()) {
            self.fault(at, format!("`{found}` is in two layers, or twice in one"));
        }
        Some(path)
    }
}
