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

mod finding;
mod loader;
mod programs;
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

pub use finding::Finding;

use finding::Report;
use sides::Sides;

/// What is compared: an image for one platform, taken apart at its seam.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// The layers of the base that the image has.
    pub old_base: &'a [Arc<LayerSurvey>],
    /// The layers of the base that it is to have.
    pub new_base: &'a [Arc<LayerSurvey>],
    /// The layers of its own, the lowest first.
    pub layers: &'a [Arc<LayerSurvey>],
    /// How it is run on the old base.
    pub old_run: Execution,
    /// How it is run on the new base.
    pub new_run: Execution,
}

/// Compares an image on its old base with the same on its new base; the worst finding comes first.
///
/// Fails only if layers do not make a tree together.
pub fn check(subject: &Subject<'_>) -> Result<Vec<Finding>, ReadError> {
    let Subject { old_base, new_base, layers, old_run, new_run } = subject;
    let sides = Sides::new(old_base, new_base, layers, [old_run.clone(), new_run.clone()])?;
    let mut report = Report::default();
    seam::check(&sides, &mut report);
    programs::check(&sides, &mut report);
    surroundings::check(&sides, &mut report);
    Ok(report.finish())
}
