//! An image on its old base and on its new one, side by side.

use std::sync::Arc;

use bake_formats::format::ReadError;
use bake_formats::oci::config::Execution;
use bake_formats::tree::{FileTree, TreePath};

use super::Stack;
use crate::survey::{LayerSurvey, View};

/// An image on one base.
#[derive(Debug)]
pub(super) struct Side {
    /// The base alone.
    pub(super) base: View,
    /// The base with the image's own layers on top.
    pub(super) image: View,
    /// How the image is run there.
    pub(super) run: Execution,
}

/// An image on two bases.
#[derive(Debug)]
pub(super) struct Sides {
    pub(super) old: Side,
    pub(super) new: Side,
    /// The image's own layers, the lowest first, as far as they are the same on both.
    pub(super) layers: Vec<Arc<LayerSurvey>>,
    /// What those layers hold by themselves.
    pub(super) own: View,
}

impl Sides {
    /// Puts an image's own layers on both bases.
    pub(super) fn new(old: &Stack<'_>, new: &Stack<'_>) -> Result<Self, ReadError> {
        let side = |stack: &Stack<'_>| {
            let base = View::of(stack.base)?;
            let image = base.with(stack.own)?;
            Ok::<_, ReadError>(Side { base, image, run: stack.run.clone() })
        };
        let layers: Vec<_> =
            new.own.iter().filter(|layer| old.own.contains(layer)).cloned().collect();
        let own = View::of(&layers)?;
        Ok(Self { old: side(old)?, new: side(new)?, layers, own })
    }

    /// Returns what the image itself holds, by name.
    pub(super) fn tree(&self) -> &FileTree {
        self.own.tree()
    }
}

/// Returns a path as people read it.
pub(super) fn shown(path: &TreePath) -> String {
    path.to_string()
}
