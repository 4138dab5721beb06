//! `bake pull`: a release, an image or a file from a registry.

use std::path::PathBuf;

use bake_formats::oci::{Platform, Reference};
use clap::Args;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::registry::RegistryArgs;
use crate::cli::request::image_platform;
use crate::publish::{Form, PullOptions, pull};

/// Pull a release, an image or a file from a registry.
#[derive(Debug, Args)]
#[command(
    after_help = "Every blob is compared with its digest, and every package, disk and image with \
    the tree that it is said to hold. What is pulled appears at once or not at all.\n\nAn image that \
    `bake push` made a release of brings its packages and disks along; `--only oci` leaves them \
    out.\n\nExamples:\n  bake pull ghcr.io/acme/catalog:1.0.0 -o packages --only deb,rpm\n  \
    bake pull debian:12-slim --platform linux/arm64 --archive"
)]
pub(in crate::cli) struct Pull {
    /// What to pull
    #[arg(value_name = "REF")]
    reference: Reference,
    /// The folder that it appears in
    #[arg(short, long, value_name = "DIR", default_value = "dist")]
    output: PathBuf,
    /// Pull these formats of a release only: oci, deb, rpm, raw, qcow2
    #[arg(long, value_name = "FORMATS", value_delimiter = ',')]
    only: Vec<String>,
    /// Pull what runs on this platform only
    #[arg(long, value_name = "OS/ARCH", value_parser = image_platform)]
    platform: Option<Platform>,
    /// Write an image as one file
    #[arg(long, conflicts_with = "sparse")]
    archive: bool,
    /// Leave out the layers of an image's base
    #[arg(long)]
    sparse: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Pull {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let form = match (self.archive, self.sparse) {
            (true, _) => Form::Archive,
            (false, true) => Form::Sparse,
            (false, false) => Form::Layout,
        };
        let options =
            PullOptions { only: self.only.clone(), platform: self.platform.clone(), form };
        let client = self.registry.client(printer)?;
        let progress = Progress::new(printer);
        progress.transfer("pulling", 0);
        let outcome = pull(&client, &self.reference, &self.output, &options, &progress);
        progress.finish();
        for pulled in outcome? {
            if printer.is_json() {
                printer.event("pulled", &pulled)?;
            } else {
                let path = self.output.join(&pulled.path);
                printer.line(format_args!(
                    "{:<11} {:>12} {} {}",
                    pulled.format,
                    pulled.size,
                    pulled.digest,
                    path.display()
                ))?;
            }
        }
        Ok(Exit::Done)
    }
}
