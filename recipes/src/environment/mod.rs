//! Environments: the values of one environment and where its secrets are, a file each.
//!
//! ```toml
//! # environments/prod.toml
//! extends = ["base"]                  # files of the same folder; later wins, this file over all
//! recipients = ["age1…"]              # who can decrypt what is set here
//! digest-key = "-----BEGIN AGE …"     # keys the digests of this environment's configuration
//!
//! [values]
//! DB_URL = "postgres://db/orders"
//!
//! [secrets]
//! DB_PASSWORD = { age = "-----BEGIN AGE …" }
//! API_TOKEN = { sops = "secrets/prod.enc.yaml#/api/token" }
//! TLS_KEY = { ref = "vault:kv/orders#tls_key" }
//! SMTP_PASS = { command = ["pass", "show", "smtp"] }
//! ```
//!
//! Nothing here decrypts: a secret is known by where it is. Errors show the name of a key and its place, never the
//! rest of the line, because what stands there by mistake may be the secret itself.

mod chain;
mod file;
mod name;
mod place;
mod secret;
mod written;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bake_config::{Name, Reference, Scalar};

use crate::error::Place;

pub use chain::load;
pub use file::{MAX_LEN, missing, own_sources, path};
pub use name::{EnvironmentName, list};
pub use secret::{SopsValue, reference};

/// How many files may stand between an environment and one that it extends, itself included.
pub const MAX_DEPTH: usize = 4;
/// The folder's name, beside the recipe.
pub const FOLDER: &str = "environments";

/// An environment with everything that it extends.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// The folder that it and what it extends is in.
    pub folder: PathBuf,
    /// What it is for.
    pub description: Option<String>,
    /// What it extends itself, in the order in which it is written.
    pub extends: Vec<EnvironmentName>,
    /// What is set, whichever file sets it.
    pub settings: BTreeMap<Name, Setting>,
    /// Who can decrypt what is set in this file; `None` if no file says so.
    pub recipients: Option<Recipients>,
    /// The key of this environment's digests, encrypted; never that of another file.
    pub digest_key: Option<DigestKey>,
}

/// One key that is set.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its value, or where that is.
    pub source: Source,
    /// Where it is set.
    pub place: Place,
    /// The environment whose file sets it.
    pub origin: EnvironmentName,
}

/// A value, or where it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A plain value.
    Plain(Scalar),
    /// Encrypted by age, armored.
    Age(String),
    /// A value in a file that sops encrypted.
    Sops(SopsValue),
    /// What the target looks up itself.
    Reference(Reference),
    /// What a program prints: the program and its arguments, never empty.
    Command(Vec<String>),
}

impl Source {
    /// Returns the word for people.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Plain(_) => "value",
            Self::Age(_) => "age",
            Self::Sops(_) => "sops",
            Self::Reference(_) => "ref",
            Self::Command(_) => "command",
        }
    }
}

/// Who can decrypt, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipients {
    /// The recipients with their places; never empty, no two equal.
    pub list: Vec<(String, Place)>,
    /// The environment whose file lists them.
    pub origin: EnvironmentName,
}

/// The key of an environment's digests, encrypted by age and armored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestKey {
    /// The armored text.
    pub age: String,
    /// Where it stands.
    pub place: Place,
}

/// Returns the name that was probably meant.
pub fn nearest<'a>(found: &str, names: &[&'a str]) -> Option<&'a str> {
    crate::suggestion::nearest(found, names)
}

#[cfg(test)]
mod tests;
