//! From what is written to what it means for one platform: the only bridge between the two.

mod advice;
mod alternatives;
mod capability;
mod changelog;
mod config;
mod config_key;
mod copyright;
mod date;
mod deb;
mod deb_control;
mod files;
mod git;
mod list;
mod oci;
mod oci_address;
mod oci_base;
mod oci_layers;
mod oci_support;
mod owner;
mod recipe;
mod relations;
mod revision;
mod rpm;
mod rpm_triggers;
mod scripts;
mod service;
mod spdx;
mod text;
mod units;
mod version_source;
mod vm;
mod vm_machine;

use std::cell::RefCell;
use std::fmt;
use std::path::Path;

use advice::Advice;
use bake_formats::tree::TreePath;
use recipe::Common;

use crate::error::{Place, RecipeError, RecipeErrors};
use crate::platform::Platform;
use crate::resolved;
use crate::written::{At, Keys, Recipe};

/// What resolving may use besides the recipe.
#[derive(Clone, Copy)]
pub struct ResolveCx<'a> {
    /// What to resolve for.
    pub platform: Platform,
    /// Returns a variable of the build's identity; asked only for what `version = { env = … }` and
    /// `revision = { env = … }` name.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The recipe's folder: what paths are relative to.
    pub base: &'a Path,
}

impl fmt::Debug for ResolveCx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { platform, base, .. } = self;
        f.debug_struct("ResolveCx")
            .field("platform", platform)
            .field("base", base)
            .finish_non_exhaustive()
    }
}

/// Resolves a recipe for one platform; every error that can be found is reported.
pub fn resolve(written: &Recipe, cx: ResolveCx<'_>) -> Result<resolved::Recipe, RecipeErrors> {
    let resolver = Resolver { written, cx, errors: RefCell::default() };
    let recipe = resolver.recipe();
    RecipeErrors::check(resolver.errors.into_inner(), recipe)
}

/// Returns the platforms that a recipe is baked for: its own, else those of its image, else the
/// host's.
pub fn platforms(written: &Recipe, host: Platform) -> Result<Vec<Platform>, RecipeErrors> {
    let errors = RefCell::default();
    let keys = &written.keys;
    let image = keys.oci.as_ref().and_then(|oci| oci.value.platforms.as_ref());
    let list = match keys.platforms.as_ref().or(image) {
        Some(list) => parse_platforms(written, &errors, list),
        None => vec![host],
    };
    RecipeErrors::check(errors.into_inner(), Some(list))
}

type Errors = RefCell<Vec<RecipeError>>;

fn parse_platforms(written: &Recipe, errors: &Errors, list: &[At<String>]) -> Vec<Platform> {
    let mut all = Vec::new();
    for text in list {
        let place = written.place(&text.span);
        match text.value.parse::<Platform>() {
            Ok(platform) if all.contains(&platform) => {
                errors.borrow_mut().push(place.error(format!("`{platform}` stands here twice")));
            }
            Ok(platform) => all.push(platform),
            Err(error) => errors.borrow_mut().push(error.at(&place)),
        }
    }
    all
}

/// Resolves one recipe, collecting what is wrong with it.
struct Resolver<'a> {
    written: &'a Recipe,
    cx: ResolveCx<'a>,
    errors: Errors,
}

impl<'a> Resolver<'a> {
    fn place<T>(&self, at: &At<T>) -> Place {
        self.written.place(&at.span)
    }

    /// Reports an error about a value.
    fn fault<T>(&self, at: &At<T>, message: impl Into<String>) {
        self.report(self.place(at).error(message));
    }

    /// Reports an error about a value with what to do about it.
    fn advise<T>(&self, at: &At<T>, message: impl Into<String>, hint: impl Into<String>) {
        self.report(self.place(at).error(message).hint(hint));
    }

    fn report(&self, error: RecipeError) {
        self.errors.borrow_mut().push(error);
    }

    /// Returns the value that was parsed or reports why it was not.
    fn parsed<T, S, E: Advice>(&self, at: &At<S>, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(error.at(&self.place(at)));
                None
            }
        }
    }

    fn keys(&self) -> &'a Keys {
        &self.written.keys
    }

    /// Returns an absolute path in the tree.
    fn tree_path(&self, at: &At<String>) -> Option<TreePath> {
        self.tree_path_of(at, &at.value)
    }

    fn tree_path_of<T>(&self, at: &At<T>, text: &str) -> Option<TreePath> {
        if let Some(bad) = text.chars().find(|c| c.is_control()) {
            self.fault(at, format!("a path cannot hold `{}`", bad.escape_debug()));
            return None;
        }
        if !text.starts_with('/') {
            let message = format!("`{text}` is not an absolute path");
            self.advise(at, message, format!("write `/{}`", text.trim_start_matches("./")));
            return None;
        }
        self.parsed(at, TreePath::parse(text))
    }
}

/// Tells a value that is wrong (`None`) from one that is not there (`Some(None)`).
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn settled<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}
