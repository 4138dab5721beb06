//! One attempt at a call: what the registry asks for first is given, and where it sends us is
//! visited, within the rules.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::address::Reach;
use super::broken::Broken;
use super::call::{Answer, Body, Call, Headers, Patience, Target};
use super::challenge::{Bearer, Challenge};
use super::client::Client;
use super::credentials::{Credential, aliases};
use super::endpoint::Endpoint;
use super::error::{Fault, RegistryError};
use super::http::{self, Exchange};
use super::secret::Secret;
use super::token;

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

/// What proves who we are, and who that is.
struct Proof {
    header: Option<Secret>,
    user: Option<String>,
}

impl Session<'_, '_> {
    /// Makes the attempt.
    pub(super) fn run(&self) -> Result<Answer, Failed> {
        let first = self.prove(None)?;
        let answer = self.begin(&first)?;
        if answer.status != 401 || !self.endpoint.is_own(&answer.url) {
            return self.allowed(answer, &first);
        }
        let headers = answer.headers.all("www-authenticate");
        let Some(challenge) = Challenge::choose(headers) else {
            return Err(self.unnegotiable());
        };
        self.endpoint.challenged(&challenge);
        self.forget();
        let streamed = matches!(self.call.body, Body::Stream { len, .. } if len > 0);
        if streamed && self.call.patience == Patience::Caller {
            return Ok(answer);
        }
        drain(answer);
        let second = self.prove(Some(&challenge))?;
        if second.header.is_none() {
            return Err(self.refused(&second, None));
        }
        let answer = self.begin(&second)?;
        if answer.status == 401 && self.endpoint.is_own(&answer.url) {
            let headers = answer.headers.all("www-authenticate");
            return Err(self.refused(&second, Challenge::choose(headers).as_ref()));
        }
        self.allowed(answer, &second)
    }

    /// Turns a 403 that says why into words.
    fn allowed(&self, answer: Answer, proof: &Proof) -> Result<Answer, Failed> {
        if answer.status == 403 && self.endpoint.is_own(&answer.url) {
            let challenge = Challenge::choose(answer.headers.all("www-authenticate"));
            if is_insufficient(challenge.as_ref()) {
                self.forget();
                return Err(self.refused(proof, challenge.as_ref()));
            }
        }
        Ok(answer)
    }

