//! Findings of one package, in words.

use std::collections::BTreeMap;

use bake_formats::deb::Version;
use bake_formats::tree::TreePath;
use bake_recipes::resolved::{Architecture, Output};
use bake_recipes::{Place, RecipeErrors};

use super::Request;
use super::debian::{Unknown, Why};
use super::debian_name;
use super::declared::Declared;
use super::facts::Facts;
use super::finding::{Finding, Rule};
use super::interpreter::Program;
use super::rpm::Capabilities;
use super::runtime::{Runtime, numbers};
use super::survey::Item;

/// How many capabilities a finding lists.
const SHOWN: usize = 6;

/// Collects the findings of one package.
pub(super) struct Report<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) output: Output,
    pub(super) findings: Vec<Finding>,
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

    pub(super) fn missing(&mut self, rule: Rule, relation: &str, why: &Why) {
        let message =
            format!("nothing declares `{relation}`, which {} needs for {}", why.path, why.what);
        let hint = format!("add it, deb.depends = [\"{relation}\"], or set auto-depends = \"on\"");
        self.add(rule, &why.path, message, hint);
    }

    pub(super) fn rpm_missing(
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

    pub(super) fn unknown_interpreter(&mut self, program: &Program, why: &Why) {
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
    pub(super) fn unknown_libraries(
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
        let hint = "point deb.library-data at the distribution's symbols and shlibs files (the \
                    folder `info` of dpkg's database, where the libraries are installed) or at a \
                    shlibs file of your own; or declare the packages in deb.depends"
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
    pub(super) fn binaries(&mut self, items: &[Item<'_>]) {
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

    pub(super) fn deb_runtime(&mut self, found: &Runtime, declared: &Declared) {
        let is_deb = |name: &str| found.language.is_deb(name);
        let hint = format!("deb.depends = [\"{}\"]", found.deb().join("\", \""));
        if !declared.names(is_deb) {
            self.runtime(found, &hint);
            return;
        }
        let wanted = numbers(found.least.as_deref());
        let too_low = |version: &&Version| {
            numbers(Some(found.language.of_deb_version(version.upstream()))) < wanted
        };
        let versions = declared.least(is_deb);
        if !versions.is_empty() && versions.iter().all(too_low) {
            self.runtime(found, &hint);
        }
    }

    pub(super) fn runtime(&mut self, found: &Runtime, hint: &str) {
        let bound = if found.is_exact { "and no other" } else { "or later" };
        let version = found.least.as_ref().map(|least| format!(" {least} {bound}"));
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
