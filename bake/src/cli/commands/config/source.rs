//! Where the schema comes from: an artifact, or a recipe.

use std::path::{Path, PathBuf};

use bake_config::{Entrypoint, Schema};
use clap::Args;

use crate::carried::{ArtifactId, Carried};
use crate::cli::environments::EnvironmentArgs;
use crate::cli::failure::Failure;
use crate::cli::request::{first_recipe, platform};
use crate::error::Error;

/// Whose schema counts.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// The artifact whose schema counts: a package, an image, a disk [default: the recipe's schema]
    artifact: Option<PathBuf>,
    /// Of an image for several platforms, the one for this platform
    #[arg(long, value_name = "OS/ARCH", requires = "artifact")]
    platform: Option<String>,
}

/// A schema, and what it is of.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) schema: Schema,
    /// The artifact that carries it, if it is not a recipe's.
    pub(super) artifact: Option<ArtifactId>,
    /// The version of the artifact or of the recipe.
    pub(super) version: Option<String>,
    /// What starts the service.
    pub(super) entrypoint: Entrypoint,
    /// Who answers for the recipe, if it is a recipe's schema.
    pub(super) maintainer: Option<String>,
}

impl SchemaArgs {
    /// Reads the schema.
    pub(super) fn read(&self, environments: &EnvironmentArgs) -> Result<Known, Failure> {
        match &self.artifact {
            Some(path) => {
                let wanted =
                    self.platform.as_deref().map(|word| platform(Some(word))).transpose()?;
                Ok(Carried::read(path, wanted)?.into())
            }
            None => of_recipe(&environments.file),
        }
    }
}

impl From<Carried> for Known {
    fn from(Carried { schema, artifact, entrypoint }: Carried) -> Self {
        let version = artifact.version.clone();
        Self { schema, artifact: Some(artifact), version, entrypoint, maintainer: None }
    }
}

/// Returns the schema of a recipe, for the first of its platforms: it is the same for all.
pub(super) fn of_recipe(file: &Path) -> Result<Known, Failure> {
    let recipe = first_recipe(file)?;
    let config = recipe.config;
    if config.schema.is_empty() {
        return Err(Error::Config {
            what: format!("`{}`", file.display()),
            reason: "the recipe has no `[config]`".into(),
            hint: Some(
                "docs/recipe.md lists its keys; or give an artifact that carries a schema".into(),
            ),
        }
        .into());
    }
    let version = Some(recipe.version.to_string());
    let maintainer = recipe.maintainer.as_ref().map(ToString::to_string);
    let entrypoint = config.entrypoint;
    Ok(Known { schema: config.schema, artifact: None, version, entrypoint, maintainer })
}

/// Reads the schema of a file that is a recipe, a record, or an artifact.
pub(super) fn of_any(path: &Path) -> Result<Schema, Failure> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("toml") => Ok(of_recipe(path)?.schema),
        Some("json") => {
            let bytes = fs_err::read(path).map_err(Error::Io)?;
            Schema::parse_record(&bytes).map_err(|error| {
                let (what, reason) = (format!("`{}`", path.display()), error.to_string());
                Error::Config {
                    what,
                    reason,
                    hint: Some("`bake config schema ARTIFACT` prints a record".into()),
                }
                .into()
            })
        }
        _ => Ok(Carried::read(path, None)?.schema),
    }
}
