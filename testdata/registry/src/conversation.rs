//! One connection: requests read, rules applied, answers changed and sent, all of it recorded.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bake_formats::digest::Digest;

use crate::auth::{self, Auth, Right, Tokens};
use crate::http::{Connection, Head, Manner, Reply};
use crate::kind::{Kind, Target};
use crate::registry::{self, Outcome, Request};
use crate::rule::{Action, Answer, RetryAfter, Rule};
use crate::state::State;
use crate::trace::{Exchange, Host, Hosts};

/// What a body is thrown away by.
const DISCARD: u64 = 1 << 20;
/// How much of a body is read after an early answer.
const LINGER: u64 = 8 << 20;
/// The longest body that is taken.
const MAX_BODY: u64 = 4 << 30;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) tokens: Mutex<Tokens>,
    pub(crate) trace: Mutex<Vec<Exchange>>,
    pub(crate) rules: Mutex<Vec<Ruling>>,
    pub(crate) auth: Auth,
    pub(crate) hosts: Hosts,
    pub(crate) requests: AtomicUsize,
    pub(crate) connections: AtomicUsize,
}

/// A rule, and what came of it so far.
pub(crate) struct Ruling {
    pub(crate) rule: Rule,
    /// How many requests it counted.
    counted: usize,
    /// To how many of them it made a difference.
    pub(crate) met: usize,
}

impl From<Rule> for Ruling {
    fn from(rule: Rule) -> Self {
        Self { rule, counted: 0, met: 0 }
    }
}

/// Locks, whatever another thread did meanwhile.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the connection can be used for another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Request,
    Close,
}

/// Answers requests until the client is done, or is to be.
pub(crate) fn hold(
    shared: &Shared,
    connection: &mut Connection,
    host: Host,
    number: usize,
) -> io::Result<()> {
    while let Some(head) = connection.head()? {
        let order = shared.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let turn =
            Turn { shared, head: &head, target: Target::of(&head.path), host, number, order };
        if turn.take(connection)? == Next::Close {
            break;
        }
    }
    Ok(())
}

/// One request.
struct Turn<'a> {
    shared: &'a Shared,
    head: &'a Head,
    target: Target,
    host: Host,
    number: usize,
    order: usize,
}

/// How much of a body was of use, and what it was for.
#[derive(Debug, Default)]
struct Account {
    received: u64,
    discarded: u64,
    upload: Option<String>,
    stored: Option<(Digest, u64)>,
}

