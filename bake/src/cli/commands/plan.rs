//! `bake plan`: steps, keys, hit or miss and why.

use bake_formats::digest::Digest;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::assemble::Listings;
use crate::base;
use crate::cli::bases::{folder, nearby};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::request::{Resolved, StoreArgs, threads};
use crate::cli::{Exit, RecipeArgs};
use crate::machine::Change;
use crate::plan::{self, Part, PlanCx, State, Step};

/// Show what a build would do.
#[derive(Debug, Args)]
pub(in crate::cli) struct Plan {
    #[command(flatten)]
    recipe: RecipeArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Say why each step is a hit or a miss
    #[arg(long)]
    explain: bool,
    /// Use this many threads [default: one for each core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
}

impl Plan {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let resolved = Resolved::new(&self.recipe, threads(self.jobs))?;
        let store = self.store.open()?;
        let progress = Progress::new(printer);
        let plan = resolved.request(|request| {
            let folder = folder(request.recipe);
            let (images, rules) = nearby(&folder);
            let (store, images) = (&store, &images);
            plan::plan(
                request,
                PlanCx { store, images, rules, reporter: &progress, walked: Listings::default() },
            )
        });
        progress.finish();
        let plan = plan?;
        for step in &plan.steps {
            self.print(printer, &plan, step)?;
        }
        if self.explain && !printer.is_json() {
            for ground in plan.platforms.iter().filter_map(|platform| platform.ground.as_deref()) {
                for Change { path, effect, reason } in &ground.changes {
                    printer
                        .line(format_args!("      fresh:   {path} {}: {reason}", effect.word()))?;
                }
            }
        }
        if let Some(file) = plan.lock_file.as_ref().filter(|_| plan.extends_lock()) {
            let path = file.path().display();
            printer.note(format_args!(
                "note: `{path}` does not say everything; `bake build` writes it, and with \
                 `--locked` it may not change"
            ));
        }
        Ok(Exit::Done)
    }

    fn print(&self, printer: &Printer, plan: &plan::Plan, step: &Step) -> Result<(), Failure> {
        let (word, reason) = match &step.state {
            State::Hit(_) => ("hit", "the result is in the store"),
            State::Miss(reason) => ("miss", reason.as_str()),
            State::Unknown(reason) => ("unknown", reason.as_str()),
        };
        let key = match &step.state {
            State::Hit(_) | State::Miss(_) => Some(step.key.to_string()),
            State::Unknown(_) => None,
        };
        let (file, format) = (step.file_name(), step.kind().name());
        let bases: Vec<_> = step.parts.iter().filter_map(|part| base(plan, part)).collect();
        if printer.is_json() {
            let data = json!({
                "format": format,
                "platform": step.platforms(),
                "path": file,
                "tree": step.tree_id(),
                "key": key,
                "state": word,
                "reason": reason,
                "bases": bases,
            });
            return Ok(printer.event("step", &data)?);
        }
        let key = key.as_deref().unwrap_or("its base image is not known yet");
        printer.line(format_args!("{word:<7} {format:<11} {key:<71} {file}"))?;
        if self.explain {
            printer.line(format_args!("      because: {reason}"))?;
            for Part { platform, tree_id, .. } in &step.parts {
                printer.line(format_args!("      tree:    {tree_id} {platform}"))?;
            }
            for StepBase { name, digest, platform } in &bases {
                printer.line(format_args!("      base:    {digest} {platform} ({name})"))?;
            }
        }
        Ok(())
    }
}

/// What an image is built on.
#[derive(Debug, Serialize)]
struct StepBase {
    name: String,
    /// The manifest for the platform.
    digest: Digest,
    platform: String,
}

/// Returns the base image that a part is made on, if it is an image on a base that is known.
fn base(plan: &plan::Plan, part: &Part) -> Option<StepBase> {
    part.product.image()?;
    let found = plan.base(part.platform)?;
    let name = base::name(&found.source);
    Some(StepBase { name, digest: found.base.manifest.digest, platform: part.platform.to_string() })
}
