//! `bake env key`: the key of an environment's digests.

use bake_recipes::environment::EnvironmentName;
use clap::Args;

use crate::cli::Exit;
use crate::cli::environments::EnvironmentArgs;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::environment::edit::{self, Renewal};

/// Make the key of an environment's digests.
#[derive(Debug, Args)]
#[command(
    after_help = "A digest over a short secret can be guessed, so digests of configuration are keyed, by random \
    bytes that are encrypted to the environment's recipients. The first secret that is set makes them, too."
)]
pub(super) struct KeyCommand {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: EnvironmentName,
    /// Replace the one that is there: all digests change
    #[arg(long)]
    new: bool,
}

impl KeyCommand {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let renewal = if self.new { Renewal::Replace } else { Renewal::Keep };
        let is_new = edit::make_key(&environments.folder(), &self.environment, renewal)?;
        let word = if is_new { "has a new key of digests" } else { "has a key of digests" };
        printer.note(format_args!("{} {word}", self.environment));
        Ok(Exit::Done)
    }
}
