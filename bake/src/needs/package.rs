//! From facts to the dependencies of one package, declared or reported.

use std::collections::BTreeMap;

use bake_formats::digest::Digest;
use bake_recipes::resolved::{
    AutoDepends, Deb, DebRelation, Operator, Output, Recipe, Rpm, RpmRelation,
};

use super::debian::{self, Data, Libraries, Why};
use super::declared::{Declared, is_weaker};
use super::facts::Facts;
use super::finding::Rule;
use super::interpreter::Program;
use super::library_data::LibraryData;
use super::report::Report;
use super::rpm::{self, Capabilities};
use super::runtime::{self, Runtime};
use super::survey::Item;
use super::{Request, Settled, View};
use crate::error::Error;
use crate::failures::Failures;

/// A dependency that a deb should declare and does not.
struct Missing {
    rule: Rule,
    relation: String,
    why: Why,
}

/// Declares or reports what a deb needs.
pub(super) fn deb(
    request: &Request<'_>,
    view: &View<'_>,
    settled: &mut Settled,
) -> Result<(), Failures> {
    let recipe = request.recipe;
    let Some(table) = &recipe.deb else { return Ok(()) };
    let is_on = recipe.auto_depends == AutoDepends::On;
    let mut report = Report { request, output: Output::Deb, findings: Vec::new() };
    let wished = [&table.depends, &table.pre_depends, &table.recommends, &table.suggests];
    let wished = Declared::new(wished.into_iter().flatten());

    let libraries = deb_libraries(request, view)?;
    report.unknown_libraries(&libraries.unknown, &wished, is_on)?;
    let mut missing = missing_libraries(recipe, table, libraries);
    missing_interpreters(request, view, &wished, &mut missing, &mut report);
    report.binaries(&view.items);
    for found in runtime::runtimes(&view.items) {
        let is_covered = |missing: &Missing| found.language.is_deb(&missing.relation);
        if found.least.is_some() || !missing.iter().any(is_covered) {
            report.deb_runtime(&found, &wished);
        }
    }
    if is_on {
        declare(settled, &missing)?;
    } else {
        for Missing { rule, relation, why } in &missing {
            report.missing(*rule, relation, why);
        }
    }
    settled.findings.extend(report.findings);
    Ok(())
}

/// Looks for libraries, or takes what was found with the same files and the same data.
fn deb_libraries(request: &Request<'_>, view: &View<'_>) -> Result<Libraries, Error> {
    let recipe = request.recipe;
    let architecture = recipe.platform.deb();
    let Some(table) = &recipe.deb else { return Ok(Libraries::default()) };
    let files = LibraryData::list(&table.library_data, request.folder, architecture)
        .map_err(|error| table.place.error(format!("library-data: {error}")))?;
    let stamp = files.stamp();
    let of = Digest::of(format!("{} {stamp}", view.id).as_bytes());
    // Without data nothing needs to be read.
    let cache = request.cache.filter(|_| !table.library_data.is_empty());
    let kept = cache.map(|cache| cache.of(recipe.platform, Output::Deb));
    if let Some(found) = kept.as_ref().and_then(|kept| kept.get("libraries", &of)) {
        return Ok(found);
    }
    let data = Data { index: files.index()?, files: &files, architecture };
    let found = debian::libraries(&view.items, &view.own, &data, &request.trees.sources)?;
    if let Some(kept) = kept {
        kept.put("libraries", of, &found)?;
    }
    Ok(found)
}

/// Returns the dependencies on libraries that nothing declared covers.
fn missing_libraries(recipe: &Recipe, table: &Deb, libraries: Libraries) -> Vec<Missing> {
    let declared = Declared::new(table.depends.iter().chain(&table.pre_depends));
    let wanted = |need: &debian::Need| {
        !declared.covers(&need.relation) && !is_self(recipe.name.as_str(), &need.relation)
    };
    let needs = libraries.needs.into_iter().filter(wanted);
    let missing = |need: debian::Need| Missing {
        rule: Rule::MissingLibrary,
        relation: need.relation,
        why: need.why,
    };
    needs.map(missing).collect()
}

/// Adds the packages of interpreters that nothing names, not even as a recommendation.
fn missing_interpreters(
    request: &Request<'_>,
    view: &View<'_>,
    wished: &Declared,
    missing: &mut Vec<Missing>,
    report: &mut Report<'_>,
) {
    for (program, why) in programs(request, &view.items) {
        let Some(outside) = view.own.outside_program(&program) else { continue };
        let Some(packages) = outside.packages() else {
            report.unknown_interpreter(&outside, &why);
            continue;
        };
        let Some(relation) = packages.deb else { continue };
        let is_meant = |name: &str| name == relation || packages.also.contains(&name);
        let is_there = missing.iter().any(|missing| missing.relation == relation);
        if !is_there && !wished.names(is_meant) && relation != request.recipe.name.as_str() {
            missing.push(Missing { rule: Rule::MissingInterpreter, relation, why });
        }
    }
}

