//! One exchange over one connection, and nothing more: no redirect, no credential, no second try.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ureq::http::HeaderValue;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector, RustlsConnector, TcpConnector,
};
use ureq::{Agent, AsSendBody, Proxy, SendBody};
use url::Url;

use super::address::{self, Guard, Reach};
use super::broken::{Broken, Kind};
use super::call::{Answer, Body, Headers, Method};
use super::early::{self, EarlyAnswers};
use super::trust::{Roots, Trust};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a handshake of TLS may take on this machine, if it may be that nobody speaks it: some
/// servers wait for the end of what they take for a line.
const HANDSHAKE: Duration = Duration::from_secs(2);
/// How long nothing may come or go.
const STALL: Duration = Duration::from_secs(60);
/// How many bytes a registry may check in a second before it answers: a commit of a blob hashes it,
/// and may copy it from one storage to another.
const COMMIT_RATE: u64 = 8 << 20;
/// How long the end of an upload may take whose bytes were sent before.
const COMMIT: Duration = Duration::from_secs(900);
/// How much is read from a body and sent at once.
const BUFFER: usize = 128 << 10;
/// How many connections to one host wait for their next use.
const IDLE: usize = 16;

/// Makes exchanges, over connections that are kept for the next one.
#[derive(Debug)]
pub(super) struct Http {
    proxy: Option<Proxy>,
    user_agent: String,
    roots: Roots,
    agents: Mutex<BTreeMap<AgentKey, Agent>>,
    /// How long nothing may come or go.
    stall: Duration,
}

/// Connections of different keys are never used for each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct AgentKey {
    trust: Trust,
    named_by: Option<Reach>,
    proxied: bool,
}

/// One exchange.
pub(super) struct Exchange<'a> {
    pub(super) method: Method,
    pub(super) url: &'a Url,
    /// All headers but `Content-Length` and `User-Agent`.
    pub(super) headers: &'a Headers,
    /// The body's length and bytes.
    pub(super) body: Option<(u64, Box<dyn Read + Send + 'a>)>,
    /// Whom to trust.
    pub(super) trust: &'a Trust,
    /// Where the registry is that named the URL; `None` if it is the registry's own.
    pub(super) named_by: Option<Reach>,
    /// Whether it is open that somebody speaks TLS there: one who does, and is on this machine,
    /// answers at once.
    pub(super) undecided: bool,
}

impl Http {
    /// Makes the pool.
    pub(super) fn new(proxy: Option<Proxy>, user_agent: String) -> Self {
        Self { proxy, user_agent, roots: Roots::default(), agents: Mutex::default(), stall: STALL }
    }

    /// Changes how long nothing may come or go.
    #[cfg(test)]
    pub(super) fn with_stall(self, stall: Duration) -> Self {
        Self { stall, ..self }
    }

    /// Makes an exchange. Whatever the status, an answer is an answer.
    pub(super) fn exchange(&self, exchange: Exchange<'_>) -> Result<Answer, Broken> {
        if let (Some(reach), Some(literal)) = (exchange.named_by, address::literal(exchange.url)) {
            address::check(reach, exchange.url.host_str().unwrap_or_default(), literal)?;
        }
        let agent = self.agent(&exchange)?;
        let len = exchange.body.as_ref().map(|(len, _)| *len);
        let mut request = ureq::http::Request::builder()
            .method(exchange.method.as_str())
            .uri(exchange.url.as_str());
        for (name, value) in exchange.headers.iter() {
            request = request.header(name, header(name, value)?);
        }
        if let Some(len) = len {
            request = request.header("content-length", len);
        }
        let patience = match (exchange.method, len) {
            (Method::Put, Some(0)) => Some(COMMIT),
            (_, Some(len)) if len >= COMMIT_RATE => {
                Some(self.stall + Duration::from_secs(len / COMMIT_RATE))
            }
            _ => None,
        };
        let times = Times { patience, connect: exchange.undecided.then_some(HANDSHAKE) };
        let mut sending = Sending::new(exchange.body);
        early::begin();
        let outcome = match len {
            Some(_) => run(&agent, request.body(SendBody::from_reader(&mut sending)), times),
            None => run(&agent, request.body(()), times),
        };
        if let Some(fault) = sending.fault {
            return Err(Broken::local(format!("cannot read what is to be sent: {fault}")));
        }
        Self::judge(outcome, exchange.url)
    }

