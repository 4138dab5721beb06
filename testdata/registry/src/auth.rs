//! Who may do what: basic credentials, or tokens of a service (distribution, "Token
//! Authentication Specification").

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http::{Head, Reply, parameters};
use crate::kind::{Kind, Target};
use crate::trace::Hosts;

/// How clients say who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// Not at all.
    #[default]
    Open,
    /// With name and password in every request.
    Basic(BTreeMap<String, String>),
    /// With a token.
    Token(TokenService),
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Nothing.
    Nothing,
    /// Read.
    Pull,
    /// Read and write.
    Push,
}

/// A service that gives tokens, at `/token` of the registry itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenService {
    /// Passwords, by names; all may push.
    pub users: BTreeMap<String, String>,
    /// Identity tokens that may push, each good in place of a password.
    pub identities: BTreeSet<String>,
    /// What those without credentials may do.
    pub anonymous: Right,
    /// The realm of challenges, if it is not the registry's own; `{other}` in it is the URL of the
    /// other host, which gives the same tokens.
    pub realm: Option<String>,
    /// Challenges that stand before that of the service, each in a header of its own. If one is
    /// `Basic`, name and password are good in place of a token.
    pub challenges: Vec<String>,
    /// The name of the token in the answer: `token` or `access_token`.
    pub field: String,
    /// How long tokens are said to live, in seconds.
    pub expires_in: Option<u64>,
    /// Whether the first scope asked for is the only one given.
    pub scopes: Scopes,
}

/// How many scopes a token has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scopes {
    /// All that were asked for.
    All,
    /// The first.
    First,
}

impl Default for TokenService {
    fn default() -> Self {
        Self {
            users: BTreeMap::new(),
            identities: BTreeSet::new(),
            anonymous: Right::Pull,
            realm: None,
            challenges: Vec::new(),
            field: "token".to_owned(),
            expires_in: Some(300),
            scopes: Scopes::All,
        }
    }
}

impl Auth {
    /// Returns basic authentication with one user.
    pub fn basic(user: &str, password: &str) -> Self {
        Self::Basic(BTreeMap::from([(user.to_owned(), password.to_owned())]))
    }

    /// Returns a token service with one user; the others may read.
    pub fn token(user: &str, password: &str) -> Self {
        let users = BTreeMap::from([(user.to_owned(), password.to_owned())]);
        Self::Token(TokenService { users, ..TokenService::default() })
    }
}

/// The tokens given so far: what each allows in which repository.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    given: BTreeMap<String, BTreeMap<String, Right>>,
    count: usize,
}

impl Tokens {
    /// Forgets every token.
    pub(crate) fn expire(&mut self) {
        self.given.clear();
    }

    fn give(&mut self, rights: BTreeMap<String, Right>) -> String {
        self.count += 1;
        let token = format!("test-token-{}", self.count);
        self.given.insert(token.clone(), rights);
        token
    }
}

/// What a request needs: a right in a repository.
fn needed(kind: Kind) -> Right {
    match kind {
        Kind::Token | Kind::Other => Right::Nothing,
        Kind::Ping
        | Kind::BlobHead
        | Kind::BlobGet
        | Kind::ManifestHead
        | Kind::ManifestGet
        | Kind::Tags
        | Kind::Referrers => Right::Pull,
        Kind::BlobDelete
        | Kind::UploadStart
        | Kind::UploadWhole
        | Kind::Mount
        | Kind::UploadPatch
        | Kind::UploadPut
        | Kind::UploadStatus
        | Kind::UploadCancel
        | Kind::ManifestPut
        | Kind::ManifestDelete => Right::Push,
    }
}

/// Returns whether one of a service's other challenges is for name and password.
fn offers_basic(service: &TokenService) -> bool {
    service.challenges.iter().any(|challenge| challenge.starts_with("Basic "))
}

/// Returns whether a credential is the name and password of one of a service's users.
fn login(service: &TokenService, credential: &str) -> bool {
    basic(credential).is_some_and(|(user, password)| service.users.get(&user) == Some(&password))
}

/// Returns what the sender of a request may do in a repository.
pub(crate) fn right(auth: &Auth, tokens: &Tokens, head: &Head, repository: Option<&str>) -> Right {
    let credential = head.headers.first("Authorization").unwrap_or_default();
    match auth {
        Auth::Open => Right::Push,
        Auth::Basic(users) => match basic(credential) {
            Some((user, password)) if users.get(&user) == Some(&password) => Right::Push,
            _ => Right::Nothing,
        },
        Auth::Token(service) if offers_basic(service) && login(service, credential) => Right::Push,
        Auth::Token(_) => {
            let token = credential.split_once(' ').map_or("", |(_, token)| token);
            match (tokens.given.get(token), repository) {
                (None, _) => Right::Nothing,
                (Some(_), None) => Right::Push,
                (Some(rights), Some(name)) => rights.get(name).copied().unwrap_or(Right::Nothing),
            }
        }
    }
}

