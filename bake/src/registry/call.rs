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
    /// [`Call::patience`] allows, tries again. `Err` means that no answer could be had, or that the
    /// registry wants a login that is missing, wrong or allows less ([`Fault::Credentials`](super::Fault)): a 401 is an
    /// answer only to a [`Body::Stream`] under [`Patience::Caller`].
    fn call(&self, call: Call<'_>) -> Result<Answer, RegistryError>;

    /// Forgets the token for some scopes of a registry, so that the next call asks for a new one.
    fn renew(&self, registry: &str, scopes: &[Scope]);

    /// Waits before a caller's own next attempt, as `Retry-After` says or else longer every time.
    ///
    /// `attempt` counts from 1. Returns `false`, at once, when there have been enough.
    fn pause(&self, registry: &str, attempt: u32, retry_after: Option<Duration>) -> bool;

    /// Returns how long the bodies may be that a registry is sent, as far as it is known.
    fn lengths(&self, _registry: &str) -> Lengths {
        Lengths::default()
    }
}

/// How long bodies of uploads may be. By default a blob is one body, whatever its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lengths {
    /// The length of the chunks in which a longer blob is sent.
    pub chunk_size: Option<u64>,
    /// The longest body that the registry, or what stands before it, takes.
    pub max_body: Option<u64>,
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
    /// first for `GET` and `HEAD`, unless a scope of the call has `push`: what is compared with the
    /// registry before a push must come from the registry.
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

impl Method {
    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Returns whether the method only reads, so that redirects are followed and mirrors asked.
    pub fn is_reading(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
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
    /// one more only if the first was refused with a challenge and the body is not a stream.
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

impl std::fmt::Display for Scope {
    /// Writes the scope as token services want it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let actions = if self.push { "pull,push" } else { "pull" };
        write!(f, "repository:{}:{actions}", self.repository)
    }
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

impl Answer {
    /// Returns how long the registry asks to be left alone (RFC 9110, 10.2.3).
    ///
    /// A date is compared with the answer's own `Date`, so that it does not matter how far the
    /// clocks of the two machines are apart; without one it says nothing.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get("retry-after")?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = httpdate::parse_http_date(text).ok()?;
        let now = httpdate::parse_http_date(self.headers.get("date")?.trim()).ok()?;
        Some(until.duration_since(now).unwrap_or(Duration::ZERO))
    }
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
