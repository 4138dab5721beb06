//! What went wrong, in words for the console.

use std::fmt;

/// What could not be done, why, and what is known besides.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Failure {
    what: String,
    details: Vec<String>,
}

impl Failure {
    /// Says what could not be done.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), details: Vec::new() }
    }

    /// Adds lines that help to find the cause.
    pub fn with(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// Returns the lines to show.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.what).chain(&self.details).map(String::as_str)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Says of an error what was being done.
pub trait Doing<T> {
    /// Turns an error into a failure: `cannot WHAT: ERROR`.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("cannot {}: {error}", what())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_being_done_and_why_it_failed() {
        let error: Result<(), _> = Err("no such file");
        let failure = error.doing(|| "open `/x`".into()).unwrap_err().with(["seen: /y".into()]);
        assert_eq!(
            failure.lines().collect::<Vec<_>>(),
            ["cannot open `/x`: no such file", "seen: /y"]
        );
    }
}
