//! Who made a signature.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use pgp::composed::{Deserializable, SignedPublicKey, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Packet, PacketTrait, Signature, SignatureType};
use pgp::types::{Duration, Tag, Timestamp};
use serde::Serialize;

use super::certificate::{Certificate, Part, hex};
use super::choice::KeyId;
use super::date::Date;
use super::passphrase::key_bytes;
use super::{SignError, packets};

/// Certificates of those whose signatures count.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    certificates: Vec<Certificate>,
}

/// What is known of a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether it holds.
    pub outcome: Outcome,
    /// The fingerprint of the key that made it, or what the signature says of it.
    pub key: Option<String>,
    /// The fingerprint of the primary key, if the key is known.
    pub certificate: Option<String>,
    /// The user id of the certificate, if the key is known.
    pub user_id: Option<String>,
    /// When it was made, as it says itself, in seconds since 1970.
    pub time: Option<u32>,
    /// The hash it was made with, e.g. `SHA512`.
    pub hash: Option<String>,
    /// Why it does not hold, or what else is to be known.
    pub reason: Option<String>,
}

/// Whether a signature holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A known key made it over these bytes when it was allowed to.
    Good,
    /// The keyring does not have the key, so that nothing can be said.
    UnknownKey,
    /// It is not over these bytes, or must not count.
    Bad,
}

impl Verdict {
    /// Returns what the signature says of itself: who made it, when, with which hash.
    pub fn claim(&self) -> String {
        let user_id = self.user_id.as_ref().map(|user_id| {
            let plain: String = user_id.chars().filter(|c| !c.is_control()).collect();
            format!("\"{plain}\"")
        });
        let time = self.time.map(|time| Date(time).to_string());
        let facts = [self.key.clone(), user_id, time, self.hash.clone(), self.reason.clone()];
        facts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.outcome, self.claim())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::UnknownKey => "unknown key",
            Self::Bad => "BAD",
        })
    }
}

impl Keyring {
    /// Reads files of certificates, armored or binary, any number of them in each.
    pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Self, SignError> {
        let mut certificates = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let found = read(&key_bytes(path)?).map_err(|reason| SignError::Key {
                key: format!("the certificate `{}`", path.display()),
                reason,
            })?;
            certificates.extend(found);
        }
        Ok(Self { certificates })
    }

    /// Returns the certificates.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Checks every signature of some packets over a message that can be read again and again.
    ///
    /// `now` tells which keys have expired since. Errors are those of reading the message.
    pub fn check<'m>(
        &self,
        signature: &[u8],
        now: u32,
        open: &dyn Fn() -> io::Result<Box<dyn Read + 'm>>,
    ) -> io::Result<Vec<Verdict>> {
        match packets::signatures(signature) {
            Ok(signatures) => {
                signatures.iter().map(|signature| self.check_one(signature, now, open)).collect()
            }
            Err(reason) => Ok(vec![Verdict {
                outcome: Outcome::Bad,
                key: None,
                certificate: None,
                user_id: None,
                time: None,
                hash: None,
                reason: Some(reason),
            }]),
        }
    }

    fn check_one<'m>(
        &self,
        signature: &Signature,
        now: u32,
        open: &dyn Fn() -> io::Result<Box<dyn Read + 'm>>,
    ) -> io::Result<Verdict> {
        let mut verdict = Verdict {
            outcome: Outcome::UnknownKey,
            key: issuer(signature),
            certificate: None,
            user_id: None,
            time: signature.created().map(Timestamp::as_secs),
            hash: signature.hash_alg().map(|hash| hash.to_string()),
            reason: None,
        };
        let Some((certificate, part)) = self.find(verdict.key.as_deref()) else {
            return Ok(verdict);
        };
        verdict.key = Some(certificate.fingerprint_of(part));
        verdict.certificate = Some(certificate.fingerprint());
        verdict.user_id = certificate.user_id();
        let mut message = Reading { inner: open()?, failed: None };
        let verified = certificate.check_signature(part, signature, &mut message);
        if let Some(error) = message.failed {
            return Err(error);
        }
        verdict.outcome = Outcome::Bad;
        if verified.is_err() {
            verdict.reason = Some("it was not made over these bytes".into());
        } else if let Err(reason) = policy(certificate, part, signature, now) {
            verdict.reason = Some(reason);
        } else {
            verdict.outcome = Outcome::Good;
            // Signatures outlive their keys; that a key has gone since is worth a word.
            let since = certificate.check(part, now).err();
            verdict.reason = since.map(|unfit| format!("the key {unfit}"));
        }
        Ok(verdict)
    }

    fn find(&self, issuer: Option<&str>) -> Option<(&Certificate, Part)> {
        let id = KeyId::exactly(issuer?);
        self.certificates
            .iter()
            .flat_map(|certificate| certificate.parts().map(move |part| (certificate, part)))
            .find(|(certificate, part)| id.names(certificate, *part))
    }
}

