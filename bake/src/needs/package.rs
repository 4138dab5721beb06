//! From facts to the dependencies of one package, declared or reported.

use std::collections::BTreeMap;

use bake_formats::tree::{FileTree, TreeId, TreePath};
use bake_recipes::resolved::{
    Architecture, AutoDepends, DebRelation, Operator, Output, RpmRelation,
};
use bake_recipes::{Place, RecipeErrors};

use super::debian::{self, Data, Libraries, Unknown, Why};
use super::debian_name;
use super::declared::{Declared, is_weaker};
use super::facts::Facts;
use super::finding::{Finding, Rule};
use super::interpreter::Program;
use super::library_data::{Index, LibraryData};
use super::own::Own;
use super::rpm::{self, Capabilities};
use super::runtime::{self, Runtime, numbers};
use super::survey::{Cache, Item, survey};
use super::{Request, Settled};
use crate::error::Error;
use crate::failures::Failures;

/// How many capabilities a finding lists.
const SHOWN: usize = 6;

/// Declares or reports what a deb needs.
pub(super) fn deb(
    request: &Request<'_>,
    tree: &FileTree,
    id: TreeId,
    settled: &mut Settled,
) -> Result<(), Failures> {
    let recipe = request.recipe;
    let Some(table) = &recipe.deb else { return Ok(()) };
    let items = survey(tree, id, &request.trees.sources, request.threads, request.cache)?;
    let own = Own::of(tree, &items);
    let mut report = Report { request, output: Output::Deb, findings: Vec::new() };
    let libraries = deb_libraries(request, &items, &own, id)?;
    let hard = Declared::new(table.depends.iter().chain(&table.pre_depends));
    let wished = [&table.depends, &table.pre_depends, &table.recommends, &table.suggests];
    let soft = Declared::new(wished.into_iter().flatten());
    let is_on = recipe.auto_depends == AutoDepends::On;

    let mut missing: Vec<(Rule, String, Why)> = Vec::new();
    for need in libraries.needs {
        if !hard.covers(&need.relation) && !is_self(recipe.name.as_str(), &need.relation) {
            missing.push((Rule::MissingLibrary, need.relation, need.why));
        }
    }
    for (program, why) in programs(request, &items) {
        let Some(outside) = own.outside_program(&program) else { continue };
        match outside.packages() {
            Some(packages) => {
                let Some(package) = packages.deb else { continue };
                let is_meant = |name: &str| name == package || packages.also.contains(&name);
                let there = missing.iter().any(|(_, relation, _)| *relation == package);
                if !there && !soft.names(is_meant) && package != recipe.name.as_str() {
                    missing.push((Rule::MissingInterpreter, package, why));
                }
            }
            None => report.unknown_interpreter(&outside, &why),
        }
    }
    report.unknown_libraries(&libraries.unknown, &soft, is_on)?;
    report.binaries(&items);
    for found in runtime::runtimes(&items) {
        let covered = missing.iter().any(|(_, relation, _)| found.language.is_deb(relation));
        if !covered || found.least.is_some() {
            report.deb_runtime(&found, &soft);
        }
    }
    if is_on {
        if let Some(deb) = &mut settled.recipe.deb {
            for (_, relation, _) in &missing {
                deb.depends.retain(|declared| !is_weaker(declared, relation));
                let relation = DebRelation::parse(relation).map_err(|error| Error::Input {
                    what: "a dependency of a library".into(),
                    reason: error.to_string(),
                })?;
                deb.depends.push(relation);
            }
        }
    } else {
        missing.iter().for_each(|(rule, relation, why)| report.missing(*rule, relation, why));
    }
    settled.findings.extend(report.findings);
    Ok(())
}

