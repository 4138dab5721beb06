//! An image on its old base and on its new one, side by side.

use std::sync::Arc;

use bake_formats::format::ReadError;
use bake_formats::oci::config::Execution;
use bake_formats::tree::{FileTree, TreePath};

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
    /// The image's own layers, the lowest first.
    pub(super) layers: Vec<Arc<LayerSurvey>>,
    /// What those layers hold by themselves.
    pub(super) own: View,
}

impl Sides {
    /// Puts an image's own layers on both bases.
    pub(super) fn new(
        old_base: &[Arc<LayerSurvey>],
        new_base: &[Arc<LayerSurvey>],
        layers: &[Arc<LayerSurvey>],
        [old_run, new_run]: [Execution; 2],
    ) -> Result<Self, ReadError> {
        let side = |base: &[Arc<LayerSurvey>], run| {
            let base = View::of(base)?;
            let image = base.with(layers)?;
            Ok::<_, ReadError>(Side { base, image, run })
        };
        let (old, new) = (side(old_base, old_run)?, side(new_base, new_run)?);
        Ok(Self { old, new, layers: layers.to_vec(), own: View::of(layers)? })
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
