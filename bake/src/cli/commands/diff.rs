//! `bake diff`: what differs between two artifacts, file by file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bake_formats::tree::FileTree;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::platform;
use crate::inspected::Inspected;
use crate::opened::Opened;

/// Show what differs between two artifacts.
#[derive(Debug, Args)]
#[command(
    after_help = "Compares trees by their manifests, so a .deb may be compared with an image. \
    Metadata is compared too if both have one format.\n\nExit status: 0 no difference, 1 differences."
)]
pub(in crate::cli) struct Diff {
    /// The first artifact
    a: PathBuf,
    /// The second artifact
    b: PathBuf,
    /// Of images for several platforms, those for this platform
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
}

impl Diff {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let (a, b) = (Opened::open(&self.a)?, Opened::open(&self.b)?);
        let wanted = self.platform.as_deref().map(|word| platform(Some(word))).transpose()?;
        let (one, other) = (a.inspect(wanted)?, b.inspect(wanted)?);
        let mut differences = 0;
        let mut report = |sign: &str, what: &str, text: &str| -> Result<(), Failure> {
            differences += 1;
            if printer.is_json() {
                printer
                    .event("difference", &json!({ "sign": sign, "what": what, "text": text }))?;
            } else {
                printer.line(format_args!("{sign} {text}"))?;
            }
            Ok(())
        };
        if a.kind == b.kind {
            compare_metadata(&one, &other, &mut report)?;
        }
        compare_trees(&one.tree, &other.tree, &mut report)?;
        Ok(if differences == 0 { Exit::Done } else { Exit::No })
    }
}

type Report<'a> = dyn FnMut(&str, &str, &str) -> Result<(), Failure> + 'a;

fn compare_metadata(a: &Inspected, b: &Inspected, report: &mut Report<'_>) -> Result<(), Failure> {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let (a, b) = (fields(&a.metadata), fields(&b.metadata));
    let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    for name in names {
        let (old, new) = (a.get(name), b.get(name));
        if old != new {
            for (sign, value) in [("-", old), ("+", new)] {
                if let Some(value) = value.filter(|value| !value.is_null()) {
                    report(sign, "metadata", &format!("{name}: {value}"))?;
                }
            }
        }
    }
    Ok(())
}

fn compare_trees(a: &FileTree, b: &FileTree, report: &mut Report<'_>) -> Result<(), Failure> {
    let lines = |tree: &FileTree| -> BTreeMap<_, String> {
        tree.manifest_lines().map(|line| (line.path().clone(), line.to_string())).collect()
    };
    let (a, b) = (lines(a), lines(b));
    let paths: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    for path in paths {
        let (old, new) = (a.get(path), b.get(path));
        if old != new {
            for (sign, line) in [("-", old), ("+", new)] {
                if let Some(line) = line {
                    report(sign, "entry", line)?;
                }
            }
        }
    }
    Ok(())
}
