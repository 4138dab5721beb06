//! One environment's configuration of one artifact, on its way to a target.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::delivery::Delivered;
use crate::render::{RenderError, RenderedFile, render};
use crate::schema::{Entrypoint, Schema, Secrecy};
use crate::settings::{Setting, Settings};

/// The version of what a configuration's digest is made of.
const DIGEST_VERSION: u32 = 1;

/// A key that digests of secrets are made with, so that nobody can find a weak secret by trying.
#[derive(Clone)]
pub struct DigestKey(Zeroizing<[u8; 32]>);

impl DigestKey {
    /// Takes over a key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey")
    }
}

/// A configuration has secrets, and there is no key to make its digest with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct NoDigestKey;

/// The identity of one environment's configuration: equal for equal schemas and values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigDigest(String);

impl ConfigDigest {
    /// Makes the digest of what a schema and an environment give.
    ///
    /// It covers the schema, the environment's name, every value, secrets as their HMAC-SHA-256 under the
    /// environment's own key, and references as they are written.
    pub fn of(
        schema: &Schema,
        environment: &str,
        settings: &Settings,
        key: Option<&DigestKey>,
    ) -> Result<Self, NoDigestKey> {
        let mut values = serde_json::Map::new();
        for (name, (setting, _)) in &settings.values {
            let value = match setting {
                Setting::Plain(value) => json!({ "plain": value }),
                Setting::Reference(reference) => json!({ "ref": reference.to_string() }),
                Setting::Secret(secret) => {
                    let key = key.ok_or(NoDigestKey)?;
                    // Named, so that two keys with one value do not show it.
                    let text = Zeroizing::new(format!("{name}\0{}", secret.expose()));
                    json!({ "hmac": key.hmac(text.as_bytes()) })
                }
            };
            values.insert(name.to_string(), value);
        }
        let all = json!({
            "version": DIGEST_VERSION,
            "schema": schema.digest(),
            "environment": environment,
            "values": values,
        });
        Ok(Self(hex(&Sha256::digest(all.to_string()))))
    }

    /// Returns the first digits, for names: 12 of them.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }

    /// Returns all digits.
    pub fn hex(&self) -> &str {
        &self.0
    }
}

/// Prints as digests are written, e.g. `sha256:2c26…`.
impl fmt::Display for ConfigDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl DigestKey {
    fn hmac(&self, bytes: &[u8]) -> String {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.0) else { return String::new() };
        mac.update(bytes);
        hex(&mac.finalize().into_bytes())
    }
}

impl Schema {
    /// Returns the digest of the record, e.g. `sha256:2c26…`.
    pub fn digest(&self) -> String {
        format!("sha256:{}", hex(&Sha256::digest(self.to_record())))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

/// What targets render.
#[derive(Debug)]
pub struct Deployment<'a> {
    /// The schema.
    pub schema: &'a Schema,
    /// The values.
    pub settings: &'a Settings,
    /// The environment's name.
    pub environment: &'a str,
    /// The configuration's identity.
    pub digest: ConfigDigest,
    /// The version of the artifact, if one was given.
    pub version: Option<&'a str>,
    /// Whether the artifact starts its service by `bake-init`, which brings `_FILE` variables and files in.
    pub entrypoint: Entrypoint,
}

impl<'a> Deployment<'a> {
    /// Returns the values that reach the program one by one, in the order of the keys.
    pub fn deliveries(&self) -> Vec<Delivered<'a>> {
        self.schema.deliveries(self.settings)
    }

    /// Renders the files.
    pub fn files(&self) -> Result<Vec<RenderedFile>, Vec<Refusal>> {
        render(self.schema, self.settings)
            .map_err(|errors| errors.into_iter().map(Refusal::from).collect())
    }

    /// Returns the name of what is configured.
    pub fn name(&self) -> &'a str {
        &self.schema.service.name
    }
}

/// One file that a target gives.
#[derive(Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Where, relative to the output folder: no `.` or `..`, no `/` at its start.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Whether a secret is in it; then nobody but its owner may read it.
    pub secrecy: Secrecy,
    /// The bytes.
    pub contents: Zeroizing<Vec<u8>>,
}

impl OutputFile {
    /// Returns a file that anybody may read.
    pub fn open(path: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        let contents = Zeroizing::new(text.into());
        Self { path: path.into(), mode: 0o644, secrecy: Secrecy::Open, contents }
    }

    /// Returns a file that its owner alone may read.
    pub fn secret(path: impl Into<String>, contents: Zeroizing<Vec<u8>>) -> Self {
        Self { path: path.into(), mode: 0o600, secrecy: Secrecy::Secret, contents }
    }
}

impl fmt::Debug for OutputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, mode, secrecy, contents } = self;
        write!(f, "{path} {mode:04o} {secrecy:?} {} bytes", contents.len())
    }
}

/// Something that a target has no way to say. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Refusal {
    /// The key, or the path of a file.
    pub subject: String,
    /// Why not.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Refusal {
    /// Returns a refusal of a key or a file.
    pub fn new(
        subject: impl fmt::Display,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { subject: subject.to_string(), reason: reason.into(), hint: Some(hint.into()) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.subject, self.reason)
    }
}

impl From<RenderError> for Refusal {
    fn from(error: RenderError) -> Self {
        let hint = error.reference.as_ref().map(|(name, _)| {
            format!("deliver `{name}` as a variable or a file of its own, or give its value in this environment")
        });
        Self { subject: error.path, reason: error.reason, hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Kind, Pattern};
    use crate::name::Name;
    use crate::schema::Key;
    use crate::secret::Secret;
    use crate::settings::Given;

    fn digest(
        value: Given,
        environment: &str,
        key: Option<&DigestKey>,
    ) -> Result<ConfigDigest, NoDigestKey> {
        let mut schema = Schema::empty("app");
        let secrecy = Secrecy::Secret;
        let key_of = |secrecy| Key { secrecy, ..Key::new(Kind::String(Pattern::default())) };
        schema.keys.insert(Name::parse("A").unwrap(), key_of(secrecy));
        let settled = schema.settle([("A", value)]);
        assert_eq!(settled.faults, []);
        ConfigDigest::of(&schema, environment, &settled.settings, key)
    }

    #[test]
    fn a_digest_moves_with_everything_and_shows_no_secret() {
        let secret = |text: &str| Given::Secret(Secret::new(text.into()));
        let (one, other) = (DigestKey::new([1; 32]), DigestKey::new([2; 32]));
        let base = digest(secret("x"), "test", Some(&one)).unwrap();
        assert_eq!(digest(secret("x"), "test", Some(&one)).unwrap(), base);
        assert_ne!(digest(secret("y"), "test", Some(&one)).unwrap(), base);
        assert_ne!(digest(secret("x"), "prod", Some(&one)).unwrap(), base);
        assert_ne!(digest(secret("x"), "test", Some(&other)).unwrap(), base);
        assert_eq!(digest(secret("x"), "test", None), Err(NoDigestKey));
        assert_eq!((base.short().len(), base.hex().len()), (12, 64));
    }
}
