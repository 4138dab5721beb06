//! `bake copy`: registries, layouts and archives, from any to any.

use bake_formats::oci::Platform;
use clap::Args;
use serde_json::json;

use super::push::print_plan;
use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::registry::RegistryArgs;
use crate::cli::request::image_platform;
use crate::publish::{CopyOptions, End, Pushed, copy};

/// Copy an image or an artifact: between registries, layouts and archives.
#[derive(Debug, Args)]
#[command(
    after_help = "An end is a reference, `oci:PATH` (an image layout), `oci-archive:PATH`, or a path \
    that begins with `/`, `./` or `../`.\n\nWithin a registry blobs are mounted; between two they \
    pass through without lying on disk. All platforms are copied unless one is named. A layout that \
    lacks its base's layers is completed from the base's registry.\n\nExamples:\n  bake copy \
    debian:12-slim registry.example.com/base/debian:12-slim\n  bake copy --referrers \
    ghcr.io/acme/catalog:1.0 registry.example.com/catalog\n  bake copy ./dist/catalog-1.0.0.oci \
    registry.example.com/catalog:1.0\n  bake copy --platform linux/arm64 debian:12-slim \
    oci-archive:debian.tar"
)]
pub(in crate::cli) struct Copy {
    /// What to copy
    #[arg(value_name = "SRC")]
    from: End,
    /// Where to; in a registry without a tag under the same one
    #[arg(value_name = "DST")]
    to: End,
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
        let options = CopyOptions {
            platform: self.platform.clone(),
            referrers: self.referrers,
            dry_run: self.dry_run,
        };
        let client = self.registry.client(printer)?;
        let progress = Progress::new(printer);
        progress.transfer("copying", 0);
        let outcome = copy(&client, &self.from, &self.to, &options, &progress);
        progress.finish();
        let copied = outcome?;
        if let (Some(plan), None) = (&copied.plan, copied.pushed) {
            print_plan(printer, plan)?;
            return Ok(Exit::Done);
        }
        if printer.is_json() {
            let to = self.to.to_string();
            let place = match &self.to {
                End::Registry(_) => "repository",
                End::Local { .. } => "path",
            };
            let data = json!({ place: to, "digest": copied.digest, "moved": copied.pushed });
            printer.event("copied", &data)?;
            return Ok(Exit::Done);
        }
        match &self.to {
            End::Registry(to) => {
                printer.line(format_args!("copied {}@{}", to.name(), copied.digest))?;
            }
            End::Local { path, .. } => {
                printer.line(format_args!("copied {} to {}", copied.digest, path.display()))?;
            }
        }
        if let Some(Pushed { bytes, mounted, skipped, .. }) = copied.pushed {
            printer.note(format_args!(
                "sent {bytes} bytes, mounted {mounted} blobs, skipped {skipped}"
            ));
        }
        Ok(Exit::Done)
    }
}
