//! An image on a new base: whether it would still work, and its bytes.
//!
//! ```text
//! image ─► own layers ┐
//!   └────► old base ──┼─► on the old base ─┐
//! new base ───────────┴─► on the new base ─┴─► compare ─► findings ─► refuse, or the new image
//! ```
//!
//! Every check asks one question of both sides: what is broken on the new base and was not on the
//! old one is an error or a warning, what was broken before is a note. `docs/rebase.md` lists the
//! rules and says what cannot be seen: libraries that a program opens by itself, and whatever it
//! looks for only when it runs.

mod compare;
pub mod deliver;
mod error;
mod finding;
mod loaded;
mod loader;
mod place;
mod programs;
pub mod push;
pub mod rule;
mod seam;
mod sides;
mod surroundings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bake_formats::format::ReadError;
use bake_formats::oci::config::Execution;

use crate::survey::LayerSurvey;

pub use compare::{Compared, Comparison, Request, compare};
pub use error::{Fault, RebaseError};
pub use finding::Finding;
pub use loaded::{Loaded, LoadedImage};
pub use place::Place;

use finding::Report;
use sides::Sides;

/// An image for one platform, taken apart at its seam.
#[derive(Debug, Clone)]
pub struct Stack<'a> {
    /// The base's layers, the lowest first.
    pub base: &'a [Arc<LayerSurvey>],
    /// The image's own layers, the lowest first.
    pub own: &'a [Arc<LayerSurvey>],
    /// How the image is run.
    pub run: &'a Execution,
}

/// Compares an image on its old base with the same on its new base; the worst finding comes first.
///
/// Layers that only one of the two has, such as account databases that were merged with the base's,
/// are part of the image, but nobody is told that they differ.
///
/// Fails only if layers do not make a tree together.
pub fn check(old: &Stack<'_>, new: &Stack<'_>) -> Result<Vec<Finding>, ReadError> {
    let sides = Sides::new(old, new)?;
    let mut report = Report::default();
    seam::check(&sides, &mut report);
    programs::check(&sides, &mut report);
    surroundings::check(&sides, &mut report);
    Ok(report.finish())
}
