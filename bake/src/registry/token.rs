//! Tokens of token services, kept as long as they live (distribution's token specification, and
//! its OAuth2 form).
//!
//! A token is kept for one registry, realm, service and set of scopes: some registries refuse a
//! token that was made for another scope as well. Threads that want the same token wait for one of
//! them to get it.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::secret::Secret;

/// How long a token lives if its service does not say.
const LIFE: Duration = Duration::from_secs(60);
/// A token is renewed when less than this, or a fifth of its life, is left.
const MARGIN: Duration = Duration::from_secs(30);
/// No token is trusted longer, so that sums of times cannot overflow.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// More than any answer with a token has, in bytes.
const LIMIT: u64 = 1 << 20;

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TokenKey {
    pub(super) registry: String,
    pub(super) realm: String,
    pub(super) service: Option<String>,
    /// Sorted.
    pub(super) scopes: Vec<String>,
}

/// A token, and until when it is used.
#[derive(Debug, Clone)]
pub(super) struct Token {
    secret: Secret,
    until: Duration,
}

type Slot = Arc<Mutex<Option<Token>>>;

/// All tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    slots: Mutex<BTreeMap<TokenKey, Slot>>,
}

impl Tokens {
    /// Returns the token for a key, from `fetch` unless there is one that still lives.
    pub(super) fn of<E>(
        &self,
        key: &TokenKey,
        now: impl Fn() -> Duration,
        fetch: impl FnOnce() -> Result<Granted, E>,
    ) -> Result<Secret, E> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(key.clone()).or_default().clone()
        };
        let mut token = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = token.as_ref().filter(|token| now() < token.until) {
            return Ok(token.secret.clone());
        }
        // The life of a token begins when it is made, which is not before it was asked for.
        let asked = now();
        let granted = fetch()?;
        let margin = MARGIN.min(granted.life / 5);
        let until = asked + granted.life.saturating_sub(margin);
        *token = Some(Token { secret: granted.secret.clone(), until });
        Ok(granted.secret)
    }

    /// Forgets the tokens of a registry that are for all of some scopes.
    pub(super) fn forget(&self, registry: &str, scopes: &[String]) {
        self.forget_if(|key, _| {
            key.registry == registry && scopes.iter().all(|scope| key.scopes.contains(scope))
        });
    }

    /// Forgets a token that a registry refused, and none that another thread got meanwhile.
    pub(super) fn refused(&self, registry: &str, secret: &Secret) {
        self.forget_if(|key, token| key.registry == registry && token.secret == *secret);
    }

    fn forget_if(&self, matches: impl Fn(&TokenKey, &Token) -> bool) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, slot) in slots.iter() {
            // One that is locked is just being replaced.
            let Ok(mut token) = slot.try_lock() else { continue };
            if token.as_ref().is_some_and(|token| matches(key, token)) {
                *token = None;
            }
        }
    }
}

/// What a token service gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) secret: Secret,
    pub(super) life: Duration,
}

#[derive(Deserialize)]
struct Reply {
    token: Option<Secret>,
    access_token: Option<Secret>,
    /// A number, which some services write as a text.
    expires_in: Option<serde_json::Value>,
}

impl Granted {
    /// Reads the answer of a token service; the error is a phrase without a secret.
    pub(super) fn read(body: impl Read) -> Result<Self, String> {
        let mut text = Zeroizing::new(Vec::new());
        body.take(LIMIT + 1)
            .read_to_end(&mut text)
            .map_err(|error| format!("the token service's answer cannot be read: {error}"))?;
        if text.len() as u64 > LIMIT {
            return Err(format!("the token service's answer is longer than {LIMIT} bytes"));
        }
        let reply: Reply = serde_json::from_slice(&text)
            .map_err(|_| "the token service's answer is not JSON with a token".to_owned())?;
        let filled = |token: &Secret| !token.is_empty();
        let token = reply.token.filter(filled).or(reply.access_token.filter(filled));
        let token = token.ok_or("the token service's answer has neither token nor access_token")?;
        if !token.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token service's token has characters that no token has".to_owned());
        }
        let seconds = match reply.expires_in {
            Some(serde_json::Value::Number(number)) => number.as_f64(),
            Some(serde_json::Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let life = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let life = life.unwrap_or(LIFE).min(LONGEST);
        Ok(Self { secret: token, life })
    }
}

/// Returns the address to ask for a token with GET.
pub(super) fn question(
    realm: &Url,
    service: Option<&str>,
    scopes: &[String],
    account: Option<&str>,
) -> Url {
    let mut url = realm.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(account) = account {
            query.append_pair("account", account);
        }
        if let Some(service) = service {
            query.append_pair("service", service);
        }
        for scope in scopes {
            query.append_pair("scope", scope);
        }
    }
    // An empty query is not sent.
    if url.query() == Some("") {
        url.set_query(None);
    }
    url
}

/// Returns the form to ask for a token with POST, for an identity token.
pub(super) fn form(service: Option<&str>, scopes: &[String], identity: &Secret) -> Secret {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token");
    form.append_pair("client_id", "bake");
    if let Some(service) = service {
        form.append_pair("service", service);
    }
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.join(" "));
    }
    form.append_pair("refresh_token", identity.reveal());
    Secret::new(form.finish())
}

/// Returns what is to be asked for: the wanted scopes in their order, and what a challenge names
/// besides.
pub(super) fn merge(mut wanted: Vec<String>, challenge: Option<&str>) -> Vec<String> {
    for scope in challenge.unwrap_or_default().split_ascii_whitespace() {
        if !wanted.iter().any(|known| covers(known, scope)) {
            wanted.push(scope.to_owned());
        }
    }
    wanted
}

