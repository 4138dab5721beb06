//! From the recipe to a Debian package: its control fields, control files, maintainer scripts and
//! packaging documents.

mod changelog;
mod control_files;
mod copyright;
mod fields;
mod licenses;
mod maintainer;
mod overrides;
mod relations;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bake_formats::deb::{Package, Version};
use bake_formats::tree::{FileTree, TreeId, TreePath};
use bake_recipes::resolved::{Deb, Recipe};

use crate::error::Error;
use crate::lower::Texts;

/// What all parts of a package are made from.
#[derive(Clone, Copy)]
struct DebCx<'a> {
    recipe: &'a Recipe,
    table: &'a Deb,
    tree: &'a FileTree,
    /// What paths in the recipe are relative to.
    texts: &'a Texts,
}

/// Returns what a recipe's deb is besides its tree.
pub(super) fn package(
    recipe: &Recipe,
    table: &Deb,
    (tree, tree_id): (&FileTree, TreeId),
    texts: &Texts,
) -> Result<Package, Error> {
    let cx = DebCx { recipe, table, tree, texts };
    let version: Version = table
        .version
        .parse()
        .map_err(|error| table.place.error(format!("deb version: {error}")))?;
    let scripts = maintainer::scripts(cx)?;
    let mut package = Package::new(recipe.name.as_str(), version, recipe.deb_architecture());
    fields::fill(&mut package, cx);
    package.relations = relations::relations(cx, &scripts.needs)?;
    package.control_files = control_files::control_files(cx)?;
    package.control_files.extend(scripts.texts);
    package.removed_conffiles = table.remove_conffiles.iter().map(ToString::to_string).collect();
    package.documents = documents(cx, &package)?;
    package.compression = table.compression;
    package.tree_id = Some(tree_id);
    Ok(package)
}

/// Returns the packaging documents by path, none of which is in the tree already.
fn documents(cx: DebCx<'_>, package: &Package) -> Result<BTreeMap<String, String>, Error> {
    let name = &package.name;
    let mut documents = BTreeMap::new();
    if let Some(text) = changelog::text(cx, package) {
        let file =
            if package.version.revision().is_some() { "changelog.Debian" } else { "changelog" };
        let path = format!("/usr/share/doc/{name}/{file}.gz");
        let place = &cx.table.place;
        documents.insert(check_free(cx, path, place, "the recipe's `changelog`")?, text);
    }
    if let Some(copyright) = &cx.recipe.copyright {
        let path = format!("/usr/share/doc/{name}/copyright");
        let path = check_free(cx, path, &copyright.place, "the recipe's `copyright`")?;
        documents.insert(path, copyright::text(cx, copyright)?);
    }
    let path = format!("/usr/share/lintian/overrides/{name}");
    let is_own = TreePath::parse(&path).is_ok_and(|path| cx.tree.get(&path).is_some());
    // A tree that brings the file needs none, unless the recipe has something to say.
    if !is_own || !cx.table.lintian_overrides.is_empty() {
        let path = check_free(cx, path, &cx.table.place, "the recipe's `lintian-overrides`")?;
        documents.insert(path, overrides::text(cx, name));
    }
    Ok(documents)
}

/// Two texts cannot have one path.
fn check_free(
    cx: DebCx<'_>,
    path: String,
    place: &bake_recipes::Place,
    what: &str,
) -> Result<String, Error> {
    let found = TreePath::parse(&path).is_ok_and(|path| cx.tree.get(&path).is_some());
    if !found {
        return Ok(path);
    }
    let message = format!("`{path}` is made from {what}, and a file of the tree has the same path");
    let hint = format!("leave `{path}` out of `files`, or `deb` out of the rule's `formats`");
    Err(place.error(message).hint(hint).into())
}
