//! Why a base image cannot be used.

use bake_formats::format::ReadError;

use crate::error::Error;
use crate::registry::{Fault as RegistryFault, RegistryError};

/// Why a base image cannot be used: which one, why not, what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot use the base image `{name}`: {reason}")]
#[must_use]
pub struct BaseError {
    /// What the recipe calls it.
    pub name: String,
    /// What is wrong, as a lower-case phrase.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the network would have told.
    pub is_unknown: bool,
}

impl BaseError {
    /// Returns an error without a hint.
    pub fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), reason: reason.into(), hint: None, is_unknown: false }
    }

    /// Adds what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Returns an error about what a registry answered.
    pub(super) fn registry(name: &str, error: &RegistryError) -> Self {
        let hint = match &error.fault {
            RegistryFault::NotFound(_) => Some(
                "check the name and the tag; a registry also says so of images that may not be \
                 read without logging in"
                    .to_owned(),
            ),
            _ => None,
        };
        Self { hint: error.hint.clone().or(hint), ..Self::new(name, error.to_string()) }
    }

    /// Returns an error about a document or a layer that cannot be read.
    pub(super) fn read(name: &str, what: &str, error: &ReadError) -> Self {
        Self::new(name, format!("{what}: {}", chain(error)))
    }
}

impl From<BaseError> for Error {
    fn from(error: BaseError) -> Self {
        Self::Base { message: error.to_string(), hint: error.hint }
    }
}

/// Returns an error and its causes in one phrase.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}
