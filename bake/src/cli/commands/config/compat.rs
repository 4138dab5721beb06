//! `bake config compat`: what a new schema breaks.

use std::path::PathBuf;

use bake_config::compat::{Effect, compare};
use clap::Args;
use serde_json::json;

use super::source::of_any;
use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;

/// Tell what a new schema breaks for those who fit the old one.
#[derive(Debug, Args)]
#[command(
    after_help = "Breaking: a key that is new and required, gone, narrower, delivered in another way.\n\nExit status: 0 every \
    environment that fits the old schema fits the new one, 1 some may not."
)]
pub(super) struct Compat {
    /// What is deployed: an artifact, a recipe (.toml) or a record (.json)
    old: PathBuf,
    /// What is to be deployed
    new: PathBuf,
}

impl Compat {
    pub(super) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let (old, new) = (of_any(&self.old)?, of_any(&self.new)?);
        let changes = compare(&old, &new);
        for change in &changes {
            if printer.is_json() {
                let (effect, subject) = (change.effect.word(), &change.subject);
                let data = json!({ "effect": effect, "subject": subject, "what": change.what });
                printer.event("change", &data)?;
            } else {
                printer.line(change)?;
            }
        }
        let breaks = changes.iter().any(|change| change.effect == Effect::Breaking);
        if !printer.is_json() && changes.is_empty() {
            printer.line("the schemas are the same")?;
        }
        Ok(if breaks { Exit::No } else { Exit::Done })
    }
}
