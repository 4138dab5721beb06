//! `bake check`: the recipe, without building.

use bake_formats::digest::Digest;
use bake_formats::tree::{Content, FileTree};
use bake_recipes::resolved::Output;
use clap::Args;
use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::{Resolved, threads};
use crate::cli::{Exit, RecipeArgs};
use crate::{assemble, error, lower, needs, plan};

/// Check a recipe without building.
#[derive(Debug, Args)]
#[command(after_help = "Checks every key and value, and that the files it names are there. \
    Reads of the files only what tells which libraries and programs they need, and needs no store.")]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    recipe: RecipeArgs,
}

impl Check {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let resolved = Resolved::new(&self.recipe, threads(None))?;
        let (recipe, files, findings) = resolved.request(|request| {
            let recipe = plan::load(request)?;
            let folder = plan::folder_of(request.recipe)?;
            let scan = assemble::scan(&folder, &recipe.files).map_err(error::Error::from)?;
            let contents = stand_ins(&scan);
            let trees = assemble::compose(&recipe, &scan, &contents).map_err(error::Error::from)?;
            let asked = needs::Request {
                recipe: &recipe,
                folder: &folder,
                trees: &trees,
                threads: request.threads,
                cache: None,
            };
            let needs::Settled { recipe, findings } = needs::settle(&asked, &mut FileTree::id)?;
            for (output, tree) in &trees.trees {
                lower::lower(&recipe, *output, tree, tree.id(), &folder)?;
            }
            Ok((recipe, scan.files.len(), findings))
        })?;
        for finding in &findings {
            printer.finding(finding)?;
        }
        let outputs: Vec<&str> = recipe.outputs().into_iter().map(Output::word).collect();
        if printer.is_json() {
            let data = json!({
                "name": recipe.name.to_string(),
                "version": recipe.version.to_string(),
                "outputs": outputs,
                "files": files,
                "versions": {
                    "deb": recipe.deb.as_ref().map(|deb| &deb.version),
                    "rpm": recipe.rpm.as_ref().map(|rpm| format!("{}-{}", rpm.version, rpm.release)),
                    "oci": recipe.oci.as_ref().map(|_| recipe.version.oci_tag()),
                },
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

/// Returns an identity for each file that was found, without reading it.
fn stand_ins(scan: &assemble::Scan) -> Vec<Content> {
    let stand_in = |(number, file): (usize, &assemble::FoundFile)| {
        let digest = Digest::of(format!("file {number}, not read").as_bytes());
        Content { digest, size: file.stamp.size, md5: [0; 16] }
    };
    scan.files.iter().enumerate().map(stand_in).collect()
}
