//! `bake verify`: every broken rule, and whether several artifacts hold the same tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bake_formats::format::Problem;
use bake_formats::tree::TreeId;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::signing::now;
use crate::error::Error;
use crate::inspected::Inspected;
use crate::opened::Opened;
use crate::seal::{self, Checked};
use crate::sign::{Keyring, Outcome};

/// Check artifacts against every rule of their formats, and that they hold the same tree.
#[derive(Debug, Args)]
#[command(
    after_help = "The tree's identity is computed from each artifact's own bytes, and compared \
    with what it declares and with the other artifacts for the same platform.\n\nEvery signature is listed: good, by a \
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
        let mut trees = Trees::default();
        let mut sound = true;
        let mut readable = 0;
        for path in &self.artifacts {
            match self.verify(path, &keyring, printer) {
                Ok((found, clean)) => {
                    trees.add(found);
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
        Ok(if sound && trees.agree() { Exit::Done } else { Exit::No })
    }

    /// Prints what is wrong with one artifact; returns its trees and whether nothing is.
    fn verify(
        &self,
        path: &Path,
        keyring: &Keyring,
        printer: &Printer,
    ) -> Result<(Vec<Found>, bool), Failure> {
        let opened = Opened::open(path)?;
        // Two readers side by side: what verify finds, and the tree by a reader that knows no rules.
        let (found, inspected) = std::thread::scope(|scope| {
            let verifier = scope.spawn(|| opened.verify());
            let inspected = opened.inspect_all();
            (verifier.join(), inspected)
        });
        let problems = found.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let found = |image: Inspected| Found { platform: image.platform, tree: image.tree.id() };
        let found: Vec<Found> = inspected?.into_iter().map(found).collect();
        let signatures = seal::check(&opened, keyring, now())?.unwrap_or_default();
        let has = |outcome| signatures.iter().any(|found| found.verdict.outcome == outcome);
        let unsigned = self.require_signature && !has(Outcome::Good);
        let sound = problems.is_empty() && !has(Outcome::Bad) && !unsigned;
        let trees = found.as_slice();
        let report = Report { opened: &opened, trees, problems, signatures, unsigned, sound };
        report.print(printer)?;
        Ok((found, sound))
    }
}

/// What was found of one artifact.
struct Report<'a> {
    opened: &'a Opened,
    trees: &'a [Found],
    problems: Vec<Problem>,
    signatures: Vec<Checked>,
    /// Whether a good signature is missed.
    unsigned: bool,
    sound: bool,
}

impl Report<'_> {
    fn print(&self, printer: &Printer) -> Result<(), Failure> {
        let (format, path) = (self.opened.kind.name(), &self.opened.path);
        let Self { trees, problems, signatures, .. } = self;
        if printer.is_json() {
            let data = json!({
                "format": format,
                "path": path,
                "tree": the_one(trees),
                "images": trees,
                "problems": problems,
                "signatures": signatures,
            });
            return Ok(printer.event("verified", &data)?);
        }
        let verdict = if self.sound { "ok" } else { "broken" };
        for Found { platform, tree } in *trees {
            let platform = platform.as_deref().filter(|_| trees.len() > 1);
            let platform = platform.map(|text| format!(" ({text})")).unwrap_or_default();
            let path = path.display();
            printer.line(format_args!("{verdict:<6} {format:<11} {tree} {path}{platform}"))?;
        }
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

/// The tree of one artifact, or of one image in it.
#[derive(Debug, Clone, Serialize)]
struct Found {
    /// What it runs on, if it says so.
    platform: Option<String>,
    tree: TreeId,
}

/// Returns the tree if all are the same.
fn the_one(found: &[Found]) -> Option<TreeId> {
    let first = found.first()?.tree;
    found.iter().all(|other| other.tree == first).then_some(first)
}

/// The trees of all artifacts: those for one platform should be the same.
#[derive(Debug, Default)]
struct Trees {
    platforms: BTreeMap<String, BTreeSet<TreeId>>,
    /// Of artifacts that do not say what they run on.
    others: BTreeSet<TreeId>,
}

impl Trees {
    fn add(&mut self, found: Vec<Found>) {
        for Found { platform, tree } in found {
            match platform {
                Some(platform) => self.platforms.entry(platform).or_default().insert(tree),
                None => self.others.insert(tree),
            };
        }
    }

    fn all(&self) -> BTreeSet<TreeId> {
        self.platforms.values().flatten().chain(&self.others).copied().collect()
    }

    /// Returns whether each platform has one tree, and every other artifact holds one of them.
    fn agree(&self) -> bool {
        let known: BTreeSet<TreeId> = self.platforms.values().flatten().copied().collect();
        let others =
            if known.is_empty() { self.others.len() == 1 } else { self.others.is_subset(&known) };
        others && self.platforms.values().all(|trees| trees.len() == 1)
    }
}

/// Says whether the artifacts that could be read hold one tree for each platform.
fn compare(readable: usize, trees: &Trees, printer: &Printer) -> Result<(), Failure> {
    let all = trees.all();
    if printer.is_json() {
        let platforms = &trees.platforms;
        let data = json!({ "artifacts": readable, "trees": all, "platforms": platforms });
        printer.event("compared", &data)?;
        return Ok(());
    }
    match all.first() {
        None => printer.note("no artifact could be read"),
        Some(tree) if all.len() == 1 => {
            printer.line(format_args!("all {readable} artifacts hold the tree {tree}"))?;
        }
        Some(_) if trees.agree() => {
            let count = trees.platforms.len();
            printer.line(format_args!(
                "all {readable} artifacts hold the trees of their {count} platforms:"
            ))?;
            for (platform, trees) in &trees.platforms {
                for tree in trees {
                    printer.line(format_args!("  {platform} {tree}"))?;
                }
            }
        }
        Some(_) => {
            let found = all.len();
            printer.line(format_args!("{readable} artifacts hold {found} different trees"))?;
            printer.note("hint: `bake diff A B` shows what differs");
        }
    }
    Ok(())
}