/// Looks for libraries, or takes what was found with the same files and the same data.
fn deb_libraries(
    request: &Request<'_>,
    items: &[Item<'_>],
    own: &Own<'_>,
    id: TreeId,
) -> Result<Libraries, Error> {
    let recipe = request.recipe;
    let architecture = recipe.platform.deb();
    let Some(table) = &recipe.deb else { return Ok(Libraries::default()) };
    let files = LibraryData::list(&table.library_data, request.folder, architecture)
        .map_err(|error| table.place.error(format!("library-data: {error}")))?;
    let stamp = files.stamp();
    let parts = [id.digest().as_bytes().as_slice(), architecture.as_bytes(), stamp.as_bytes()];
    let name = Cache::name("libraries", &parts);
    let is_kept = !table.library_data.is_empty();
    let cache = request.cache.filter(|_| is_kept);
    if let Some(kept) = cache.and_then(|cache| cache.store.note(&name)) {
        return Ok(kept);
    }
    let index = if is_kept { files.index()? } else { Index::default() };
    let data = Data { files: &files, index, architecture };
    let found = debian::libraries(items, own, &data, &request.trees.sources)?;
    if let Some(cache) = cache {
        let fail = |source| Error::Store { path: cache.store.root().into(), source };
        cache.store.put_note(&name, &found).map_err(fail)?;
    }
    Ok(found)
}

/// Declares or reports what an rpm needs, and declares what it provides.
pub(super) fn rpm(
    request: &Request<'_>,
    tree: &FileTree,
    id: TreeId,
    settled: &mut Settled,
) -> Result<(), Failures> {
    let recipe = request.recipe;
    let Some(table) = &recipe.rpm else { return Ok(()) };
    let items = survey(tree, id, &request.trees.sources, request.threads, request.cache)?;
    let own = Own::of(tree, &items);
    let mut report = Report { request, output: Output::Rpm, findings: Vec::new() };
    let mut found = rpm::capabilities(&items, &own, recipe.platform.deb());
    let mut interpreters: BTreeMap<String, (Program, Why)> = BTreeMap::new();
    for (program, why) in programs(request, &items) {
        match rpm::path(&program, &own) {
            Some(path) => {
                interpreters.entry(path).or_insert((program, why));
            }
            None if own.outside_program(&program).is_some() => {
                report.unknown_interpreter(&program, &why);
            }
            None => {}
        }
    }
    for (path, _) in tree.iter() {
        if let Some(version) = rpm::python_abi(path.relative()) {
            let why = || Why { path: path.to_string(), what: format!("Python {version}") };
            found.python.entry(version.to_owned()).or_insert_with(why);
        }
    }
    report.binaries(&items);
    let wished: Vec<&RpmRelation> =
        table.requires.iter().chain(&table.recommends).chain(&table.suggests).collect();
    for runtime in runtime::runtimes(&items) {
        let is_rpm = |relation: &&RpmRelation| runtime.language.is_rpm(&relation.name);
        let by_path = interpreters.keys().any(|path| runtime.language.is_rpm(path));
        let on = recipe.auto_depends == AutoDepends::On && by_path;
        if !on && !wished.iter().copied().any(|relation| is_rpm(&relation)) {
            let rpm = runtime.language.rpm(runtime.least.as_deref());
            report.runtime(&runtime, &format!("rpm.requires = [\"{rpm}\"]"));
        }
    }
    match recipe.auto_depends {
        AutoDepends::On => {
            if let Some(rpm) = &mut settled.recipe.rpm {
                add(
                    &mut rpm.requires,
                    requirements(
                        found.requires.into_keys(),
                        interpreters.into_keys(),
                        found.python.keys(),
                    ),
                );
                add(&mut rpm.provides, found.provides.iter().map(|name| plain(name)));
            }
        }
        // A package's name may stand for any of its capabilities, which only a repository knows.
        AutoDepends::Lint if table.requires.is_empty() => report.rpm_missing(&found, &interpreters),
        AutoDepends::Lint | AutoDepends::Off => {}
    }
    settled.findings.extend(report.findings);
    Ok(())
}

fn requirements<'a>(
    libraries: impl Iterator<Item = String>,
    interpreters: impl Iterator<Item = String>,
    python: impl Iterator<Item = &'a String>,
) -> impl Iterator<Item = RpmRelation> {
    let python = python.map(|version| RpmRelation {
        name: "python(abi)".into(),
        constraint: Some((Operator::Equal, version.clone())),
    });
    libraries.chain(interpreters).map(|name| plain(&name)).chain(python)
}

fn plain(name: &str) -> RpmRelation {
    RpmRelation { name: name.to_owned(), constraint: None }
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

/// Collects the findings of one package.
struct Report<'a> {
    request: &'a Request<'a>,
    output: Output,
    findings: Vec<Finding>,
}

