//! What can go wrong between here and a registry.

use super::call::{Call, Method, Target};
use super::observer::shown;

/// Why a registry could not do what it was asked: which registry, what was asked, and why not.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {action} {subject}: {fault}")]
#[must_use]
pub struct RegistryError {
    /// What was to be done: `push blob sha256:… to`, `read manifest`.
    pub action: String,
    /// What it was to be done to: `ghcr.io/acme/catalog:1.0`.
    pub subject: String,
    /// What happened.
    pub fault: Fault,
    /// What to do about it.
    pub hint: Option<String>,
}

impl RegistryError {
    /// Returns the error that a reader of a blob failed with, if it is one of a registry: its
    /// [`Fault`] and its hint would be lost otherwise.
    pub fn within(error: &std::io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Makes the error of a call, with what the wire knows: whoever made the call knows better what
    /// it was for, and may say so in `action` and `subject`.
    pub(super) fn of_call(call: &Call<'_>, fault: Fault, hint: Option<String>) -> Self {
        let action = match call.method {
            Method::Get | Method::Head => "read",
            Method::Post | Method::Patch | Method::Put => "write to",
            Method::Delete => "delete",
        };
        let path = match &call.target {
            Target::Path(path) => path.split('?').next().unwrap_or_default().to_owned(),
            Target::Url(url) => shown(url),
        };
        let subject = match &call.target {
            Target::Path(_) => format!("{}/{path}", call.registry),
            Target::Url(_) => path,
        };
        Self { action: action.into(), subject, fault, hint }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No connection, or it broke; after every attempt allowed.
    #[error("{0}")]
    Unreachable(String),
    /// The registry answered with an error of the specification's list.
    #[error("the registry answers {status}{}{code}: {message}", if code.is_empty() { "" } else { " " })]
    Refused {
        /// The status code.
        status: u16,
        /// The code, e.g. `DENIED`; empty if the body holds none.
        code: String,
        /// The message, shortened, in one line.
        message: String,
    },
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The registry's answer breaks the specification.
    #[error("{0}")]
    Protocol(String),
    /// Bytes are not what their digest or size says.
    #[error("{0}")]
    Mismatch(String),
    /// Credentials are missing, wrong, or would go where they must not.
    #[error("{0}")]
    Credentials(String),
    /// Reading what is to be sent, or keeping what is received, failed here.
    #[error("{0}")]
    Local(String),
}
