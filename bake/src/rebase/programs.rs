//! Programs, libraries and scripts of an image: whether what they need is there.

use std::collections::BTreeSet;

use bake_formats::elf::Elf;
use bake_formats::tree::{Entry, Node, TreePath};

use super::finding::{Report, State};
use super::loader::{Library, Loader};
use super::rule;
use super::sides::{Side, Sides, shown};
use super::surroundings::on_path;
use crate::needs::Program;
use crate::survey::Facts;

/// Checks every program, library and script of the image's own layers.
pub(super) fn check(sides: &Sides, report: &mut Report) {
    let both = Both {
        sides,
        loaders: [Loader::of(&sides.old), Loader::of(&sides.new)],
        own: own_names(sides),
    };
    for (path, entry) in sides.tree().iter() {
        match sides.own.facts(path) {
            Some(Facts::Elf(elf)) => both.elf(path, elf, report),
            Some(Facts::DamagedElf(reason)) => {
                let text = format!("it cannot be read: {reason}");
                report.regression(&rule::ELF_DAMAGED, &shown(path), "", &text, &text);
            }
            Some(Facts::Script(words)) if is_executable(entry) => both.script(path, words, report),
            Some(Facts::Script(_) | Facts::Text(_)) | None => {}
        }
        if matches!(entry.node, Node::Symlink(_)) {
            both.link(path, report);
        }
    }
}

/// Returns the names under which the image's own libraries may be loaded already when another
/// needs them.
fn own_names(sides: &Sides) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (path, _) in sides.tree().iter() {
        let Some(Facts::Elf(elf)) = sides.own.facts(path) else { continue };
        names.extend(elf.soname.clone());
        names.extend(String::from_utf8(path.name().to_vec()).ok());
    }
    names
}

/// The image on both bases.
struct Both<'a> {
    sides: &'a Sides,
    loaders: [Loader<'a>; 2],
    own: BTreeSet<String>,
}

impl Both<'_> {
    fn states(&self, state: impl Fn(&Side, &Loader<'_>) -> State) -> [State; 2] {
        let [old, new] = &self.loaders;
        [state(&self.sides.old, old), state(&self.sides.new, new)]
    }

    fn elf(&self, path: &TreePath, elf: &Elf, report: &mut Report) {
        let name = shown(path);
        if let Some(interpreter) = &elf.interpreter {
            let [old, new] = self.states(|side, _| loader(side, elf, interpreter));
            report.compare(&rule::LOADER_MISSING, &name, interpreter, &[old, new]);
        }
        for library in &elf.needed {
            let [old, new] =
                self.states(|side, loader| match find(side, loader, path, elf, library) {
                    Some(found) => State::fine(format!("found as {}", found.path)),
                    None if self.own.contains(library) => State::fine("in the image itself"),
                    None => State::broken("not found"),
                });
            report.compare(&rule::LIBRARY_MISSING, &name, library, &[old, new]);
            let [old, new] = self.states(|side, loader| {
                match find(side, loader, path, elf, library) {
                    Some(found) => versions(elf, library, found),
                    // Said by the rule above.
                    None => State::fine("not found"),
                }
            });
            report.compare(&rule::SYMBOL_VERSION_MISSING, &name, library, &[old, new]);
        }
    }

    fn script(&self, path: &TreePath, words: &[String], report: &mut Report) {
        for program in Program::of_script(words) {
            let [old, new] = self.states(|side, _| {
                let found = match &program {
                    Program::Path(path) => side.image.find(path).map(|found| found.path),
                    Program::Name(name) => on_path(side, name),
                };
                match found {
                    Some(found) => State::fine(format!("found as {found}")),
                    None => State::broken("not found"),
                }
            });
            report.compare(&rule::INTERPRETER_MISSING, &shown(path), program.text(), &[old, new]);
        }
    }

    /// A link of ours that leads to what the base has.
    fn link(&self, path: &TreePath, report: &mut Report) {
        let [old, new] = self.states(|side, _| match side.image.find(path.relative()) {
            Some(found) => State::fine(format!("leads to {}", found.path)),
            None => State::broken("leads to nothing"),
        });
        if !old.is_broken {
            report.compare(&rule::LINK_DANGLING, &shown(path), "", &[old, new]);
        }
    }
}

/// Looks for a library from where a file really is.
fn find<'a>(
    side: &Side,
    loader: &Loader<'a>,
    path: &TreePath,
    elf: &Elf,
    library: &str,
) -> Option<Library<'a>> {
    let place = side.image.find(path.relative()).map_or(path, |found| found.path);
    loader.find(place, elf, library)
}

/// Returns whether the loader that a program names is there and for its machine.
fn loader(side: &Side, elf: &Elf, interpreter: &str) -> State {
    let Some(found) = side.image.find(interpreter) else { return State::broken("not found") };
    match side.image.facts(found.path) {
        Some(Facts::Elf(loader)) if loader.machine == elf.machine => {
            State::fine(format!("found as {}", found.path))
        }
        Some(Facts::Elf(loader)) => {
            State::broken(format!("it is for {}, the program for {}", loader.machine, elf.machine))
        }
        _ => State::broken(format!("{} is no program", found.path)),
    }
}

/// Returns whether a library defines the versions that are needed of it.
///
/// One that defines none is loaded all the same, as ld.so(8) does with a warning.
fn versions(elf: &Elf, library: &str, found: Library<'_>) -> State {
    let defines: BTreeSet<&str> = found.elf.defines.iter().map(String::as_str).collect();
    let needed: BTreeSet<&str> = elf.versions_of(library).collect();
    let missing: Vec<&str> = needed.difference(&defines).copied().collect();
    if defines.is_empty() || missing.is_empty() {
        return State::fine("all there");
    }
    State::broken(format!("{} does not define {}", found.path, missing.join(", ")))
}

fn is_executable(entry: &Entry) -> bool {
    entry.mode.bits() & 0o111 != 0
}
