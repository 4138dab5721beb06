//! `bake ls`: what a repository has.

use bake_formats::oci::Reference;
use clap::Args;
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::registry::RegistryArgs;
use crate::error::Error;
use crate::publish::{digests, referrers};
use crate::registry::{Access, Repository};

/// List the tags of a repository, or what is attached to an image.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bake ls ghcr.io/acme/catalog\n  bake ls --digests \
    ghcr.io/acme/catalog\n  bake ls --referrers ghcr.io/acme/catalog:1.0.0")]
pub(in crate::cli) struct Ls {
    /// The repository, or with --referrers the image
    #[arg(value_name = "REPO")]
    reference: Reference,
    /// Show what each tag leads to: one request for each
    #[arg(long, conflicts_with = "referrers")]
    digests: bool,
    /// List what is attached to an image: signatures, releases
    #[arg(long)]
    referrers: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Ls {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let client = self.registry.client(printer)?;
        let repository = Repository::new(&client, &self.reference, Access::Pull);
        if self.referrers {
            return list_referrers(printer, &repository, &self.reference);
        }
        let tags = repository.tags().map_err(Error::from)?;
        if !self.digests {
            for tag in &tags {
                if printer.is_json() {
                    printer.event("tag", &json!({ "tag": tag }))?;
                } else {
                    printer.line(tag)?;
                }
            }
            return Ok(Exit::Done);
        }
        for (tag, found) in tags.iter().zip(digests(&repository, &tags)?) {
            let digest = found.as_ref().map(|found| found.digest);
            if printer.is_json() {
                printer.event("tag", &json!({ "tag": tag, "digest": digest }))?;
            } else {
                let digest = digest.map_or_else(|| "gone".to_owned(), |digest| digest.to_string());
                printer.line(format_args!("{digest} {tag}"))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn list_referrers(
    printer: &Printer,
    repository: &Repository<'_>,
    reference: &Reference,
) -> Result<Exit, Failure> {
    for found in referrers(repository, reference)? {
        if printer.is_json() {
            printer.event("referrer", &found)?;
        } else {
            let kind = found.other.get("artifactType").and_then(|kind| kind.as_str());
            let kind = kind.unwrap_or(&found.media_type).escape_debug();
            printer.line(format_args!("{} {:>9} {kind}", found.digest, found.size))?;
        }
    }
    Ok(Exit::Done)
}