    /// Visits the call's target, and finds out on the way whether the registry speaks TLS.
    fn begin(&self, proof: &Proof) -> Result<Answer, Failed> {
        let undecided = self.endpoint.is_undecided();
        let outcome = self.follow(self.target()?, proof);
        match outcome {
            Err(Failed::Broken(broken)) if undecided && broken.is_perhaps_http() => {
                self.endpoint.decide(false);
                self.follow(self.target()?, proof)
            }
            outcome => outcome,
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
                named_by: self.named_by(own),
            },
        )?;
        if own {
            self.endpoint.decide(url.scheme() == "https");
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

    fn named_by(&self, own: bool) -> Option<Reach> {
        (!own).then(|| self.endpoint.reach())
    }

    fn trust_of(&self, url: &Url) -> super::trust::Trust {
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

    /// Returns what proves who we are: for the challenge, or else for what was asked last.
    fn prove(&self, challenge: Option<&Challenge>) -> Result<Proof, Failed> {
        let known = challenge.cloned().or_else(|| self.endpoint.challenge());
        let nothing = Proof { header: None, user: None };
        let Some(known) = known else { return Ok(nothing) };
        let credential = self.credential()?;
        let user = credential.as_ref().map(|credential| credential.user().to_owned());
        let header = match (&known, &credential) {
            (_, Some(Credential::Bearer(token))) => Some(bearer(token)),
            (Challenge::Basic, Some(Credential::Password { user, password })) => {
                Some(basic(user, password))
            }
            (Challenge::Basic, Some(Credential::Identity { user, token })) => {
                Some(basic(user.as_deref().unwrap_or("<token>"), token))
            }
            (Challenge::Basic, None) => None,
            (Challenge::Bearer(asked), _) => {
                let scope = challenge.and(asked.scope.as_deref());
                Some(bearer(&self.token(asked, scope, credential.as_ref())?))
            }
        };
        Ok(Proof { header, user })
    }

    fn credential(&self) -> Result<Option<Credential>, Failed> {
        let scopes = self.endpoint.scopes(self.call.scopes);
        let repository = scopes.first().map_or("", |scope| &scope.repository);
        let found = self.client.keychain().find(&self.endpoint.name, repository);
        found.map_err(|error| {
            let hint = "the file or helper is one of docker's or podman's; name another file with \
                --authfile";
            self.fault(Fault::Credentials(error.to_string()), Some(hint.into()))
        })
    }

    fn scopes(&self) -> Vec<String> {
        let mut scopes = self.endpoint.scopes(self.call.scopes);
        // Some token services read the first scope only.
        scopes.sort_by_key(|scope| !scope.push);
        scopes.iter().map(ToString::to_string).collect()
    }

    fn forget(&self) {
        self.client.tokens().forget(&self.endpoint.name, &self.scopes());
    }

    /// Returns a token, from those that are kept or from the token service.
    fn token(
        &self,
        asked: &Bearer,
        scope: Option<&str>,
        credential: Option<&Credential>,
    ) -> Result<Secret, Failed> {
        let realm = self.realm(&asked.realm, credential.is_some())?;
        let scopes = token::merge(self.scopes(), scope);
        let mut sorted = scopes.clone();
        sorted.sort();
        sorted.dedup();
        let key = token::TokenKey {
            registry: self.endpoint.name.clone(),
            realm: realm.to_string(),
            service: asked.service.clone(),
            scopes: sorted,
        };
        let service = asked.service.as_deref();
        let now = || self.client.clock().now();
        self.client.tokens().of(&key, now, || self.fetch(&realm, service, &scopes, credential))
    }

    fn realm(&self, text: &str, credentials: bool) -> Result<Url, Failed> {
        let base = self.endpoint.base();
        // Some registries name their own token service by a path.
        let realm = base.join(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(mut realm) = realm else {
            let reason = "it asks for a token, and the realm that it names is no URL".to_owned();
            return Err(self.fault(Fault::Protocol(reason), None));
        };
        let clean = realm.set_username("").and_then(|()| realm.set_password(None));
        realm.set_fragment(None);
        if clean.is_err() || (base.scheme() == "https" && realm.scheme() == "http") {
            let place = realm.origin().ascii_serialization();
            let reason = format!("it asks for a token from {place}, which is without TLS");
            return Err(self.fault(Fault::Credentials(reason), None));
        }
        if credentials
            && let Err(reason) = super::realm::check(&realm, base, &self.endpoint.allow_realm)
        {
            let host = realm.host_str().unwrap_or_default();
            let name = &self.endpoint.name;
            let hint = (realm.scheme() == "https").then(|| {
                format!(
                    "if that is right, set `allow-realm = [\"{host}\"]` under \
                    [registry.\"{name}\"] in registries.toml"
                )
            });
            return Err(self.fault(Fault::Credentials(reason), hint));
        }
        Ok(realm)
    }

    /// Asks the token service.
    fn fetch(
        &self,
        realm: &Url,
        service: Option<&str>,
        scopes: &[String],
        credential: Option<&Credential>,
    ) -> Result<token::Granted, Failed> {
        if let Some(Credential::Identity { token, .. }) = credential {
            let form = token::form(service, scopes, token);
            let answer = self.ask(realm, None, Some(&form))?;
            if !matches!(answer.status, 404 | 405) {
                return self.grant(answer, realm, credential);
            }
            drain(answer);
        }
        let (account, proof) = match credential {
            Some(Credential::Password { user, password }) => {
                (Some(user.as_str()), Some(basic(user, password)))
            }
            Some(Credential::Identity { user, token }) => {
                (user.as_deref(), Some(basic(user.as_deref().unwrap_or("<token>"), token)))
            }
            Some(Credential::Bearer(_)) | None => (None, None),
        };
        let url = token::question(realm, service, scopes, account);
        let answer = self.ask(&url, proof, None)?;
        self.grant(answer, realm, credential)
    }

    /// Makes one exchange with the token service, again if it is busy. Redirects are not followed:
    /// credentials went along.
    fn ask(
        &self,
        url: &Url,
        proof: Option<Secret>,
        form: Option<&Secret>,
    ) -> Result<Answer, Failed> {
        let mut headers = Headers::default().with("accept", "application/json");
        if let Some(proof) = &proof {
            headers.add("authorization", proof.reveal());
        }
        if form.is_some() {
            headers.add("content-type", "application/x-www-form-urlencoded");
        }
        let own = self.endpoint.is_own(url);
        let trust = if own { self.endpoint.trust.clone() } else { self.trust_of(url) };
        let allowed = url
            .host_str()
            .is_some_and(|host| self.endpoint.allow_realm.iter().any(|allowed| allowed == host));
        let method = match form {
            Some(_) => super::call::Method::Post,
            None => super::call::Method::Get,
        };
        self.client.persist(self.call.registry, Patience::Wire, || {
            let body = form.map(|form| {
                let bytes = form.reveal().as_bytes();
                (bytes.len() as u64, Box::new(bytes) as Box<dyn Read + Send>)
            });
            let named_by = self.named_by(own || allowed);
            let (headers, trust) = (&headers, &trust);
            let exchange = Exchange { method, url, headers, body, trust, named_by };
            self.client.exchange(self.call.registry, exchange).map_err(|mut broken| {
                if !own {
                    let host = url.host_str().unwrap_or_default();
                    broken.reason = format!("its token service {host}: {}", broken.reason);
                }
                Failed::Broken(broken)
            })
        })
    }

    fn grant(
        &self,
        answer: Answer,
        realm: &Url,
        credential: Option<&Credential>,
    ) -> Result<token::Granted, Failed> {
        let host = realm.host_str().unwrap_or_default();
        match answer.status {
            200..=299 => token::Granted::read(answer.body)
                .map_err(|reason| self.fault(Fault::Protocol(reason), None)),
            400 | 401 | 403 => {
                let user = credential.map(|credential| credential.user().to_owned());
                Err(self.refused(&Proof { header: None, user }, None))
            }
            status if super::retry::is_passing(status) => {
                let reason = format!("its token service {host} answers {status}");
                Err(self.fault(Fault::Unreachable(reason), None))
            }
            status => {
                let reason =
                    format!("its token service {host} answers {status} instead of a token");
                Err(self.fault(Fault::Protocol(reason), None))
            }
        }
    }

    fn unnegotiable(&self) -> Failed {
        let reason = "it wants a login, and of a kind that is neither Bearer nor Basic".to_owned();
        self.fault(Fault::Protocol(reason), None)
    }

    /// Says that a login is missing, wrong, or allows less than is asked for.
    fn refused(&self, proof: &Proof, challenge: Option<&Challenge>) -> Failed {
        let name = &self.endpoint.name;
        let login = format!(
            "log in with `docker login {name}`, `podman login {name}` or `skopeo login {name}`, \
            or name the file with --authfile"
        );
        let scopes = self.endpoint.scopes(self.call.scopes);
        let repository = scopes.first().map(|scope| scope.repository.as_str());
        let pushing = scopes.iter().find(|scope| scope.push);
        let (reason, hint) = match (&proof.user, repository) {
            (None, _) => {
                let known = aliases(name).join("`, `");
                let known = if known.is_empty() { known } else { format!("` or `{known}") };
                (format!("it wants a login, and there is none for `{name}{known}`"), login)
            }
            (Some(user), Some(repository)) => {
                let verb = if pushing.is_some() { "push to" } else { "pull from" };
                let repository = pushing.map_or(repository, |scope| &scope.repository);
                let reason = format!("logged in as {user}, who may not {verb} `{repository}`");
                if is_insufficient(challenge) {
                    let hint = "ask the owner of the repository for the right, or log in as \
                        somebody else"
                        .to_owned();
                    (reason, hint)
                } else {
                    (format!("{reason}, or the login is wrong or has expired"), login)
                }
            }
            (Some(user), None) => (format!("it refuses the login of {user}"), login),
        };
        self.fault(Fault::Credentials(reason), Some(hint))
    }

    fn fault(&self, fault: Fault, hint: Option<String>) -> Failed {
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

fn is_insufficient(challenge: Option<&Challenge>) -> bool {
    matches!(challenge, Some(Challenge::Bearer(Bearer { error: Some(error), .. }))
        if error == "insufficient_scope")
}

fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.reveal()))
}

fn basic(user: &str, password: &Secret) -> Secret {
    let pair = zeroize::Zeroizing::new(format!("{user}:{}", password.reveal()));
    let encoded = zeroize::Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    Secret::new(format!("Basic {}", *encoded))
}

/// Reads what nobody wants, so that the connection can be used again. If that fails it is closed.
fn drain(answer: Answer) {
    std::io::copy(&mut answer.body.take(DRAIN), &mut std::io::sink()).ok();
}
