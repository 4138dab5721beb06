//! What a package brings itself: libraries and programs that it need not ask others for.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::elf::Machine;
use bake_formats::tree::{FileTree, Node, TreePath};

use super::facts::Facts;
use super::interpreter::Program;
use super::survey::Item;

/// Folders in which the loader looks without being told, besides those of one architecture in them.
const PUBLIC: [&str; 8] =
    ["/lib", "/lib32", "/lib64", "/libx32", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32"];
/// How many links in a row are followed, as the kernel does.
const MOST_LINKS: usize = 40;

/// What a package brings itself.
#[derive(Debug)]
pub(super) struct Own<'a> {
    tree: &'a FileTree,
    /// Libraries by name, and whether one of that name is where everybody's loader looks.
    libraries: BTreeMap<(Machine, String), bool>,
}

impl<'a> Own<'a> {
    pub(super) fn of(tree: &'a FileTree, items: &[Item<'_>]) -> Self {
        let mut libraries = BTreeMap::new();
        let mut names: BTreeMap<Vec<u8>, BTreeSet<Machine>> = BTreeMap::new();
        let mut add = |machine, name: String, public| {
            *libraries.entry((machine, name)).or_insert(false) |= public;
        };
        for item in items {
            let Facts::Elf(elf) = &item.facts else { continue };
            if !elf.is_dynamic {
                continue;
            }
            let public = is_public(item.path);
            if let Some(soname) = &elf.soname {
                add(elf.machine, soname.clone(), public);
            }
            let name = item.path.name().to_vec();
            if let Ok(text) = String::from_utf8(name.clone()) {
                add(elf.machine, text, public && elf.soname.is_none());
            }
            names.entry(name).or_default().insert(elf.machine);
        }
        // A library is also found under the name of a link to it.
        for (path, entry) in tree.iter() {
            let target = match &entry.node {
                Node::Symlink(target) => target.rsplit(|byte| *byte == b'/').next(),
                Node::HardLink(first) => Some(first.name()),
                _ => None,
            };
            let Some(machines) = target.and_then(|name| names.get(name)) else { continue };
            if let Ok(name) = String::from_utf8(path.name().to_vec()) {
                for machine in machines {
                    add(*machine, name.clone(), false);
                }
            }
        }
        Self { tree, libraries }
    }

    /// Returns whether a library of this name is in the package.
    pub(super) fn has_library(&self, machine: Machine, name: &str) -> bool {
        self.libraries.contains_key(&(machine, name.to_owned()))
    }

    /// Returns whether a library of this name is in the package and only for it.
    pub(super) fn has_private_library(&self, machine: Machine, name: &str) -> bool {
        self.libraries.get(&(machine, name.to_owned())) == Some(&false)
    }

    /// Follows the links of the package from a program's path: to the path outside the package that
    /// they lead to, or `None` if the package has the program itself.
    pub(super) fn outside(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            match self.step(&path) {
                Step::Inside => return None,
                Step::Outside => return Some(path),
                Step::Link(next) => path = next,
            }
        }
        Some(path)
    }

    /// Returns the program outside of the package that is meant, or `None` if the package has it.
    pub(super) fn outside_program(&self, program: &Program) -> Option<Program> {
        match program {
            Program::Name(_) => Some(program.clone()),
            Program::Path(path) => self.outside(path).map(Program::Path),
        }
    }

    /// Looks for the first link on the way.
    fn step(&self, path: &str) -> Step {
        let Ok(whole) = TreePath::parse(path) else { return Step::Outside };
        let names: Vec<&[u8]> = whole.relative().split(|byte| *byte == b'/').collect();
        let mut at = TreePath::root();
        for (depth, name) in names.iter().enumerate() {
            let Ok(next) = at.join(name) else { return Step::Outside };
            match self.tree.get(&next).map(|entry| &entry.node) {
                None => return Step::Outside,
                Some(Node::Symlink(target)) => {
                    let rest = names[depth + 1..].iter().copied();
                    return resolve(&at, target, rest).map_or(Step::Outside, Step::Link);
                }
                Some(Node::Directory) => at = next,
                Some(Node::File(_) | Node::HardLink(_) | Node::Device { .. } | Node::Fifo) => {
                    return Step::Inside;
                }
            }
        }
        Step::Inside
    }
}

/// Where one step along a path leads.
enum Step {
    /// To something of the package.
    Inside,
    /// To what the package has nothing of.
    Outside,
    /// Through a link to another path.
    Link(String),
}

/// Returns whether everybody's loader looks into the folder of a file.
pub(super) fn is_public(path: &TreePath) -> bool {
    let Some(folder) = path.parent() else { return false };
    let absolute = folder.absolute();
    let Ok(folder) = std::str::from_utf8(&absolute) else { return false };
    let below = |public: &str| {
        // `/usr/lib/x86_64-linux-gnu`: Debian's folder for one architecture.
        folder.strip_prefix(public).and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| {
            !rest.contains('/') && rest.contains("-linux-") && public.ends_with("lib")
        })
    };
    PUBLIC.iter().any(|public| folder == *public || below(public))
}

/// Joins a link's target and what follows behind the link to an absolute path.
fn resolve<'a>(
    folder: &TreePath,
    target: &'a [u8],
    rest: impl Iterator<Item = &'a [u8]>,
) -> Option<String> {
    let start = folder.absolute();
    let mut names: Vec<&[u8]> =
        if target.starts_with(b"/") { Vec::new() } else { start.split(|b| *b == b'/').collect() };
    for name in target.split(|byte| *byte == b'/').chain(rest) {
        match name {
            b"" | b"." => {}
            b".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    let names: Vec<&[u8]> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let path = [b"/".as_slice(), &names.join(&b'/')].concat();
    String::from_utf8(path).ok()
}
