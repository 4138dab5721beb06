//! Dependencies of Debian packages that follow from libraries, as dpkg-shlibdeps finds them.
//!
//! For each library that a program needs and the package does not bring: the `symbols` file of the
//! library's package says the least version that has every symbol which is really used, else its
//! `shlibs` file says a dependency for all users, else what is built in for the C library and the
//! compiler's. Versions of one dependency are merged to the highest.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::deb::{Operator, Relation, Relations, Version};
use bake_formats::elf::{self, Elf, ElfError};
use serde::{Deserialize, Serialize};

use super::builtin;
use super::facts::Facts;
use super::library_data::{Form, Index, LibraryData};
use super::own::Own;
use super::shlibs_file;
use super::survey::Item;
use super::symbols_file::Library;
use crate::assemble::SourceFiles;
use crate::error::Error;

/// What stands in a template for the least version.
const LEAST: &str = "#MINVER#";

/// Why a package needs something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Why {
    /// The file of the package.
    pub(super) path: String,
    /// What it needs: a library's soname, an interpreter.
    pub(super) what: String,
}

/// A dependency in the control field's syntax, and the first file that needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Need {
    pub(super) relation: String,
    pub(super) why: Why,
}

/// What the libraries of a tree come to.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Libraries {
    /// Dependencies in the order of their names.
    pub(super) needs: Vec<Need>,
    /// Libraries of which nobody knows the package.
    pub(super) unknown: Vec<Unknown>,
}

/// A library of which nobody knows the package.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unknown {
    pub(super) why: Why,
    /// The packages that might be it.
    pub(super) candidates: Vec<String>,
    /// Whether it has a version, as a library has and a plugin has not.
    pub(super) is_library: bool,
}

/// A distribution's data, read as far as it is needed.
pub(super) struct Data<'a> {
    pub(super) files: &'a LibraryData,
    pub(super) index: Index,
    pub(super) architecture: &'a str,
}

/// Finds the dependencies of the programs and libraries of a tree.
pub(super) fn libraries(
    items: &[Item<'_>],
    own: &Own<'_>,
    data: &Data<'_>,
    sources: &SourceFiles,
) -> Result<Libraries, Error> {
    let mut search =
        Search { data, found: BTreeMap::new(), needs: Needs::default(), unknown: Vec::new() };
    for item in items {
        let Facts::Elf(elf) = &item.facts else { continue };
        if !is_program(item, elf) || !elf.machine.is_debian(data.architecture) {
            continue;
        }
        let outside: Vec<&str> = elf
            .needed
            .iter()
            .map(String::as_str)
            .filter(|soname| !own.has_library(elf.machine, soname))
            .collect();
        if !outside.is_empty() {
            search.file(item, elf, &outside, sources)?;
        }
    }
    Ok(Libraries { needs: search.needs.finish()?, unknown: search.unknown })
}

/// Returns whether a loader would load a file: programs that nobody may execute are data.
pub(super) fn is_program(item: &Item<'_>, elf: &Elf) -> bool {
    elf.is_dynamic && (elf.interpreter.is_none() || item.is_executable())
}

/// What is known of one library.
enum Source {
    Symbols(Library),
    Shlibs(String),
    Builtin,
    Unknown,
}

struct Search<'a> {
    data: &'a Data<'a>,
    found: BTreeMap<String, Source>,
    needs: Needs,
    unknown: Vec<Unknown>,
}

