//! `bake check`: the recipe, without building.

use bake_recipes::resolved::Output;
use clap::Args;
use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::{Resolved, threads};
use crate::cli::{Exit, RecipeArgs};
use crate::{assemble, error, lower, plan};

/// Check a recipe without building.
#[derive(Debug, Args)]
#[command(after_help = "Checks every key and value, and that the files it names are there. \
    Reads no content and needs no store.")]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    recipe: RecipeArgs,
}

impl Check {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let resolved = Resolved::new(&self.recipe, threads(None))?;
        let (recipe, files) = resolved.request(|request| {
            let recipe = plan::load(request)?;
            let folder = plan::folder_of(request.recipe)?;
            let scan = assemble::scan(&folder, &recipe.files).map_err(error::Error::from)?;
            let placeholder = bake_formats::tree::Content::of(b"");
            let contents = vec![placeholder; scan.files.len()];
            let trees = assemble::compose(&recipe, &scan, &contents).map_err(error::Error::from)?;
            for (output, tree) in &trees.trees {
                lower::lower(&recipe, *output, tree, tree.id(), &folder)?;
            }
            Ok((recipe, scan.files.len()))
        })?;
        let outputs: Vec<&str> = recipe.outputs().into_iter().map(Output::word).collect();
        if printer.is_json() {
            let data = json!({
                "name": recipe.name.to_string(),
                "version": recipe.version.to_string(),
                "outputs": outputs,
                "files": files,
            });
            printer.event("checked", &data)?;
        } else {
            let (name, version) = (&recipe.name, &recipe.version);
            let outputs = outputs.join(", ");
            printer.line(format_args!("{name} {version}: {files} files for {outputs}"))?;
        }
        Ok(Exit::Done)
    }
}
