//! One attempt at a call: what the registry asks for first is given, and where it sends us is
//! visited, within the rules.

use std::io::Read;

use url::Url;

use super::address::Reach;
use super::broken::{Broken, Kind};
use super::call::{Answer, Body, Call, Headers, Method, Patience, Target};
use super::challenge::Challenge;
use super::client::Client;
use super::endpoint::Endpoint;
use super::error::{Fault, RegistryError};
use super::http::{self, Exchange};
use super::login::{Proof, Refusal, is_insufficient};
use super::trust::Trust;

/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// How much of a body that nobody wants is read so that its connection can be used again.
const DRAIN: u64 = 64 << 10;

/// Why an attempt gave no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// The exchange broke; another attempt may do better.
    Broken(Broken),
    /// No attempt can do better.
    Final(RegistryError),
}

impl From<Broken> for Failed {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// One attempt at a call.
pub(super) struct Session<'a, 'c> {
    pub(super) client: &'a Client,
    pub(super) endpoint: &'a Endpoint,
    pub(super) call: &'a Call<'c>,
}

impl Session<'_, '_> {
    /// Makes the attempt.
    pub(super) fn run(&self) -> Result<Answer, Failed> {
        let streamed = matches!(self.call.body, Body::Stream { len, .. } if len > 0);
        // To open a stream may take a call of its own.
        let first_of_all = if streamed { None } else { self.endpoint.greet() };
        let first = self.prove(None)?;
        let answer = self.begin(&first)?;
        if answer.status != 401 || !self.endpoint.is_own(&answer.url) {
            self.endpoint.greeted();
            return self.allowed(answer, &first);
        }
        let headers = answer.headers.all("www-authenticate");
        let Some(challenge) = Challenge::choose(headers) else {
            return Err(self.unnegotiable());
        };
        self.endpoint.challenged(&challenge);
        self.endpoint.greeted();
        drop(first_of_all);
        self.forget(&first);
        if streamed && self.call.patience == Patience::Caller {
            return Ok(answer);
        }
        drain(answer);
        let second = self.prove(Some(&challenge))?;
        if second.header.is_none() {
            return Err(self.refused(&second, Refusal::Login));
        }
        let answer = self.begin(&second)?;
        if answer.status == 401 && self.endpoint.is_own(&answer.url) {
            self.forget(&second);
            let refusal = match challenge {
                Challenge::Basic => Refusal::Login,
                Challenge::Bearer(_) => Refusal::Scope,
            };
            return Err(self.refused(&second, refusal));
        }
        self.allowed(answer, &second)
    }

    /// Turns a 403 that says why into words.
    fn allowed(&self, answer: Answer, proof: &Proof) -> Result<Answer, Failed> {
        if answer.status == 403 && self.endpoint.is_own(&answer.url) {
            let challenge = Challenge::choose(answer.headers.all("www-authenticate"));
            if is_insufficient(challenge.as_ref()) {
                self.forget(proof);
                return Err(self.refused(proof, Refusal::Scope));
            }
        }
        Ok(answer)
    }

    /// Visits the call's target, and finds out on the way whether the registry speaks TLS.
    fn begin(&self, proof: &Proof) -> Result<Answer, Failed> {
        let undecided = self.endpoint.is_undecided();
        match self.follow(self.target()?, proof) {
            Err(Failed::Broken(broken)) if undecided && self.is_without_tls(&broken) => {
                self.endpoint.decide(false);
                self.follow(self.target()?, proof)
            }
            outcome => outcome,
        }
    }

    /// Finds out whether an exchange with TLS broke because the registry does not speak it.
    fn is_without_tls(&self, broken: &Broken) -> bool {
        match broken.kind {
            Kind::NotTls => true,
            // Some close the connection without a word. But so does one that is overloaded.
            Kind::Reset => {
                let probe = Exchange {
                    method: Method::Get,
                    url: self.endpoint.without_tls(),
                    headers: &Headers::default(),
                    body: None,
                    trust: &self.endpoint.trust,
                    named_by: None,
                };
                // Who speaks TLS and nothing else answers 400, or not at all.
                let answer = self.client.exchange(self.call.registry, probe);
                answer.is_ok_and(|answer| answer.status != 400)
            }
            _ => false,
        }
    }

    fn target(&self) -> Result<Url, Failed> {
        match &self.call.target {
            Target::Path(path) => {
                self.endpoint.url(path).map_err(|reason| self.fault(Fault::Protocol(reason), None))
            }
            Target::Url(url) => self.admit(url.clone()),
        }
    }

