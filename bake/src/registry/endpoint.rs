//! Where one registry, or one mirror, is reached, and what is known of it so far.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use url::Url;

use super::address::{self, Reach};
use super::call::Scope;
use super::challenge::Challenge;
use super::limit::Limit;
use super::settings::RegistrySettings;
use super::trust::Trust;

/// How many requests a registry gets at once if nobody says otherwise.
const PARALLEL: u32 = 6;

/// One registry or mirror.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Its name, which settings and credentials go by: `docker.io`, `mirror.example.com:5000`.
    pub(super) name: String,
    /// What stands before every repository at a mirror; empty, or ending in `/`.
    prefix: String,
    /// Where it is, with TLS.
    https: Url,
    /// Where it is, without TLS.
    http: Url,
    speech: Speech,
    /// Whether the one that may be either turned out to speak TLS.
    found: OnceLock<bool>,
    pub(super) trust: Trust,
    pub(super) allow_realm: Vec<String>,
    pub(super) limit: Limit,
    challenge: Mutex<Option<Challenge>>,
    /// Held by the first call until it has an answer.
    greeting: Mutex<()>,
    greeted: AtomicBool,
    reach: OnceLock<Reach>,
}

/// Whether an endpoint speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speech {
    Https,
    Http,
    /// One on this machine may do without, as docker and crane allow.
    Either,
}

impl Endpoint {
    /// Makes the endpoint of a registry (`docker.io`) or of a mirror (`mirror.example.com/hub`).
    ///
    /// The error is a phrase about the name.
    pub(super) fn new(
        place: &str,
        settings: impl Fn(&str) -> RegistrySettings,
        parallel: Option<u32>,
    ) -> Result<Self, String> {
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        let host = if name == "docker.io" { "registry-1.docker.io" } else { name };
        let base = |scheme: &str| {
            Url::parse(&format!("{scheme}://{host}/v2/"))
                .ok()
                .filter(|url| url.path() == "/v2/" && url.username().is_empty())
                .ok_or_else(|| format!("`{name}` is not the name of a registry: HOST or HOST:PORT"))
        };
        let settings = settings(name);
        let https = base("https")?;
        let has_tls = settings.ca.is_some() || settings.client_cert.is_some();
        let speech = match settings.http {
            true => Speech::Http,
            false if address::is_loopback(&https) && !has_tls => Speech::Either,
            false => Speech::Https,
        };
        Ok(Self {
            name: name.to_owned(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            http: base("http")?,
            https,
            speech,
            found: OnceLock::new(),
            trust: Trust::new(&settings),
            allow_realm: settings.allow_realm,
            limit: Limit::new(parallel.or(settings.parallel).unwrap_or(PARALLEL)),
            challenge: Mutex::default(),
            greeting: Mutex::default(),
            greeted: AtomicBool::new(false),
            reach: OnceLock::new(),
        })
    }

    /// Returns where it is as far as is known.
    pub(super) fn base(&self) -> &Url {
        match self.speech {
            Speech::Http => &self.http,
            Speech::Either if self.found.get() == Some(&false) => &self.http,
            Speech::Https | Speech::Either => &self.https,
        }
    }

    /// Returns whether it is still open whether it speaks TLS.
    pub(super) fn is_undecided(&self) -> bool {
        self.speech == Speech::Either && self.found.get().is_none()
    }

    /// Notes that it answered, with TLS or without. The first answer decides.
    pub(super) fn decide(&self, tls: bool) {
        if self.speech == Speech::Either {
            self.found.get_or_init(|| tls);
        }
    }

    /// Returns where it is if it turns out not to speak TLS.
    pub(super) fn without_tls(&self) -> &Url {
        &self.http
    }

    /// Returns the URL of a path below `/v2/`; the error is a phrase.
    pub(super) fn url(&self, path: &str) -> Result<Url, String> {
        let base = self.base();
        let joined = base.join(&format!("{}{path}", self.prefix));
        let url = joined.map_err(|error| format!("`{path}` makes no URL: {error}"))?;
        if url.origin() != base.origin() || !url.path().starts_with("/v2/") {
            return Err(format!("`{path}` leads out of the registry"));
        }
        Ok(url)
    }

    /// Returns whether a URL leads to this endpoint, so that its credentials may go along.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base().origin()
    }

    /// Returns scopes as this endpoint names its repositories.
    pub(super) fn scopes(&self, scopes: &[Scope]) -> Vec<Scope> {
        let own = |scope: &Scope| Scope {
            repository: format!("{}{}", self.prefix, scope.repository),
            push: scope.push,
        };
        scopes.iter().map(own).collect()
    }

    /// Returns what it asked for last.
    pub(super) fn challenge(&self) -> Option<Challenge> {
        self.challenge.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what it asks for.
    pub(super) fn challenged(&self, challenge: &Challenge) {
        *self.challenge.lock().unwrap_or_else(PoisonError::into_inner) = Some(challenge.clone());
    }

    /// Waits while another call is the first, so that one alone finds out what is asked for first;
    /// `None` once that is known. Whoever holds the guard must not wait for other calls.
    pub(super) fn greet(&self) -> Option<MutexGuard<'_, ()>> {
        if self.greeted.load(Ordering::Acquire) {
            return None;
        }
        let guard = self.greeting.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.greeted.load(Ordering::Acquire)).then_some(guard)
    }

    /// Notes that a call was answered.
    pub(super) fn greeted(&self) {
        self.greeted.store(true, Ordering::Release);
    }

    /// Returns where it is, which decides where it may send us.
    pub(super) fn reach(&self) -> Reach {
        *self.reach.get_or_init(|| Reach::of_url(self.base()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(place: &str) -> Endpoint {
        Endpoint::new(place, |_| RegistrySettings::default(), None).unwrap()
    }

    #[test]
    fn names_become_urls() {
        let cases = [
            ("docker.io", "https://registry-1.docker.io/v2/library/x"),
            ("a.example:5000", "https://a.example:5000/v2/library/x"),
            ("m.example/hub/y", "https://m.example/v2/hub/y/library/x"),
            ("[::1]:5000", "https://[::1]:5000/v2/library/x"),
        ];
        for (place, url) in cases {
            assert_eq!(endpoint(place).url("library/x").unwrap().as_str(), url);
        }
        for name in ["", "a b", "u@h", "h?x", "h#"] {
            let made = Endpoint::new(name, |_| RegistrySettings::default(), None);
            assert!(made.is_err(), "{name}");
        }
    }

    #[test]
    fn paths_stay_in_the_registry() {
        for path in ["//evil.example/x", "https://evil.example/", "../../x", "/x", "%2e%2e/x"] {
            let error = endpoint("a.example").url(path).unwrap_err();
            assert!(error.contains("leads out of the registry"), "{path}: {error}");
        }
    }

    #[test]
    fn only_this_machine_may_do_without_tls() {
        assert!(!endpoint("a.example").is_undecided());
        let local = endpoint("localhost:5000");
        assert!(local.is_undecided());
        assert_eq!(local.base().scheme(), "https");
        local.decide(false);
        local.decide(true);
        assert_eq!(local.base().scheme(), "http");
    }
}
