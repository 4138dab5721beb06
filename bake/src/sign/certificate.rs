//! What a public key says of itself: what it is for, and when (RFC 9580, 5.2.3 and 10.1).
//!
//! A key can sign at a moment if a self-signature that was made by then says so, no revocation
//! forbids it, and neither it nor its primary key has expired. Nothing counts that the key itself
//! has not signed.

use std::fmt;
use std::io::Read;

use pgp::composed::SignedPublicKey;
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    KeyFlags, RevocationCode, Signature, SignatureType as Type, SubpacketData, UserId,
};
use pgp::ser::Serialize;
use pgp::types::{
    Duration, EcdsaPublicParams, EddsaLegacyPublicParams, Fingerprint, KeyDetails, KeyVersion,
    PublicParams, SignatureBytes, Tag, Timestamp, VerifyingKey,
};
use rsa_bits::bits;

use super::date::Date;
use super::packets::armored;

/// A public key with its user ids, subkeys and what binds them.
#[derive(Debug, Clone)]
pub struct Certificate {
    key: SignedPublicKey,
}

/// One key of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Primary,
    /// The subkey of this number.
    Subkey(usize),
}

/// Why a key cannot sign at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfit {
    NotForSigning,
    Expired(u32),
    Revoked(u32),
    /// Nothing made by this moment binds the key.
    Unbound(u32),
    Weak(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForSigning => f.write_str("is not for signing"),
            Self::Expired(at) => write!(f, "expired on {}", Date(*at)),
            Self::Revoked(at) => write!(f, "was revoked on {}", Date(*at)),
            Self::Unbound(at) => write!(f, "has no self-signature in force on {}", Date(*at)),
            Self::Weak(reason) => f.write_str(reason),
        }
    }
}

impl Certificate {
    pub(super) fn new(key: SignedPublicKey) -> Self {
        Self { key }
    }

