//! Why something cannot be the base of a machine, or cannot be put onto it.

use std::io;
use std::path::Path;

use crate::error::Error;
use crate::survey::LayerFault;

/// Why an archive cannot be imported: which one, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {place} as the base of a machine")]
#[must_use]
pub struct ImportError {
    /// The file, or the layer of the image.
    pub place: String,
    /// What is wrong with it.
    #[source]
    pub fault: LayerFault,
}

impl From<ImportError> for Error {
    fn from(error: ImportError) -> Self {
        let ImportError { ref place, .. } = error;
        let what = format!("cannot use {place} as the base of a machine");
        Self::Image { what, source: Box::new(error.fault), hint: None }
    }
}

/// What a base lacks, or what it and an application say differently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[must_use]
pub struct MachineError {
    /// What is wrong, with the paths and both sides.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl MachineError {
    /// Returns an error without a hint.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: None }
    }

    /// Adds what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Returns an error for a file of the recipe that cannot be read: what it is, and why not.
pub(super) fn unreadable(what: &str, path: &Path, error: &io::Error) -> MachineError {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "not there".to_owned(),
        _ => error.to_string(),
    };
    MachineError::new(format!("{what} `{}`: {reason}", path.display()))
}

impl From<MachineError> for Error {
    fn from(error: MachineError) -> Self {
        Self::Base { message: error.reason, hint: error.hint }
    }
}
