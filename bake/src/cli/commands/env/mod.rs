//! `bake env`: environments, their values and their secrets.

mod get;
mod input;
mod key;
mod ls;
mod rekey;
mod schema;
mod set;
mod unset;

use clap::{Args, Subcommand};

use crate::cli::Exit;
use crate::cli::environments::EnvironmentArgs;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::environment::memory;

/// Look after environments: values in the open, secrets encrypted.
#[derive(Debug, Args)]
#[command(
    after_help = "An environment is a file beside the recipe, `environments/NAME.toml`. Nothing of it ever \
    enters an artifact.\n\nExamples:\n  bake env ls\n  bake env set prod DB_URL postgres://db/orders\n  \
    bake env rekey prod --add age1…\n  bake env set prod DB_PASSWORD --secret\n  \
    bake env get prod DB_PASSWORD --reveal | …"
)]
pub(in crate::cli) struct Env {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    environments: EnvironmentArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List environments, or what one of them sets and where
    Ls(ls::Ls),
    /// Print a value
    Get(get::Get),
    /// Set a value or a secret
    Set(set::Set),
    /// Remove a key
    Unset(unset::Unset),
    /// Change who can decrypt, and encrypt all secrets to those who can
    Rekey(rekey::Rekey),
    /// Make the key of an environment's digests
    Key(key::KeyCommand),
}

impl Env {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        memory::without_core_dumps()?;
        let environments = &self.environments;
        match &self.verb {
            Verb::Ls(command) => command.run(environments, printer),
            Verb::Get(command) => command.run(environments, printer),
            Verb::Set(command) => command.run(environments, printer),
            Verb::Unset(command) => command.run(environments, printer),
            Verb::Rekey(command) => command.run(environments, printer),
            Verb::Key(command) => command.run(environments, printer),
        }
    }
}
