//! `bake env unset`: a key less.

use bake_config::Name;
use bake_recipes::environment::{EnvironmentName, path};
use clap::Args;

use crate::cli::Exit;
use crate::cli::environments::{EnvironmentArgs, key};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::environment::edit::{self, Target};

/// Remove a key.
#[derive(Debug, Args)]
pub(super) struct Unset {
    /// The environment whose file sets it
    #[arg(value_name = "ENV")]
    environment: EnvironmentName,
    /// The key
    #[arg(value_name = "KEY", value_parser = key)]
    key: Name,
}

impl Unset {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let folder = environments.folder();
        edit::unset(&Target { folder: &folder, environment: &self.environment, key: &self.key })?;
        let file = path(&folder, &self.environment);
        printer.note(format_args!("removed {} from {}", self.key, file.display()));
        Ok(Exit::Done)
    }
}
