//! Who can decrypt.

use std::collections::BTreeMap;
use std::fmt;

use bake_formats::digest::Digest;
use bake_recipes::RecipeError;
use bake_recipes::environment::Recipients;

use super::fault::Fault;

/// How many digits of a digest name a list of recipients.
const FINGERPRINT_LEN: usize = 32;

/// A public key that age encrypts to.
pub struct Recipient {
    /// The key in its one spelling, without a comment.
    text: String,
    key: Box<dyn age::Recipient + Send>,
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Recipient {
    /// Reads a recipient: `age1…`, or the public key of an SSH key.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.starts_with("ssh-") {
            let key: age::ssh::Recipient = text.parse().map_err(|_| {
                Fault::new("this is no public key of SSH that age encrypts to").hint(
                    "expected a line of `ssh-keygen -t ed25519`, or ssh-rsa with 2048 bits or more",
                )
            })?;
            return Ok(Self { text: key.to_string(), key: Box::new(key) });
        }
        let key: age::x25519::Recipient = text.parse().map_err(|_| {
            let fault = Fault::new("this is no recipient of age");
            // `age1NAME1…` is a recipient of the plugin NAME.
            match text.strip_prefix("age1").and_then(|rest| rest.rsplit_once('1')) {
                Some((plugin, _)) if !plugin.is_empty() => fault.hint(
                    "recipients of age's plugins are not supported: nothing here talks to them",
                ),
                _ => fault.hint(
                    "expected `age1…` as `age-keygen -y` prints it, `ssh-ed25519 …` or `ssh-rsa …`",
                ),
            }
        })?;
        Ok(Self { text: key.to_string(), key: Box::new(key) })
    }

    /// Returns the key in its one spelling.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The recipients of an environment, each once.
#[derive(Debug)]
pub struct RecipientList(BTreeMap<String, Recipient>);

impl RecipientList {
    /// Reads the recipients that an environment lists; the error is at the line of the first that is none.
    pub fn of(written: &Recipients) -> Result<Self, RecipeError> {
        let mut all = BTreeMap::new();
        for (text, place) in &written.list {
            let recipient =
                Recipient::parse(text).map_err(|fault| fault.at(place, "cannot encrypt"))?;
            all.insert(recipient.text.clone(), recipient);
        }
        Ok(Self(all))
    }

    /// Returns the keys as age takes them.
    pub(super) fn keys(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.0.values().map(|recipient| &*recipient.key as &dyn age::Recipient)
    }

    /// Returns what names this list: a part of the digest of the sorted recipients.
    pub fn fingerprint(&self) -> String {
        let all: Vec<_> = self.0.keys().map(String::as_str).collect();
        let digest = Digest::of(all.join("\n").as_bytes()).to_string();
        let digits = digest.rsplit_once(':').map_or(digest.as_str(), |(_, digits)| digits);
        digits.chars().take(FINGERPRINT_LEN).collect()
    }
}
