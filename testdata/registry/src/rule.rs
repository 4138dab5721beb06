//! What the registry does otherwise than the specification says, and when.

use std::time::Duration;

use crate::http::Head;
use crate::kind::Kind;

/// When something happens, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// When.
    pub when: Match,
    /// What.
    pub then: Action,
}

/// Which requests are meant; without further words, all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    kinds: Vec<Kind>,
    path: Option<String>,
    times: Times,
}

/// Which of the requests that match are meant, counted from 1 for every rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Times {
    /// All.
    #[default]
    Always,
    /// One.
    Nth(usize),
    /// The first so many.
    First(usize),
    /// All after so many.
    After(usize),
}

impl Match {
    /// Matches every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Matches a kind of request.
    pub fn kind(kind: Kind) -> Self {
        Self { kinds: vec![kind], ..Self::default() }
    }

    /// Matches several kinds of request.
    pub fn kinds(kinds: &[Kind]) -> Self {
        Self { kinds: kinds.to_vec(), ..Self::default() }
    }

    /// Matches only paths of a pattern, in which `*` is any text, also an empty one and with `/`.
    pub fn path(self, pattern: &str) -> Self {
        Self { path: Some(pattern.to_owned()), ..self }
    }

    /// Matches only some of those that match so far.
    pub fn times(self, times: Times) -> Self {
        Self { times, ..self }
    }

    /// Matches only the `nth`, counted from 1.
    pub fn nth(self, nth: usize) -> Self {
        self.times(Times::Nth(nth))
    }

    /// Matches once: the first.
    pub fn once(self) -> Self {
        self.nth(1)
    }

    /// Makes a rule.
    pub fn then(self, action: Action) -> Rule {
        Rule { when: self, then: action }
    }

    /// Returns whether a request is one of those that are counted.
    pub(crate) fn counts(&self, kind: Kind, path: &str) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&kind);
        kind && self.path.as_ref().is_none_or(|pattern| fits(pattern, path))
    }

    /// Returns how many requests must be met for the rule to have done all that it can be told to.
    pub(crate) fn least(&self) -> usize {
        match self.times {
            Times::First(first) => first,
            Times::Always | Times::Nth(_) | Times::After(_) => 1,
        }
    }

    /// Returns whether the `count`th of them is meant.
    pub(crate) fn meant(&self, count: usize) -> bool {
        match self.times {
            Times::Always => true,
            Times::Nth(nth) => count == nth,
            Times::First(first) => count <= first,
            Times::After(after) => count > after,
        }
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, rest)) => path.strip_prefix(start).is_some_and(|path| {
            path.char_indices()
                .map(|(index, _)| index)
                .chain([path.len()])
                .any(|index| fits(rest, &path[index..]))
        }),
    }
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    // Instead of what the registry would do.
    /// Reads the body, throws it away and answers.
    Answer(Answer),
    /// Answers without reading the body, and closes the connection.
    AnswerEarly(Answer),
    /// Forgets every token, so that the request is refused with a challenge.
    ExpireTokens,
    /// Cuts the connection after so many bytes of the request's body. Of an upload they count: the
    /// registry has them.
    CutRequest(u64),
    /// Cuts the connection after so many bytes of the request's body, and forgets them.
    CutRequestAndForget(u64),

    // How the registry works.
    /// Answers a mount as if it were the start of an upload.
    IgnoreMount,
    /// Mounts without `from`, from whichever repository has the blob.
    MountAnonymously,
    /// Refuses mounts without `from`, 400.
    MountNeedsFrom,
    /// Takes a whole blob in a `POST` for the start of an upload.
    IgnoreWhole,
    /// Refuses `PATCH` with `Content-Range`, 416.
    RefuseChunks,
    /// Refuses the body of a `PATCH` above so many bytes, 416.
    PatchLimit(u64),
    /// Refuses the body of a `PATCH` with `Content-Range` above so many bytes, 416.
    ChunkLimit(u64),
    /// Refuses any body above so many bytes, 413, without reading it.
    BodyLimit(u64),
    /// Wants chunks of at least so many bytes (`OCI-Chunk-Min-Length`), and refuses smaller ones
    /// before the last.
    ChunkMinimum(u64),
    /// Says so in `OCI-Chunk-Min-Length`, and takes what comes.
    ChunkMinimumSaid(u64),
    /// Loses what is after so many bytes of the chunk, and says so with 416 and the true `Range`.
    LoseAfter(u64),
    /// Says that a manifest's blobs are not there.
    BlobsUnknown,
    /// Knows no referrers.
    NoReferrers,
    /// Filters no referrers, and does not say so.
    NoReferrersFilter,
    /// Refuses to move a tag.
    ImmutableTags,
    /// Sends the `ETag` of manifests and heeds `If-Match` and `If-None-Match`.
    EntityTags,
    /// Lists so many tags at most.
    TagPage(usize),
    /// Lists tags without end.
    EndlessTags,
    /// Sends `GET` of blobs to the other host.
    RedirectBlobs,
    /// Sends `GET` to where it came from, again and again.
    RedirectLoop,
    /// Answers a manifest in Docker's first schema.
    SchemaOne,

    // What becomes of the answer.
    /// Another answer in place of one with a status.
    InsteadOf(u16, Answer),
    /// Where `Location` leads to.
    Location(Place),
    /// Another status, if the registry answered well.
    Status(u16),
    /// One more header, or another value of it.
    Header(String, String),
    /// Not this header.
    NoHeader(String),
    /// A `Docker-Content-Digest` of something else.
    WrongDigest,
    /// The answer's body changed in its last byte.
    Corrupt,
    /// Only so many bytes of the answer's body, under a `Content-Length` that agrees.
    Truncate(u64),
    /// The connection cut after so many bytes of the answer's body.
    CutAnswer(u64),
    /// The answer after a while.
    Delay(Duration),
    /// The answer's body in pieces of so many bytes, with a pause after each.
    Drip(usize, Duration),
}

