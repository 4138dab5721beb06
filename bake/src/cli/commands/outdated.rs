//! `bake outdated`: which base images moved since they were locked.

use std::path::PathBuf;

use bake_formats::digest::Digest;
use clap::Args;

use crate::base::{About, Bases, LockFile, Network, Places, Rules, Standing};
use crate::cli::bases::folder;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::registry::RegistryArgs;
use crate::cli::request::{Resolved, StoreArgs, threads};
use crate::cli::{Exit, RecipeArgs};
use crate::error::Error;
use crate::plan::{self, Loaded, base_images};

/// Tell which base images moved since they were locked.
#[derive(Debug, Args)]
#[command(
    after_help = "Asks each registry once, for the head of the manifest that the name leads to now; \
    nothing is read and nothing is written. `bake lock --update` takes what is there \
    now.\n\nExit status: 0 all are current, 1 one moved, is gone or is not locked.\n\nExamples:\n  \
    bake outdated\n  bake outdated --json || bake lock --update"
)]
pub(in crate::cli) struct Outdated {
    /// The recipe
    #[arg(short = 'f', long = "file", value_name = "FILE", default_value = "bake.toml")]
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Outdated {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let recipe = RecipeArgs { file: self.file.clone(), platform: Vec::new(), only: Vec::new() };
        let resolved = Resolved::new(&recipe, threads(None))?;
        let store = self.store.open()?;
        let client = self.registry.client(printer)?;
        let standings = resolved.request(|request| {
            let folder = folder(request.recipe);
            let images = Places { wire: &client, folder: &folder };
            let lock = LockFile::load(request.recipe)?.lock().clone();
            let rules = Rules { network: Network::Allowed, ..Rules::READ_ONLY };
            let bases = Bases::new(&images, &store, rules, lock);
            let Loaded { recipes, .. } = plan::load(request)?;
            let mut standings = Vec::new();
            for image in base_images(&recipes).values() {
                standings.push(bases.standing(&image.source).map_err(Error::from)?);
            }
            Ok(standings)
        })?;
        let mut current = true;
        for standing in &standings {
            current &= standing.is_current();
            print(printer, standing)?;
        }
        if standings.is_empty() {
            printer.note("no image of the recipe is built on another");
        } else if !current {
            printer.note("hint: `bake lock --update` takes what is there now");
        }
        Ok(if current { Exit::Done } else { Exit::No })
    }
}

fn print(printer: &Printer, standing: &Standing) -> Result<(), Failure> {
    if printer.is_json() {
        return Ok(printer.event("base", standing)?);
    }
    let Standing { name, used, found, about } = standing;
    let word = |digest: &Option<Digest>, none: &str| match digest {
        Some(digest) => digest.to_string(),
        None => none.to_owned(),
    };
    let About { created, version } = about;
    let facts = [("of", created), ("version", version)];
    let facts: Vec<_> = facts
        .into_iter()
        .filter_map(|(what, fact)| Some(format!("{what} {}", fact.as_ref()?.escape_debug())))
        .collect();
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    if standing.is_current() {
        printer.line(format_args!("current {name} {}{facts}", word(used, "nothing")))?;
    } else {
        let (used, found) = (word(used, "not locked"), word(found, "gone"));
        printer.line(format_args!("moved   {name} {used}{facts} -> {found}"))?;
    }
    Ok(())
}