impl Turn<'_> {
    fn kind(&self) -> Kind {
        self.target.kind(&self.head.method, &self.head.query)
    }

    /// Returns what the rules say of this request, and counts it for them.
    fn actions(&self) -> Vec<Action> {
        let (kind, mut actions) = (self.kind(), Vec::new());
        for Ruling { rule, counted, met } in lock(&self.shared.rules).iter_mut() {
            if rule.when.counts(kind, &self.head.path) {
                *counted += 1;
                if rule.when.meant(*counted) {
                    *met += usize::from(rule.then.concerns(kind, self.head) == Some(true));
                    actions.push(rule.then.clone());
                }
            }
        }
        actions
    }

    /// Notes that an action makes a difference to an answer.
    fn meet(&self, action: &Action) {
        let kind = self.kind();
        for Ruling { rule, met, .. } in lock(&self.shared.rules).iter_mut() {
            *met += usize::from(rule.then == *action && rule.when.counts(kind, &self.head.path));
        }
    }

    fn take(&self, connection: &mut Connection) -> io::Result<Next> {
        let actions = self.actions();
        if actions.contains(&Action::ExpireTokens) {
            lock(&self.shared.tokens).expire();
        }
        if let Some((after, kept)) = cut(&actions) {
            return self.cut(connection, after, kept);
        }
        if let Some(early) = self.early(&actions) {
            let account = Account::default();
            let waits = connection.expects();
            let next = self.send(connection, &early, &actions, account, Next::Close)?;
            if !waits {
                linger(connection);
            }
            return Ok(next);
        }
        if let Some(reply) = self.instead(&actions) {
            return self.refuse(connection, &reply, &actions);
        }
        let mut body = Vec::new();
        if let Err(error) = whole_body(connection, &mut body) {
            self.lost(&body);
            return Err(error);
        }
        let received = body.len() as u64;
        let Outcome { reply, upload, stored } = self.outcome(body, &actions);
        let kept = reply.status < 400 || reply.status == 416 && lost_bytes(&actions).is_some();
        let (received, discarded) = if kept { (received, 0) } else { (0, received) };
        let account = Account { received, discarded, upload, stored };
        self.send(connection, &reply, &actions, account, Next::Request)
    }

    fn outcome(&self, body: Vec<u8>, actions: &[Action]) -> Outcome {
        let shared = self.shared;
        if self.target == Target::Token {
            let mut tokens = lock(&shared.tokens);
            return auth::token(&shared.auth, &mut tokens, self.head, &body).into();
        }
        let may_pull = |name: &str| {
            let tokens = lock(&shared.tokens);
            auth::right(&shared.auth, &tokens, self.head, Some(name)) >= Right::Pull
        };
        let request = Request {
            head: self.head,
            target: &self.target,
            kind: self.kind(),
            body,
            actions,
            host: self.host,
            hosts: &shared.hosts,
            may_pull: &may_pull,
        };
        registry::answer(&mut lock(&shared.state), request)
    }

    /// Returns an answer for which the body is not read.
    fn early(&self, actions: &[Action]) -> Option<Reply> {
        let announced = self.head.announced();
        actions.iter().find_map(|action| match action {
            Action::AnswerEarly(answer) => Some(reply(answer)),
            Action::BodyLimit(most) if announced.is_none_or(|length| length > *most) => {
                let page = Answer::html(413);
                Some(reply(&page))
            }
            _ => None,
        })
    }

    /// Returns an answer in place of that of the registry.
    fn instead(&self, actions: &[Action]) -> Option<Reply> {
        let told = actions.iter().find_map(|action| match action {
            Action::Answer(answer) => Some(reply(answer)),
            _ => None,
        });
        if told.is_some() || self.host == Host::Other {
            return told;
        }
        let tokens = lock(&self.shared.tokens);
        auth::refuse(&self.shared.auth, &tokens, self.head, &self.target, &self.shared.hosts)
    }

    /// Answers without having use for the body, which is thrown away unless the client waits with it.
    fn refuse(
        &self,
        connection: &mut Connection,
        reply: &Reply,
        actions: &[Action],
    ) -> io::Result<Next> {
        if connection.expects() {
            return self.send(connection, reply, actions, Account::default(), Next::Close);
        }
        let mut account = Account::default();
        let mut block = Vec::new();
        loop {
            block.clear();
            let done = connection.body(DISCARD, &mut block)?;
            account.discarded += block.len() as u64;
            if done || block.is_empty() {
                break;
            }
        }
        self.send(connection, reply, actions, account, Next::Request)
    }

    /// Cuts the connection in the midst of the body.
    fn cut(&self, connection: &mut Connection, after: u64, kept: Kept) -> io::Result<Next> {
        let mut body = Vec::new();
        connection.body(after, &mut body)?;
        match kept {
            Kept::Yes => self.lost(&body),
            Kept::No => {
                let discarded = body.len() as u64;
                self.record(0, 0, Account { discarded, ..Account::default() });
            }
        }
        Ok(Next::Close)
    }

    /// Records that the connection broke in the midst of the body. What had come stays in an upload
    /// that is streamed; of a chunk nothing is kept.
    fn lost(&self, body: &[u8]) {
        let came = body.len() as u64;
        let upload = match self.kind() {
            Kind::UploadPatch => registry::keep(&mut lock(&self.shared.state), &self.target, body),
            _ => None,
        };
        let account = match upload {
            Some(_) => Account { received: came, upload, ..Account::default() },
            None => Account { discarded: came, ..Account::default() },
        };
        self.record(0, 0, account);
    }

    /// Changes the answer as the rules say, records the exchange and sends it.
    fn send(
        &self,
        connection: &mut Connection,
        reply: &Reply,
        actions: &[Action],
        account: Account,
        next: Next,
    ) -> io::Result<Next> {
        let mut reply = reply.clone();
        let unread = connection.has_body();
        let close = if unread { Next::Close } else { next };
        let head_only = self.head.method == "HEAD";
        let mut manner = Manner { head_only, last: close == Next::Close, ..Manner::default() };
        for action in actions {
            if matches!(action, Action::InsteadOf(status, _) if reply.status == *status) {
                self.meet(action);
            }
            change(&mut reply, &mut manner, action);
        }
        let sent = if head_only {
            0
        } else {
            (reply.part.len() as u64).min(manner.cut.unwrap_or(u64::MAX))
        };
        self.record(reply.status, sent, account);
        connection.answer(&reply, manner)?;
        Ok(if manner.cut.is_some() { Next::Close } else { close })
    }

    fn record(&self, status: u16, sent: u64, account: Account) {
        let Account { received, discarded, upload, stored } = account;
        let head = self.head;
        lock(&self.shared.trace).push(Exchange {
            order: self.order,
            connection: self.number,
            host: self.host,
            kind: self.kind(),
            method: head.method.clone(),
            path: head.path.clone(),
            query: head.query.clone(),
            headers: head.headers.clone(),
            received,
            discarded,
            upload,
            stored,
            status,
            sent,
        });
    }
}

