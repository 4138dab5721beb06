//! Whose name and password a registry gets, from where docker, podman and skopeo keep them.
//!
//! The first place that has something wins:
//!
//! 1. the file of `--authfile`, and then no other
//! 2. the text of `DOCKER_AUTH_CONFIG`
//! 3. `REGISTRY_AUTH_FILE`, else `${XDG_RUNTIME_DIR}/containers/auth.json`
//! 4. `~/.config/containers/auth.json`
//! 5. `${DOCKER_CONFIG}/config.json`, else `~/.docker/config.json`
//!
//! Within a file the helper for the registry (`credHelpers`), else the helper for all
//! (`credsStore`), comes before what stands in the file (`auths`), where the longest name of a
//! registry or of a folder in it wins.

mod auth_file;
mod helper;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use auth_file::AuthFile;
pub(super) use auth_file::aliases;

use super::secret::Secret;

/// What to log in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token that token services exchange for others (docker's identity token).
    Identity {
        /// The name that it belongs to, if it has one.
        user: Option<String>,
        /// The token.
        token: Secret,
    },
    /// A token that the registry itself takes (docker's registry token).
    Bearer(Secret),
}

impl Credential {
    /// Returns who logs in, for people.
    pub fn user(&self) -> &str {
        match self {
            Self::Password { user, .. } | Self::Identity { user: Some(user), .. } => user,
            Self::Identity { user: None, .. } => "the holder of an identity token",
            Self::Bearer(_) => "the holder of a token",
        }
    }
}

/// Why credentials could not be had: where, and what is wrong there. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
#[must_use]
pub struct CredentialError {
    /// The file or the helper.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

/// One place where credentials may be.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file that must be there.
    File(PathBuf),
    /// A file that may be there.
    IfPresent(PathBuf),
    /// The text of such a file, and what it is called.
    Text(String, Secret),
}

/// All places, asked in order.
#[derive(Debug, Default)]
pub struct Keychain {
    sources: Vec<Source>,
    files: OnceLock<Result<Vec<AuthFile>, CredentialError>>,
    /// What helpers said, by helper and server.
    helped: Mutex<BTreeMap<(String, String), Option<Credential>>>,
}

impl Keychain {
    /// Makes a keychain; nothing is read before a registry asks.
    pub fn new(sources: Vec<Source>) -> Self {
        Self { sources, ..Self::default() }
    }

    /// Returns the credentials for a repository of a registry, e.g. `docker.io` and
    /// `library/debian`; `None` if nobody has any.
    pub fn find(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Credential>, CredentialError> {
        let files = self.files.get_or_init(|| self.sources.iter().map(AuthFile::load).collect());
        for file in files.as_ref().map_err(Clone::clone)? {
            let helped = file.helper(registry).map(|name| self.ask(name, registry)).transpose()?;
            if let Some(found) = helped.flatten() {
                return Ok(Some(found));
            }
            if let Some(found) = file.find(registry, repository)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Asks a helper, once for each server.
    fn ask(&self, name: &str, registry: &str) -> Result<Option<Credential>, CredentialError> {
        let server = helper::server(registry);
        let key = (name.to_owned(), server.to_owned());
        let mut helped = self.helped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = helped.get(&key) {
            return Ok(known.clone());
        }
        let found = helper::ask(name, server)?;
        helped.insert(key, found.clone());
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
