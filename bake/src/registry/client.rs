//! The client: all registries that a command talks to, and what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use url::Url;

use super::address::{self, Reach};
use super::broken::Broken;
use super::call::{Answer, Call, Lengths, Patience, Scope, Target, Wire};
use super::clock::{Clock, SystemClock};
use super::credentials::Keychain;
use super::endpoint::Endpoint;
use super::error::{Fault, RegistryError};
use super::http::{Exchange, Http};
use super::observer::{Counts, Event, Observer, Totals, Unobserved};
use super::retry::{Next, Retries, is_passing};
use super::session::{Failed, Session, finish};
use super::settings::{RegistrySettings, Settings};
use super::token::Tokens;
use super::trust::Trust;

/// How many different warnings are passed on; a registry could send another with every answer.
const WARNINGS: usize = 100;

/// What a client is made of.
#[derive(Debug)]
pub struct Options {
    /// What differs from registry to registry.
    pub settings: Settings,
    /// Who logs in where.
    pub keychain: Keychain,
    /// What leads out, if something must. Registries on this machine are reached without it.
    pub proxy: Option<ureq::Proxy>,
    /// How many requests a registry gets at once, instead of what the settings say.
    pub parallel: Option<u32>,
    /// How often calls are tried again.
    pub retries: Retries,
    /// How time passes.
    pub clock: Arc<dyn Clock>,
    /// Tells the date, for answers that do not say when they were made.
    pub date: Option<fn() -> SystemTime>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            keychain: Keychain::default(),
            proxy: None,
            parallel: None,
            retries: Retries::default(),
            clock: Arc::new(SystemClock::default()),
            date: None,
            observer: Arc::new(Unobserved),
        }
    }
}

/// Talks to registries, from any number of threads.
#[derive(Debug)]
pub struct Client {
    options: Options,
    http: Http,
    tokens: Tokens,
    registries: Mutex<BTreeMap<String, Arc<Registry>>>,
    totals: Arc<Totals>,
    warned: Mutex<BTreeSet<(String, String)>>,
}

/// A registry with its mirrors.
#[derive(Debug)]
struct Registry {
    own: Endpoint,
    mirrors: Vec<Endpoint>,
}

impl Client {
    /// Makes a client; nothing is read or connected before the first call.
    pub fn new(options: Options) -> Self {
        let user_agent = concat!("bake/", env!("CARGO_PKG_VERSION")).to_owned();
        Self {
            http: Http::new(options.proxy.clone(), user_agent),
            options,
            tokens: Tokens::default(),
            registries: Mutex::default(),
            totals: Arc::default(),
            warned: Mutex::default(),
        }
    }

    /// Changes how long nothing may come or go.
    #[cfg(test)]
    pub(super) fn with_stall(self, stall: Duration) -> Self {
        Self { http: self.http.with_stall(stall), ..self }
    }

    /// Returns what was requested, sent and received so far, by registry.
    pub fn counts(&self) -> BTreeMap<String, Counts> {
        self.totals.all()
    }

    /// Returns the settings of a registry: how long its chunks and bodies may be.
    pub fn settings(&self, registry: &str) -> RegistrySettings {
        self.options.settings.of(registry).cloned().unwrap_or_default()
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.options.clock
    }

    pub(super) fn retries(&self) -> &Retries {
        &self.options.retries
    }

    pub(super) fn keychain(&self) -> &Keychain {
        &self.options.keychain
    }

    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Returns whom to trust as the host of a URL, if the settings name it.
    pub(super) fn trust_of(&self, url: &Url) -> Option<Trust> {
        let host = url.host_str()?;
        let name = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        self.options.settings.of(&name).map(Trust::new)
    }