/// Reads on for a while after an early answer: a connection closed with bytes unread is reset, and
/// the client would not see the answer.
fn linger(connection: &mut Connection) {
    // Whether the client goes on or hangs up is all the same.
    drop(connection.body(LINGER, &mut Vec::new()));
}

/// Reads all of a body.
fn whole_body(connection: &mut Connection, body: &mut Vec<u8>) -> io::Result<()> {
    if connection.body(MAX_BODY, body)? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the body is longer than 4 GiB"))
}

/// Whether bytes that came before a cut count.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Yes,
    No,
}

fn cut(actions: &[Action]) -> Option<(u64, Kept)> {
    actions.iter().find_map(|action| match action {
        Action::CutRequest(after) => Some((*after, Kept::Yes)),
        Action::CutRequestAndForget(after) => Some((*after, Kept::No)),
        _ => None,
    })
}

fn lost_bytes(actions: &[Action]) -> Option<u64> {
    actions.iter().find_map(|action| match action {
        Action::LoseAfter(after) => Some(*after),
        _ => None,
    })
}

fn reply(answer: &Answer) -> Reply {
    let mut reply = Reply::new(answer.status).with_body(answer.body.clone());
    for (name, value) in &answer.headers {
        reply.headers.add(name, value.clone());
    }
    if let Some(when) = answer.retry_after {
        reply.headers.add("Retry-After", written(when));
    }
    reply
}

#[expect(clippy::disallowed_methods, reason = "the header holds the date that it is")]
fn written(when: RetryAfter) -> String {
    match when {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(seconds) => {
            httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds))
        }
        RetryAfter::Nonsense => "soon".to_owned(),
    }
}

/// Changes an answer, or how it is sent, by one action.
fn change(reply: &mut Reply, manner: &mut Manner, action: &Action) {
    let length = reply.part.len() as u64;
    match action {
        Action::Status(status) if reply.status < 300 => reply.status = *status,
        Action::InsteadOf(status, answer) if reply.status == *status => {
            *reply = self::reply(answer);
        }
        Action::Header(name, value) => reply.headers.set(name, value.clone()),
        Action::NoHeader(name) => reply.headers.remove(name),
        Action::WrongDigest if reply.status < 300 => {
            let wrong = Digest::of(b"something else").to_string();
            reply.headers.set("Docker-Content-Digest", wrong);
        }
        Action::Corrupt if reply.status < 300 && length > 0 => {
            let mut bytes = reply.body.to_vec();
            if let Some(last) = bytes.get_mut(reply.part.end - 1) {
                *last ^= 1;
            }
            reply.body = bytes.into();
        }
        Action::Truncate(most) if *most < length => {
            reply.part.end = reply.part.start + usize::try_from(*most).unwrap_or(usize::MAX);
        }
        Action::CutAnswer(after) => manner.cut = Some(*after),
        Action::Delay(time) => std::thread::sleep(*time),
        Action::Drip(size, pause) => manner.drip = Some((*size, *pause)),
        _ => {}
    }
}