    /// Makes the exchange, and those that redirects lead to.
    fn follow(&self, mut url: Url, proof: &Proof) -> Result<Answer, Failed> {
        let mut seen = vec![url.clone()];
        loop {
            let answer = self.exchange(&url, proof)?;
            let redirect = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
            let location = answer.headers.get("location");
            let Some(location) = location.filter(|_| redirect && self.call.method.is_reading())
            else {
                return Ok(answer);
            };
            let next = url.join(location).map_err(|error| {
                self.fault(Fault::Protocol(format!("it redirects to no URL: {error}")), None)
            })?;
            let next = self.admit(next)?;
            if seen.contains(&next) {
                return Err(self.fault(Fault::Protocol("it redirects in a circle".into()), None));
            }
            if seen.len() > REDIRECTS {
                let reason = format!("it redirects more than {REDIRECTS} times");
                return Err(self.fault(Fault::Protocol(reason), None));
            }
            drain(answer);
            seen.push(next.clone());
            url = next;
        }
    }

    /// Checks a URL that the registry named, and makes it one to visit.
    fn admit(&self, mut url: Url) -> Result<Url, Failed> {
        let base = self.endpoint.base();
        // What a URL says of users would be sent as credentials.
        let clean = url.set_username("").and_then(|()| url.set_password(None));
        if clean.is_err() || !matches!(url.scheme(), "http" | "https") {
            let reason = format!("it names `{}:`, which is not for registries", url.scheme());
            return Err(self.fault(Fault::Protocol(reason), None));
        }
        if base.scheme() == "https" && url.scheme() == "http" {
            // A registry behind a proxy that ends TLS often does not know that it has it.
            let unaware = url.host_str() == base.host_str() && url.port().is_none();
            if !unaware || url.set_scheme("https").is_err() || !self.endpoint.is_own(&url) {
                let place = url.origin().ascii_serialization();
                let reason = format!("it leads from TLS to {place}, which is without");
                return Err(self.fault(Fault::Credentials(reason), None));
            }
        }
        url.set_fragment(None);
        Ok(url)
    }

    /// Makes one exchange. Credentials go along to the registry's own origin and nowhere else.
    fn exchange(&self, url: &Url, proof: &Proof) -> Result<Answer, Failed> {
        let call = self.call;
        let own = self.endpoint.is_own(url);
        let mut headers = call.headers.clone();
        if let Some(header) = proof.header.as_ref().filter(|_| own) {
            headers.add("authorization", header.reveal());
        }
        // Before the permit, because opening may itself make calls.
        let body = http::open(&call.body, call.method).map_err(|error| {
            self.fault(Fault::Local(format!("cannot read what is to be sent: {error}")), None)
        })?;
        let _permit = own.then(|| self.endpoint.limit.permit(self.client.clock()));
        let trust = if own { self.endpoint.trust.clone() } else { self.trust_of(url) };
        let answer = self.client.exchange(
            call.registry,
            Exchange {
                method: call.method,
                url,
                headers: &headers,
                body,
                trust: &trust,
                named_by: self.named_by(url),
            },
        )?;
        if own {
            if url.scheme() == "https" {
                self.endpoint.decide(true);
            }
            if answer.status == 429 {
                let asked = answer.retry_after();
                let longest = self.client.retries().patience;
                let asked = asked.filter(|asked| *asked <= longest);
                self.endpoint.limit.complained(self.client.clock().now(), asked);
            } else if answer.status < 500 {
                self.endpoint.limit.went_well();
            }
            self.warn(&answer);
        }
        Ok(answer)
    }

    /// Returns where the registry is that named a URL; `None` if the user named it: it is the
    /// registry's own, or the settings have its host.
    pub(super) fn named_by(&self, url: &Url) -> Option<Reach> {
        if self.endpoint.is_own(url) || self.client.trust_of(url).is_some() {
            return None;
        }
        Some(self.client.reach_of(self.endpoint))
    }

    /// Returns whom to trust at a URL that the registry named.
    pub(super) fn trust_of(&self, url: &Url) -> Trust {
        let own = self.client.trust_of(url);
        own.unwrap_or_else(|| self.endpoint.trust.of_others())
    }

    fn warn(&self, answer: &Answer) {
        for warning in answer.headers.all("warning") {
            // `299 - "text"` (distribution-spec, "Warnings").
            let text = warning.strip_prefix("299 ").and_then(|rest| rest.split_once('"'));
            if let Some((_, text)) = text {
                self.client.warn(&self.endpoint.name, text.trim_end_matches('"'));
            }
        }
    }

    /// Makes an error of this call that no other attempt can mend.
    pub(super) fn fault(&self, fault: Fault, hint: Option<String>) -> Failed {
        Failed::Final(RegistryError::of_call(self.call, fault, hint))
    }
}

/// Turns a broken exchange into the error of a call.
pub(super) fn finish(call: &Call<'_>, failed: Failed) -> RegistryError {
    match failed {
        Failed::Final(error) => error,
        Failed::Broken(broken) => {
            RegistryError::of_call(call, broken.fault(), broken.hint(call.registry))
        }
    }
}

/// Reads what nobody wants, so that the connection can be used again. If that fails it is closed.
pub(super) fn drain(answer: Answer) {
    std::io::copy(&mut answer.body.take(DRAIN), &mut std::io::sink()).ok();
}
