//! From the recipe to an rpm's header.

mod changelog;
mod relations;
mod scriptlets;
mod triggers;

use bake_formats::rpm;
use bake_formats::tree::{FileTree, TreeId, TreePath};
use bake_recipes::resolved::{Recipe, Rpm, RpmFormat};

use crate::error::Error;
use crate::lower::Texts;

/// What an rpm is made of.
#[derive(Clone, Copy)]
struct RpmCx<'a> {
    recipe: &'a Recipe,
    table: &'a Rpm,
    tree: &'a FileTree,
    /// What scripts in files are relative to.
    texts: &'a Texts,
}

/// Returns the header of a recipe's rpm.
pub(super) fn package(
    recipe: &Recipe,
    table: &Rpm,
    (tree, tree_id): (&FileTree, TreeId),
    texts: &Texts,
) -> Result<rpm::Package, Error> {
    let cx = RpmCx { recipe, table, tree, texts };
    let scriptlets = scriptlets::scriptlets(cx)?;
    let evr = evr(recipe, table);
    Ok(rpm::Package {
        name: recipe.name.to_string(),
        epoch: recipe.epoch,
        version: table.version.clone(),
        release: table.release.clone(),
        arch: recipe.rpm_architecture().to_owned(),
        summary: recipe.summary.clone(),
        description: recipe.description.clone().unwrap_or_else(|| recipe.summary.clone()),
        license: recipe.license.clone().unwrap_or_else(|| "Unspecified".to_owned()),
        url: recipe.homepage.clone(),
        vendor: recipe.vendor.clone(),
        packager: table.packager.clone(),
        group: table.group.clone(),
        bug_url: table.bug_url.clone(),
        vcs: recipe.vcs.clone(),
        distribution: table.distribution.clone(),
        prefixes: table.prefixes.iter().map(text).collect(),
        format: match table.version_of_format {
            RpmFormat::V4 => rpm::RpmFormat::V4,
            RpmFormat::V6 => rpm::RpmFormat::V6,
        },
        relations: relations::relations(recipe, table, scriptlets.needs),
        scripts: scriptlets.scripts,
        triggers: triggers::triggers(cx)?,
        changelog: changelog::changelog(recipe, &evr),
        compression: table.compression,
        tree_id: Some(tree_id),
    })
}

/// Returns `[EPOCH:]VERSION-RELEASE`.
fn evr(recipe: &Recipe, table: &Rpm) -> String {
    let epoch = recipe.epoch.map(|epoch| format!("{epoch}:")).unwrap_or_default();
    format!("{epoch}{}-{}", table.version, table.release)
}

fn text(path: &TreePath) -> String {
    String::from_utf8_lossy(&path.absolute()).into_owned()
}
