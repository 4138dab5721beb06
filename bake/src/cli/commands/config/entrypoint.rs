//! `bake config entrypoint`: the program that starts services.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request;
use crate::entry;
use crate::error::Error;

/// The mode of a program.
const MODE: u32 = 0o755;

/// Write bake-init to a file: it checks a service's configuration and becomes the service.
#[derive(Debug, Args)]
#[command(
    after_help = "Artifacts of a recipe with `entrypoint = true` hold it already. For an image that somebody else builds:\n  \
    bake config entrypoint -o bake-init\n  bake config schema --as record > orders.json"
)]
pub(super) struct Entrypoint {
    /// The file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// For this platform [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
}

impl Entrypoint {
    pub(super) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let platform = request::platform(self.platform.as_deref())?;
        let program = entry::program(platform).ok_or_else(|| Error::Input {
            what: "--platform".into(),
            reason: format!(
                "this bake carries no bake-init for {platform}; docs/entrypoint.md says how it is built"
            ),
        })?;
        let folder = self.output.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        let mut file = builder.permissions(Permissions::from_mode(MODE)).tempfile_in(folder)?;
        file.write_all(program)?;
        file.persist(&self.output).map_err(|error| error.error)?;
        printer.note(format_args!("wrote `{}`", self.output.display()));
        Ok(Exit::Done)
    }
}
