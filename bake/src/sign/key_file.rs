//! A signer with a secret key in a file.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use pgp::composed::{Deserializable, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    Packet, PacketTrait, SecretKey, SecretSubkey, Signature, SignatureConfig, SignatureType,
    Subpacket, SubpacketData,
};
use pgp::types::{
    KeyDetails, KeyVersion, Password, S2kParams, SecretParams, StringToKey, Tag, Timestamp,
};

use super::certificate::{Certificate, Part};
use super::choice::{Choice, choose};
use super::passphrase::{Passphrase, key_bytes};
use super::{Moment, SignError, Signer, cleartext, packets};

/// The hash of every signature made with a key file: gpg, rpm and apt have it at any age.
const HASH: HashAlgorithm = HashAlgorithm::Sha512;
/// The salt that a signature of version 6 with SHA-512 has (RFC 9580, 9.5).
const SALT: usize = 32;

/// How to open a key file.
#[derive(Debug, Clone, Copy)]
pub struct KeyOptions<'a> {
    /// The fingerprint or the long id of the key to sign with, or of its primary key.
    pub key_id: Option<&'a str>,
    /// What unlocks the key, if it is locked.
    pub passphrase: Option<&'a Passphrase>,
    /// When it signs.
    pub moment: Moment,
}

/// A secret key, unlocked; it is wiped from memory when it is dropped and never shown.
pub struct KeyFile {
    place: String,
    secret: Secret,
    fingerprint: String,
    certificate: Certificate,
    time: u32,
}

enum Secret {
    Primary(SecretKey),
    Subkey(SecretSubkey),
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl KeyFile {
    /// Reads a transferable secret key, armored or binary, and unlocks the key that is to sign.
    ///
    /// Of several keys in the file that is the newest subkey that can sign, else the primary key.
    pub fn open(path: &Path, options: &KeyOptions<'_>) -> Result<Self, SignError> {
        let place = format!("the key file `{}`", path.display());
        let fail = |reason: String| SignError::Key { key: place.clone(), reason };
        let keys = secret_keys(&key_bytes(path)?).map_err(fail)?;
        let candidates: Vec<Candidate<'_>> = keys.iter().flat_map(Candidate::all).collect();
        if candidates.is_empty() {
            let hint = "it was exported without, or is on a smart card; use --sign-command then";
            return Err(fail(format!("it has the secret part of no key: {hint}")));
        }
        let offered = candidates.iter().map(|candidate| (&candidate.certificate, candidate.part));
        let choice = choose(&offered.collect::<Vec<_>>(), options.key_id, options.moment);
        let Choice { number, time } = choice.map_err(fail)?;
        let chosen = &candidates[number];
        let fingerprint = chosen.fingerprint();
        let secret = chosen.unlock(options.passphrase).map_err(|reason| SignError::Key {
            key: format!("the key {fingerprint} of `{}`", path.display()),
            reason,
        })?;
        let certificate = chosen.certificate.clone();
        let signer = Self { place, secret, fingerprint, certificate, time };
        signer.try_out(chosen.part)?;
        Ok(signer)
    }

    /// Signs something and checks it, because a secret part need not belong to its public part.
    fn try_out(&self, part: Part) -> Result<(), SignError> {
        let signature = self.make(SignatureType::Binary, &mut &b"bake"[..])?;
        if self.certificate.check_signature(part, &signature, &b"bake"[..]).is_ok() {
            return Ok(());
        }
        Err(self.fail("its secret part does not belong to its public part"))
    }

    fn make(&self, kind: SignatureType, message: &mut dyn Read) -> Result<Signature, SignError> {
        let key: &dyn KeyDetails = match &self.secret {
            Secret::Primary(key) => key,
            Secret::Subkey(key) => key,
        };
        let config = config(kind, key, self.time)?;
        let broken = |error| self.fail(packets::plain(&error));
        let mut hasher = config.into_hasher().map_err(broken)?;
        io::copy(message, &mut hasher)?;
        let unlocked = Password::empty();
        let signature = match &self.secret {
            Secret::Primary(key) => hasher.sign(key, &unlocked),
            Secret::Subkey(key) => hasher.sign(key, &unlocked),
        };
        signature.map_err(|_| self.fail("it cannot make a signature"))
    }

    fn fail(&self, reason: &str) -> SignError {
        SignError::Key { key: self.place.clone(), reason: reason.into() }
    }
}

impl Signer for KeyFile {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn sign(&self, message: &mut dyn Read) -> Result<Vec<u8>, SignError> {
        let signature = self.make(SignatureType::Binary, message)?;
        packets::to_bytes(&signature).map_err(|reason| self.fail(&reason))
    }

    fn sign_cleartext(&self, text: &str) -> Result<String, SignError> {
        let canonical = cleartext::canonical(text)?;
        let signature = self.make(SignatureType::Text, &mut canonical.as_bytes())?;
        let signature = packets::to_bytes(&signature).map_err(|reason| self.fail(&reason))?;
        Ok(cleartext::frame(text, &HASH.to_string(), &signature))
    }