impl Search<'_> {
    fn file(
        &mut self,
        item: &Item<'_>,
        elf: &Elf,
        outside: &[&str],
        sources: &SourceFiles,
    ) -> Result<(), Error> {
        let path = item.path.to_string();
        for soname in outside {
            if !self.found.contains_key(*soname) {
                let source = self.look_up(soname, &path)?;
                self.found.insert((*soname).to_owned(), source);
            }
            let why = Why { path: path.clone(), what: (*soname).to_owned() };
            match self.found.get(*soname) {
                Some(Source::Symbols(library)) => {
                    if let Some((template, least)) = library.least() {
                        self.needs.add(template, least, &why);
                    }
                }
                Some(Source::Shlibs(dependency)) => self.needs.add(dependency, None, &why),
                Some(Source::Builtin) => {
                    if let Some(known) = builtin::package(soname, elf.versions_of(soname)) {
                        let template = format!("{} {LEAST}", known.package);
                        self.needs.add(&template, known.least.as_ref(), &why);
                    }
                }
                Some(Source::Unknown) | None => {}
            }
        }
        let has_symbols =
            |soname: &&&str| matches!(self.found.get(**soname), Some(Source::Symbols(_)));
        let with_symbols: Vec<&str> = outside.iter().filter(has_symbols).copied().collect();
        if with_symbols.is_empty() {
            Ok(())
        } else {
            self.symbols(item, &with_symbols, &path, sources)
        }
    }

    /// Raises versions to those that have the symbols which a file uses.
    fn symbols(
        &mut self,
        item: &Item<'_>,
        sonames: &[&str],
        path: &str,
        sources: &SourceFiles,
    ) -> Result<(), Error> {
        let bytes = sources.open_at(&item.digest)?;
        let (found, needs) = (&self.found, &mut self.needs);
        let mut visit = |symbol: elf::UndefinedSymbol<'_>| {
            let name = format!("{}@{}", symbol.name, symbol.version.unwrap_or("Base"));
            let since = sonames.iter().find_map(|soname| match found.get(*soname) {
                Some(Source::Symbols(library)) => library.since(&name).map(|since| (soname, since)),
                _ => None,
            });
            if let Some((soname, (template, version))) = since {
                let why = || Why { path: path.to_owned(), what: (*soname).to_owned() };
                needs.raise(template, version, why);
            }
        };
        match elf::undefined_symbols(&bytes, &mut visit) {
            Ok(()) => {}
            Err(ElfError::Io(error)) => return Err(error.into()),
            // The versions that the libraries always had stand; the file cannot be run anyway.
            Err(ElfError::Invalid { .. }) => {}
        }
        Ok(bytes.check_unchanged()?)
    }

    fn look_up(&mut self, soname: &str, path: &str) -> Result<Source, Error> {
        let files = self.data.files.find(&self.data.index, soname);
        if let [file] = files.as_slice() {
            let text = file.text()?;
            let source = match file.form {
                Form::Symbols => {
                    Library::parse(&text, soname, self.data.architecture).map(|mut library| {
                        library.name_package(file.package());
                        Source::Symbols(library)
                    })
                }
                Form::Shlibs => shlibs_file::dependency(&text, soname)
                    .map(|dependency| Source::Shlibs(dependency.to_owned())),
            };
            if let Some(source) = source {
                return Ok(source);
            }
        }
        if files.is_empty() && builtin::package(soname, std::iter::empty()).is_some() {
            return Ok(Source::Builtin);
        }
        self.unknown.push(Unknown {
            why: Why { path: path.to_owned(), what: soname.to_owned() },
            candidates: files.iter().map(|file| file.package().to_owned()).collect(),
            is_library: shlibs_file::split(soname).is_some(),
        });
        Ok(Source::Unknown)
    }
}

/// Least versions by template.
#[derive(Default)]
struct Needs {
    least: BTreeMap<String, (Option<Version>, Why)>,
}

impl Needs {
    fn add(&mut self, templates: &str, version: Option<&Version>, why: &Why) {
        for template in parts(templates) {
            match self.least.get_mut(template) {
                Some(found) => raise(found, version, || why.clone()),
                None => {
                    self.least.insert(template.to_owned(), (version.cloned(), why.clone()));
                }
            }
        }
    }

    fn raise(&mut self, templates: &str, version: &Version, why: impl Fn() -> Why) {
        for template in parts(templates) {
            match self.least.get_mut(template) {
                Some(found) => raise(found, Some(version), &why),
                None => {
                    self.least.insert(template.to_owned(), (Some(version.clone()), why()));
                }
            }
        }
    }

    /// Fills in the templates, and merges dependencies on one package.
    fn finish(self) -> Result<Vec<Need>, Error> {
        let mut found = Vec::new();
        for (template, (version, why)) in self.least {
            let version = version.map(|version| version.to_string()).filter(|text| text != "0");
            let filled = match version {
                Some(version) => template.replace(LEAST, &format!("(>= {version})")),
                None => template.replace(LEAST, ""),
            };
            let text = filled.split_whitespace().collect::<Vec<_>>().join(" ");
            let relations: Relations = text.parse().map_err(|error| Error::Input {
                what: format!("the dependency of {} on {}", why.path, why.what),
                reason: format!("{error}"),
            })?;
            for alternatives in relations.iter() {
                found.push((alternatives.iter().cloned().collect::<Vec<_>>(), why.clone()));
            }
        }
        Ok(merge(found))
    }
}

fn parts(templates: &str) -> impl Iterator<Item = &str> {
    templates.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn raise(found: &mut (Option<Version>, Why), version: Option<&Version>, why: impl FnOnce() -> Why) {
    let Some(version) = version else { return };
    if found.0.as_ref().is_none_or(|least| version.compare(least).is_gt()) {
        *found = (Some(version.clone()), why());
    }
}

/// Merges dependencies on one package alone to the highest version; the order is that of names.
fn merge(found: Vec<(Vec<Relation>, Why)>) -> Vec<Need> {
    let mut simple: BTreeMap<String, (Option<Version>, Why)> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut needs = Vec::new();
    for (alternatives, why) in found {
        match alternatives.as_slice() {
            [Relation { package, qualifier: None, version }]
                if version.as_ref().is_none_or(|(sign, _)| *sign == Operator::LaterOrEqual) =>
            {
                let version = version.as_ref().map(|(_, version)| version);
                match simple.get_mut(package) {
                    Some(found) => raise(found, version, || why),
                    None => {
                        simple.insert(package.clone(), (version.cloned(), why));
                    }
                }
            }
            _ => {
                let texts: Vec<String> = alternatives.iter().map(ToString::to_string).collect();
                let relation = texts.join(" | ");
                if seen.insert(relation.clone()) {
                    needs.push(Need { relation, why });
                }
            }
        }
    }
    needs.extend(simple.into_iter().map(|(package, (version, why))| {
        let relation = match version {
            Some(version) => format!("{package} (>= {version})"),
            None => package,
        };
        Need { relation, why }
    }));
    needs.sort_by(|a, b| a.relation.cmp(&b.relation));
    needs
}
