//! Dependencies that follow from the files: of libraries, interpreters and runtimes.
//!
//! ```text
//! tree ──survey──► facts ──► debian: symbols, shlibs, built in ──► Depends
//!                       └──► rpm: elfdeps, script.req ──────────► Requires, Provides
//! ```
//!
//! What is found goes into the recipe before it is lowered, so that it is part of the model and of
//! every key, or becomes findings. `docs/dependencies.md` has the rules.

mod builtin;
mod debian;
mod debian_name;
mod declared;
mod facts;
mod finding;
mod interpreter;
mod jar;
mod kept;
mod library_data;
mod own;
mod package;
mod report;
mod rpm;
mod runtime;
mod shlibs_file;
mod survey;
mod symbols_file;
#[cfg(test)]
mod tests;

use std::path::Path;

use bake_formats::tree::{FileTree, TreeId};
use bake_recipes::resolved::{AutoDepends, Output, Recipe};

use crate::assemble::Trees;
use crate::error::Error;
use crate::failures::Failures;

pub(crate) use facts::{LONGEST_SHEBANG, shebang};
pub use finding::{Finding, Rule};
pub(crate) use interpreter::Program;
pub use kept::Cache;

use own::Own;
use survey::Item;

/// The revision of what is kept in the store; raised when equal files give other facts or needs.
const REVISION: u32 = 1;

/// What needs are looked for in.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The recipe, resolved.
    pub recipe: &'a Recipe,
    /// The recipe's folder.
    pub folder: &'a Path,
    /// The trees of its outputs, and where their contents are.
    pub trees: &'a Trees,
    /// How many threads may read.
    pub threads: usize,
    /// Where results are kept; without it everything is read.
    pub cache: Option<Cache<'a>>,
}

/// A recipe whose packages declare what they need, and what a person should know of it.
#[derive(Debug)]
pub struct Settled {
    /// The recipe; other dependencies than before only if it asks for them.
    pub recipe: Recipe,
    /// What is not declared, or not known.
    pub findings: Vec<Finding>,
}

/// Finds what the packages of a recipe need, and declares or reports it as the recipe says.
///
/// `id` returns a tree's identity.
///
/// # Errors
///
/// Contents that cannot be read, and libraries of which nobody knows the package if they are to be
/// declared.
pub fn settle(
    request: &Request<'_>,
    id: &mut dyn FnMut(&FileTree) -> TreeId,
) -> Result<Settled, Failures> {
    let mut settled = Settled { recipe: request.recipe.clone(), findings: Vec::new() };
    match request.recipe.auto_depends {
        AutoDepends::Off => return Ok(settled),
        AutoDepends::Lint | AutoDepends::On => {}
    }
    let mut views: Vec<View<'_>> = Vec::new();
    for (output, tree) in &request.trees.trees {
        match output {
            Output::Deb | Output::Rpm => {}
            Output::Oci | Output::Vm => continue,
        }
        if !views.iter().any(|view| view.is_of(tree)) {
            views.push(View::of(request, tree, id(tree), *output)?);
        }
        let Some(view) = views.iter().find(|view| view.is_of(tree)) else { continue };
        if *output == Output::Deb {
            package::deb(request, view, &mut settled)?;
        } else {
            package::rpm(request, view, &mut settled);
        }
    }
    Ok(settled)
}

/// A tree and what its files say; packages of one tree share it.
#[derive(Debug)]
struct View<'a> {
    tree: &'a FileTree,
    id: TreeId,
    items: Vec<Item<'a>>,
    own: Own<'a>,
}

impl<'a> View<'a> {
    fn is_of(&self, tree: &FileTree) -> bool {
        std::ptr::eq(self.tree, tree)
    }

    fn of(
        request: &Request<'a>,
        tree: &'a FileTree,
        id: TreeId,
        output: Output,
    ) -> Result<Self, Error> {
        let kept = request.cache.map(|cache| cache.of(request.recipe.platform, output));
        let sources = &request.trees.sources;
        let items = survey::survey(tree, id, sources, request.threads, kept.as_ref())?;
        let own = Own::of(tree, &items);
        Ok(Self { tree, id, items, own })
    }
}
