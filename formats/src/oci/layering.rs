//! Which part of a tree goes into which layer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::model::{fail_if, field_error};
use crate::format::WriteError;
use crate::tree::{Entry, FileTree, Node, TreeBuilder, TreeError, TreePath};

/// The name of the layer that holds whatever no rule names.
pub const REST: &str = "application";

/// How a tree is split into layers: what changes least lies lowest.
///
/// A path belongs to the rule with the longest matching path, and to a layer called [`REST`] on top
/// of the others if there is none. All names of a hard-linked file belong to the topmost layer that
/// one of them belongs to, because a layer's links lead to files of the same layer. Without rules
/// the tree is one layer without a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layering {
    /// The layers below the topmost, the lowest first.
    pub rules: Vec<LayerRule>,
}

/// What one layer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRule {
    /// The layer's name, e.g. `dependencies`.
    pub name: String,
    /// Files, and directories with everything below them.
    pub paths: Vec<TreePath>,
}

/// A part of a tree.
#[derive(Debug)]
pub(super) struct Part {
    /// The layer's name, if the tree is split.
    pub(super) name: Option<String>,
    pub(super) tree: FileTree,
}

impl Part {
    /// Returns whether the part holds nothing that anybody asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.tree.iter().all(|(_, entry)| entry.implied)
    }
}

impl Layering {
    /// Fails if names or paths contradict each other.
    pub(super) fn check(&self) -> Result<(), WriteError> {
        let (mut names, mut paths) = (BTreeSet::from([REST]), BTreeSet::new());
        for LayerRule { name, paths: own } in &self.rules {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            let fault = (name.is_empty() || !name.chars().all(is_plain))
                .then_some("expected letters, digits, `.`, `_` and `-`");
            fail_if("layers", fault, name)?;
            let fault = (!names.insert(name)).then_some("expected each layer's name once");
            fail_if("layers", fault, name)?;
            for path in own {
                let fault = (!paths.insert(path)).then_some("expected each path once");
                fail_if("layers", fault, &path.to_string())?;
            }
        }
        Ok(())
    }

    /// Splits a tree, the lowest part first. Directories that anybody asked for by name are
    /// repeated in every part that has something below them.
    ///
    /// Parts that would be empty are left out; if the tree is, so are all.
    pub(super) fn split(&self, tree: FileTree) -> Result<Vec<Part>, WriteError> {
        if self.rules.is_empty() {
            return Ok(vec![Part { name: None, tree }]);
        }
        let mut paths = vec![Vec::new(); self.rules.len() + 1];
        for (path, number) in self.assign(&tree) {
            paths[number].push(path);
        }
        let names = self.rules.iter().map(|rule| rule.name.as_str()).chain([REST]);
        let mut parts = Vec::new();
        for (name, paths) in names.zip(paths).filter(|(_, paths)| !paths.is_empty()) {
            let tree = part(&tree, &paths)?;
            parts.push(Part { name: Some(name.to_owned()), tree });
        }
        Ok(parts)
    }

    /// Returns for each entry that is not implied the number of its layer.
    fn assign<'a>(&self, tree: &'a FileTree) -> BTreeMap<&'a TreePath, usize> {
        let mut rules = BTreeMap::new();
        for (number, rule) in self.rules.iter().enumerate() {
            rules.extend(rule.paths.iter().map(|path| (path, number)));
        }
        let rule = |path: &TreePath| {
            let mut at = Some(path.clone());
            while let Some(path) = at {
                if let Some(number) = rules.get(&path) {
                    return *number;
                }
                at = path.parent();
            }
            self.rules.len()
        };
        let named = tree.iter().filter(|(_, entry)| !entry.implied);
        let mut layers: BTreeMap<_, _> = named.map(|(path, _)| (path, rule(path))).collect();
        let first = |path: &'a TreePath, entry: &'a Entry| match &entry.node {
            Node::HardLink(first) => first,
            _ => path,
        };
        let mut topmost: BTreeMap<&TreePath, usize> = BTreeMap::new();
        for (path, entry) in tree.iter() {
            if let (Node::HardLink(target), Some(number)) = (&entry.node, layers.get(path)) {
                let below = layers.get(target).copied().unwrap_or_default();
                let top = topmost.entry(target).or_insert(below);
                *top = (*top).max(*number);
            }
        }
        for (path, entry) in tree.iter() {
            if let Some(top) = topmost.get(first(path, entry)) {
                layers.insert(path, *top);
            }
        }
        layers
    }
}

/// Returns the entries at these paths with the named directories above them.
fn part(tree: &FileTree, paths: &[&TreePath]) -> Result<FileTree, TreeError> {
    let (mut builder, mut above) = (TreeBuilder::new(), BTreeSet::new());
    for path in paths {
        if let Some(entry) = tree.get(path) {
            builder.insert((*path).clone(), entry.clone())?;
        }
        let mut at = path.parent();
        while let Some(path) = at {
            at = path.parent();
            if !above.insert(path) {
                break;
            }
        }
    }
    for path in above {
        match tree.get(&path) {
            Some(entry) if !entry.implied => builder.insert(path, entry.clone())?,
            Some(_) | None => {}
        }
    }
    builder.finish()
}

/// Returns an error if an image would have more layers than container engines stack.
pub(super) fn check_count(own: usize, base: usize) -> Result<(), WriteError> {
    if own + base <= MAX_WRITTEN_LAYERS {
        return Ok(());
    }
    let fault = format!(
        "expected at most {MAX_WRITTEN_LAYERS} layers, the base's {base} included, which is what \
         container engines stack; merge layers by fewer rules"
    );
    Err(field_error("layers", &fault, &(own + base).to_string()))
}

/// How many layers an image may have, its base's included.
pub const MAX_WRITTEN_LAYERS: usize = 127;
