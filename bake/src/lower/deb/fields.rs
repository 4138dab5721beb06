//! Control fields that follow from the recipe alone.

use bake_formats::deb::{MultiArch, Package};
use bake_recipes::resolved::{self, DebRelation};

use super::DebCx;

/// Fills in everything but relations and what follows from files.
pub(super) fn fill(package: &mut Package, cx: DebCx<'_>) {
    let DebCx { recipe, table, .. } = cx;
    package.source.clone_from(&table.source);
    package.maintainer = recipe.maintainer.as_ref().map(ToString::to_string).unwrap_or_default();
    package.section = Some(table.section.clone()).filter(|section| !section.is_empty());
    package.priority = Some(table.priority.word().to_owned());
    package.multi_arch = table.multi_arch.map(multi_arch);
    package.homepage.clone_from(&recipe.homepage);
    package.synopsis.clone_from(&recipe.summary);
    package.description = recipe.description.clone().unwrap_or_default();
    package.fields.clone_from(&table.fields);
    let yes = |there: bool| there.then(|| "yes".to_owned());
    let optional = [
        ("Essential", yes(table.essential)),
        ("Protected", yes(table.protected)),
        ("Origin", table.origin.clone()),
        ("Bugs", table.bugs.clone()),
        ("Tag", list(&table.tags)),
        ("Built-Using", sources(&table.built_using)),
        ("Static-Built-Using", sources(&table.static_built_using)),
        (resolved::DEB_FIELD, recipe.config.digest()),
    ];
    let there = optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    package.fields.extend(there);
}

fn list(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(", "))
}

fn sources(relations: &[DebRelation]) -> Option<String> {
    list(&relations.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn multi_arch(written: resolved::MultiArch) -> MultiArch {
    match written {
        resolved::MultiArch::Same => MultiArch::Same,
        resolved::MultiArch::Foreign => MultiArch::Foreign,
        resolved::MultiArch::Allowed => MultiArch::Allowed,
    }
}
