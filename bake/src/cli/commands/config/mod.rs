//! `bake config`: what differs between environments.

mod check;
mod compat;
mod diff;
mod entrypoint;
mod leak;
mod render;
mod schema;
mod source;

use clap::{Args, Subcommand};

use crate::cli::Exit;
use crate::cli::environments::EnvironmentArgs;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::environment::memory;

/// Check and render what differs between environments; it never enters an artifact.
#[derive(Debug, Args)]
#[command(
    after_help = "An artifact carries the schema of its configuration: which keys there are, of which types. Environments \
    give values, and are no input of `bake build`. See `bake env` for their files."
)]
pub(in crate::cli) struct Config {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    environments: EnvironmentArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the schema that an artifact carries, or that of the recipe
    Schema(schema::Schema),
    /// Check environments against a schema
    Check(check::Check),
    /// Show what differs between two environments
    Diff(diff::Diff),
    /// Render one environment's configuration for what reads it
    Render(render::Render),
    /// Search artifacts for values of environments, and for secrets of any kind
    Leak(leak::Leak),
    /// Write bake-init to a file: it checks a service's configuration and becomes the service
    Entrypoint(entrypoint::Entrypoint),
    /// Tell what a new schema breaks for those who fit the old one
    Compat(compat::Compat),
}

impl Config {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        memory::without_core_dumps()?;
        let environments = &self.environments;
        match &self.verb {
            Verb::Schema(command) => command.run(environments, printer),
            Verb::Check(command) => command.run(environments, printer),
            Verb::Diff(command) => command.run(environments, printer),
            Verb::Render(command) => command.run(environments, printer),
            Verb::Leak(command) => command.run(environments, printer),
            Verb::Entrypoint(command) => command.run(printer),
            Verb::Compat(command) => command.run(printer),
        }
    }
}
