//! Writing one image.

use super::accounts::Collected;
use super::assemble::{Overlay, assemble};
use super::config::rfc3339;
use super::layer::Layer;
use super::model::Image;
use super::written::Written;
use crate::format::{WriteCx, WriteError};
use crate::tree::FileTree;

/// The annotation of a manifest that holds the tree's identity; of an index too, if all its images
/// hold the same tree.
pub const TREE_KEY: &str = "dev.bake.tree";
/// What history says that layers were created by.
pub const CREATED_BY: &str = "bake";

/// Writes an image: its layers, its configuration and its manifest.
pub fn write(image: &Image, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Written, WriteError> {
    image.check()?;
    let created = rfc3339(cx.epoch);
    let collected = Collected::of(image, tree)?;
    let (databases, accounts) = match &image.base {
        None => (collected.files(tree), None),
        Some(base) => (Vec::new(), base.databases.as_ref().map(|_| collected.to_merge(tree))),
    };
    let mut overlay = Overlay { accounts, tree: Some(tree.id()), ..Overlay::default() };
    for layer in Layer::payload(image, tree, cx)? {
        overlay.push(layer, &created);
    }
    if let Some(layer) = Layer::support(image, tree, databases, cx)? {
        overlay.push(layer, &created);
    }
    overlay.created = Some(created);
    assemble(image, overlay, cx)
}
