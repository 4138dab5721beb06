//! Signatures as text: apt and zypper take no binary ones.

use std::io::Cursor;

use pgp::composed::{ArmorOptions, Deserializable as _, DetachedSignature};

use crate::error::Error;
use crate::repository::refuse;

/// Returns a detached signature with its armor (RFC 9580, 6).
pub(super) fn armored(signature: &[u8]) -> Result<String, Error> {
    let fail = |error: pgp::errors::Error| refuse("signature", error.to_string());
    let signature = DetachedSignature::from_bytes(Cursor::new(signature)).map_err(fail)?;
    signature.to_armored_string(ArmorOptions::default()).map_err(fail)
}
