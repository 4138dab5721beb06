//! `bake man`: manual pages, one for the program and one for each verb.

use std::path::PathBuf;

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::{Exit, command};

/// Write manual pages to a folder.
#[derive(Debug, Args)]
pub(in crate::cli) struct Man {
    /// The folder
    folder: PathBuf,
}

impl Man {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        fs_err::create_dir_all(&self.folder)?;
        let mut root = command();
        root.build();
        clap_mangen::generate_to(root, &self.folder)?;
        printer.note(format_args!("wrote manual pages to `{}`", self.folder.display()));
        Ok(Exit::Done)
    }
}
