//! `bake config`: what differs between environments, and that it stays out of artifacts.

mod leak;

use clap::{Args, Subcommand};

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;

/// Look after configuration: what differs between environments, and never is in an artifact.
#[derive(Debug, Args)]
pub(in crate::cli) struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Search artifacts for secrets
    Leak(leak::Leak),
}

impl Config {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        match &self.verb {
            Verb::Leak(command) => command.run(printer),
        }
    }
}
