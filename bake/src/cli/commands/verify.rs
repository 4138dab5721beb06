//! `bake verify`: every broken rule, and whether several artifacts hold the same tree.

use std::collections::BTreeSet;
use std::path::PathBuf;

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
        let mut problems = 0;
        for path in &self.artifacts {
            let opened = Opened::open(path)?;
            let found = opened.verify()?;
            let tree = opened.inspect()?.tree.id();
            trees.insert(tree);
            problems += found.len();
            if printer.is_json() {
                let data = json!({
                    "format": opened.kind.name(),
                    "path": path,
                    "tree": tree,
                    "problems": found,
                });
                printer.event("verified", &data)?;
                continue;
            }
            let verdict = if found.is_empty() { "ok" } else { "broken" };
            let format = opened.kind.name();
            printer.line(format_args!("{verdict:<6} {format:<11} {tree} {}", path.display()))?;
            for problem in &found {
                printer.line(format_args!("       {problem}"))?;
            }
        }
        if self.artifacts.len() > 1 {
            self.compare(&trees, printer)?;
        }
        Ok(if problems == 0 && trees.len() == 1 { Exit::Done } else { Exit::No })
    }

    fn compare(
        &self,
        trees: &BTreeSet<bake_formats::tree::TreeId>,
        printer: &Printer,
    ) -> Result<(), Failure> {
        if printer.is_json() {
            let data = json!({ "artifacts": self.artifacts.len(), "trees": trees });
            printer.event("compared", &data)?;
            return Ok(());
        }
        let count = self.artifacts.len();
        match trees.first() {
            Some(tree) if trees.len() == 1 => {
                printer.line(format_args!("all {count} artifacts hold the tree {tree}"))?;
            }
            _ => {
                let found = trees.len();
                printer.line(format_args!("{count} artifacts hold {found} different trees"))?;
                printer.note("hint: `bake diff A B` shows what differs");
            }
        }
        Ok(())
    }
}