    /// Returns where an endpoint is. What a proxy leads to counts as public unless its address says
    /// otherwise: its name may mean nothing here.
    pub(super) fn reach_of(&self, endpoint: &Endpoint) -> Reach {
        let base = endpoint.base();
        let uri = base.as_str().parse::<ureq::http::Uri>().ok();
        let proxied = match (&self.options.proxy, uri) {
            (Some(proxy), Some(uri)) => !proxy.is_no_proxy(&uri),
            _ => false,
        };
        if proxied {
            return address::literal(base).map_or(Reach::Public, Reach::of);
        }
        endpoint.reach()
    }

    /// Passes a warning on, once.
    pub(super) fn warn(&self, registry: &str, text: &str) {
        let text: String = text.chars().filter(|c| !c.is_control()).take(500).collect();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() < WARNINGS && warned.insert((registry.to_owned(), text.clone())) {
            drop(warned);
            self.tell(&Event::Warned { registry, text: &text });
        }
    }

    fn tell(&self, event: &Event<'_>) {
        self.totals.add(event);
        self.options.observer.event(event);
    }

    /// Makes an exchange and tells of it.
    pub(super) fn exchange(
        &self,
        registry: &str,
        mut exchange: Exchange<'_>,
    ) -> Result<Answer, Broken> {
        let (method, url) = (exchange.method, exchange.url);
        let watch = self.watch(registry);
        exchange.body = exchange.body.map(|(len, reader)| {
            let sent = Watched { reader, watch: watch.clone(), direction: Direction::Sent };
            (len, Box::new(sent) as Box<dyn Read + Send>)
        });
        let began = self.clock().now();
        match self.http.exchange(exchange) {
            Ok(mut answer) => {
                let elapsed = self.clock().now().saturating_sub(began);
                let status = answer.status;
                self.tell(&Event::Answered { registry, method, url, status, elapsed });
                // RFC 9110, 6.6.1: whoever gets an answer without a date adds it.
                if let (None, Some(date)) = (answer.headers.get("date"), self.options.date) {
                    answer.headers.add("date", httpdate::fmt_http_date(date()));
                }
                let reader = answer.body;
                answer.body = Box::new(Watched { reader, watch, direction: Direction::Received });
                Ok(answer)
            }
            Err(broken) => {
                self.tell(&Event::Broke { registry, method, url, reason: &broken.reason });
                Err(broken)
            }
        }
    }

    fn watch(&self, registry: &str) -> Watch {
        Watch {
            registry: registry.into(),
            totals: self.totals.clone(),
            observer: self.options.observer.clone(),
        }
    }

    /// Makes attempts until one has an answer that counts, or there were enough.
    pub(super) fn persist(
        &self,
        registry: &str,
        patience: Patience,
        attempt: impl Fn() -> Result<Answer, Failed>,
    ) -> Result<Answer, Failed> {
        let mut number = 1;
        loop {
            let outcome = attempt();
            let (retry_after, reason) = match &outcome {
                Ok(answer) if is_passing(answer.status) => {
                    (answer.retry_after(), format!("it answers {}", answer.status))
                }
                Err(Failed::Broken(broken)) if broken.is_passing() => (None, broken.reason.clone()),
                _ => return outcome,
            };
            if patience == Patience::Caller {
                return outcome;
            }
            match self.options.retries.next(number, retry_after) {
                Next::Enough => return outcome,
                Next::TooLong(asked) => {
                    return outcome.and_then(|answer| Err(too_long(&answer, asked)));
                }
                Next::After(delay) => {
                    drop(outcome);
                    let reason = &reason;
                    self.tell(&Event::Waiting { registry, attempt: number, delay, reason });
                    self.clock().sleep(delay);
                }
            }
            number += 1;
        }
    }

    fn registry(&self, name: &str) -> Result<Arc<Registry>, String> {
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = registries.get(name) {
            return Ok(known.clone());
        }
        let endpoint =
            |place: &str| Endpoint::new(place, |name| self.settings(name), self.options.parallel);
        let mirrors = self.settings(name).mirrors;
        let registry = Arc::new(Registry {
            own: endpoint(name)?,
            mirrors: mirrors.iter().map(|place| endpoint(place)).collect::<Result<_, _>>()?,
        });
        registries.insert(name.to_owned(), registry.clone());
        Ok(registry)
    }

