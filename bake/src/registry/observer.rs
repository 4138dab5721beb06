//! What happens on the wire, for progress, traces and totals.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use super::call::Method;

/// Watches the wire, from several threads at once.
pub trait Observer: Send + Sync + std::fmt::Debug {
    /// Something happened. Nothing in an event is secret.
    fn event(&self, event: &Event<'_>);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&self, _: &Event<'_>) {}
}

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A request was answered.
    Answered {
        /// The registry on whose behalf it was made.
        registry: &'a str,
        /// The method.
        method: Method,
        /// Where it went; print it with [`shown`], which leaves out what may be secret.
        url: &'a Url,
        /// The status code.
        status: u16,
        /// How long the answer's head took.
        elapsed: Duration,
    },
    /// A request was made and no answer came.
    Broke {
        /// The registry.
        registry: &'a str,
        /// The method.
        method: Method,
        /// Where it went.
        url: &'a Url,
        /// What happened, in words.
        reason: &'a str,
    },
    /// The wire waits before it tries again.
    Waiting {
        /// The registry.
        registry: &'a str,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// How long it waits.
        delay: Duration,
        /// Why.
        reason: &'a str,
    },
    /// A mirror could not give what was asked for, and the next place is asked.
    MirrorFailed {
        /// The registry.
        registry: &'a str,
        /// The mirror.
        mirror: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// The registry has something to say to people (`Warning: 299`), once for each text.
    Warned {
        /// The registry.
        registry: &'a str,
        /// What it says.
        text: &'a str,
    },
    /// Bytes of a body were sent.
    Sent {
        /// The registry.
        registry: &'a str,
        /// How many.
        bytes: u64,
    },
    /// Bytes of a body were received.
    Received {
        /// The registry.
        registry: &'a str,
        /// How many.
        bytes: u64,
    },
}

/// Totals of one registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were answered, with those for tokens and those that redirects led to.
    pub requests: u64,
    /// Requests that were not, one that found no TLS on this machine included.
    pub broken: u64,
    /// Waits before another attempt.
    pub retries: u64,
    /// Bytes of bodies sent.
    pub sent: u64,
    /// Bytes of bodies received.
    pub received: u64,
}

/// Totals of all registries, by name.
#[derive(Debug, Default)]
pub(super) struct Totals {
    counts: Mutex<BTreeMap<String, Counts>>,
}

impl Totals {
    /// Counts an event.
    pub(super) fn add(&self, event: &Event<'_>) {
        let (registry, count): (&str, fn(&mut Counts, u64)) = match event {
            Event::Answered { registry, .. } => (registry, |counts, _| counts.requests += 1),
            Event::Broke { registry, .. } => (registry, |counts, _| counts.broken += 1),
            Event::Waiting { registry, .. } => (registry, |counts, _| counts.retries += 1),
            Event::Sent { registry, .. } => (registry, |counts, bytes| counts.sent += bytes),
            Event::Received { registry, .. } => {
                (registry, |counts, bytes| counts.received += bytes)
            }
            Event::MirrorFailed { .. } | Event::Warned { .. } => return,
        };
        let bytes = match event {
            Event::Sent { bytes, .. } | Event::Received { bytes, .. } => *bytes,
            _ => 0,
        };
        let mut counts = self.lock();
        match counts.get_mut(registry) {
            Some(counts) => count(counts, bytes),
            None => count(counts.entry(registry.to_owned()).or_default(), bytes),
        }
    }

    /// Returns the totals so far.
    pub(super) fn all(&self) -> BTreeMap<String, Counts> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Counts>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Parameters of the specification that hold no secret. Others may: pre-signed addresses carry
/// their permission in the query.
const HARMLESS: &[&str] =
    &["artifactType", "digest", "from", "last", "mount", "n", "scope", "service", "tag"];

/// Returns a URL for people, without what may be secret: user, password, values of the query.
pub fn shown(url: &Url) -> String {
    let mut text = url.origin().ascii_serialization();
    text.push_str(url.path());
    let mut separator = '?';
    for (name, value) in url.query_pairs() {
        let value = if HARMLESS.contains(&&*name) { &*value } else { "…" };
        text.push_str(&format!("{separator}{name}={value}"));
        separator = '&';
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let cases = [
            ("https://a.example/v2/x/blobs/uploads/?digest=sha256:00", "?digest=sha256:00"),
            ("https://u:p@a.example/v2/?X-Amz-Signature=0123&n=5", "?X-Amz-Signature=…&n=5"),
        ];
        for (url, query) in cases {
            let text = shown(&Url::parse(url).unwrap());
            assert!(text.starts_with("https://a.example/v2/"), "{text}");
            assert!(text.ends_with(query), "{text}");
        }
    }

    #[test]
    fn totals_are_kept_by_registry() {
        let totals = Totals::default();
        totals.add(&Event::Sent { registry: "a", bytes: 3 });
        totals.add(&Event::Sent { registry: "a", bytes: 4 });
        totals.add(&Event::Received { registry: "b", bytes: 5 });
        let all = totals.all();
        assert_eq!(all["a"], Counts { sent: 7, ..Counts::default() });
        assert_eq!(all["b"], Counts { received: 5, ..Counts::default() });
    }
}
