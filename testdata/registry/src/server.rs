//! The registry as a value: started, told what to do, asked what it saw, stopped when dropped.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bake_formats::digest::Digest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::auth::{Auth, Tokens};
use crate::conversation::{Ruling, Shared, hold, lock};
use crate::http::{Connection, Duplex};
use crate::rule::{Action, Match, Rule};
use crate::state::{Manifest, State};
use crate::trace::{Host, Hosts, Trace};

/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(120);
/// Where uploads and blobs are sent to by rules that send them to another host.
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A registry that runs until it is dropped.
pub struct TestRegistry {
    shared: Arc<Shared>,
    address: SocketAddr,
    other: SocketAddr,
    lines: Arc<Lines>,
    listeners: Vec<JoinHandle<()>>,
}

/// A registry that is yet to be started.
#[derive(Debug, Default)]
pub struct Builder {
    rules: Vec<Rule>,
    auth: Auth,
    tls: Option<Arc<rustls::ServerConfig>>,
    port: u16,
}

/// The connections that are open.
#[derive(Debug, Default)]
struct Lines {
    stop: AtomicBool,
    open: Mutex<BTreeMap<usize, TcpStream>>,
}

impl Builder {
    /// Adds a rule.
    pub fn rule(mut self, when: Match, then: Action) -> Self {
        self.rules.push(when.then(then));
        self
    }

    /// Adds rules.
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Asks clients who they are.
    pub fn auth(self, auth: Auth) -> Self {
        Self { auth, ..self }
    }

    /// Listens on a port in place of a free one.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Speaks TLS, with a chain of certificates and a key, both files in PEM. Clients know the
    /// registry as 127.0.0.1 and the other host as 127.0.0.2.
    pub fn tls(self, chain: &Path, key: &Path) -> io::Result<Self> {
        let fail = |path: &Path, error: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
        };
        let certificates =
            CertificateDer::pem_file_iter(chain).map_err(|error| fail(chain, &error))?;
        let certificates: Result<Vec<_>, _> = certificates.collect();
        let certificates = certificates.map_err(|error| fail(chain, &error))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| fail(key, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| fail(chain, &error))?
            .with_no_client_auth()
            .with_single_cert(certificates, secret)
            .map_err(|error| fail(chain, &error))?;
        Ok(Self { tls: Some(Arc::new(config)), ..self })
    }

    /// Starts the registry; the error is that of listening.
    pub fn start(self) -> io::Result<TestRegistry> {
        let registry = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        let elsewhere = TcpListener::bind((OTHER, 0))?;
        let (address, other) = (registry.local_addr()?, elsewhere.local_addr()?);
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let hosts = Hosts {
            registry: format!("{scheme}://{address}"),
            other: format!("{scheme}://{other}"),
        };
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            tokens: Mutex::new(Tokens::default()),
            trace: Mutex::default(),
            rules: Mutex::new(self.rules.into_iter().map(Ruling::from).collect()),
            auth: self.auth,
            hosts,
            requests: 0.into(),
            connections: 0.into(),
        });
        let lines = Arc::new(Lines::default());
        let listeners = [(registry, Host::Registry), (elsewhere, Host::Other)];
        let listeners = listeners.map(|(listener, host)| {
            let (shared, lines, tls) = (Arc::clone(&shared), Arc::clone(&lines), self.tls.clone());
            std::thread::spawn(move || listen(&listener, host, &shared, &lines, tls.as_ref()))
        });
        Ok(TestRegistry { shared, address, other, lines, listeners: listeners.into() })
    }
}

/// Takes connections, a thread for each, until it is to stop.
fn listen(
    listener: &TcpListener,
    host: Host,
    shared: &Arc<Shared>,
    lines: &Arc<Lines>,
    tls: Option<&Arc<rustls::ServerConfig>>,
) {
    for stream in listener.incoming() {
        if lines.stop.load(Ordering::SeqCst) {
            break;
        }
        // A client that is gone already is nobody's fault here.
        let Ok(stream) = stream else { continue };
        let (shared, lines, tls) = (Arc::clone(shared), Arc::clone(lines), tls.cloned());
        std::thread::spawn(move || {
            let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
            // An error is the client's: it is gone, or sent what is no HTTP. Its tests will say so.
            drop(serve(stream, host, &shared, &lines, number, tls));
            lock(&lines.open).remove(&number);
        });
    }
}