    fn judge(
        outcome: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        url: &Url,
    ) -> Result<Answer, Broken> {
        let cut = early::was_cut();
        let broke = || Broken {
            kind: Kind::Reset,
            reason: "the connection broke while the body was being sent".to_owned(),
        };
        let (head, body) = match outcome {
            Ok(response) => response.into_parts(),
            Err(ureq::Error::Io(_)) if cut => return Err(broke()),
            Err(error) => return Err(error.into()),
        };
        let status = head.status.as_u16();
        // Who did not read the whole body cannot have done what was asked.
        if cut && status < 400 {
            return Err(broke());
        }
        let mut headers = Headers::default();
        for (name, value) in &head.headers {
            headers.add(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
        }
        Ok(Answer { status, headers, url: url.clone(), body: Box::new(body.into_reader()) })
    }

    fn agent(&self, exchange: &Exchange<'_>) -> Result<Agent, Broken> {
        let https = exchange.url.scheme() == "https";
        let key = AgentKey {
            trust: if https { exchange.trust.clone() } else { Trust::default() },
            named_by: exchange.named_by,
            proxied: self.proxy.is_some() && !address::is_loopback(exchange.url),
        };
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(&key) {
            return Ok(agent.clone());
        }
        let tls = self.roots.config(&key.trust).map_err(Broken::local)?;
        let config = Agent::config_builder()
            .tls_config(tls)
            .proxy(self.proxy.clone().filter(|_| key.proxied))
            .user_agent(&self.user_agent)
            .accept_encoding("identity")
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(self.stall))
            .timeout_per_write(Some(self.stall))
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .max_idle_connections(4 * IDLE)
            .max_idle_connections_per_host(IDLE)
            .build();
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(EarlyAnswers)
                .chain(RustlsConnector::default());
        let resolver = Guard { registry: key.named_by, inner: DefaultResolver::default() };
        let agent = Agent::with_parts(config, connector, resolver);
        agents.insert(key, agent.clone());
        Ok(agent)
    }
}

/// Returns the value of a header; what proves who we are is kept out of logs.
fn header(name: &str, value: &str) -> Result<HeaderValue, ureq::Error> {
    let mut header =
        HeaderValue::from_str(value).map_err(|error| ureq::Error::Http(error.into()))?;
    header.set_sensitive(name.eq_ignore_ascii_case("authorization"));
    Ok(header)
}

/// What differs from the times of the agent.
#[derive(Clone, Copy)]
struct Times {
    /// How long nothing may come.
    patience: Option<Duration>,
    /// How long a connection may take.
    connect: Option<Duration>,
}

/// Sends a request.
fn run(
    agent: &Agent,
    request: Result<ureq::http::Request<impl AsSendBody>, ureq::http::Error>,
    times: Times,
) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    let request = request?;
    if times.patience.is_none() && times.connect.is_none() {
        return agent.run(request);
    }
    let mut changed = agent.configure_request(request);
    if times.patience.is_some() {
        changed = changed.timeout_per_read(times.patience);
    }
    if times.connect.is_some() {
        changed = changed.timeout_connect(times.connect);
    }
    agent.run(changed.build())
}

/// Opens a call's body: its length and its bytes from their beginning.
pub(super) fn open<'a>(
    body: &'a Body<'_>,
    method: Method,
) -> io::Result<Option<(u64, Box<dyn Read + Send + 'a>)>> {
    Ok(match body {
        // A method that sends says so even if it sends nothing.
        Body::Empty => match method {
            Method::Post | Method::Patch | Method::Put => Some((0, Box::new(io::empty()))),
            Method::Get | Method::Head | Method::Delete => None,
        },
        Body::Bytes(bytes) => Some((bytes.len() as u64, Box::new(*bytes))),
        Body::Stream { len, open } => Some((*len, open()?)),
    })
}

/// A body on its way: exactly as long as was said.
struct Sending<'a> {
    left: u64,
    reader: Box<dyn Read + Send + 'a>,
    fault: Option<io::Error>,
}

impl<'a> Sending<'a> {
    fn new(body: Option<(u64, Box<dyn Read + Send + 'a>)>) -> Self {
        let (left, reader) = body.unwrap_or((0, Box::new(io::empty())));
        Self { left, reader, fault: None }
    }

    fn fail(&mut self, error: io::Error) -> io::Error {
        let copy = io::Error::new(error.kind(), error.to_string());
        self.fault = Some(error);
        copy
    }
}

impl Read for Sending<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        // Nobody gets what is sent now, so it does not matter what it is.
        if early::was_cut() {
            self.left -= most as u64;
            return Ok(most);
        }
        loop {
            match self.reader.read(&mut buffer[..most]) {
                Ok(0) => {
                    let short = format!("it ends {} bytes before it should", self.left);
                    return Err(self.fail(io::Error::new(io::ErrorKind::UnexpectedEof, short)));
                }
                Ok(read) => {
                    self.left -= read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fail(error)),
            }
        }
    }
}
