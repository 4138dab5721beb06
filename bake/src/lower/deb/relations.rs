//! Relations to other packages: the recipe's, and those that generated scripts need.

use std::collections::BTreeMap;

use bake_formats::deb::{RelationField, Relations};
use bake_recipes::resolved::DebRelation;

use super::DebCx;
use crate::error::Error;

/// What a generated script calls, and when it must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    /// `Pre-Depends` or `Depends`.
    pub(super) field: RelationField,
    /// The alternatives, the preferred one first.
    pub(super) packages: &'static [&'static str],
}

/// Returns all relationship fields; `needs` are added where the recipe does not say so itself.
pub(super) fn relations(
    cx: DebCx<'_>,
    needs: &[Need],
) -> Result<BTreeMap<RelationField, Relations>, Error> {
    let table = cx.table;
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
    for (field, written) in all {
        let mut texts: Vec<String> = written.iter().map(ToString::to_string).collect();
        for need in needs.iter().filter(|need| need.field == field) {
            if !is_met(cx, *need) {
                texts.push(need.packages.join(" | "));
            }
        }
        if texts.is_empty() {
            continue;
        }
        let parsed = texts
            .join(", ")
            .parse()
            .map_err(|error| table.place.error(format!("{}: {error}", field.name())))?;
        relations.insert(field, parsed);
    }
    Ok(relations)
}

/// Returns whether the recipe names one of the packages; `Pre-Depends` does for `Depends` too.
fn is_met(cx: DebCx<'_>, need: Need) -> bool {
    let depends: &[DebRelation] = match need.field {
        RelationField::Depends => &cx.table.depends,
        _ => &[],
    };
    let mut written = cx.table.pre_depends.iter().chain(depends);
    written.any(|relation| need.packages.iter().any(|name| names(&relation.to_string(), name)))
}

/// Returns whether an alternative of a relation is a package, perhaps with a version.
fn names(relation: &str, package: &str) -> bool {
    relation
        .split('|')
        .any(|alternative| alternative.trim().split([' ', ':']).next() == Some(package))
}
