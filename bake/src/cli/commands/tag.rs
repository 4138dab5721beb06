//! `bake tag`: further tags for what is there.

use bake_formats::oci::Reference;
use clap::Args;
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::registry::RegistryArgs;
use crate::publish::tag;

/// Let further tags lead to an image or an artifact.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads the manifest and writes it under each tag; blobs are not touched.\n\n\
    Examples:\n  bake tag ghcr.io/acme/catalog:1.0.0 1.0 1 latest"
)]
pub(in crate::cli) struct Tag {
    /// What the tags are to lead to
    #[arg(value_name = "REF")]
    reference: Reference,
    /// The tags
    #[arg(value_name = "TAG", required = true)]
    tags: Vec<String>,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Tag {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let client = self.registry.client(printer)?;
        let digest = tag(&client, &self.reference, &self.tags)?;
        let repository = self.reference.name();
        for tag in &self.tags {
            if printer.is_json() {
                let data = json!({ "repository": repository, "tag": tag, "digest": digest });
                printer.event("tagged", &data)?;
            } else {
                printer.line(format_args!("tagged {repository}:{tag}@{digest}"))?;
            }
        }
        Ok(Exit::Done)
    }
}
