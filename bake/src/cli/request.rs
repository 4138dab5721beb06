//! From what the user typed and the environment to what the engine is asked.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use bake_formats::format::Epoch;
use bake_formats::oci;
use bake_recipes::Platform;
use bake_recipes::resolved::{Output, Recipe};
use clap::Args;

use super::RecipeArgs;
use super::failure::Failure;
use crate::error::Error;
use crate::failures::Failures;
use crate::plan::{self, Platforms, Request};
use crate::store::Store;

/// Which store to use.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// The store [default: `bake` in the user's cache directory]
    #[arg(long, value_name = "DIR", env = "BAKE_STORE", global = true)]
    store: Option<PathBuf>,
}

impl StoreArgs {
    /// Opens the store and makes it if it is not there.
    pub(super) fn open(&self) -> Result<Store, Failure> {
        let path = self.path()?;
        Store::open(&path).map_err(|source| Error::Store { path, source }.into())
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.store {
            return Ok(path.clone());
        }
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let cache = variable("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache")));
        let missing = || Error::Input {
            what: "store".into(),
            reason: "neither --store nor BAKE_STORE nor HOME says where it is".into(),
        };
        Ok(cache.ok_or_else(missing)?.join("bake"))
    }
}

/// Returns how many threads to use.
pub(super) fn threads(jobs: Option<NonZeroUsize>) -> usize {
    jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
}

/// Reads what an image is to run on.
pub(super) fn image_platform(text: &str) -> Result<oci::Platform, String> {
    let parts: Vec<_> = text.split('/').collect();
    let (os, architecture, variant) = match parts.as_slice() {
        [os, architecture] => (*os, *architecture, None),
        [os, architecture, variant] => (*os, *architecture, Some((*variant).to_owned())),
        _ => return Err("expected OS/ARCH or OS/ARCH/VARIANT, e.g. linux/arm64".to_owned()),
    };
    Ok(oci::Platform { variant, ..oci::Platform::new(os, architecture) })
}

/// What the user typed, understood.
#[derive(Debug)]
pub(super) struct Resolved {
    recipe: PathBuf,
    /// The recipe's text if it is not in the file.
    text: Option<String>,
    platforms: Wanted,
    only: Vec<Output>,
    epoch: Option<Epoch>,
    threads: usize,
}

/// The platforms that the user named.
#[derive(Debug)]
enum Wanted {
    These(Vec<Platform>),
    OfRecipe(Platform),
}

impl Resolved {
    pub(super) fn new(args: &RecipeArgs, threads: usize) -> Result<Self, Failure> {
        Ok(Self {
            recipe: args.file.clone(),
            text: None,
            platforms: wanted(&args.platform)?,
            only: args.only.iter().map(|word| output("--only", word)).collect::<Result<_, _>>()?,
            epoch: epoch()?,
            threads,
        })
    }

    /// Returns the request for a recipe that is text; its paths are relative to the file's folder.
    pub(super) fn of_text(
        recipe: PathBuf,
        text: String,
        platform: Platform,
        threads: usize,
    ) -> Result<Self, Failure> {
        let (text, platforms) = (Some(text), Wanted::These(vec![platform]));
        Ok(Self { recipe, text, platforms, only: Vec::new(), epoch: epoch()?, threads })
    }

    /// Hands the request to the engine.
    pub(super) fn request<T>(
        &self,
        act: impl FnOnce(&Request<'_>) -> Result<T, Failures>,
    ) -> Result<T, Failure> {
        Ok(self.try_request(act)?)
    }

    /// Hands the request to the engine and returns its errors as they are.
    pub(super) fn try_request<T>(
        &self,
        act: impl FnOnce(&Request<'_>) -> Result<T, Failures>,
    ) -> Result<T, Failures> {
        #[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
        let variable = |name: &str| std::env::var(name).ok();
        let request = Request {
            recipe: &self.recipe,
            text: self.text.as_deref(),
            platforms: match &self.platforms {
                Wanted::These(platforms) => Platforms::These(platforms),
                Wanted::OfRecipe(host) => Platforms::OfRecipe { host: *host },
            },
            only: &self.only,
            epoch: self.epoch,
            variable: &variable,
            threads: self.threads,
        };
        act(&request)
    }
}

/// Resolves a recipe for the first of its platforms.
pub(super) fn first_recipe(file: &Path) -> Result<Recipe, Failure> {
    let args = RecipeArgs { file: file.to_owned(), platform: Vec::new(), only: Vec::new() };
    let loaded = Resolved::new(&args, 1)?.request(plan::load)?;
    loaded.recipes.into_iter().next().ok_or_else(|| {
        let (what, reason) = (file.display().to_string(), "the recipe is for no platform".into());
        Error::Input { what, reason }.into()
    })
}

/// Returns the platforms that words stand for: `all` and nothing are the recipe's.
fn wanted(words: &[String]) -> Result<Wanted, Failure> {
    match words {
        [] => return Ok(Wanted::OfRecipe(platform(None)?)),
        [word] if word == "all" => return Ok(Wanted::OfRecipe(platform(None)?)),
        _ => {}
    }
    let mut platforms = Vec::new();
    for word in words {
        let found = platform(Some(word.as_str()).filter(|word| *word != "host"))?;
        if platforms.contains(&found) {
            let reason = format!("`{found}` stands there twice");
            return Err(Error::Input { what: "--platform".into(), reason }.into());
        }
        platforms.push(found);
    }
    Ok(Wanted::These(platforms))
}

pub(super) fn platform(text: Option<&str>) -> Result<Platform, Failure> {
    let text = text.map_or_else(host, str::to_owned);
    text.parse().map_err(|error: bake_recipes::platform::PlatformError| {
        let hint = error.suggestion.map(|meant| format!("; did you mean `{meant}`?"));
        let reason = format!("{error}{}", hint.unwrap_or_default());
        Error::Input { what: "--platform".into(), reason }.into()
    })
}

/// Returns this machine's platform in OCI's words.
pub(super) fn host() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "arm" => "arm/v7",
        "powerpc64" => "ppc64le",
        "loongarch64" => "loong64",
        other => other,
    };
    format!("linux/{architecture}")
}

/// Returns the output of a word that stands after a flag.
pub(super) fn output(flag: &str, word: &str) -> Result<Output, Failure> {
    Output::ALL.into_iter().find(|output| output.word() == word).ok_or_else(|| {
        let words = Output::ALL.map(Output::word).join(", ");
        let reason = format!("`{word}` is no output, expected {words}");
        Error::Input { what: flag.into(), reason }.into()
    })
}

/// Returns what `SOURCE_DATE_EPOCH` says.
pub(super) fn epoch() -> Result<Option<Epoch>, Failure> {
    let Some(value) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(None) };
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(seconds) => Ok(Some(Epoch(seconds))),
        None => Err(Error::Input {
            what: "SOURCE_DATE_EPOCH".into(),
            reason: format!(
                "expected seconds since 1970, at most {}, found `{}`",
                u32::MAX,
                value.display()
            ),
        }
        .into()),
    }
}
