//! The entry point of services (`bake/entry`), which the program carries for its own architecture.
//!
//! In an artifact it is `/usr/lib/NAME/bake-init`, 0755 and root's, and starts the service:
//!
//! ```text
//! /usr/lib/NAME/bake-init /usr/share/bake/config/NAME.json -- COMMAND [ARGUMENT]...
//! ```
//!
//! Recipes ask for it by `[config] entrypoint`; the unit and the image start through it then
//! (`resolved::Config::launcher`).

use bake_formats::tree::{Mode, TreePath};
use bake_recipes::resolved::{GeneratedFile, Recipe};
use bake_recipes::{Platform, RecipeError};

use crate::guest;

/// The program, empty where there is none.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bake-init"));

/// Returns the entry point for a platform, if this program carries it.
pub fn program(platform: Platform) -> Option<&'static [u8]> {
    guest::is_own(platform).then_some(PROGRAM)
}

/// Returns the files that follow from a recipe rather than from a rule, the entry point among them.
pub fn generated_files(recipe: &Recipe) -> Result<Vec<GeneratedFile>, RecipeError> {
    let mut files = recipe.generated_files()?;
    files.extend(file(recipe)?);
    Ok(files)
}

/// Returns the entry point as a file of the tree, if the recipe asks for it and no rule brings one.
fn file(recipe: &Recipe) -> Result<Option<GeneratedFile>, RecipeError> {
    let config = &recipe.config;
    let Some(path) = config.entrypoint_path() else { return Ok(None) };
    let fail = |message: String| match &config.place {
        Some(place) => place.error(message),
        None => RecipeError::new(message),
    };
    let path = TreePath::parse(path).map_err(|error| fail(error.to_string()))?;
    if recipe.files.iter().any(|rule| rule.single_path() == Some(&path)) {
        return Ok(None);
    }
    let Some(program) = program(recipe.platform) else {
        let platform = recipe.platform;
        let error =
            fail(format!("this bake carries `bake-init` for {} only", std::env::consts::ARCH));
        return Err(error.hint(format!(
            "add the one for {platform} by `[[files]]` with `to = \"{path}\"` and mode \"0755\"; docs/entrypoint.md says \
             how it is built"
        )));
    };
    let (contents, place) = (program.to_vec(), config.place.clone());
    Ok(Some(GeneratedFile { path, contents, mode: Mode::EXECUTABLE, place }))
}
