//! What to bake, and the recipe for it.

use std::path::{Path, PathBuf};

use bake_formats::format::Epoch;
use bake_recipes::resolved::{Output, Recipe};
use bake_recipes::{Platform, ResolveCx, written};

use crate::error::Error;
use crate::failures::Failures;

/// The modification time of everything if nobody says otherwise: 2020-01-01T00:00:00Z.
pub const FIXED_EPOCH: Epoch = Epoch(1_577_836_800);

/// What to bake.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The recipe's file; what it names is relative to its folder.
    pub recipe: &'a Path,
    /// The recipe's text if it is not in the file.
    pub text: Option<&'a str>,
    /// What the outputs run on.
    pub platforms: Platforms<'a>,
    /// The outputs wanted; empty for all of the recipe's.
    pub only: &'a [Output],
    /// The time of everything, if the caller says so (`SOURCE_DATE_EPOCH`).
    pub epoch: Option<Epoch>,
    /// Looks up a variable that the recipe names as its version or revision.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// How many threads may work.
    pub threads: usize,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("recipe", &self.recipe).finish_non_exhaustive()
    }
}

/// Which platforms to bake for.
#[derive(Debug, Clone, Copy)]
pub enum Platforms<'a> {
    /// These; never empty.
    These(&'a [Platform]),
    /// Those that the recipe lists, or this one if it lists none.
    OfRecipe {
        /// This machine's.
        host: Platform,
    },
}

/// A recipe as it was typed and as it is for each platform.
#[derive(Debug)]
pub struct Loaded {
    /// As it was typed, for places.
    pub written: written::Recipe,
    /// For each platform, in the order asked for; never empty.
    pub recipes: Vec<Recipe>,
    /// All platforms of the recipe, or those asked for if it lists none.
    pub all: Vec<Platform>,
}

/// Loads a recipe and resolves it for every platform that is asked for.
pub fn load(request: &Request<'_>) -> Result<Loaded, Failures> {
    let written = match request.text {
        Some(text) => bake_recipes::load::parse(&request.recipe.display().to_string(), text)?,
        None => bake_recipes::load(request.recipe)?,
    };
    let folder = folder_of(request.recipe)?;
    let platforms = match request.platforms {
        Platforms::These(platforms) => platforms.to_vec(),
        Platforms::OfRecipe { host } => bake_recipes::platforms(&written, host)?,
    };
    let mut recipes = Vec::new();
    let all = match platforms.first() {
        Some(first) => bake_recipes::platforms(&written, *first)?,
        None => Vec::new(),
    };
    for platform in platforms {
        let cx = ResolveCx { platform, env: request.variable, base: &folder };
        recipes.push(bake_recipes::resolve(&written, cx)?);
    }
    keep_only(&mut recipes, request.only)?;
    Ok(Loaded { written, recipes, all })
}

/// Returns the time of everything in a bake, without planning it.
pub fn epoch(request: &Request<'_>) -> Result<Epoch, Failures> {
    let recipes = load(request)?.recipes;
    Ok(recipes.first().map_or(FIXED_EPOCH, |recipe| epoch_of(request, recipe)))
}

/// Returns the time of everything; the recipe says the same for all platforms.
pub(crate) fn epoch_of(request: &Request<'_>, recipe: &Recipe) -> Epoch {
    request.epoch.or(recipe.source_date).unwrap_or(FIXED_EPOCH)
}

/// Returns the folder that paths in a recipe are relative to.
pub(crate) fn folder_of(recipe: &Path) -> Result<PathBuf, Error> {
    let parent = recipe.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(fs_err::canonicalize(parent.unwrap_or(Path::new(".")))?)
}

/// Leaves out the outputs that nobody asked for; fails if one is baked for no platform.
fn keep_only(recipes: &mut [Recipe], only: &[Output]) -> Result<(), Error> {
    let baked = |output: &Output| recipes.iter().any(|recipe| recipe.outputs().contains(output));
    if let Some(missing) = only.iter().find(|output| !baked(output)) {
        let words: Vec<_> =
            Output::ALL.iter().filter(|output| baked(output)).map(|output| output.word()).collect();
        return Err(Error::Input {
            what: format!("--only {}", missing.word()),
            reason: format!("the recipe bakes {}", words.join(", ")),
        });
    }
    if only.is_empty() {
        return Ok(());
    }
    let wanted = |output| only.contains(&output);
    for recipe in recipes {
        recipe.deb = recipe.deb.take().filter(|_| wanted(Output::Deb));
        recipe.rpm = recipe.rpm.take().filter(|_| wanted(Output::Rpm));
        recipe.oci = recipe.oci.take().filter(|_| wanted(Output::Oci));
        recipe.vm = recipe.vm.take().filter(|_| wanted(Output::Vm));
    }
    Ok(())
}
