//! `bake.lock` beside the recipe: read at the start, replaced when something was added to it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bake_recipes::RecipeErrors;
use bake_recipes::lock::Lock;

use crate::error::Error;

/// A recipe's lock file.
#[derive(Debug, Clone)]
pub struct LockFile {
    path: PathBuf,
    /// What the file says; nothing if there is none.
    saved: Lock,
}

impl LockFile {
    /// Reads the lock file of a recipe: `bake.lock` for `bake.toml`, `NAME.lock` for `NAME.toml`.
    pub fn load(recipe: &Path) -> Result<Self, RecipeErrors> {
        let path = recipe.with_extension("lock");
        let saved = bake_recipes::lock::load(&path)?.unwrap_or_default();
        Ok(Self { path, saved })
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what the file says.
    pub fn lock(&self) -> &Lock {
        &self.saved
    }

    /// Replaces the file if it says something else; it appears whole or not at all.
    ///
    /// Returns whether it was replaced.
    pub fn save(&self, lock: &Lock) -> Result<bool, Error> {
        if *lock == self.saved {
            return Ok(false);
        }
        let unwritable = |source| Error::Output { path: self.path.clone(), source };
        let folder = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut staged = tempfile::Builder::new()
            .prefix(".bake-lock-")
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(unwritable)?;
        staged.write_all(lock.to_string().as_bytes()).map_err(unwritable)?;
        staged.persist(&self.path).map_err(|error| unwritable(error.error))?;
        Ok(true)
    }
}
