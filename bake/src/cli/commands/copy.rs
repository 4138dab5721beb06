//! `bake copy`: from one registry to another.

use std::path::Path;

use bake_formats::oci::{Platform, Reference};
use clap::Args;
use serde_json::json;

use super::push::print_plan;
use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::registry::RegistryArgs;
use crate::cli::request::image_platform;
use crate::error::Error;
use crate::publish::{CopyOptions, Pushed, copy};

/// Copy an image or an artifact from one repository to another.
#[derive(Debug, Args)]
#[command(
    after_help = "Within a registry blobs are mounted; between two they pass through without lying \
    on disk. All platforms are copied unless one is named.\n\nBetween a registry and a layout use \
    `bake push` and `bake pull`.\n\nExamples:\n  bake copy debian:12-slim registry.example.com/base/\
    debian:12-slim\n  bake copy --referrers ghcr.io/acme/catalog:1.0 registry.example.com/catalog"
)]
pub(in crate::cli) struct Copy {
    /// What to copy
    #[arg(value_name = "SRC")]
    from: String,
    /// Where to; without a tag under the same one
    #[arg(value_name = "DST")]
    to: String,
    /// Copy the image of this platform only
    #[arg(long, value_name = "OS/ARCH", value_parser = image_platform)]
    platform: Option<Platform>,
    /// Copy what is attached to it too: signatures, releases
    #[arg(long)]
    referrers: bool,
    /// Only find out what would be sent: nothing but reads
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Copy {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let from = reference("SRC", &self.from, "bake push PATH --to REPO:TAG")?;
        let to = reference("DST", &self.to, "bake pull REF -o DIR")?;
        let options = CopyOptions {
            platform: self.platform.clone(),
            referrers: self.referrers,
            dry_run: self.dry_run,
        };
        let client = self.registry.client(printer)?;
        let progress = Progress::new(printer);
        progress.transfer("copying", 0);
        let outcome = copy(&client, &from, &to, &options, &progress);
        progress.finish();
        let copied = outcome?;
        let Some(pushed) = copied.pushed else {
            print_plan(printer, &copied.plan)?;
            return Ok(Exit::Done);
        };
        if printer.is_json() {
            let data = json!({ "repository": to.name(), "digest": copied.digest, "moved": pushed });
            printer.event("copied", &data)?;
        } else {
            printer.line(format_args!("copied {}@{}", to.name(), copied.digest))?;
            let Pushed { bytes, mounted, skipped, .. } = pushed;
            printer.note(format_args!(
                "sent {bytes} bytes, mounted {mounted} blobs, skipped {skipped}"
            ));
        }
        Ok(Exit::Done)
    }
}

/// Reads a reference; a path is sent to the command that is for paths.
fn reference(what: &str, text: &str, command: &str) -> Result<Reference, Error> {
    let is_path = text.starts_with(['.', '/']) || Path::new(text).join("oci-layout").exists();
    let fail = |reason, hint| Error::Publish { what: what.to_owned(), reason, hint };
    if is_path {
        let reason = format!("expected a reference, found the path `{text}`");
        return Err(fail(reason, Some(format!("use `{command}`"))));
    }
    text.parse().map_err(|error: bake_formats::oci::ReferenceError| fail(error.to_string(), None))
}