/// Returns whether one scope (`type:name:actions`) allows all that another does.
fn covers(known: &str, scope: &str) -> bool {
    let parts = |scope: &'_ str| -> Option<(String, Vec<String>)> {
        let (name, actions) = scope.rsplit_once(':')?;
        Some((name.to_owned(), actions.split(',').map(ToOwned::to_owned).collect()))
    };
    match (parts(known), parts(scope)) {
        (Some((name, all)), Some((other, some))) => {
            name == other && some.iter().all(|action| all.contains(action))
        }
        _ => known == scope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, u64), String> {
        let granted = Granted::read(text.as_bytes())?;
        Ok((granted.secret.reveal().to_owned(), granted.life.as_secs()))
    }

    #[test]
    fn answers_are_read_in_all_their_forms() {
        assert_eq!(read(r#"{"token":"t"}"#), Ok(("t".into(), 60)));
        assert_eq!(read(r#"{"access_token":"a","expires_in":300}"#), Ok(("a".into(), 300)));
        assert_eq!(read(r#"{"token":"","access_token":"a"}"#), Ok(("a".into(), 60)));
        assert_eq!(read(r#"{"token":"t","access_token":"a","scope":"x"}"#), Ok(("t".into(), 60)));
        assert_eq!(read(r#"{"token":"t","expires_in":"300"}"#), Ok(("t".into(), 300)));
        assert_eq!(read(r#"{"token":"t","expires_in":null}"#), Ok(("t".into(), 60)));
        assert_eq!(read(r#"{"token":"t","expires_in":-5}"#), Ok(("t".into(), 60)));
        assert_eq!(read(r#"{"token":"t","expires_in":1e300}"#), Ok(("t".into(), 60)));
        assert_eq!(read(r#"{"token":"t","expires_in":1e9}"#), Ok(("t".into(), 86400)));
    }

    #[test]
    fn answers_without_a_token_are_refused_without_quoting_them() {
        let long = format!(r#"{{"token":"{}"}}"#, "hunter2".repeat(1 << 18));
        for text in ["", "<html>hunter2", r#"{"tok":"hunter2"}"#, r#"{"token":5}"#, &long] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with("the token service's answer"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(read("{\"token\":\"a\\r\\nHost: x\"}").unwrap_err().contains("characters"));
    }

    fn key(scopes: &[&str]) -> TokenKey {
        TokenKey {
            registry: "r".into(),
            realm: "https://a/t".into(),
            service: None,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        }
    }

    #[test]
    fn a_token_is_kept_until_shortly_before_its_end() {
        let tokens = Tokens::default();
        let asked = std::cell::Cell::new(0);
        let get = |at: u64, key: &TokenKey| {
            let fetch = || {
                asked.set(asked.get() + 1);
                let secret = Secret::new(asked.get().to_string());
                Ok::<_, ()>(Granted { secret, life: Duration::from_secs(100) })
            };
            let token = tokens.of(key, || Duration::from_secs(at), fetch).unwrap();
            token.reveal().to_owned()
        };
        let pull = key(&["repository:a:pull"]);
        assert_eq!(get(0, &pull), "1");
        assert_eq!(get(79, &pull), "1");
        assert_eq!(get(80, &pull), "2");
        assert_eq!(get(81, &key(&["repository:b:pull"])), "3");
        tokens.forget("r", &["repository:a:pull".into()]);
        assert_eq!(get(82, &key(&["repository:b:pull"])), "3");
        assert_eq!(get(82, &pull), "4");
        tokens.refused("r", &Secret::new("2".into()));
        assert_eq!(get(82, &pull), "4");
        tokens.refused("r", &Secret::new("4".into()));
        assert_eq!(get(82, &pull), "5");
    }

    #[test]
    fn threads_wait_for_one_fetch() {
        let tokens = Tokens::default();
        let asked = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let fetch = || {
                        asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(20));
                        Ok::<_, ()>(Granted { secret: Secret::new("t".into()), life: LIFE })
                    };
                    tokens.of(&key(&[]), || Duration::ZERO, fetch).unwrap();
                });
            }
        });
        assert_eq!(asked.into_inner(), 1);
    }

    #[test]
    fn questions_keep_the_realms_own_query() {
        let realm = Url::parse("https://a.example/token?tenant=1").unwrap();
        let scopes = ["repository:a/b:pull,push".to_owned(), "repository:c:pull".to_owned()];
        let url = question(&realm, Some("r s"), &scopes, Some("me"));
        assert_eq!(
            url.as_str(),
            "https://a.example/token?tenant=1&account=me&service=r+s\
            &scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Ac%3Apull"
        );
        let bare = Url::parse("https://a.example/token").unwrap();
        assert_eq!(question(&bare, None, &[], None).as_str(), "https://a.example/token");
    }

    #[test]
    fn forms_are_of_oauth2() {
        let form =
            form(Some("r"), &["a:b:pull".into(), "c:d:pull".into()], &Secret::new("x&y".into()));
        assert_eq!(
            form.reveal(),
            "grant_type=refresh_token&client_id=bake&service=r&scope=a%3Ab%3Apull+c%3Ad%3Apull\
            &refresh_token=x%26y"
        );
    }

    #[test]
    fn a_challenge_adds_what_is_missing() {
        let wanted = || vec!["repository:a:pull,push".to_owned()];
        assert_eq!(merge(wanted(), Some("repository:a:push,pull")), wanted());
        assert_eq!(merge(wanted(), None), wanted());
        let more = merge(wanted(), Some("repository:a:delete repository:b:pull"));
        assert_eq!(more[1..], ["repository:a:delete", "repository:b:pull"]);
    }
}
