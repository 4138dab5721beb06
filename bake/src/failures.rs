//! One error, or several faults of a recipe at once.

use bake_recipes::{RecipeError, RecipeErrors};

use crate::error::Error;

/// Why a bake could not be prepared.
#[derive(Debug, thiserror::Error)]
#[must_use]
pub enum Failures {
    /// The recipe is at fault in one or more places.
    #[error(transparent)]
    Recipe(#[from] RecipeErrors),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<RecipeError> for Failures {
    fn from(error: RecipeError) -> Self {
        Self::Recipe(error.into())
    }
}