    /// Asks the mirrors in order; `None` if none of them has what is asked for.
    fn mirrored(&self, registry: &Registry, call: &Call<'_>) -> Option<Answer> {
        let pulling = call.scopes.iter().all(|scope| !scope.push);
        if !call.method.is_reading() || !pulling || !matches!(call.target, Target::Path(_)) {
            return None;
        }
        for endpoint in &registry.mirrors {
            let reason = match (Session { client: self, endpoint, call }).run() {
                Ok(answer) if matches!(answer.status, 200..=299 | 416) => return Some(answer),
                Ok(answer) => format!("it answers {}", answer.status),
                Err(failed) => finish(call, failed).fault.to_string(),
            };
            let (registry, mirror) = (call.registry, endpoint.name.as_str());
            self.tell(&Event::MirrorFailed { registry, mirror, reason: &reason });
        }
        None
    }
}

/// Says that a registry asks for more patience than there is.
fn too_long(answer: &Answer, asked: Duration) -> Failed {
    let message = format!("it wants to be left alone for {} seconds", asked.as_secs());
    let status = answer.status;
    Failed::Final(RegistryError {
        action: "use".into(),
        subject: answer.url.host_str().unwrap_or_default().to_owned(),
        fault: Fault::Refused { status, code: String::new(), message },
        hint: Some("that is longer than bake waits; try again after that time".into()),
    })
}

impl Wire for Client {
    fn call(&self, call: Call<'_>) -> Result<Answer, RegistryError> {
        let registry = self
            .registry(call.registry)
            .map_err(|reason| RegistryError::of_call(&call, Fault::Protocol(reason), None))?;
        if let Some(answer) = self.mirrored(&registry, &call) {
            return Ok(answer);
        }
        // A `Link` or the like may lead on at the mirror that answered.
        let endpoint = match &call.target {
            Target::Url(url) if call.method.is_reading() => {
                registry.mirrors.iter().find(|mirror| mirror.is_own(url)).unwrap_or(&registry.own)
            }
            _ => &registry.own,
        };
        let session = Session { client: self, endpoint, call: &call };
        self.persist(call.registry, call.patience, || session.run())
            .map_err(|failed| finish(&call, failed))
    }

    fn renew(&self, registry: &str, scopes: &[Scope]) {
        let scopes: Vec<_> = scopes.iter().map(ToString::to_string).collect();
        self.tokens.forget(registry, &scopes);
    }

    fn pause(&self, registry: &str, attempt: u32, retry_after: Option<Duration>) -> bool {
        let Next::After(delay) = self.options.retries.next(attempt, retry_after) else {
            return false;
        };
        self.tell(&Event::Waiting { registry, attempt, delay, reason: "the caller tries again" });
        self.clock().sleep(delay);
        true
    }

    fn lengths(&self, registry: &str) -> Lengths {
        let RegistrySettings { chunk_size, max_body, .. } = self.settings(registry);
        Lengths { chunk_size, max_body }
    }
}

/// Who is told of the bytes of one exchange.
#[derive(Clone)]
struct Watch {
    registry: Arc<str>,
    totals: Arc<Totals>,
    observer: Arc<dyn Observer>,
}

#[derive(Clone, Copy)]
enum Direction {
    Sent,
    Received,
}

/// A body whose bytes are told of as they pass.
struct Watched<'a> {
    reader: Box<dyn Read + Send + 'a>,
    watch: Watch,
    direction: Direction,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if read > 0 {
            let (registry, bytes) = (&*self.watch.registry, read as u64);
            let event = match self.direction {
                Direction::Sent => Event::Sent { registry, bytes },
                Direction::Received => Event::Received { registry, bytes },
            };
            self.watch.totals.add(&event);
            self.watch.observer.event(&event);
        }
        Ok(read)
    }
}
