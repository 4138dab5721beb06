//! Why nothing was rendered.

use std::fmt;

use bake_config::Refusal;
use bake_formats::format::WriteError;

use crate::error::Error;

/// Why nothing was rendered. It never holds a value.
#[derive(Debug)]
#[must_use]
pub enum Failure {
    /// What the target cannot say; never empty.
    Refused(Vec<Refusal>),
    /// Anything else.
    Engine(Error),
}

impl Failure {
    /// Returns the refusal of one thing.
    pub(super) fn refused(
        subject: impl fmt::Display,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::Refused(vec![Refusal::new(subject, reason, hint)])
    }

    /// Returns the failure of a format's writer.
    pub(super) fn write(format: &'static str) -> impl Fn(WriteError) -> Self {
        move |source| Self::Engine(Error::Write { format, source })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusals) => {
                let lines: Vec<_> = refusals.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(_) => None,
            Self::Engine(error) => error.source(),
        }
    }
}

impl From<Vec<Refusal>> for Failure {
    fn from(refusals: Vec<Refusal>) -> Self {
        Self::Refused(refusals)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Engine(Error::Io(error))
    }
}
