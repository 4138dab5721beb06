//! Signatures in OpenPGP (RFC 9580): who makes them is behind one trait, so that formats and
//! repositories need to know nothing of keys.
//!
//! | module | what |
//! |---|---|
//! | `date` | moments as people read them |
//! | `packets` | armor, and the packets within |
//! | `certificate` | what a public key says of itself: what it is for, and when |
//! | `choice` | which of several keys signs |
//! | `passphrase` | secrets, from where they are kept to the end of their use |
//! | `cleartext` | the cleartext signature framework |
//! | `key_file` | a signer with a secret key in a file |
//! | `command` | a signer behind a program, for smart cards, HSMs and key services |
//! | `keyring` | who made a signature |

mod certificate;
mod choice;
mod cleartext;
mod command;
mod date;
mod key_file;
mod keyring;
mod packets;
mod passphrase;
#[cfg(test)]
mod tests;
mod words;

use std::fmt::Debug;
use std::io::{self, Read};

pub use certificate::Certificate;
pub use command::{CommandOptions, SigningCommand};
pub use key_file::{KeyFile, KeyOptions};
pub use keyring::{Keyring, Outcome, Verdict, issuers};
pub use packets::armor;
pub use passphrase::Passphrase;

/// Makes OpenPGP signatures with one key.
///
/// Equal messages get equal signatures where the key's algorithm allows it: the time of a signature
/// is the bake's epoch, or the first moment after it at which the key is valid.
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

/// When a signature is made, and when it is checked whether its key may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time that signatures should have, in seconds since 1970.
    pub epoch: u32,
    /// The time at which they are really made: a key that has expired by now is refused.
    pub now: u32,
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
