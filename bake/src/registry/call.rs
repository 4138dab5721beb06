//! One request to a registry, and its answer.

use std::io::Read;
use std::time::Duration;

use url::Url;

use super::error::RegistryError;

/// What carries calls: authentication, redirects, retries, limits and mirrors are behind it.
pub trait Wire: Send + Sync {
    /// Makes a call and returns the last answer, whatever its status, to be judged by the caller.
    ///
    /// The wire follows redirects of `GET` and `HEAD`, answers challenges, and, as far as
    /// [`Call::patience`] allows, tries again. `Err` means that no answer could be had.
    fn call(&self, call: Call<'_>) -> Result<Answer, RegistryError>;

    /// Forgets the token for some scopes of a registry, so that the next call asks for a new one.
    fn renew(&self, registry: &str, scopes: &[Scope]);

    /// Waits before a caller's own next attempt, as `Retry-After` says or else longer every time.
    ///
    /// `attempt` counts from 1. Returns `false`, at once, when there have been enough.
    fn pause(&self, registry: &str, attempt: u32, retry_after: Option<Duration>) -> bool;
}

/// One request.
pub struct Call<'a> {
    /// The registry whose credentials, settings and limits apply, e.g. `docker.io`.
    pub registry: &'a str,
    /// The method.
    pub method: Method,
    /// What is asked for.
    pub target: Target<'a>,
    /// What a token must allow, the one that matters most first.
    pub scopes: &'a [Scope],
    /// Headers besides those that the wire sets: `Authorization`, `User-Agent`, `Content-Length`.
    pub headers: Headers,
    /// What is sent.
    pub body: Body<'a>,
    /// Who tries again.
    pub patience: Patience,
}

/// Where a call goes.
#[derive(Debug, Clone)]
pub enum Target<'a> {
    /// Below the registry's `/v2/`, with the query: `library/debian/manifests/12`. Mirrors are asked
    /// first for `GET` and `HEAD`.
    Path(&'a str),
    /// Where a `Location` led. Credentials go along only if it is the registry's own origin.
    Url(Url),
}

/// The methods that the specification uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Look.
    Head,
    /// Begin an upload.
    Post,
    /// Continue an upload.
    Patch,
    /// End an upload, or write a manifest.
    Put,
    /// Give an upload up.
    Delete,
}

/// What a call sends.
pub enum Body<'a> {
    /// Nothing.
    Empty,
    /// Bytes that are there.
    Bytes(&'a [u8]),
    /// Exactly `len` bytes that `open` gives, every time it is called from their beginning.
    Stream {
        /// How many.
        len: u64,
        /// Opens them.
        open: &'a (dyn Fn() -> std::io::Result<Box<dyn Read + Send + 'a>> + Sync),
    },
}

/// Who tries again when a registry is busy, cannot be reached or wants a new token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The wire: to make the call twice does no harm.
    Wire,
    /// The caller: what was done so far must be found out first. The wire makes one exchange, and
    /// one more only if the first was refused with a challenge before any of the body was read.
    Caller,
}

/// What a token must allow (distribution's token specification, "scope").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The repository, e.g. `library/debian`.
    pub repository: String,
    /// Whether reading is not enough.
    pub push: bool,
}

/// Headers, by names in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Adds a header.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Returns these headers and one more.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.add(name, value);
        self
    }

    /// Returns the first header of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns every header of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let matching = self.0.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.as_str())
    }

    /// Returns all headers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What came back.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// Where the answer came from, redirects followed: what a relative `Location` is relative to.
    pub url: Url,
    /// The body, to be read once; with a limit, unless its length was asked for.
    pub body: Box<dyn Read + Send>,
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { registry, method, target, .. } = self;
        write!(f, "{method:?} {target:?} of {registry}")
    }
}

impl std::fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Stream { len, .. } => write!(f, "{len} bytes"),
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} from {}", self.status, self.url)
    }
}
