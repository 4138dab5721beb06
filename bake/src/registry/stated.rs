//! What an answer's headers state of the bytes behind it.

use bake_formats::digest::Digest;

use super::call::Answer;

/// Returns the length that `Content-Length` states.
pub(super) fn length(answer: &Answer) -> Option<u64> {
    answer.headers.get("Content-Length")?.trim().parse().ok()
}

/// Returns the digest that `Docker-Content-Digest` states, if it is one that can be compared.
///
/// Old registries leave it out, and it may be of an algorithm that nobody asked for.
pub(super) fn digest(answer: &Answer) -> Option<Digest> {
    answer.headers.get("Docker-Content-Digest")?.trim().parse().ok()
}
