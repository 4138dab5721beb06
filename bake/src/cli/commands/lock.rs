//! `bake lock`: what the names of base images stand for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bake_formats::digest::Digest;
use bake_formats::oci::Reference;
use bake_recipes::lock::Lock;
use bake_recipes::resolved::{BaseImage, BaseSource};
use clap::Args;
use serde_json::json;

use crate::base::{Bases, LockFile, Locking, Places};
use crate::cli::bases::{BaseArgs, folder};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::{Resolved, StoreArgs, threads};
use crate::cli::{Exit, RecipeArgs};
use crate::error::Error;
use crate::failures::Failures;
use crate::plan::{self, Loaded, PlatformBase, base_images};

/// Look up the base images of a recipe and write the lock file.
#[derive(Debug, Args)]
#[command(
    after_help = "The lock file stands beside the recipe: `bake.lock` for `bake.toml`. Commit it: it \
    says which image a tag stands for, so that every machine bakes on the same one. What is locked \
    stays locked until --update.\n\nPrints one line for each base image: locked, kept, moved or \
    pinned (by the recipe), name, digest.\n\nExamples:\n  bake lock\n  bake lock --update\n  \
    bake lock --update docker.io/library/debian:12-slim\n  bake lock --layers      # everything \
    that a bake without a network needs\n  bake lock --locked      # only check that all is locked"
)]
pub(in crate::cli) struct LockCommand {
    /// The recipe
    #[arg(short = 'f', long = "file", value_name = "FILE", default_value = "bake.toml")]
    file: PathBuf,
    /// Look all base images up anew, or the one of this name
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        default_missing_value = "",
        conflicts_with = "locked"
    )]
    update: Option<String>,
    /// Bring the bytes of their layers into the store, too
    #[arg(long)]
    layers: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    bases: BaseArgs,
}

impl LockCommand {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let recipe = RecipeArgs { file: self.file.clone(), platform: Vec::new(), only: Vec::new() };
        let resolved = Resolved::new(&recipe, threads(None))?;
        let store = self.store.open()?;
        let (client, rules) = (self.bases.client(printer)?, self.bases.rules());
        let lines = resolved.request(|request| {
            let folder = folder(request.recipe);
            let images = Places { wire: &client, folder: &folder };
            let file = LockFile::load(request.recipe)?;
            let Loaded { recipes, .. } = plan::load(request)?;
            let wanted = base_images(&recipes);
            let lock = self.start(file.lock(), &wanted)?;
            let mut bases = Bases::new(&images, &store, rules, lock);
            for recipe in &recipes {
                let base = PlatformBase::find(&mut bases, recipe)?;
                if let Some(found) = base.image().filter(|_| self.layers) {
                    bases.fetch_layers(found).map_err(Error::from)?;
                }
            }
            if rules.locking == Locking::Extend {
                file.save(&bases.lock)?;
            }
            Ok(lines(&wanted, file.lock(), &bases.lock))
        })?;
        if lines.is_empty() {
            printer.note("no image of the recipe is built on another, so there is nothing to lock");
        }
        for line in lines {
            line.print(printer)?;
        }
        Ok(Exit::Done)
    }

    /// Returns what stays of the lock: bases that the recipe names and that are not updated.
    fn start(&self, old: &Lock, wanted: &BTreeMap<String, &BaseImage>) -> Result<Lock, Failures> {
        let mut lock = old.clone();
        lock.bases.retain(|name, _| wanted.contains_key(name));
        match &self.update {
            None => {}
            Some(name) if name.is_empty() => lock.bases.clear(),
            Some(name) => {
                let full = name.parse::<Reference>().map(|reference| reference.to_string());
                let full = full.unwrap_or_else(|_| name.clone());
                let is_meant = |known: &String| known == name || *known == full;
                if !wanted.keys().any(is_meant) {
                    let names: Vec<_> = wanted.keys().map(String::as_str).collect();
                    let reason = format!(
                        "`{}` is no base image of the recipe, expected {}",
                        name.escape_debug(),
                        if names.is_empty() { "nothing".into() } else { names.join(" or ") }
                    );
                    return Err(Error::Input { what: "--update".into(), reason }.into());
                }
                lock.bases.retain(|known, _| !is_meant(known));
            }
        }
        Ok(lock)
    }
}

/// What became of one base image.
struct Line {
    word: &'static str,
    name: String,
    old: Option<Digest>,
    digest: Digest,
}

impl Line {
    fn print(&self, printer: &Printer) -> Result<(), Failure> {
        let Self { word, name, old, digest } = self;
        if printer.is_json() {
            let data = json!({ "name": name, "state": word, "digest": digest, "old": old });
            return Ok(printer.event("base", &data)?);
        }
        match old {
            Some(old) => printer.line(format_args!("{word:<6} {name} {old} -> {digest}"))?,
            None => printer.line(format_args!("{word:<6} {name} {digest}"))?,
        }
        Ok(())
    }
}

/// Returns what became of each base image.
fn lines(wanted: &BTreeMap<String, &BaseImage>, old: &Lock, new: &Lock) -> Vec<Line> {
    let line = |(name, image): (&String, &&BaseImage)| {
        let name = name.clone();
        if let BaseSource::Registry(Reference { digest: Some(digest), .. }) = image.source {
            return Some(Line { word: "pinned", name, old: None, digest });
        }
        let digest = new.bases.get(&name)?.digest;
        let old = old.bases.get(&name).map(|base| base.digest);
        let (word, old) = match old {
            None => ("locked", None),
            Some(old) if old == digest => ("kept", None),
            Some(old) => ("moved", Some(old)),
        };
        Some(Line { word, name, old, digest })
    };
    wanted.iter().filter_map(line).collect()
}