    /// Returns the fingerprint of the primary key, in upper-case hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        hex(&self.key.primary_key.fingerprint())
    }

    /// Returns the user id: the primary one, else the first.
    pub fn user_id(&self) -> Option<String> {
        let users = &self.key.details.users;
        let is_primary = |id: &UserId| {
            self.certifications(id, u32::MAX).next_back().is_some_and(Signature::is_primary)
        };
        let user = users.iter().find(|user| is_primary(&user.id)).or(users.first())?;
        Some(String::from_utf8_lossy(user.id.id()).into_owned())
    }

    /// Returns the certificate in ASCII armor.
    pub fn armored(&self) -> Result<String, String> {
        let bytes = self.key.to_bytes().map_err(|error| error.to_string())?;
        Ok(armored(&bytes, pgp::armor::BlockType::PublicKey))
    }

    /// Returns all keys, the primary one first.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        std::iter::once(Part::Primary).chain((0..self.key.public_subkeys.len()).map(Part::Subkey))
    }

    pub(super) fn details(&self, part: Part) -> &dyn KeyDetails {
        match part {
            Part::Primary => &self.key.primary_key,
            Part::Subkey(number) => &self.key.public_subkeys[number].key,
        }
    }

    /// Returns the fingerprint of a key, in upper-case hexadecimal digits.
    pub(super) fn fingerprint_of(&self, part: Part) -> String {
        hex(&self.details(part).fingerprint())
    }

    /// Returns when a key was made.
    pub(super) fn created(&self, part: Part) -> u32 {
        self.details(part).created_at().as_secs()
    }

    /// Checks the mathematics of a signature: that it was made with a key over a digest.
    pub(super) fn verify(
        &self,
        part: Part,
        hash: HashAlgorithm,
        digest: &[u8],
        signature: &SignatureBytes,
    ) -> pgp::errors::Result<()> {
        match part {
            Part::Primary => self.key.primary_key.verify(hash, digest, signature),
            Part::Subkey(number) => {
                self.key.public_subkeys[number].key.verify(hash, digest, signature)
            }
        }
    }

    /// Checks that a signature was made with a key over a message, whatever the time.
    pub(super) fn check_signature(
        &self,
        part: Part,
        signature: &Signature,
        message: impl Read,
    ) -> pgp::errors::Result<()> {
        match part {
            Part::Primary => signature.verify(&self.key.primary_key, message),
            Part::Subkey(number) => signature.verify(&self.key.public_subkeys[number].key, message),
        }
    }

    /// Checks that a key can sign at a moment.
    pub(super) fn check(&self, part: Part, at: u32) -> Result<(), Unfit> {
        weakness(self.details(part)).map_or(Ok(()), |reason| Err(Unfit::Weak(reason)))?;
        self.check_primary(at)?;
        let flags = match part {
            Part::Primary => self.says(at, flags),
            Part::Subkey(number) => self.check_subkey(number, at)?,
        };
        // A key that does not say what it is for is for everything that its algorithm can do.
        if flags.is_none_or(|flags| flags.sign()) { Ok(()) } else { Err(Unfit::NotForSigning) }
    }

    /// Returns the first moment from `from` on at which a key can sign.
    ///
    /// It is a moment at which the key or a self-signature was made, if not `from` itself.
    pub(super) fn first_moment(&self, part: Part, from: u32) -> Result<u32, Unfit> {
        let start = from.max(self.created(part)).max(self.created(Part::Primary));
        let bindings = match part {
            Part::Primary => [].as_slice(),
            Part::Subkey(number) => &self.key.public_subkeys[number].signatures,
        };
        let details = &self.key.details;
        let own = details.users.iter().flat_map(|user| &user.signatures);
        let own = own.chain(&details.direct_signatures).chain(bindings);
        let mut moments: Vec<u32> = own.map(made).filter(|made| *made > start).collect();
        moments.push(start);
        moments.sort_unstable();
        let mut first = None;
        for moment in moments {
            match self.check(part, moment) {
                Ok(()) => return Ok(moment),
                Err(unfit) => first = first.or(Some(unfit)),
            }
        }
        Err(first.unwrap_or(Unfit::Unbound(start)))
    }

    fn check_primary(&self, at: u32) -> Result<(), Unfit> {
        let primary = &self.key.primary_key;
        let revocations = self.key.details.revocation_signatures.iter();
        let revoked =
            revocations.filter(|s| is(s, Type::KeyRevocation) && proves(s.verify_key(primary)));
        if let Some(since) = revocation(revoked, at) {
            return Err(Unfit::Revoked(since));
        }
        if self.own_signatures(at).is_empty() {
            return Err(Unfit::Unbound(at));
        }
        let lifetime = self.says(at, lifetime);
        check_expiry(self.created(Part::Primary), lifetime, at)
    }

    /// Checks a subkey besides its primary key; returns what it is for.
    fn check_subkey(&self, number: usize, at: u32) -> Result<Option<KeyFlags>, Unfit> {
        let (primary, subkey) = (&self.key.primary_key, &self.key.public_subkeys[number]);
        let proven =
            |signature: &&Signature| proves(signature.verify_subkey_binding(primary, &subkey.key));
        let revoked = subkey.signatures.iter().filter(|s| is(s, Type::SubkeyRevocation));
        if let Some(since) = revocation(revoked.filter(proven), at) {
            return Err(Unfit::Revoked(since));
        }
        let bindings = subkey.signatures.iter().filter(|s| is(s, Type::SubkeyBinding));
        let by_then = bindings.filter(|s| is_in_force(s, at)).filter(proven);
        let binding = by_then.max_by_key(|s| made(s)).ok_or(Unfit::Unbound(at))?;
        check_expiry(self.created(Part::Subkey(number)), lifetime(binding), at)?;
        let flags = flags(binding);
        if flags.as_ref().is_some_and(KeyFlags::sign) {
            // The subkey must say itself that it belongs to the primary key: else anybody could
            // claim the signatures of anybody's key.
            let back = binding.embedded_signature().ok_or(Unfit::Unbound(at))?;
            if !proves(back.verify_primary_key_binding(&subkey.key, primary)) {
                return Err(Unfit::Unbound(at));
            }
            return Ok(flags);
        }
        Err(Unfit::NotForSigning)
    }

    /// Returns the certifications of a user id by its own key until a moment, oldest first; none if
    /// the last word is a revocation.
    fn certifications(&self, id: &UserId, at: u32) -> impl DoubleEndedIterator<Item = &Signature> {
        let primary = &self.key.primary_key;
        let users = self.key.details.users.iter().filter(|user| user.id == *id);
        let mut own: Vec<&Signature> = users
            .flat_map(|user| &user.signatures)
            .filter(|s| is_in_force(s, at))
            .filter(|s| proves(s.verify_certification(primary, Tag::UserId, id)))
            .collect();
        own.sort_by_key(|s| made(s));
        if own.last().is_some_and(|s| is(s, Type::CertRevocation)) {
            own.clear();
        }
        own.retain(|s| !is(s, Type::CertRevocation));
        own.into_iter()
    }

    /// Returns the self-signatures that speak for the primary key at a moment, the first first.
    ///
    /// That is the certification of the primary or newest user id, then the newest direct
    /// signature; the other way round for keys of version 6.
    fn own_signatures(&self, at: u32) -> Vec<&Signature> {
        let details = &self.key.details;
        let certified = details.users.iter();
        let certified = certified.filter_map(|user| self.certifications(&user.id, at).next_back());
        let certified = certified.max_by_key(|s| (s.is_primary(), made(s)));
        let direct = details.direct_signatures.iter();
        let direct = direct.filter(|s| is(s, Type::Key) && is_in_force(s, at));
        let direct = direct.filter(|s| proves(s.verify_key(&self.key.primary_key)));
        let direct = direct.max_by_key(|s| made(s));
        match self.key.primary_key.version() {
            KeyVersion::V6 => direct.into_iter().chain(certified).collect(),
            _ => certified.into_iter().chain(direct).collect(),
        }
    }

    /// Returns what the self-signatures say at a moment.
    fn says<T>(&self, at: u32, ask: impl Fn(&Signature) -> Option<T>) -> Option<T> {
        self.own_signatures(at).into_iter().find_map(ask)
    }
}

