//! The units of systemd that a package manages, whichever its format.

use std::collections::BTreeMap;

use bake_formats::tree::{FileTree, TreePath};
use bake_recipes::resolved::{Recipe, UnitHandling};

use super::has_file;
use crate::error::Error;

/// The units that the package manages by name, sorted.
pub(super) type Units = BTreeMap<String, UnitHandling>;

/// Returns the service's unit and those that the recipe names. A template cannot be started.
///
/// `folders` are those in which the format's distributions look for units, the usual one first.
pub(super) fn managed(
    recipe: &Recipe,
    tree: &FileTree,
    format: &str,
    folders: &[&str],
) -> Result<Units, Error> {
    let mut units = Units::new();
    for unit in &recipe.units {
        if unit.name.contains("@.") {
            continue;
        }
        if !has_unit(tree, folders, &unit.name) {
            let message = format!("the unit `{}` is not among the {format}'s files", unit.name);
            let hint = format!("it belongs in `{}/`", folders[0]);
            return Err(unit.place.error(message).hint(hint).into());
        }
        units.insert(unit.name.clone(), unit.handling);
    }
    if let Some(service) = &recipe.service {
        units.insert(format!("{}.service", service.name), service.handling);
    }
    Ok(units)
}

/// Returns whether a unit, or the template of an instance, is in the tree.
fn has_unit(tree: &FileTree, folders: &[&str], name: &str) -> bool {
    let template = name.split_once('@').and_then(|(prefix, rest)| {
        let (_, suffix) = rest.rsplit_once('.')?;
        Some(format!("{prefix}@.{suffix}"))
    });
    let is_there = |name: &str| {
        let mut paths = folders.iter().map(|folder| TreePath::parse(format!("{folder}/{name}")));
        paths.any(|path| path.is_ok_and(|path| has_file(tree, &path)))
    };
    is_there(name) || template.is_some_and(|template| is_there(&template))
}