/// Returns who made the signatures of some packets, as they say themselves; nobody if they are none.
pub fn issuers(signature: &[u8]) -> Vec<String> {
    let signatures = packets::signatures(signature).unwrap_or_default();
    signatures.iter().filter_map(issuer).collect()
}

/// Returns whom a signature says it is from: a fingerprint, else a key id.
pub(super) fn issuer(signature: &Signature) -> Option<String> {
    if let Some(fingerprint) = signature.issuer_fingerprint().first() {
        return Some(hex(fingerprint));
    }
    signature.issuer_key_id().first().map(|id| id.to_string().to_ascii_uppercase())
}

/// What a signature must be besides correct.
fn policy(
    certificate: &Certificate,
    part: Part,
    signature: &Signature,
    now: u32,
) -> Result<(), String> {
    match signature.hash_alg() {
        Some(
            HashAlgorithm::Sha256
            | HashAlgorithm::Sha384
            | HashAlgorithm::Sha512
            | HashAlgorithm::Sha224
            | HashAlgorithm::Sha3_256
            | HashAlgorithm::Sha3_512,
        ) => {}
        hash => {
            let hash = hash.map(|hash| hash.to_string()).unwrap_or_default();
            return Err(format!("it was made with {hash}, which is too weak"));
        }
    }
    if signature.typ() != Some(SignatureType::Binary) {
        return Err("it is not a signature over binary data (type 0x00)".into());
    }
    let made = signature.created().ok_or("it does not say when it was made")?.as_secs();
    if made > now.saturating_add(CLOCK_DRIFT) {
        return Err(format!("it is dated {}, which is yet to come", Date(made)));
    }
    let lifetime = signature.signature_expiration_time().map_or(0, Duration::as_secs);
    if lifetime > 0 && now >= made.saturating_add(lifetime) {
        return Err(format!("it expired on {}", Date(made.saturating_add(lifetime))));
    }
    certificate.check(part, made).map_err(|unfit| {
        format!("when it was made, on {}, the key was not to sign: it {unfit}", Date(made))
    })
}

/// As much as the clock of a signer may be ahead: a day, in seconds.
const CLOCK_DRIFT: u32 = 86_400;

fn read(bytes: &[u8]) -> Result<Vec<Certificate>, String> {
    let packets = packets::packets(bytes)?;
    let is_primary = |packet: &Packet| matches!(packet.tag(), Tag::PublicKey | Tag::SecretKey);
    if !packets.first().is_some_and(is_primary) {
        return Err("expected a public key".into());
    }
    let mut groups: Vec<Vec<Packet>> = Vec::new();
    for packet in packets {
        if is_primary(&packet) {
            groups.push(Vec::new());
        }
        groups.last_mut().expect("the first packet is a key").push(packet);
    }
    groups.into_iter().map(certificate).collect()
}

fn certificate(group: Vec<Packet>) -> Result<Certificate, String> {
    let is_secret = group.first().is_some_and(|packet| packet.tag() == Tag::SecretKey);
    let packets = group.into_iter().map(Ok).peekable();
    let broken = |error: pgp::errors::Error| format!("broken: {}", super::packets::plain(&error));
    let key = if is_secret {
        // Somebody's own key file will do, for its public parts.
        let key = SignedSecretKey::from_packets(packets).next().transpose().map_err(broken)?;
        key.map(|key| key.to_public_key())
    } else {
        SignedPublicKey::from_packets(packets).next().transpose().map_err(broken)?
    };
    key.map(Certificate::new).ok_or_else(|| "expected a public key".into())
}

/// Keeps the error of a reader apart from the verdict on what it read.
struct Reading<'m> {
    inner: Box<dyn Read + 'm>,
    failed: Option<io::Error>,
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }
}
