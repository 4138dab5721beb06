//! `bake config diff`: what differs between two environments.

use bake_recipes::environment::EnvironmentName;
use clap::Args;
use serde_json::json;

use super::check::{joined, load, present};
use super::source::SchemaArgs;
use crate::cli::Exit;
use crate::cli::environments::{EnvironmentArgs, UnlockArgs};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::configuration::{Difference, Sign, compare};
use crate::error::Error;

/// Show what differs between two environments.
#[derive(Debug, Args)]
#[command(
    after_help = "Secrets are compared and never shown; without an identity nobody knows whether they are the same.\n\n\
    Exit status: 0 nothing differs, 1 something does."
)]
pub(super) struct Diff {
    /// The one
    #[arg(value_name = "ENV")]
    left: EnvironmentName,
    /// The other
    #[arg(value_name = "OTHER")]
    right: EnvironmentName,
    #[command(flatten)]
    source: SchemaArgs,
    /// Show keys that are the same, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    unlock: UnlockArgs,
}

impl Diff {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let known = self.source.read(environments)?;
        let loaded = load(&[self.left.clone(), self.right.clone()], environments)?;
        let identities = self.unlock.identities()?;
        let both = joined(&known, loaded, present(&identities, &self.unlock))?;
        let [left, right] = both.as_slice() else {
            let (what, reason) = ("environments".into(), "expected two".into());
            return Err(Error::Input { what, reason }.into());
        };
        let differences = compare(&known.schema, left, right);
        for difference in &differences {
            if self.all || difference.sign != Sign::Same {
                self.print(difference, printer)?;
            }
        }
        let differs = differences.iter().any(|difference| difference.sign == Sign::Differs);
        Ok(if differs { Exit::No } else { Exit::Done })
    }

    fn print(&self, difference: &Difference, printer: &Printer) -> Result<(), Failure> {
        let Difference { key, sign, left, right } = difference;
        if printer.is_json() {
            let data = json!({ "key": key, "sign": sign.word(), "left": left, "right": right });
            printer.event("difference", &data)?;
            return Ok(());
        }
        printer.line(format_args!("{key}: {}", sign.word()))?;
        printer.line(format_args!("  {}: {left}", self.left))?;
        printer.line(format_args!("  {}: {right}", self.right))?;
        Ok(())
    }
}