    fn certificate(&self) -> Result<String, SignError> {
        self.certificate.armored().map_err(|reason| self.fail(&reason))
    }
}

/// Returns what a signature says of itself. Version 6 wants a salt, so that no two are equal.
fn config(kind: SignatureType, key: &dyn KeyDetails, time: u32) -> io::Result<SignatureConfig> {
    let subpacket = |data| Subpacket::regular(data).map_err(io::Error::other);
    let mut config = if key.version() == KeyVersion::V6 {
        let mut salt = vec![0; SALT];
        rustix::rand::getrandom(&mut salt[..], rustix::rand::GetRandomFlags::empty())?;
        SignatureConfig::v6_with_salt(kind, key.algorithm(), HASH, salt)
    } else {
        let mut config = SignatureConfig::v4(kind, key.algorithm(), HASH);
        // Where gpg has it, because rpm before 4.17 looks nowhere else.
        let issuer = SubpacketData::IssuerKeyId(key.legacy_key_id());
        config.unhashed_subpackets = vec![subpacket(issuer)?];
        config
    };
    config.hashed_subpackets = vec![
        subpacket(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
        subpacket(SubpacketData::SignatureCreationTime(Timestamp::from_secs(time)))?,
    ];
    Ok(config)
}

/// Returns the secret keys of a file.
fn secret_keys(bytes: &[u8]) -> Result<Vec<SignedSecretKey>, String> {
    let packets = packets::packets(bytes)?;
    if !packets.iter().any(|packet| packet.tag() == Tag::SecretKey) {
        let has_public = packets.iter().any(|packet| packet.tag() == Tag::PublicKey);
        let found = if has_public { "a public key" } else { "other packets" };
        return Err(format!("expected a secret key, found {found}"));
    }
    let packets: Vec<Result<Packet, _>> = packets.into_iter().map(Ok).collect();
    SignedSecretKey::from_packets(packets.into_iter().peekable())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("not a transferable secret key: {}", packets::plain(&error)))
}

/// A key whose secret part is in the file.
struct Candidate<'a> {
    key: &'a SignedSecretKey,
    /// The secret subkey of this number, or the primary key.
    subkey: Option<usize>,
    certificate: Certificate,
    part: Part,
}

impl<'a> Candidate<'a> {
    fn all(key: &'a SignedSecretKey) -> Vec<Self> {
        let certificate = Certificate::new(key.to_public_key());
        let has_secret = |secret: &SecretParams| !is_stub(secret);
        let mut candidates = Vec::new();
        if has_secret(key.primary_key.secret_params()) {
            let certificate = certificate.clone();
            candidates.push(Self { key, subkey: None, certificate, part: Part::Primary });
        }
        for (number, subkey) in key.secret_subkeys.iter().enumerate() {
            if has_secret(subkey.key.secret_params()) {
                // The certificate lists subkeys without a secret part before those with one.
                let part = Part::Subkey(key.public_subkeys.len() + number);
                let certificate = certificate.clone();
                candidates.push(Self { key, subkey: Some(number), certificate, part });
            }
        }
        candidates
    }

    fn fingerprint(&self) -> String {
        self.certificate.fingerprint_of(self.part)
    }

    /// Returns the secret key, unlocked.
    fn unlock(&self, passphrase: Option<&Passphrase>) -> Result<Secret, String> {
        let secret = match self.subkey {
            None => self.key.primary_key.secret_params(),
            Some(number) => self.key.secret_subkeys[number].key.secret_params(),
        };
        let password = match (secret.is_encrypted(), passphrase) {
            (false, _) => None,
            (true, Some(passphrase)) => Some(passphrase.password()),
            (true, None) => {
                let hint = "give its passphrase with --passphrase-file or --passphrase-fd";
                return Err(format!("it is locked; {hint}"));
            }
        };
        let wrong = |_| "the passphrase does not unlock it".to_owned();
        match self.subkey {
            None => {
                let mut key = self.key.primary_key.clone();
                password
                    .map_or(Ok(()), |password| key.remove_password(&password))
                    .map_err(wrong)?;
                Ok(Secret::Primary(key))
            }
            Some(number) => {
                let mut key = self.key.secret_subkeys[number].key.clone();
                password
                    .map_or(Ok(()), |password| key.remove_password(&password))
                    .map_err(wrong)?;
                Ok(Secret::Subkey(key))
            }
        }
    }
}

/// gpg writes stubs for secret parts that are elsewhere: offline, or on a smart card.
fn is_stub(secret: &SecretParams) -> bool {
    let SecretParams::Encrypted(locked) = secret else { return false };
    match locked.string_to_key_params() {
        S2kParams::Cfb { s2k, .. }
        | S2kParams::MalleableCfb { s2k, .. }
        | S2kParams::Aead { s2k, .. } => {
            matches!(s2k, StringToKey::Private { .. } | StringToKey::Other { .. })
        }
        S2kParams::Unprotected | S2kParams::LegacyCfb { .. } => false,
    }
}
