//! From the recipe to the models of the formats. This is the only place that knows all formats.

mod artifact;
mod deb;
mod kind;
mod oci;
mod product;
mod rpm;
mod scripts;
mod sealed;
mod support;
mod texts;
mod units;
mod vm;

use bake_formats::format::Epoch;
use bake_formats::oci::Base;
use bake_formats::tree::{FileTree, TreeId, TreePath};
use bake_recipes::lock::LockedLayer;
use bake_recipes::resolved::{Output, Recipe};

use crate::error::Error;
use crate::machine::Ground;

pub use artifact::{Described, Joining, write};
pub use kind::Kind;
pub use product::Product;
pub use sealed::{Change, Found, Message, Sealed};
pub use texts::Texts;

/// What models are made from besides the recipe and the tree.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The texts that the recipe names.
    pub texts: &'a Texts,
    /// The time of everything.
    pub epoch: Epoch,
    /// The layers that the lock file assigns paths to; none if there is no lock file.
    pub locked: &'a [LockedLayer],
    /// What the image is built on, if it is built on something that is known.
    pub base: Option<&'a Base>,
    /// What the machine is built on, if there is one.
    pub ground: Option<&'a Ground>,
}

/// Returns what is to be made for one output of a recipe.
pub fn lower(
    recipe: &Recipe,
    output: Output,
    tree: &FileTree,
    tree_id: TreeId,
    given: &Given<'_>,
) -> Result<Vec<Product>, Error> {
    let texts = given.texts;
    let mut products = Vec::new();
    match output {
        Output::Deb => {
            if let Some(table) = &recipe.deb {
                let package = deb::package(recipe, table, (tree, tree_id), texts)?;
                products.push(Product::Deb(Box::new(package)));
            }
        }
        Output::Rpm => {
            if let Some(table) = &recipe.rpm {
                let package = rpm::package(recipe, table, (tree, tree_id), texts)?;
                products.push(Product::Rpm(Box::new(package)));
            }
        }
        Output::Oci => {
            if let Some(table) = &recipe.oci {
                let image = Box::new(oci::image(recipe, table, tree, given)?);
                products.push(Product::OciLayout(image.clone()));
                if table.archive {
                    products.push(Product::OciArchive(oci::complete(image)));
                }
            }
        }
        Output::Vm => {
            if let Some(table) = &recipe.vm {
                products.extend(vm::products(recipe, table, tree_id, given.ground)?);
            }
        }
    }
    Ok(products)
}

/// Returns how the images of a recipe are joined; `None` for a plain manifest.
pub fn joining(recipe: &Recipe, images: usize) -> Option<Joining> {
    let table = recipe.oci.as_ref()?;
    let annotations = || Joining { annotations: table.index_annotations.clone() };
    (images > 1 || table.index).then(annotations)
}

/// Returns whether the tree has a file or a link to one at a path, whatever it is called there.
fn has_file(tree: &FileTree, path: &TreePath) -> bool {
    tree.get(path).is_some_and(|entry| !entry.is_directory())
}
