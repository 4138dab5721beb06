//! What commands that read environments take.

use std::path::{Path, PathBuf};

use bake_config::Name;
use bake_recipes::environment::{Environment, EnvironmentName, FOLDER, Setting, load};
use clap::Args;

use super::failure::Failure;
use crate::environment::edit::unknown;
use crate::environment::identities::Identities;
use crate::environment::memory;
use crate::environment::unlock::{Commands, needs_identities};

/// The recipe if none is named.
const RECIPE: &str = "bake.toml";

/// Where environments are.
#[derive(Debug, Clone, Args)]
pub(super) struct EnvironmentArgs {
    /// The recipe: environments are beside it, and it says which types values have
    #[arg(short = 'f', long = "file", value_name = "FILE", default_value = RECIPE, global = true)]
    pub(super) file: PathBuf,
    /// The folder of environments [default: `environments` beside the recipe]
    #[arg(long, value_name = "DIR", global = true)]
    environments: Option<PathBuf>,
}

impl EnvironmentArgs {
    /// Returns the folder of environments.
    pub(super) fn folder(&self) -> PathBuf {
        let beside = || self.file.parent().unwrap_or(Path::new("")).join(FOLDER);
        self.environments.clone().unwrap_or_else(beside)
    }

    /// Returns whether there is a recipe to ask; one that was named and is not there is an error when it is read.
    pub(super) fn has_recipe(&self) -> bool {
        self.file.as_os_str() != RECIPE || self.file.exists()
    }

    /// Loads an environment and what it extends.
    pub(super) fn load(&self, name: &EnvironmentName) -> Result<Environment, Failure> {
        Ok(load(&self.folder(), name)?)
    }
}

/// What decrypts. Secret keys are never given as arguments or variables: a file or the standard input has them.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Secrets")]
pub(super) struct UnlockArgs {
    /// Decrypt with the secret keys in this file, `-` for standard input: what age-keygen writes, or a private SSH key
    /// without a passphrase [default: the file that BAKE_IDENTITY names, else bake/identities in
    /// the user's configuration folder, else the file that SOPS_AGE_KEY_FILE names]
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Run the programs that the environment names for values, without a shell
    #[arg(long)]
    run_commands: bool,
}

impl UnlockArgs {
    /// Reads the identities; from then on no other process of this user looks into this one's memory.
    pub(super) fn identities(&self) -> Result<Identities, Failure> {
        let found = Identities::find(&self.identity, &|name| std::env::var_os(name));
        let found = found.map_err(crate::error::Error::from)?;
        memory::out_of_sight()?;
        Ok(found)
    }

    /// Reads the identities if one of the settings is decrypted with them.
    pub(super) fn identities_for<'a>(
        &self,
        mut settings: impl Iterator<Item = &'a Setting>,
    ) -> Result<Identities, Failure> {
        if settings.any(|setting| needs_identities(&setting.source)) {
            return self.identities();
        }
        memory::out_of_sight()?;
        Ok(Identities::none())
    }

    /// Returns whether programs may be run.
    pub(super) fn commands(&self) -> Commands {
        if self.run_commands { Commands::Run } else { Commands::Refused }
    }
}

/// Returns what an environment sets a key to.
pub(super) fn setting<'a>(
    environment: &'a Environment,
    key: &Name,
) -> Result<&'a Setting, Failure> {
    let setting = environment.settings.get(key);
    setting.ok_or_else(|| crate::error::Error::from(unknown(environment, key)).into())
}

/// Reads the name of a key.
pub(super) fn key(text: &str) -> Result<Name, String> {
    Name::parse(text)
        .ok_or_else(|| "expected capital letters, digits and `_`, e.g. DATABASE_URL".to_owned())
}
