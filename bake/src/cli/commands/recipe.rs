//! `bake recipe`: tools for writing recipes.

use clap::{Args, Subcommand};

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;

/// Tools for writing recipes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Recipe {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the JSON Schema of a recipe, for editors
    Schema,
}

impl Recipe {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Schema => {
                let schema = bake_recipes::json_schema();
                printer.line(format_args!("{schema:#}"))?;
                Ok(Exit::Done)
            }
        }
    }
}
