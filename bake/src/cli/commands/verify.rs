//! `bake verify`: every broken rule, and whether several artifacts hold the same tree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bake_formats::format::Problem;
use bake_formats::tree::TreeId;
use clap::Args;
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::signing::now;
use crate::error::Error;
use crate::opened::Opened;
use crate::seal::{self, Checked};
use crate::sign::{Keyring, Outcome};

/// Check artifacts against every rule of their formats, and that they hold the same tree.
#[derive(Debug, Args)]
#[command(
    after_help = "The tree's identity is computed from each artifact's own bytes, and compared \
    with what it declares and with the other artifacts.\n\nEvery signature is listed: good, by a \
    key that no keyring has, or BAD.\n\nExit status: 0 all is well, 1 not."
)]
pub(in crate::cli) struct Verify {
    /// The artifacts
    #[arg(required = true)]
    artifacts: Vec<PathBuf>,
    /// Check signatures with the OpenPGP certificates in this file; may be given several times
    #[arg(long, value_name = "FILE")]
    keyring: Vec<PathBuf>,
    /// Fail if an artifact has no good signature by a key of the keyrings
    #[arg(long, requires = "keyring")]
    require_signature: bool,
}

impl Verify {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let keyring = Keyring::read(&self.keyring).map_err(Error::Keyring)?;
        let mut trees = BTreeSet::new();
        let mut sound = true;
        let mut readable = 0;
        for path in &self.artifacts {
            match self.verify(path, &keyring, printer) {
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

    /// Prints what is wrong with one artifact; returns its tree and whether nothing is.
    fn verify(
        &self,
        path: &Path,
        keyring: &Keyring,
        printer: &Printer,
    ) -> Result<(TreeId, bool), Failure> {
        let opened = Opened::open(path)?;
        // Two readers side by side: what verify finds, and the tree by a reader that knows no rules.
        let (found, inspected) = std::thread::scope(|scope| {
            let verifier = scope.spawn(|| opened.verify());
            let inspected = opened.inspect();
            (verifier.join(), inspected)
        });
        let problems = found.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let tree = inspected?.tree.id();
        let signatures = seal::check(&opened, keyring, now())?.unwrap_or_default();
        let has = |outcome| signatures.iter().any(|found| found.verdict.outcome == outcome);
        let unsigned = self.require_signature && !has(Outcome::Good);
        let sound = problems.is_empty() && !has(Outcome::Bad) && !unsigned;
        let report = Report { opened: &opened, tree, problems, signatures, unsigned, sound };
        report.print(printer)?;
        Ok((tree, sound))
    }
}

/// What was found of one artifact.
struct Report<'a> {
    opened: &'a Opened,
    tree: TreeId,
    problems: Vec<Problem>,
    signatures: Vec<Checked>,
    /// Whether a good signature is missed.
    unsigned: bool,
    sound: bool,
}

impl Report<'_> {
    fn print(&self, printer: &Printer) -> Result<(), Failure> {
        let (format, path) = (self.opened.kind.name(), &self.opened.path);
        let Self { tree, problems, signatures, .. } = self;
        if printer.is_json() {
            let data = json!({
                "format": format,
                "path": path,
                "tree": tree,
                "problems": problems,
                "signatures": signatures,
            });
            return Ok(printer.event("verified", &data)?);
        }
        let verdict = if self.sound { "ok" } else { "broken" };
        printer.line(format_args!("{verdict:<6} {format:<11} {tree} {}", path.display()))?;
        for problem in problems {
            printer.line(format_args!("       {problem}"))?;
        }
        for Checked { place, verdict } in signatures {
            printer.line(format_args!("       signature {place}: {verdict}"))?;
        }
        if self.unsigned {
            printer.line("       no good signature by a key of the keyrings")?;
        }
        Ok(())
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
