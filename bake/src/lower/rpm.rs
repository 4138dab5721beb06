//! From the recipe to an rpm's header.

use std::path::Path;

use bake_formats::rpm::{Dependency, Operator, Package, Relations, Script, Scripts};
use bake_formats::tree::TreeId;
use bake_recipes::resolved::{self, Recipe, Rpm, RpmRelation};

use super::scripts;
use crate::error::Error;

/// Returns the header of a recipe's rpm.
pub(super) fn package(
    recipe: &Recipe,
    table: &Rpm,
    tree_id: TreeId,
    folder: &Path,
) -> Result<Package, Error> {
    Ok(Package {
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
        bug_url: None,
        relations: Relations {
            requires: dependencies(&table.requires),
            provides: dependencies(&table.provides),
            conflicts: dependencies(&table.conflicts),
            obsoletes: dependencies(&table.obsoletes),
            recommends: dependencies(&table.recommends),
            suggests: dependencies(&table.suggests),
            supplements: dependencies(&table.supplements),
            enhances: dependencies(&table.enhances),
        },
        scripts: Scripts {
            pre: script(table.scripts.pre.as_ref(), folder)?,
            post: script(table.scripts.post.as_ref(), folder)?,
            preun: script(table.scripts.preun.as_ref(), folder)?,
            postun: script(table.scripts.postun.as_ref(), folder)?,
            pretrans: script(table.scripts.pretrans.as_ref(), folder)?,
            posttrans: script(table.scripts.posttrans.as_ref(), folder)?,
        },
        changelog: Vec::new(),
        compression: table.compression,
        tree_id: Some(tree_id),
    })
}

fn dependencies(relations: &[RpmRelation]) -> Vec<Dependency> {
    relations.iter().map(dependency).collect()
}

fn dependency(relation: &RpmRelation) -> Dependency {
    let Some((operator, version)) = &relation.constraint else {
        return Dependency::on(relation.name.as_str());
    };
    let operator = match operator {
        resolved::Operator::Less => Operator::Less,
        resolved::Operator::LessEqual => Operator::LessOrEqual,
        resolved::Operator::Equal => Operator::Equal,
        resolved::Operator::GreaterEqual => Operator::GreaterOrEqual,
        resolved::Operator::Greater => Operator::Greater,
    };
    Dependency::versioned(relation.name.as_str(), operator, version.as_str())
}

fn script(script: Option<&resolved::Script>, folder: &Path) -> Result<Option<Script>, Error> {
    let Some(script) = script else { return Ok(None) };
    let (mut words, body) = scripts::split_interpreter(&scripts::text(script, folder)?);
    let interpreter = words.remove(0);
    Ok(Some(Script { interpreter, arguments: words, body }))
}