/// Adds dependencies to the recipe; what says less about the same package gives way.
fn declare(settled: &mut Settled, missing: &[Missing]) -> Result<(), Error> {
    let Some(deb) = &mut settled.recipe.deb else { return Ok(()) };
    for Missing { relation, why, .. } in missing {
        deb.depends.retain(|declared| !is_weaker(declared, relation));
        let parsed = DebRelation::parse(relation).map_err(|error| Error::Input {
            what: format!("the dependency of {} on {}", why.path, why.what),
            reason: error.to_string(),
        })?;
        deb.depends.push(parsed);
    }
    Ok(())
}

/// Declares or reports what an rpm needs, and declares what it provides.
pub(super) fn rpm(request: &Request<'_>, view: &View<'_>, settled: &mut Settled) {
    let recipe = request.recipe;
    let Some(table) = &recipe.rpm else { return };
    let mut report = Report { request, output: Output::Rpm, findings: Vec::new() };
    let mut found = rpm::capabilities(&view.items, &view.own, recipe.platform.deb());
    for (path, _) in view.tree.iter() {
        if let Some(version) = rpm::python_abi(path.relative()) {
            let why = || Why { path: path.to_string(), what: format!("Python {version}") };
            found.python.entry(version.to_owned()).or_insert_with(why);
        }
    }
    let interpreters = rpm_interpreters(request, view, &mut report);
    report.binaries(&view.items);
    for found in runtime::runtimes(&view.items) {
        let by_path = interpreters.keys().any(|path| found.language.is_rpm(path));
        let is_on = recipe.auto_depends == AutoDepends::On && by_path;
        if !is_on && !names_runtime(table, &found) {
            report.runtime(&found, &format!("rpm.requires = [\"{}\"]", found.rpm()));
        }
    }
    match (recipe.auto_depends, &mut settled.recipe.rpm) {
        (AutoDepends::On, Some(rpm)) => {
            let Capabilities { requires, python, provides } = found;
            add(
                &mut rpm.requires,
                requires.keys().chain(interpreters.keys()).map(|name| plain(name)),
            );
            add(&mut rpm.requires, python.keys().map(|version| python_abi(version)));
            add(&mut rpm.provides, provides.iter().map(|name| plain(name)));
        }
        // A package's name may stand for any of its capabilities, which only a repository knows.
        (AutoDepends::Lint, _) if table.requires.is_empty() => {
            report.rpm_missing(&found, &interpreters);
        }
        _ => {}
    }
    settled.findings.extend(report.findings);
}

/// Returns the paths of interpreters that the package does not have.
fn rpm_interpreters(
    request: &Request<'_>,
    view: &View<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<String, (Program, Why)> {
    let mut interpreters = BTreeMap::new();
    for (program, why) in programs(request, &view.items) {
        let Some(outside) = view.own.outside_program(&program) else { continue };
        match outside.rpm_path() {
            Some(path) => {
                if let Some(path) = view.own.outside(&path) {
                    interpreters.entry(path).or_insert((outside, why));
                }
            }
            None => report.unknown_interpreter(&outside, &why),
        }
    }
    interpreters
}

/// Returns whether an rpm's recipe names a runtime in any way.
fn names_runtime(table: &Rpm, found: &Runtime) -> bool {
    let wished = table.requires.iter().chain(&table.recommends).chain(&table.suggests);
    wished.into_iter().any(|relation| found.language.is_rpm(&relation.name))
}

fn plain(name: &str) -> RpmRelation {
    RpmRelation { name: name.to_owned(), constraint: None }
}

fn python_abi(version: &str) -> RpmRelation {
    let constraint = Some((Operator::Equal, version.to_owned()));
    RpmRelation { name: "python(abi)".into(), constraint }
}

/// Adds what is not declared already.
fn add(declared: &mut Vec<RpmRelation>, found: impl Iterator<Item = RpmRelation>) {
    for relation in found {
        if !declared.contains(&relation) {
            declared.push(relation);
        }
    }
}

/// Returns whether a dependency is on the package itself.
fn is_self(name: &str, relation: &str) -> bool {
    relation.split([' ', ':']).next() == Some(name) && !relation.contains('|')
}

/// Returns the programs that scripts and the service are run by, each with the first that is.
fn programs(request: &Request<'_>, items: &[Item<'_>]) -> Vec<(Program, Why)> {
    let mut found: BTreeMap<Program, Why> = BTreeMap::new();
    for item in items.iter().filter(|item| item.is_executable()) {
        let Facts::Script(words) = &item.facts else { continue };
        for program in Program::of_script(words) {
            let what = format!("#!{}", words.join(" "));
            found.entry(program).or_insert_with(|| Why { path: item.path.to_string(), what });
        }
    }
    if let Some(service) = &request.recipe.service
        && let Some(command) = service.command.first()
    {
        let why = Why { path: format!("the service {}", service.name), what: command.clone() };
        found.entry(Program::of_command(command)).or_insert(why);
    }
    found.into_iter().collect()
}
