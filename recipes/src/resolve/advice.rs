//! Errors of value types, brought to a line of the recipe.

use bake_formats::encode::CompressionError;
use bake_formats::oci::ReferenceError;
use bake_formats::tree::{ModeError, PathError};

use crate::error::{Place, RecipeError};
use crate::name::NameError;
use crate::platform::PlatformError;
use crate::resolved::{GlobError, RelationError};
use crate::version::VersionError;

/// An error that may know what to do about it.
pub(super) trait Advice: std::error::Error + Sized {
    /// Returns what to do about it.
    fn advice(&self) -> Option<String> {
        None
    }

    /// Returns the error as one about a place.
    fn at(&self, place: &Place) -> RecipeError {
        let error = place.error(self.to_string());
        match self.advice() {
            Some(advice) => error.hint(advice),
            None => error,
        }
    }
}

impl Advice for NameError {
    fn advice(&self) -> Option<String> {
        self.suggestion.as_ref().map(|name| format!("did you mean `{name}`?"))
    }
}

impl Advice for PlatformError {
    fn advice(&self) -> Option<String> {
        Some(match self.suggestion {
            Some(platform) => format!("did you mean `{platform}`?"),
            None => "platforms are written as in OCI, e.g. `linux/amd64` or `linux/arm/v7`".into(),
        })
    }
}

impl Advice for VersionError {
    fn advice(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl Advice for RelationError {
    fn advice(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl Advice for GlobError {}
impl Advice for PathError {}
impl Advice for ModeError {}
impl Advice for CompressionError {}
impl Advice for ReferenceError {}
