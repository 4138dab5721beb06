//! `bake man`: manual pages, one for the program and one for each verb.

use std::path::{Path, PathBuf};

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
        write_pages(&self.folder, &root, printer)?;
        Ok(Exit::Done)
    }
}

fn write_pages(folder: &Path, command: &clap::Command, printer: &Printer) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone().name(name.clone())).render(&mut page)?;
    let path = folder.join(format!("{name}.1"));
    fs_err::write(&path, page)?;
    printer.line(path.display())?;
    command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
        .try_for_each(|sub| write_pages(folder, sub, printer))
}
