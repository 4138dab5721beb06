//! What can go wrong in a bake, and whose fault it is.

use std::io;
use std::path::PathBuf;

use bake_formats::format::{ReadError, WriteError};
use bake_recipes::RecipeError;

use crate::registry::RegistryError;
use crate::sign::SignError;

/// Why the engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[must_use]
pub enum Error {
    /// The recipe, or something at a line of it, is at fault.
    #[error(transparent)]
    Recipe(#[from] Box<RecipeError>),
    /// A format cannot hold what it was given.
    #[error("cannot write the {format}")]
    Write {
        /// The format.
        format: &'static str,
        /// Why.
        source: WriteError,
    },
    /// An artifact cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The artifact.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// A file is none of the formats known.
    #[error("`{}` is not an artifact that bake knows: {reason}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        reason: String,
    },
    /// A source file changed while it was being read.
    #[error("`{}` changed while it was being read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The output folder cannot take outputs.
    #[error("cannot write outputs to `{}`", path.display())]
    Output {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be used.
    #[error("cannot use the store `{}`", path.display())]
    Store {
        /// The store.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A signature could not be made.
    #[error("cannot sign")]
    Sign(#[from] SignError),
    /// The certificates to check signatures with could not be read.
    #[error("cannot check signatures")]
    Keyring(#[source] SignError),
    /// A base image cannot be used.
    #[error("{message}")]
    Base {
        /// Which, and why not.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The lock file may not change, and does not say in which layers files are.
    #[error("`{}` does not say in which layer {paths} is, and `--locked` keeps it as it is", path.display())]
    Unlocked {
        /// The lock file.
        path: PathBuf,
        /// Which files, and their layers by rule.
        paths: String,
    },
    /// A registry could not do what it was asked.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// An image cannot be read, or not be put onto another base.
    #[error("{what}")]
    Image {
        /// What could not be done to which image.
        what: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// What to do about it.
        hint: Option<String>,
    },
    /// What is to be pushed, pulled or loaded is not as it must be.
    #[error("{what}: {reason}")]
    Publish {
        /// The file, the reference or the tool.
        what: String,
        /// What is wrong: expected and found.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A package repository, or what is to become part of it, is not as it must be.
    #[error("{place}: {reason}")]
    Repository {
        /// The file, the package or the option.
        place: String,
        /// What is wrong.
        reason: String,
        /// What to do about it.
        hint: Option<&'static str>,
    },
    /// A machine cannot be emulated.
    #[error("{message}")]
    Emulator {
        /// What is not there or cannot be used.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A cloud does not take a file.
    #[error("cannot import `{}`: {reason}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// What is wrong: expected and found.
        reason: String,
        /// What to do about it.
        hint: Option<&'static str>,
    },
    /// Configuration, or the schema of some, is not as it must be. It never holds a value.
    #[error("{what}: {reason}")]
    Config {
        /// The artifact, the file, the key.
        what: String,
        /// What is wrong: expected and found.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A value given to the program is not usable.
    #[error("{what}: {reason}")]
    Input {
        /// What was given, e.g. `SOURCE_DATE_EPOCH`.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// Input or output failed; the message names the path.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<RecipeError> for Error {
    fn from(error: RecipeError) -> Self {
        Self::Recipe(Box::new(error))
    }
}
