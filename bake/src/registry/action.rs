//! What is being done to a repository: the first half of every error.

use super::call::Answer;
use super::error::{Fault, RegistryError};
use super::refusal::Refusal;

/// One thing that is done to a repository.
#[derive(Debug, Clone)]
pub(super) struct Action {
    /// In words that fit between "cannot" and the subject: `push blob sha256:… to`.
    verb: String,
    /// The repository, or what in it: `ghcr.io/acme/catalog:1.0`.
    subject: String,
    /// The repository's name, for hints.
    repository: String,
    /// Whether bytes go to the registry.
    writes: bool,
}

impl Action {
    pub(super) fn new(verb: String, subject: String, repository: &str, writes: bool) -> Self {
        Self { verb, subject, repository: repository.to_owned(), writes }
    }

    /// Returns the repository's name without its registry.
    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns whether the action writes.
    pub(super) fn writes(&self) -> bool {
        self.writes
    }

    /// The action failed.
    pub(super) fn fault(&self, fault: Fault) -> RegistryError {
        let (action, subject) = (self.verb.clone(), self.subject.clone());
        RegistryError { action, subject, fault, hint: None }
    }

    /// The action failed, and something can be done about it.
    pub(super) fn fault_with_hint(&self, fault: Fault, hint: impl Into<String>) -> RegistryError {
        RegistryError { hint: Some(hint.into()), ..self.fault(fault) }
    }

    /// The registry's answer breaks the specification.
    pub(super) fn protocol(&self, what: impl Into<String>) -> RegistryError {
        self.fault(Fault::Protocol(what.into()))
    }

    /// Bytes are not what their digest or size says.
    pub(super) fn mismatch(&self, what: impl Into<String>) -> RegistryError {
        self.fault(Fault::Mismatch(what.into()))
    }

    /// No answer could be had: the wire's reason, in the words of this action.
    pub(super) fn unanswered(&self, error: RegistryError) -> RegistryError {
        RegistryError { hint: error.hint, ..self.fault(error.fault) }
    }

    /// The registry refused: reads what it says, and what that means. `what` is what a status of 404
    /// says is not there.
    pub(super) fn refused(&self, answer: Answer, what: &'static str) -> RegistryError {
        Refusal::read(answer).into_error(self, what)
    }
}
