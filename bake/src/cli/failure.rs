//! An error on its way to a person: the chain of causes, and a hint where one helps.

use bake_recipes::{Look, RecipeErrors};

use crate::error::Error;
use crate::failures::Failures;

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The recipe is at fault; each fault shows its line.
    Recipe(RecipeErrors),
    /// Anything else.
    Engine(Error),
    /// Writing to stdout failed because nobody reads it any more; not worth a word.
    BrokenPipe,
}

impl From<RecipeErrors> for Failure {
    fn from(errors: RecipeErrors) -> Self {
        Self::Recipe(errors)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Recipe(error) => Self::Recipe((*error).into()),
            error => Self::Engine(error),
        }
    }
}

impl From<Failures> for Failure {
    fn from(failures: Failures) -> Self {
        match failures {
            Failures::Recipe(errors) => Self::Recipe(errors),
            Failures::Other(error) => error.into(),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::Engine(Error::Io(error))
    }
}

impl Failure {
    /// Returns the whole message without a final line feed.
    pub(super) fn render(&self, look: Look) -> String {
        match self {
            Self::Recipe(errors) => errors.render(look),
            Self::Engine(error) => chain(error, look),
            Self::BrokenPipe => String::new(),
        }
    }
}

fn chain(error: &Error, look: Look) -> String {
    let label = match look {
        Look::Plain => "error:",
        Look::Coloured => "\x1b[1;31merror:\x1b[0m",
    };
    let mut text = format!("{label} {error}");
    let mut last = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let message = error.to_string();
        // A transparent wrapper would say the same twice.
        if message != last {
            text.push_str(&format!("\n  caused by: {message}"));
        }
        last = message;
        cause = error.source();
    }
    if let Some(hint) = hint(error) {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}

fn hint(error: &Error) -> Option<String> {
    use std::io::ErrorKind;
    let kind = |error: &std::io::Error| match error.kind() {
        ErrorKind::StorageFull => Some("free some space; nothing half-written was left".to_owned()),
        ErrorKind::PermissionDenied => Some("check the owner and the mode of the path".to_owned()),
        ErrorKind::ReadOnlyFilesystem => Some("the file system is mounted read-only".to_owned()),
        _ => None,
    };
    match error {
        Error::Output { source, .. } => {
            kind(source).or_else(|| Some("choose another output folder with `-o DIR`".to_owned()))
        }
        Error::Store { source, .. } if source.kind() == ErrorKind::InvalidData => {
            Some("use a newer bake, or another store with `--store DIR`".to_owned())
        }
        Error::Store { source, .. } => kind(source)
            .or_else(|| Some("choose another store with `--store DIR` or BAKE_STORE".to_owned())),
        Error::Io(source) => kind(source),
        Error::Changed { .. } => {
            Some("bake after the build has finished, not during it".to_owned())
        }
        Error::Unknown { .. } => Some(
            "bake reads .deb, .rpm, OCI layouts and archives, and disks in the formats of `[vm]`"
                .to_owned(),
        ),
        Error::Base { hint, .. } | Error::Emulator { hint, .. } => hint.clone(),
        Error::Unlocked { .. } => {
            Some("run `bake build` for all platforms and commit the file that it writes".to_owned())
        }
        Error::Repository { hint, .. } | Error::Import { hint, .. } => hint.map(str::to_owned),
        Error::Registry(error) => error.hint.clone(),
        Error::Image { hint, .. } | Error::Config { hint, .. } => hint.clone(),
        Error::Publish { hint, .. } => hint.clone(),
        Error::Recipe(_)
        | Error::Write { .. }
        | Error::Read { .. }
        | Error::Sign(_)
        | Error::Keyring(_)
        | Error::Input { .. } => None,
    }
}
