//! A manifest as it comes from a registry, checked in every way that there is.

use std::io::Read;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::Descriptor;

use super::action::Action;
use super::call::Answer;
use super::error::{Fault, RegistryError};
use super::shape::Shape;
use super::stated;
use super::which::Which;

/// The longest manifest that is read; registries take none longer (distribution-spec, "Pushing
/// Manifests": at least 4 MiB).
pub const MAX_MANIFEST: u64 = 4 << 20;

/// A manifest or an index as a registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its media type, digest and size.
    pub descriptor: Descriptor,
    /// Its bytes, which have that digest.
    pub bytes: Vec<u8>,
}

impl Document {
    /// Reads a manifest's bytes and checks everything that can be checked of them.
    pub(super) fn receive(
        action: &Action,
        which: Which<'_>,
        answer: Answer,
    ) -> Result<Self, RegistryError> {
        let stated_digest = stated::digest(&answer);
        let content_type = answer.headers.get("Content-Type").map(str::to_owned);
        let bytes = receive_whole(action, answer, MAX_MANIFEST)?;
        let blob = Blob::of(&bytes);
        expect_digest(action, which, blob.digest, "the bytes received have")?;
        if let Some(stated) = stated_digest.filter(|stated| *stated != blob.digest) {
            return Err(action.mismatch(format!(
            "expected {stated} as the header `Docker-Content-Digest` says, but the bytes received \
             have {}",
            blob.digest
        )));
        }
        let judged = Shape::parse(&bytes).and_then(|shape| shape.judge(content_type.as_deref()));
        let media_type = judged.map_err(|reason| {
            let hint = "if it is old, push the image again with a current tool";
            let is_old = reason.contains("schema 1");
            let error = action.protocol(reason);
            if is_old { RegistryError { hint: Some(hint.to_owned()), ..error } } else { error }
        })?;
        Ok(Self { descriptor: Descriptor::new(media_type, blob), bytes })
    }
}

/// Fails if a manifest that is asked for by digest has another.
pub(super) fn expect_digest(
    action: &Action,
    which: Which<'_>,
    found: Digest,
    whose: &str,
) -> Result<(), RegistryError> {
    match which {
        Which::Digest(expected) if expected != found => {
            Err(action.mismatch(format!("expected {expected}, but {whose} {found}")))
        }
        Which::Digest(_) | Which::Tag(_) => Ok(()),
    }
}

/// Reads a body of at most `limit` bytes.
pub(super) fn receive_whole(
    action: &Action,
    answer: Answer,
    limit: u64,
) -> Result<Vec<u8>, RegistryError> {
    let expected = stated::length(&answer);
    let too_long = |found: &str| {
        action.fault(Fault::Protocol(format!("expected at most {limit} bytes, found {found}")))
    };
    if let Some(length) = expected.filter(|length| *length > limit) {
        return Err(too_long(&length.to_string()));
    }
    let mut bytes = Vec::new();
    let read = answer.body.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| {
        action.fault(Fault::Unreachable(format!("the answer broke off: {error}")))
    })?;
    let found = bytes.len() as u64;
    if found > limit {
        return Err(too_long("more"));
    }
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        let reason = format!("the answer ended after {found} of {expected} bytes");
        return Err(action.fault(Fault::Unreachable(reason)));
    }
    Ok(bytes)
}