impl Action {
    /// Returns whether the action makes a difference to a request; `None` if only the answer can
    /// tell.
    pub(crate) fn concerns(&self, kind: Kind, head: &Head) -> Option<bool> {
        let announced = head.announced();
        let is_longer = |most: &u64| announced.is_none_or(|length| length > *most);
        let is_chunk = kind == Kind::UploadPatch && head.headers.first("Content-Range").is_some();
        let is_manifest = matches!(kind, Kind::ManifestGet | Kind::ManifestHead);
        Some(match self {
            Self::InsteadOf(..) => return None,
            Self::IgnoreMount => kind == Kind::Mount,
            Self::MountAnonymously | Self::MountNeedsFrom => {
                kind == Kind::Mount && head.parameter("from").is_none()
            }
            Self::IgnoreWhole => kind == Kind::UploadWhole,
            Self::RefuseChunks => is_chunk,
            Self::PatchLimit(most) => kind == Kind::UploadPatch && is_longer(most),
            Self::ChunkLimit(most) => is_chunk && is_longer(most),
            Self::BodyLimit(most) => is_longer(most),
            Self::ChunkMinimum(_) => kind == Kind::UploadPatch,
            Self::ChunkMinimumSaid(_) | Self::Location(_) => {
                matches!(kind, Kind::UploadStart | Kind::Mount | Kind::UploadPatch)
            }
            Self::LoseAfter(_) => matches!(kind, Kind::UploadPatch | Kind::UploadPut),
            Self::BlobsUnknown | Self::ImmutableTags => kind == Kind::ManifestPut,
            // Whoever is attached to another manifest is put under its digest.
            Self::NoReferrers if kind == Kind::ManifestPut => head.path.contains("/sha256:"),
            Self::NoReferrers | Self::NoReferrersFilter => kind == Kind::Referrers,
            Self::EntityTags => is_manifest || kind == Kind::ManifestPut,
            Self::TagPage(_) | Self::EndlessTags => kind == Kind::Tags,
            Self::RedirectBlobs => kind == Kind::BlobGet,
            Self::SchemaOne => is_manifest,
            Self::NoHeader(name) if name == "Docker-Content-Digest" => {
                is_manifest || kind == Kind::ManifestPut
            }
            Self::Answer(_)
            | Self::AnswerEarly(_)
            | Self::ExpireTokens
            | Self::CutRequest(_)
            | Self::CutRequestAndForget(_)
            | Self::RedirectLoop
            | Self::Status(_)
            | Self::Header(..)
            | Self::NoHeader(_)
            | Self::WrongDigest
            | Self::Corrupt
            | Self::Truncate(_)
            | Self::CutAnswer(_)
            | Self::Delay(_)
            | Self::Drip(..) => true,
        })
    }
}

/// How `Location` leads to an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A path: what the registry does unless it is told otherwise.
    Path,
    /// A URL.
    Absolute,
    /// Relative to the path of the request, without a leading `/`.
    Relative,
    /// A path with a query that changes every time; only the newest is good.
    Query,
    /// The same, and good only in the same bytes, as signatures are.
    ExactQuery,
    /// A URL of the other host.
    OtherHost,
}

/// When to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// In so many seconds.
    Seconds(u64),
    /// In so many seconds, said as the date that it is then.
    Date(u64),
    /// Something that is neither.
    Nonsense,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// When to come again.
    pub retry_after: Option<RetryAfter>,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns an answer without headers and body.
    pub fn status(status: u16) -> Self {
        Self { status, retry_after: None, headers: Vec::new(), body: Vec::new() }
    }

    /// Returns an error of the specification's list.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let errors = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
        let body = errors.to_string().into_bytes();
        Self::status(status).with("Content-Type", "application/json").with_body(body)
    }

    /// Returns an error page as proxies write it.
    pub fn html(status: u16) -> Self {
        let page = format!("<html><head><title>{status}</title></head><body>no</body></html>\n");
        Self::status(status).with("Content-Type", "text/html").with_body(page.into_bytes())
    }

    /// Returns 429, perhaps with the time to come again.
    pub fn too_many(retry_after: Option<RetryAfter>) -> Self {
        Self { retry_after, ..Self::error(429, "TOOMANYREQUESTS", "slow down") }
    }

    /// Returns a redirection.
    pub fn redirect(location: &str) -> Self {
        Self::status(307).with("Location", location)
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a body in.
    pub fn with_body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_star_in_a_pattern_is_any_text() {
        for (pattern, path, fits) in [
            ("/v2/*/blobs/*", "/v2/a/b/blobs/c", true),
            ("/v2/*/blobs/*", "/v2/a/manifests/c", false),
            ("/v2/a", "/v2/a", true),
            ("/v2/a", "/v2/ab", false),
            ("/v2/a*", "/v2/a", true),
            ("*", "", true),
        ] {
            assert_eq!(super::fits(pattern, path), fits, "{pattern} {path}");
        }
    }
}