/// Refuses a request that lacks a right, with a challenge.
pub(crate) fn refuse(
    auth: &Auth,
    tokens: &Tokens,
    head: &Head,
    target: &Target,
    hosts: &Hosts,
) -> Option<Reply> {
    let kind = target.kind(&head.method, &head.query);
    let needed = needed(kind);
    if right(auth, tokens, head, target.repository()) >= needed {
        return None;
    }
    let mut reply = Reply::error(401, "UNAUTHORIZED", "authentication required");
    match auth {
        Auth::Open => {}
        Auth::Basic(_) => reply.headers.add("WWW-Authenticate", "Basic realm=\"test\""),
        Auth::Token(service) => {
            for challenge in &service.challenges {
                reply.headers.add("WWW-Authenticate", challenge.clone());
            }
            let own = format!("{}/token", hosts.registry);
            let realm = service.realm.as_ref().map(|realm| realm.replace("{other}", &hosts.other));
            let realm = realm.unwrap_or(own);
            let mut challenge = format!("Bearer realm=\"{realm}\",service=\"test\"");
            if let Some(repository) = target.repository() {
                let actions = if needed == Right::Push { "pull,push" } else { "pull" };
                challenge.push_str(&format!(",scope=\"repository:{repository}:{actions}\""));
            }
            if !head.headers.first("Authorization").unwrap_or_default().is_empty() {
                challenge.push_str(",error=\"invalid_token\"");
            }
            reply.headers.add("WWW-Authenticate", challenge);
        }
    }
    Some(reply)
}

/// Gives a token, or says why not.
pub(crate) fn token(auth: &Auth, tokens: &mut Tokens, head: &Head, form: &[u8]) -> Reply {
    let Auth::Token(service) = auth else {
        return Reply::error(404, "UNSUPPORTED", "this registry gives no tokens");
    };
    let form = String::from_utf8_lossy(form);
    let asked = if head.method == "POST" { form.as_ref() } else { head.query.as_str() };
    let field = |name| parameters(asked, name).into_iter().next().unwrap_or_default();
    let credential = head.headers.first("Authorization").unwrap_or_default();
    let right = match (head.method.as_str(), field("grant_type").as_str()) {
        ("POST", "refresh_token") if service.identities.contains(&field("refresh_token")) => {
            Right::Push
        }
        ("POST", "password")
            if service.users.get(&field("username")) == Some(&field("password")) =>
        {
            Right::Push
        }
        ("GET", _) if credential.is_empty() => service.anonymous,
        ("GET", _) if login(service, credential) => Right::Push,
        ("GET", _) => return Reply::error(401, "UNAUTHORIZED", "wrong name or password"),
        ("POST", _) => return Reply::error(401, "UNAUTHORIZED", "wrong identity token"),
        _ => return Reply::error(405, "UNSUPPORTED", "GET or POST"),
    };
    let mut scopes: Vec<String> = parameters(asked, "scope");
    scopes = scopes.iter().flat_map(|scope| scope.split(' ')).map(str::to_owned).collect();
    if service.scopes == Scopes::First {
        scopes.truncate(1);
    }
    let mut rights = BTreeMap::<String, Right>::new();
    for scope in &scopes {
        if let Some((name, wanted)) = read_scope(scope) {
            let right = right.min(wanted).max(rights.get(&name).copied().unwrap_or(Right::Nothing));
            rights.insert(name, right);
        }
    }
    let mut answer = serde_json::json!({ service.field.clone(): tokens.give(rights) });
    if let Some(seconds) = service.expires_in {
        answer["expires_in"] = seconds.into();
    }
    Reply::json(200, &answer)
}

fn read_scope(scope: &str) -> Option<(String, Right)> {
    let rest = scope.strip_prefix("repository:")?;
    let (name, actions) = rest.rsplit_once(':')?;
    let mut right = Right::Nothing;
    for action in actions.split(',') {
        right = right.max(match action {
            "pull" => Right::Pull,
            "push" | "*" => Right::Push,
            _ => Right::Nothing,
        });
    }
    Some((name.to_owned(), right))
}

fn basic(credential: &str) -> Option<(String, String)> {
    let (scheme, encoded) = credential.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