impl Report<'_> {
    fn add(&mut self, rule: Rule, path: &str, message: String, hint: String) {
        let parsed = path.starts_with('/').then(|| TreePath::parse(path).ok()).flatten();
        let place = parsed.as_ref().and_then(|path| self.request.trees.places.get(path)).cloned();
        let path = parsed.map(|path| path.to_string());
        let hint = Some(hint);
        self.findings.push(Finding { rule, output: self.output, path, message, hint, place });
    }

    /// Returns the line of the recipe to blame.
    fn place(&self, path: &str) -> Option<Place> {
        let path = TreePath::parse(path).ok()?;
        let place = self.request.trees.places.get(&path);
        place.or(self.request.recipe.deb.as_ref().map(|deb| &deb.place)).cloned()
    }

    fn missing(&mut self, rule: Rule, relation: &str, why: &Why) {
        let message =
            format!("nothing declares `{relation}`, which {} needs for {}", why.path, why.what);
        let hint = format!("add it, deb.depends = [\"{relation}\"], or set auto-depends = \"on\"");
        self.add(rule, &why.path, message, hint);
    }

    fn rpm_missing(
        &mut self,
        found: &Capabilities,
        interpreters: &BTreeMap<String, (Program, Why)>,
    ) {
        let libraries = found.requires.iter().map(|(name, why)| (name.clone(), why));
        let programs = interpreters
            .iter()
            .filter(|(_, (program, _))| program.packages().is_none_or(|known| known.deb.is_some()))
            .map(|(path, (_, why))| (path.clone(), why));
        let all: Vec<(String, &Why)> = libraries.chain(programs).collect();
        let Some((_, why)) = all.first() else { return };
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).take(SHOWN).collect();
        let more = match all.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "nothing is required, but {} needs {}; rpmbuild would require {}{more}",
            why.path,
            why.what,
            names.join(", ")
        );
        let hint = "set auto-depends = \"on\", or name what has them in rpm.requires".to_owned();
        let path = why.path.clone();
        self.add(Rule::MissingLibrary, &path, message, hint);
    }

    fn unknown_interpreter(&mut self, program: &Program, why: &Why) {
        let message = format!(
            "{} is run by `{}` ({}), and which package has that is not known",
            why.path,
            program.text(),
            why.what
        );
        let hint = match self.output {
            Output::Rpm => "name it in rpm.requires",
            Output::Deb | Output::Oci | Output::Vm => "name its package in deb.depends",
        };
        self.add(Rule::UnknownInterpreter, &why.path, message, hint.to_owned());
    }

    /// Reports libraries of which nobody knows the package; an error if they are to be declared.
    fn unknown_libraries(
        &mut self,
        unknown: &[Unknown],
        declared: &Declared,
        is_on: bool,
    ) -> Result<(), RecipeErrors> {
        let is_named = |library: &Unknown| {
            let candidate = |name: &str| library.candidates.iter().any(|found| found == name);
            declared.names(|name| debian_name::is_of(name, &library.why.what) || candidate(name))
        };
        // dpkg-shlibdeps cannot tell plugins by their names either, and lets them pass.
        let missing: Vec<&Unknown> = unknown
            .iter()
            .filter(|library| !is_named(library) && (library.is_library || !is_on))
            .collect();
        let Some(first) = missing.first() else { return Ok(()) };
        let lines: Vec<String> = missing.iter().map(|library| unknown_line(library)).collect();
        let message = format!("which package has a library is not known: {}", lines.join("; "));
        let hint = "point deb.library-data at the distribution's data, e.g. /var/lib/dpkg/info \
                    where the libraries are installed, or at a shlibs file of your own; or declare \
                    the packages in deb.depends"
            .to_owned();
        if is_on {
            let error = match self.place(&first.why.path) {
                Some(place) => place.error(message),
                None => bake_recipes::RecipeError::new(message),
            };
            return Err(error.hint(hint).into());
        }
        self.add(Rule::UnknownLibrary, &first.why.path, message, hint);
        Ok(())
    }

    /// Reports programs that are for another machine, and those that cannot be read.
    fn binaries(&mut self, items: &[Item<'_>]) {
        let recipe = self.request.recipe;
        let architecture = recipe.platform.deb();
        let is_all = recipe.architecture == Architecture::All;
        let mut foreign = Vec::new();
        for item in items {
            match &item.facts {
                Facts::Elf(elf)
                    if elf.is_dynamic && (is_all || !elf.machine.is_debian(architecture)) =>
                {
                    foreign.push((item.path, elf.machine));
                }
                Facts::DamagedElf(reason) if item.is_executable() => {
                    let message =
                        format!("{} begins like a program and is none: {reason}", item.path);
                    let hint = "build it again, or leave it out".to_owned();
                    self.add(Rule::DamagedBinary, &item.path.to_string(), message, hint);
                }
                _ => {}
            }
        }
        let Some((path, machine)) = foreign.first() else { return };
        let package = if is_all { "every architecture" } else { architecture };
        let more = match foreign.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        let message = format!("{path}{more} is for {machine}, the package is for {package}");
        let hint = if is_all {
            "remove architecture = \"all\", or leave the files out"
        } else {
            "leave the files out; what they need is not looked at"
        };
        self.add(Rule::ForeignBinary, &path.to_string(), message, hint.to_owned());
    }

    fn deb_runtime(&mut self, found: &Runtime, declared: &Declared) {
        let is_deb = |name: &str| found.language.is_deb(name);
        let hint = format!("deb.depends = [\"{}\"]", found.language.deb(found.least.as_deref()));
        if !declared.names(is_deb) {
            self.runtime(found, &hint);
            return;
        }
        let wanted = numbers(found.least.as_deref());
        let too_low = |version: &&bake_formats::deb::Version| {
            numbers(Some(found.language.of_deb_version(version.upstream()))) < wanted
        };
        let versions = declared.least(is_deb);
        if !versions.is_empty() && versions.iter().all(too_low) {
            self.runtime(found, &hint);
        }
    }

    fn runtime(&mut self, found: &Runtime, hint: &str) {
        let version = found.least.as_ref().map(|least| format!(" {least} or later"));
        let message = format!(
            "{} seems to need {}{}, which nothing declares",
            found.path,
            found.language.name(),
            version.unwrap_or_default()
        );
        self.add(
            Rule::SuggestedRuntime,
            &found.path.to_string(),
            message,
            format!("perhaps {hint}"),
        );
    }
}

/// Says which library is not known, who needs it, and what it might be.
fn unknown_line(library: &Unknown) -> String {
    let Unknown { why: Why { path, what }, candidates, .. } = library;
    match (candidates.as_slice(), debian_name::of(what)) {
        ([], Some(guess)) => format!("{what} of {path} (by its name `{guess}`)"),
        ([], None) => format!("{what} of {path}"),
        (several, _) => format!("{what} of {path} (one of {})", several.join(", ")),
    }
}
