//! The key of an environment's digests.
//!
//! A digest over a short secret can be guessed, so digests of configuration are keyed: by 32 random bytes for each
//! environment, which whoever can decrypt its secrets can decrypt too.

use std::fmt;

use bake_recipes::RecipeError;
use bake_recipes::environment::{Environment, EnvironmentName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use super::envelope::{self, Bound};
use super::fault::Fault;
use super::identities::Identities;
use super::recipients::RecipientList;

/// What an envelope has in place of a key's name, which is never spelled so.
pub(super) const BOUND_TO: &str = "digest-key";
/// Its length, in bytes.
const LEN: usize = 32;

/// The key of an environment's digests.
pub struct DigestKey(Zeroizing<[u8; LEN]>);

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey")
    }
}

impl DigestKey {
    /// Makes a new one.
    pub(super) fn random() -> Result<Self, Fault> {
        let mut key = Zeroizing::new([0; LEN]);
        let got = getrandom(&mut key[..], GetRandomFlags::empty());
        let got = got.map_err(|error| Fault::new(format!("no random bytes: {error}")))?;
        if got == LEN { Ok(Self(key)) } else { Err(Fault::new("too few random bytes")) }
    }

    /// Returns the bytes; whoever calls this answers for where they go.
    pub fn expose(&self) -> &[u8; LEN] {
        &self.0
    }

    /// Encrypts it for an environment.
    pub(super) fn seal(
        &self,
        name: &EnvironmentName,
        list: &RecipientList,
    ) -> Result<String, Fault> {
        let mut text = Zeroizing::new(String::with_capacity(2 * LEN));
        STANDARD.encode_string(&self.0[..], &mut text);
        envelope::seal(&text, Bound { environment: name, key: BOUND_TO }, list)
    }
}

/// Returns the key of an environment's digests; `None` if it has none yet.
pub fn digest_key(
    environment: &Environment,
    identities: &Identities,
) -> Result<Option<DigestKey>, RecipeError> {
    let Some(written) = &environment.digest_key else { return Ok(None) };
    let recipients = environment.recipients.iter().flat_map(|recipients| &recipients.list);
    let could: Vec<String> = recipients.map(|(text, _)| text.clone()).collect();
    let bound = Bound { environment: &environment.name, key: BOUND_TO };
    let opened = envelope::open(&written.age, bound, identities, &could).and_then(|opened| {
        let mut key = Zeroizing::new([0; LEN]);
        let decoded = STANDARD.decode_slice(opened.value.as_bytes(), &mut key[..]);
        let fits = decoded.is_ok_and(|len| len == LEN);
        if fits { Ok(DigestKey(key)) } else { Err(Fault::new("expected 32 bytes in base64")) }
    });
    opened.map(Some).map_err(|fault| fault.at(&written.place, "cannot unlock `digest-key`"))
}
