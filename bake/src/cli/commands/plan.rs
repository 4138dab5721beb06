//! `bake plan`: steps, keys, hit or miss and why.

use clap::Args;
use serde_json::json;

use crate::cli::bases::{folder, nearby};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::request::{Resolved, StoreArgs, threads};
use crate::cli::{Exit, RecipeArgs};
use crate::plan::{self, Part, PlanCx, State};

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
            plan::plan(request, PlanCx { store, images, rules, reporter: &progress })
        });
        progress.finish();
        for step in plan?.steps {
            let (word, reason) = match &step.state {
                State::Hit(_) => ("hit", "the result is in the store"),
                State::Miss(reason) => ("miss", reason.as_str()),
                State::Unknown(reason) => ("unknown", reason.as_str()),
            };
            let key = match &step.state {
                State::Hit(_) | State::Miss(_) => Some(step.key.to_string()),
                State::Unknown(_) => None,
            };
            let (name, format) = (step.file_name(), step.kind().name());
            if printer.is_json() {
                let data = json!({
                    "format": format,
                    "platform": step.platforms(),
                    "path": name,
                    "tree": step.tree_id(),
                    "key": key,
                    "state": word,
                    "reason": reason,
                });
                printer.event("step", &data)?;
            } else {
                let key = key.as_deref().unwrap_or("its base image is not known yet");
                printer.line(format_args!("{word:<7} {format:<11} {key:<71} {name}"))?;
                if self.explain {
                    printer.line(format_args!("      because: {reason}"))?;
                    for part in &step.parts {
                        let Part { platform, tree_id, .. } = part;
                        printer.line(format_args!("      tree:    {tree_id} {platform}"))?;
                    }
                }
            }
        }
        Ok(Exit::Done)
    }
}
