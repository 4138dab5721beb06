//! `bake verify`: every broken rule, and whether several artifacts hold the same tree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bake_formats::tree::TreeId;
use clap::Args;
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::opened::Opened;

/// Check artifacts against every rule of their formats, and that they hold the same tree.
#[derive(Debug, Args)]
#[command(
    after_help = "The tree's identity is computed from each artifact's own bytes, and compared \
    with what it declares and with the other artifacts.\n\nExit status: 0 all is well, 1 not."
)]
pub(in crate::cli) struct Verify {
    /// The artifacts
    #[arg(required = true)]
    artifacts: Vec<PathBuf>,
}

impl Verify {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let mut trees = BTreeSet::new();
        let mut sound = true;
        let mut readable = 0;
        for path in &self.artifacts {
            match verify(path, printer) {
                Ok((tree, clean)) => {
                    trees.insert(tree);
                    readable += 1;
                    sound &= clean;
                }
                // One artifact that cannot be read says nothing of the others.
                Err(failure) => {
                    printer.failure(&failure);
                    sound = false;
                }
            }
        }
        if self.artifacts.len() > 1 {
            compare(readable, &trees, printer)?;
        }
        Ok(if sound && trees.len() == 1 { Exit::Done } else { Exit::No })
    }
}

/// Says whether the artifacts that could be read hold one tree.
fn compare(readable: usize, trees: &BTreeSet<TreeId>, printer: &Printer) -> Result<(), Failure> {
    if printer.is_json() {
        printer.event("compared", &json!({ "artifacts": readable, "trees": trees }))?;
        return Ok(());
    }
    match trees.first() {
        None => printer.note("no artifact could be read"),
        Some(tree) if trees.len() == 1 => {
            printer.line(format_args!("all {readable} artifacts hold the tree {tree}"))?;
        }
        Some(_) => {
            let found = trees.len();
            printer.line(format_args!("{readable} artifacts hold {found} different trees"))?;
            printer.note("hint: `bake diff A B` shows what differs");
        }
    }
    Ok(())
}

/// Prints what is wrong with one artifact; returns its tree and whether nothing is.
fn verify(path: &Path, printer: &Printer) -> Result<(TreeId, bool), Failure> {
    let opened = Opened::open(path)?;
    // Two readers side by side: what verify finds, and the tree by a reader that knows no rules.
    let (found, inspected) = std::thread::scope(|scope| {
        let verifier = scope.spawn(|| opened.verify());
        let inspected = opened.inspect();
        (verifier.join(), inspected)
    });
    let found = found.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let tree = inspected?.tree.id();
    let format = opened.kind.name();
    if printer.is_json() {
        let data = json!({ "format": format, "path": path, "tree": tree, "problems": found });
        printer.event("verified", &data)?;
        return Ok((tree, found.is_empty()));
    }
    let verdict = if found.is_empty() { "ok" } else { "broken" };
    printer.line(format_args!("{verdict:<6} {format:<11} {tree} {}", path.display()))?;
    for problem in &found {
        printer.line(format_args!("       {problem}"))?;
    }
    Ok((tree, found.is_empty()))
}
