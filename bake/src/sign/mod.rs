//! Signatures in OpenPGP (RFC 9580): who makes them is behind one trait, so that formats and
//! repositories need to know nothing of keys.

use std::fmt::Debug;
use std::io::{self, Read};

/// Makes OpenPGP signatures with one key.
///
/// Equal messages get equal signatures where the key's algorithm allows it: the time of a signature
/// is the bake's epoch, or that of the key if the key is younger.
pub trait Signer: Debug + Send + Sync {
    /// Returns the fingerprint of the key that signs, in upper-case hexadecimal digits.
    fn fingerprint(&self) -> &str;

    /// Returns a detached signature over the bytes of a message: one binary signature packet.
    fn sign(&self, message: &mut dyn Read) -> Result<Vec<u8>, SignError>;

    /// Returns a text with its signature in the cleartext signature framework (RFC 9580, 7), as
    /// apt's `InRelease` has it.
    fn sign_cleartext(&self, text: &str) -> Result<String, SignError>;

    /// Returns the certificate, armored, for those who verify.
    fn certificate(&self) -> Result<String, SignError>;
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
#[must_use]
pub enum SignError {
    /// The key cannot be used: it is not there, malformed, locked, expired or not for signing.
    #[error("{key}: {reason}")]
    Key {
        /// Where the key is from, never the key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// An external command failed or said something unusable.
    #[error("the signing command `{command}`: {reason}")]
    Command {
        /// The program, without its arguments.
        command: String,
        /// What is wrong.
        reason: String,
    },
    /// What is to be signed could not be read.
    #[error("reading what is to be signed")]
    Io(#[from] io::Error),
}
