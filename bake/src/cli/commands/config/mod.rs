//! `bake config`: what differs between environments.

mod compat;
mod schema;
mod source;

use clap::{Args, Subcommand};

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;

/// Check and render what differs between environments; it never enters an artifact.
#[derive(Debug, Args)]
#[command(
    after_help = "An artifact carries the schema of its configuration: which keys there are, of which types. Environments \
    give values, and are no input of `bake build`. See `bake env` for their files."
)]
pub(in crate::cli) struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the schema that an artifact carries, or that of the recipe
    Schema(schema::Schema),
    /// Tell what a new schema breaks for those who fit the old one
    Compat(compat::Compat),
}

impl Config {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        match &self.verb {
            Verb::Schema(command) => command.run(printer),
            Verb::Compat(command) => command.run(printer),
        }
    }
}