/// Returns a fingerprint in upper-case hexadecimal digits.
pub(super) fn hex(fingerprint: &Fingerprint) -> String {
    format!("{fingerprint:X}")
}

/// Returns what is wrong with a key that no moment mends.
fn weakness(key: &dyn KeyDetails) -> Option<String> {
    match key.public_params() {
        PublicParams::RSA(rsa) => {
            let bits = bits(rsa);
            (bits < 2048).then(|| format!("is RSA of {bits} bits, expected 2048 or more"))
        }
        PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Ed25519 { .. })
        | PublicParams::Ed25519(_)
        | PublicParams::ECDSA(
            EcdsaPublicParams::P256 { .. }
            | EcdsaPublicParams::P384 { .. }
            | EcdsaPublicParams::P521 { .. },
        ) => None,
        _ => Some(format!(
            "is {:?}, expected one of RSA, Ed25519 and ECDSA with a curve of NIST's",
            key.algorithm()
        )),
    }
}

fn is(signature: &Signature, kind: Type) -> bool {
    signature.typ() == Some(kind)
}

/// A signature that does not verify is as good as none.
#[expect(clippy::needless_pass_by_value, reason = "it is the outcome of the call around")]
fn proves(outcome: pgp::errors::Result<()>) -> bool {
    outcome.is_ok()
}

fn made(signature: &Signature) -> u32 {
    signature.created().map_or(0, Timestamp::as_secs)
}

fn is_in_force(signature: &Signature, at: u32) -> bool {
    let lifetime = signature.signature_expiration_time().map_or(0, Duration::as_secs);
    let ends = if lifetime == 0 { u32::MAX } else { made(signature).saturating_add(lifetime) };
    made(signature) <= at && (lifetime == 0 || at < ends)
}

/// Returns since when a key is revoked, if it is at a moment.
///
/// A key that may have been in other hands is revoked for all time: its signatures prove nothing,
/// whatever date they bear.
fn revocation<'a>(revocations: impl Iterator<Item = &'a Signature>, at: u32) -> Option<u32> {
    let gentle = |signature: &Signature| {
        matches!(
            signature.revocation_reason_code(),
            Some(RevocationCode::KeySuperseded | RevocationCode::KeyRetired)
        )
    };
    revocations.filter(|s| !gentle(s) || made(s) <= at).map(made).min()
}

fn check_expiry(created: u32, lifetime: Option<u32>, at: u32) -> Result<(), Unfit> {
    match lifetime {
        Some(lifetime) if lifetime > 0 && at >= created.saturating_add(lifetime) => {
            Err(Unfit::Expired(created.saturating_add(lifetime)))
        }
        _ => Ok(()),
    }
}

fn lifetime(signature: &Signature) -> Option<u32> {
    signature.key_expiration_time().map(Duration::as_secs)
}

fn flags(signature: &Signature) -> Option<KeyFlags> {
    signature.config()?.hashed_subpackets().find_map(|subpacket| match &subpacket.data {
        SubpacketData::KeyFlags(flags) => Some(flags.clone()),
        _ => None,
    })
}

/// The size of RSA keys, from their serialised form: the crate of their type is not ours.
mod rsa_bits {
    use pgp::ser::Serialize;
    use pgp::types::RsaPublicParams;

    /// Returns the size of the modulus, which comes first, as a number with its length in bits.
    pub(super) fn bits(key: &RsaPublicParams) -> u16 {
        let bytes = key.to_bytes().unwrap_or_default();
        bytes.first_chunk::<2>().map_or(0, |length| u16::from_be_bytes(*length))
    }
}
