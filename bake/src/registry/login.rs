//! Who we are: what a registry asks for first, found among the logins or had from its token service.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::call::{Answer, Headers, Method, Patience};
use super::challenge::{Bearer, Challenge};
use super::credentials::{Credential, aliases};
use super::error::Fault;
use super::http::Exchange;
use super::secret::Secret;
use super::session::{Failed, Session, drain};
use super::token;

/// What proves who we are, and who that is.
pub(super) struct Proof {
    /// The value of `Authorization`.
    pub(super) header: Option<Secret>,
    user: Option<String>,
}

/// What a registry refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Name and password.
    Login,
    /// What is asked for, of whoever logged in.
    Scope,
    /// One of both, and it does not say which.
    Either,
}

impl Session<'_, '_> {
    /// Returns what proves who we are: for the challenge, or else for what was asked last.
    pub(super) fn prove(&self, challenge: Option<&Challenge>) -> Result<Proof, Failed> {
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

    /// Forgets the token that was refused.
    pub(super) fn forget(&self, proof: &Proof) {
        let header = proof.header.as_ref().map_or("", |header| header.reveal());
        if let Some(token) = header.strip_prefix("Bearer ") {
            self.client.tokens().refused(&self.endpoint.name, &Secret::new(token.to_owned()));
        }
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
        let answer = self.ask(&url, proof.as_ref(), None)?;
        self.grant(answer, realm, credential)
    }

    /// Makes one exchange with the token service, again if it is busy. Redirects are not followed:
    /// credentials went along.
    fn ask(
        &self,
        url: &Url,
        proof: Option<&Secret>,
        form: Option<&Secret>,
    ) -> Result<Answer, Failed> {
        let mut headers = Headers::default().with("accept", "application/json");
        if let Some(proof) = proof {
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
            Some(_) => Method::Post,
            None => Method::Get,
        };
        self.client.persist(self.call.registry, Patience::Wire, || {
            let body = form.map(|form| {
                let bytes = form.reveal().as_bytes();
                (bytes.len() as u64, Box::new(bytes) as Box<dyn Read + Send>)
            });
            let named_by = self.named_by(url).filter(|_| !allowed);
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
            status @ (400 | 401 | 403) => {
                let user = credential.map(|credential| credential.user().to_owned());
                let refusal = if status == 401 { Refusal::Login } else { Refusal::Either };
                Err(self.refused(&Proof { header: None, user }, refusal))
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

    /// Says that nobody speaks what is asked for.
    pub(super) fn unnegotiable(&self) -> Failed {
        let reason = "it wants a login, and of a kind that is neither Bearer nor Basic".to_owned();
        self.fault(Fault::Protocol(reason), None)
    }

    /// Says that a login is missing, wrong, or allows less than is asked for.
    pub(super) fn refused(&self, proof: &Proof, refusal: Refusal) -> Failed {
        let name = &self.endpoint.name;
        let scopes = self.endpoint.scopes(self.call.scopes);
        let pushing = scopes.iter().find(|scope| scope.push);
        let repository = pushing.or(scopes.first()).map(|scope| scope.repository.as_str());
        let verb = if pushing.is_some() { "push to" } else { "pull from" };
        let login = format!(
            "log in with `docker login {name}`, `podman login {name}` or `skopeo login {name}`, \
            or name the file with --authfile"
        );
        let (reason, hint) = match (&proof.user, repository, refusal) {
            (None, Some(repository), _) if pushing.is_none() => {
                let hint = format!(
                    "is `{repository}` right? Registries say so of what is not there, too; if it \
                    is, {login}"
                );
                (self.no_login(), hint)
            }
            (None, ..) => (self.no_login(), login),
            (Some(user), Some(repository), Refusal::Scope) => {
                let hint = "ask the owner of the repository for the right, or log in as somebody \
                    else";
                (format!("logged in as {user}, who may not {verb} `{repository}`"), hint.into())
            }
            (Some(user), Some(repository), Refusal::Either) => {
                let reason = format!(
                    "logged in as {user}, who may not {verb} `{repository}`, or the login is \
                    wrong or has expired"
                );
                (reason, login)
            }
            (Some(user), ..) => (format!("it refuses the login of {user}"), login),
        };
        self.fault(Fault::Credentials(reason), Some(hint))
    }

    fn no_login(&self) -> String {
        let names = [self.endpoint.name.as_str()];
        let names: Vec<_> = names.iter().chain(aliases(&self.endpoint.name)).copied().collect();
        format!("it wants a login, and there is none for `{}`", names.join("` or `"))
    }
}

/// Returns whether a challenge says that the login allows less than is asked for.
pub(super) fn is_insufficient(challenge: Option<&Challenge>) -> bool {
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
