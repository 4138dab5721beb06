//! What is reported about needs that packages do not declare.

use bake_recipes::Place;
use bake_recipes::resolved::Output;
use serde::Serialize;

use crate::lint::Severity;

/// Something about a package's needs that a person should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is, in one word for programs.
    pub rule: Rule,
    /// The package it is about.
    pub output: Output,
    /// The file that shows it, as the package has it.
    pub path: Option<String>,
    /// What is the matter, as a lower-case phrase.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line of the recipe that the file comes from.
    pub place: Option<Place>,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A library's package is not declared.
    MissingLibrary,
    /// Nobody knows which package has a library.
    UnknownLibrary,
    /// An interpreter's package is not declared.
    MissingInterpreter,
    /// Nobody knows which package has an interpreter.
    UnknownInterpreter,
    /// A runtime that the files seem to need is not declared.
    SuggestedRuntime,
    /// A program is for another machine than the package.
    ForeignBinary,
    /// A program cannot be read.
    DamagedBinary,
}

impl Rule {
    /// Returns the word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::MissingLibrary => "missing-library",
            Self::UnknownLibrary => "unknown-library",
            Self::MissingInterpreter => "missing-interpreter",
            Self::UnknownInterpreter => "unknown-interpreter",
            Self::SuggestedRuntime => "suggested-runtime",
            Self::ForeignBinary => "foreign-binary",
            Self::DamagedBinary => "damaged-binary",
        }
    }
}

/// A finding of needs is one among those of all rules.
impl From<Finding> for crate::lint::Finding {
    fn from(found: Finding) -> Self {
        let Finding { rule, output, message, hint, place, .. } = found;
        Self {
            rule: rule.word(),
            severity: Severity::Warning,
            place,
            message: format!("{}: {message}", output.word()),
            hint,
        }
    }
}
