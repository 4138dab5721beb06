//! `bake completions`: a completion script for a shell.

use clap::Args;
use clap_complete::Shell;

use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::{Exit, command};

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: bake completions bash > ~/.local/share/bash-completion/completions/bake"
)]
pub(in crate::cli) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "bake", &mut script);
        printer.bytes(&script)?;
        Ok(Exit::Done)
    }
}
