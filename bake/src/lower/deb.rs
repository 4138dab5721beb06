//! From the recipe to a deb's control fields.

use std::collections::BTreeMap;
use std::path::Path;

use bake_formats::deb::{ControlFile, MultiArch, Package, RelationField, Relations, Version};
use bake_formats::tree::TreeId;
use bake_recipes::resolved::{self, Deb, DebRelation, Recipe};

use super::scripts;
use crate::error::Error;

/// Returns the control fields and scripts of a recipe's deb.
pub(super) fn package(
    recipe: &Recipe,
    table: &Deb,
    tree_id: TreeId,
    folder: &Path,
) -> Result<Package, Error> {
    let invalid = |reason: String| table.place.error(reason);
    let version: Version =
        table.version.parse().map_err(|error| invalid(format!("deb version: {error}")))?;
    let mut package = Package::new(recipe.name.as_str(), version, recipe.deb_architecture());
    package.maintainer = recipe.maintainer.as_ref().map(ToString::to_string).unwrap_or_default();
    package.section = Some(table.section.clone()).filter(|section| !section.is_empty());
    package.priority = Some(table.priority.word().to_owned());
    package.multi_arch = table.multi_arch.map(multi_arch);
    package.homepage.clone_from(&recipe.homepage);
    package.synopsis.clone_from(&recipe.summary);
    package.description = recipe.description.clone().unwrap_or_default();
    package.fields.clone_from(&table.fields);
    package.relations = relations(table)?;
    package.control_files = control_files(table, folder)?;
    package.compression = table.compression;
    package.tree_id = Some(tree_id);
    Ok(package)
}

fn multi_arch(written: resolved::MultiArch) -> MultiArch {
    match written {
        resolved::MultiArch::Same => MultiArch::Same,
        resolved::MultiArch::Foreign => MultiArch::Foreign,
        resolved::MultiArch::Allowed => MultiArch::Allowed,
    }
}

fn relations(table: &Deb) -> Result<BTreeMap<RelationField, Relations>, Error> {
    let all: [(RelationField, &[DebRelation]); 9] = [
        (RelationField::PreDepends, &table.pre_depends),
        (RelationField::Depends, &table.depends),
        (RelationField::Recommends, &table.recommends),
        (RelationField::Suggests, &table.suggests),
        (RelationField::Enhances, &table.enhances),
        (RelationField::Conflicts, &table.conflicts),
        (RelationField::Breaks, &table.breaks),
        (RelationField::Replaces, &table.replaces),
        (RelationField::Provides, &table.provides),
    ];
    let mut relations = BTreeMap::new();
    for (field, written) in all.into_iter().filter(|(_, written)| !written.is_empty()) {
        let texts: Vec<String> = written.iter().map(ToString::to_string).collect();
        let parsed = texts
            .join(", ")
            .parse()
            .map_err(|error| table.place.error(format!("{}: {error}", field.name())))?;
        relations.insert(field, parsed);
    }
    Ok(relations)
}

fn control_files(table: &Deb, folder: &Path) -> Result<BTreeMap<ControlFile, String>, Error> {
    let all = [
        (ControlFile::Preinst, &table.scripts.preinst),
        (ControlFile::Postinst, &table.scripts.postinst),
        (ControlFile::Prerm, &table.scripts.prerm),
        (ControlFile::Postrm, &table.scripts.postrm),
    ];
    let mut files = BTreeMap::new();
    for (file, script) in all {
        if let Some(script) = script {
            files.insert(file, scripts::with_interpreter(scripts::text(script, folder)?));
        }
    }
    Ok(files)
}
