//! Why a secret cannot be had.

use std::fmt;

use bake_recipes::{Place, RecipeError};

/// Why a secret cannot be had, in words that hold none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Fault {
    /// What is wrong: expected and found.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Fault {
    /// Says what is wrong.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Returns the error about a place; `what` is what was wanted there.
    pub fn at(self, place: &Place, what: impl fmt::Display) -> RecipeError {
        let error = place.error(format!("{what}: {}", self.message));
        self.joined(error)
    }

    /// Returns the error about something that stands nowhere.
    pub fn about(self, what: impl fmt::Display) -> RecipeError {
        let error = RecipeError::new(format!("{what}: {}", self.message));
        self.joined(error)
    }

    fn joined(self, error: RecipeError) -> RecipeError {
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