fn serve(
    stream: TcpStream,
    host: Host,
    shared: &Shared,
    lines: &Lines,
    number: usize,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    let line = stream.try_clone()?;
    lock(&lines.open).insert(number, stream.try_clone()?);
    let stream: Box<dyn Duplex> = match tls {
        None => Box::new(stream),
        Some(config) => {
            let session = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
            Box::new(rustls::StreamOwned::new(session, stream))
        }
    };
    let held = hold(shared, &mut Connection::new(stream), host, number);
    // The other side may have closed it first.
    drop(line.shutdown(Shutdown::Both));
    held
}

impl TestRegistry {
    /// Starts a strict registry on a free port.
    pub fn start() -> Self {
        Self::builder().start().expect("a free port of 127.0.0.1")
    }

    /// Begins a registry of another kind.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Returns where it listens, e.g. `127.0.0.1:34567`: the registry's part of references.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Returns where the other host listens.
    pub fn other_address(&self) -> String {
        self.other.to_string()
    }

    /// Returns what the registry holds now.
    pub fn state(&self) -> State {
        lock(&self.shared.state).clone()
    }

    /// Returns what was asked so far.
    pub fn trace(&self) -> Trace {
        let mut exchanges = lock(&self.shared.trace).clone();
        exchanges.sort_by_key(|exchange| exchange.order);
        let state = lock(&self.shared.state);
        let open = state.uploads.iter();
        let open = open.map(|(id, upload)| (id.clone(), upload.repository.clone())).collect();
        let rules = lock(&self.shared.rules);
        let met = rules.iter().map(|ruling| (ruling.rule.clone(), ruling.met)).collect();
        Trace { exchanges, open, met }
    }

    /// Returns whether it lists referrers by itself.
    pub(crate) fn lists_referrers(&self) -> bool {
        let rules = lock(&self.shared.rules);
        !rules.iter().any(|ruling| ruling.rule.then == Action::NoReferrers)
    }

    /// Forgets what was asked so far.
    pub fn forget(&self) {
        lock(&self.shared.trace).clear();
    }

    /// Adds a rule; it counts requests from now on.
    pub fn rule(&self, when: Match, then: Action) {
        lock(&self.shared.rules).push(when.then(then).into());
    }

    /// Removes every rule.
    pub fn obey(&self) {
        lock(&self.shared.rules).clear();
    }

    /// Forgets every token that was given.
    pub fn expire_tokens(&self) {
        lock(&self.shared.tokens).expire();
    }

    /// Puts a blob in, and returns its digest.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let mut state = lock(&self.shared.state);
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(digest, Arc::from(bytes));
        digest
    }

    /// Puts a manifest or index in, unchecked, perhaps under a tag, and returns its digest.
    pub fn put_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> Digest {
        let digest = Digest::of(bytes);
        let manifest = Manifest { media_type: media_type.to_owned(), bytes: Arc::from(bytes) };
        let mut state = lock(&self.shared.state);
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.manifests.insert(digest, manifest);
        if let Some(tag) = tag {
            repository.tags.insert(tag.to_owned(), digest);
        }
        digest
    }
}

impl std::fmt::Debug for TestRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestRegistry").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        self.lines.stop.store(true, Ordering::SeqCst);
        for line in lock(&self.lines.open).values() {
            // It may be closed already.
            drop(line.shutdown(Shutdown::Both));
        }
        for address in [self.address, self.other] {
            // A connection is what makes a listener look whether it is to stop.
            drop(TcpStream::connect(address));
        }
        for listener in self.listeners.drain(..) {
            // A listener that panicked has been heard already.
            drop(listener.join());
        }
    }
}
