//! What is wrong, in words for a terminal or a log, and the status that a supervisor sees.

use std::fmt;
use std::io::Write as _;

/// How the program ends if it does not become another: numbers of BSD's `sysexits.h` and of shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The arguments are none (`EX_USAGE`).
    Usage,
    /// The program is at fault (`EX_SOFTWARE`).
    Fault,
    /// A file cannot be written (`EX_CANTCREAT`).
    CannotWrite,
    /// The user cannot be changed to (`EX_NOPERM`).
    CannotBecome,
    /// The configuration or its schema is wrong (`EX_CONFIG`).
    Configuration,
    /// The command is there and does not start.
    CannotStart,
    /// There is no such command.
    NotFound,
}

impl Status {
    /// Returns the exit status.
    pub fn code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Fault => 70,
            Self::CannotWrite => 73,
            Self::CannotBecome => 77,
            Self::Configuration => 78,
            Self::CannotStart => 126,
            Self::NotFound => 127,
        }
    }
}

/// One thing that is wrong: a line, and lines that help. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    what: String,
    details: Vec<String>,
}

impl Problem {
    /// Says what is wrong.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), details: Vec::new() }
    }

    /// Adds a line that helps.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }
}

/// Prints one line for what is wrong, and an indented one for each that helps.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.details.iter().try_for_each(|detail| write!(f, "\n    {detail}"))
    }
}

/// Why nothing is started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Failure {
    /// How the program ends.
    pub status: Status,
    /// Everything that is wrong, and at the end what that means.
    pub problems: Vec<Problem>,
}

impl Failure {
    /// Says the one thing that is wrong.
    pub fn new(status: Status, problem: Problem) -> Self {
        Self { status, problems: vec![problem] }
    }
}

/// Says something on standard error.
pub fn say(message: impl fmt::Display) {
    // If nobody can be told, the exit status remains.
    writeln!(std::io::stderr(), "bake-init: {message}").ok();
}
