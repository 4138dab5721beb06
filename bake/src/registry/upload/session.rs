//! One upload that a registry has open: where it goes on, and how far it got.

use url::Url;

use crate::registry::action::Action;
use crate::registry::call::Answer;
use crate::registry::error::RegistryError;

use bake_formats::digest::Digest;

/// An upload that a registry opened. It ends when [`super::super::Repository::upload`] returns, or
/// with [`super::super::Repository::cancel`].
#[derive(Debug)]
#[must_use]
pub struct UploadSession {
    /// Where the next request goes: the newest `Location`.
    pub(super) url: Url,
    /// The shortest chunk that the registry takes, the last one apart.
    pub(super) min_chunk: u64,
}

impl UploadSession {
    /// Reads the answer that opens a session.
    pub(in crate::registry) fn opened(
        action: &Action,
        answer: &Answer,
    ) -> Result<Self, RegistryError> {
        let Some(url) = location(action, answer)? else {
            return Err(action.protocol(
                "the registry opened an upload, but its answer has no `Location` to go on at",
            ));
        };
        // A length that nobody could have means that the blob is one chunk.
        let minimum = answer.headers.get("OCI-Chunk-Min-Length");
        let min_chunk = minimum.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Ok(Self { url, min_chunk })
    }

    /// Takes note of an answer within the session: the next request goes to the newest `Location`.
    pub(super) fn advance(
        &mut self,
        action: &Action,
        answer: &Answer,
    ) -> Result<(), RegistryError> {
        if let Some(url) = location(action, answer)? {
            self.url = url;
        }
        Ok(())
    }

    /// Returns where the request goes that ends the session: the location with the digest appended,
    /// whatever query it has already.
    pub(super) fn commit_url(&self, digest: Digest) -> Url {
        let mut url = self.url.clone();
        let query = match self.url.query() {
            None | Some("") => format!("digest={digest}"),
            Some(query) => format!("{query}&digest={digest}"),
        };
        url.set_query(Some(&query));
        url
    }
}

/// Returns an answer's `Location`, which may be relative to where the answer came from.
fn location(action: &Action, answer: &Answer) -> Result<Option<Url>, RegistryError> {
    let Some(text) = answer.headers.get("Location") else { return Ok(None) };
    let invalid = |reason: &str| {
        let shown: String = text.chars().take(200).collect();
        action.protocol(format!("the `Location` `{}` is unusable: {reason}", shown.escape_debug()))
    };
    let mut url = answer.url.join(text.trim()).map_err(|error| invalid(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("expected an address of http or https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("expected no user and no password in it"));
    }
    url.set_fragment(None);
    Ok(Some(url))
}

/// Returns how many bytes a session has by its `Range`, of those it can have: `low` that it said to
/// have, up to `high` that were sent. `None` if it says something else.
///
/// `0-0` stands for no byte and for one byte; only what is possible tells them apart.
pub(super) fn held(answer: &Answer, low: u64, high: u64) -> Option<u64> {
    let Some(range) = answer.headers.get("Range") else { return Some(0) };
    let range = range.trim().trim_start_matches("bytes").trim_start_matches(['=', ' ']);
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let held = match (first, last) {
        (0, 0) if low == 1 || high == 1 => 1,
        (0, 0) => 0,
        (0, last) => last.checked_add(1)?,
        _ => return None,
    };
    (held <= high).then_some(held)
}
