//! `bake inspect`: metadata and tree of an artifact.

use std::path::PathBuf;

use bake_formats::tree::ManifestLine;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::platform;
use crate::cli::signing::now;
use crate::cloud;
use crate::opened::Opened;
use crate::seal::{self, Checked};
use crate::sign::Keyring;

/// Show the metadata and the tree of an artifact.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads .deb, .rpm, OCI layouts and archives, and disks in every format of `[vm]`; \
    the format is found from the bytes.\n\nThe tree is printed as its canonical manifest, whose SHA-256 is \
    the tree's identity:\n  bake inspect --tree x.deb | sha256sum\n\nNo cloud is talked to: the commands of --import are \
    printed."
)]
pub(in crate::cli) struct Inspect {
    /// The artifact
    artifact: PathBuf,
    /// Print the tree's manifest only
    #[arg(long)]
    tree: bool,
    /// Of an image for several platforms, the one for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Of a machine's disk, print the commands that make this cloud an image of it
    #[arg(long, value_name = "CLOUD", conflicts_with_all = ["tree", "platform"])]
    import: Option<Cloud>,
    /// The bucket through which AWS or Google import; without it, $BUCKET when the commands run
    #[arg(long, value_name = "NAME", requires = "import")]
    bucket: Option<String>,
}

/// Who imports a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cloud {
    /// Amazon Web Services
    Aws,
    /// Google Compute Engine
    Gce,
    /// Microsoft Azure
    Azure,
}

impl Inspect {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let opened = Opened::open(&self.artifact)?;
        if let Some(cloud) = self.import {
            return self.print_import(&opened, cloud, printer);
        }
        let wanted = self.platform.as_deref().map(|word| platform(Some(word))).transpose()?;
        let inspected = opened.inspect(wanted)?;
        let tree = &inspected.tree;
        // Without a keyring: what signatures say of themselves.
        let signatures = seal::check(&opened, &Keyring::default(), now())?;
        if self.tree {
            let mut manifest = Vec::new();
            tree.write_manifest(&mut manifest)?;
            printer.bytes(&manifest)?;
            return Ok(Exit::Done);
        }
        if printer.is_json() {
            let data = json!({
                "format": opened.kind.name(),
                "platform": inspected.platform,
                "tree": tree.id(),
                "declared": inspected.declared,
                "metadata": inspected.metadata,
                "signatures": signatures,
            });
            printer.event("artifact", &data)?;
            for (path, entry) in tree.iter() {
                let line = ManifestLine::new(path, entry).to_string();
                printer.event("entry", &json!({ "line": line, "mark": entry.mark.word() }))?;
            }
            return Ok(Exit::Done);
        }
        printer.line(format_args!("format: {}", opened.kind.name()))?;
        if let Some(platform) = &inspected.platform {
            printer.line(format_args!("platform: {platform}"))?;
        }
        printer.line(format_args!("tree: {}", tree.id()))?;
        match inspected.declared {
            Some(declared) => printer.line(format_args!("declared: {declared}"))?,
            None => printer.line("declared: nothing")?,
        }
        for Checked { place, verdict } in signatures.iter().flatten() {
            printer.line(format_args!("signature {place}: {}", verdict.claim()))?;
        }
        printer.line(format_args!("metadata: {:#}", inspected.metadata))?;
        printer.line("")?;
        for (path, entry) in tree.iter() {
            let mark = entry.mark.word();
            let mark = if mark == "plain" { String::new() } else { format!(" [{mark}]") };
            printer.line(format_args!("{}{mark}", ManifestLine::new(path, entry)))?;
        }
        Ok(Exit::Done)
    }

    fn print_import(
        &self,
        opened: &Opened,
        cloud: Cloud,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let cloud = match cloud {
            Cloud::Aws => cloud::Cloud::Aws,
            Cloud::Gce => cloud::Cloud::Gce,
            Cloud::Azure => cloud::Cloud::Azure,
        };
        let commands = cloud::commands(opened, cloud, self.bucket.as_deref())?;
        if printer.is_json() {
            let lines: Vec<&str> = commands.lines().collect();
            printer.event("import", &json!({ "cloud": cloud.word(), "commands": lines }))?;
        } else {
            printer.bytes(commands.as_bytes())?;
        }
        Ok(Exit::Done)
    }
}
