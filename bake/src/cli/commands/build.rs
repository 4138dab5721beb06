//! `bake build`: bake all outputs of a recipe.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::base::Places;
use crate::cli::bases::{BaseArgs, folder};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::request::{Resolved, StoreArgs, threads};
use crate::cli::signing::SignArgs;
use crate::cli::{Exit, RecipeArgs};
use crate::error::Error;
use crate::plan::{self, PlanCx};
use crate::release::Release;
use crate::run::{self, RunCx};

use super::check::warn;

/// Bake all outputs of a recipe.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints one line for each artifact: format, size, digest, built or cached, \
    path.\n\nThe date of everything in the outputs is SOURCE_DATE_EPOCH, else the recipe's \
    `source-date`, else 2020-01-01; never now.\n\nExamples:\n  bake build\n  \
    bake build --only deb,rpm -o packages\n  bake build --platform linux/arm64 --json"
)]
pub(in crate::cli) struct Build {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The folder for the outputs
    #[arg(short, long, value_name = "DIR", default_value = "dist")]
    output: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Use this many threads [default: one for each core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    signing: SignArgs,
    #[command(flatten)]
    bases: BaseArgs,
}

impl Build {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let threads = threads(self.jobs);
        let resolved = Resolved::new(&self.recipe, threads)?;
        let store = self.store.open()?;
        // Before the work: a key that cannot sign is no reason to wait.
        let signer = self.signing.signer(resolved.request(plan::epoch)?)?;
        let (client, rules) = (self.bases.client(printer)?, self.bases.rules());
        let progress = Progress::new(printer);
        let outcome = resolved.request(|request| {
            let folder = folder(request.recipe);
            let images = Places { wire: &client, folder: &folder };
            let cx = PlanCx { store: &store, images: &images, rules, reporter: &progress };
            let plan = plan::plan(request, cx)?;
            progress.suspend(|| warn(printer, &plan)).map_err(Error::from)?;
            let signer = signer.as_deref();
            let cx = RunCx { threads, signer, images: &images, reporter: &progress };
            Ok(run::run(&plan, &store, &self.output, cx)?)
        });
        progress.finish();
        let release = outcome?;
        if signer.is_some() && release.artifacts.iter().all(|made| made.signature.is_none()) {
            printer.note(
                "warning: nothing was signed: only debs and rpms have a place for signatures",
            );
        }
        print(printer, &release, &self.output)?;
        Ok(Exit::Done)
    }
}

/// Prints what was released to a folder.
pub(super) fn print(printer: &Printer, release: &Release, folder: &Path) -> Result<(), Failure> {
    for artifact in &release.artifacts {
        if printer.is_json() {
            printer.event("artifact", artifact)?;
        } else {
            let done = if artifact.cached { "cached" } else { "built" };
            let path = folder.join(&artifact.path);
            printer.line(format_args!(
                "{:<11} {:>12} {} {done:<6} {}",
                artifact.format,
                artifact.size,
                artifact.digest,
                path.display()
            ))?;
        }
    }
    if printer.is_json() {
        printer.event("release", release)?;
    }
    Ok(())
}
