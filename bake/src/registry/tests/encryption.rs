//! TLS: whom the client trusts, whom it shows itself to, and what it says when that fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::server::{Seen, Server, head};
use super::*;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/registry/tests/tls").join(name)
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file(name)).unwrap()
}

/// Whether a server wants to know who asks.
#[derive(PartialEq)]
enum Clients {
    Any,
    Certified,
}

fn config(name: &str, clients: &Clients) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca.pem")).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let builder = match clients {
        Clients::Any => builder.with_no_client_auth(),
        Clients::Certified => builder.with_client_cert_verifier(verifier.build().unwrap()),
    };
    let key = PrivateKeyDer::from_pem_file(file(&format!("{name}.key"))).unwrap();
    Arc::new(builder.with_single_cert(vec![certificate(&format!("{name}.pem"))], key).unwrap())
}

type Speech = BufReader<StreamOwned<ServerConnection, TcpStream>>;

/// A server that speaks TLS with a certificate of the test authority.
fn server(
    name: &str,
    clients: &Clients,
    answer: impl Fn(&Seen, &mut Speech) -> String + Send + Sync + 'static,
) -> Server {
    let config = config(name, clients);
    Server::tls(move |stream, log| {
        let connection = ServerConnection::new(config.clone()).unwrap();
        let mut speech = BufReader::new(StreamOwned::new(connection, stream));
        while let Some(seen) = head(&mut speech) {
            log.lock().unwrap().push(seen.clone());
            let answer = answer(&seen, &mut speech);
            if speech.get_mut().write_all(answer.as_bytes()).is_err() {
                return;
            }
            if !speech.buffer().is_empty() {
                // The client still sends what nobody reads.
                return;
            }
        }
    })
}

fn ok(_: &Seen, _: &mut Speech) -> String {
    "HTTP/1.1 200 Yes\r\nContent-Length: 2\r\n\r\nok".to_owned()
}

fn with_settings(server: &Server, change: impl FnOnce(&mut RegistrySettings)) -> Client {
    let (client, _) = client_with("", |options| {
        change(options.settings.of_mut(&server.name()).unwrap());
    });
    client
}

#[test]
fn an_authority_is_trusted_once_it_is_named() {
    let server = server("server", &Clients::Any, ok);
    let name = server.name();
    let (client, clock) = client("");
    let error = client.call(get(&name, "a/tags/list", &pull("a"))).unwrap_err();
    assert_eq!(
        error.fault,
        Fault::Unreachable("its certificate is signed by an unknown authority (x509)".into())
    );
    let hint = format!("set `ca` under [registry.\"{name}\"] in registries.toml");
    assert!(error.hint.as_ref().unwrap().ends_with(&hint), "{error:?}");
    assert_eq!(clock.now(), Duration::ZERO, "no second attempt does better");
    assert_eq!(server.lines().len(), 0);
    let client = with_settings(&server, |settings| settings.ca = Some(file("ca.pem")));
    for _ in 0..2 {
        let answer = client.call(get(&name, "a/tags/list", &pull("a"))).unwrap();
        assert_eq!(answer.url.scheme(), "https");
        assert_eq!(text(answer), "ok");
    }
    assert_eq!(server.connections(), 2, "one that was refused, and one for two calls");
}

#[test]
fn a_certificate_for_somebody_else_is_refused_unless_nobody_cares() {
    let server = server("other", &Clients::Any, ok);
    let name = server.name();
    let client = with_settings(&server, |settings| settings.ca = Some(file("ca.pem")));
    let error = client.call(get(&name, "a/tags/list", &pull("a"))).unwrap_err();
    assert!(error.to_string().contains("certificate not valid for name"), "{error}");
    assert!(error.hint.unwrap().contains("the name, the dates or the use"));
    let client = with_settings(&server, |settings| settings.insecure = true);
    assert_eq!(client.call(get(&name, "a/tags/list", &pull("a"))).unwrap().status, 200);
}

#[test]
fn a_client_certificate_is_shown_to_its_registry() {
    let server = server("server", &Clients::Certified, ok);
    let name = server.name();
    let anonymous = with_settings(&server, |settings| settings.ca = Some(file("ca.pem")));
    let error = anonymous.call(get(&name, "a/tags/list", &pull("a"))).unwrap_err();
    assert!(matches!(error.fault, Fault::Unreachable(_)), "{error}");
    let client = with_settings(&server, |settings| {
        settings.ca = Some(file("ca.pem"));
        settings.client_cert = Some(file("client.pem"));
        settings.client_key = Some(file("client.key"));
    });
    assert_eq!(client.call(get(&name, "a/tags/list", &pull("a"))).unwrap().status, 200);
}

#[test]
fn an_answer_that_comes_while_sending_is_read_through_tls() {
    let server = server("server", &Clients::Any, |_, speech| {
        // Some of the body must have come, so that more is on its way.
        speech.fill_buf().unwrap();
        "HTTP/1.1 413 No\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large".to_owned()
    });
    let (name, scopes) = (server.name(), push("a"));
    let client = with_settings(&server, |settings| settings.ca = Some(file("ca.pem")));
    let open = || -> std::io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(std::io::repeat(b'x').take(64 << 20)))
    };
    let body = Body::Stream { len: 64 << 20, open: &open };
    let (method, patience) = (Method::Put, Patience::Caller);
    let call = Call { method, body, patience, ..get(&name, "a/blobs/uploads/1", &scopes) };
    let answer = client.call(call).unwrap();
    assert_eq!((answer.status, text(answer).as_str()), (413, "too large"));
}

#[test]
fn nothing_leads_from_tls_to_what_is_without() {
    let plain = Server::new(|_| super::server::reply(200, &[], ""));
    let location = plain.url("/blob");
    let server = server("server", &Clients::Any, move |seen, _| {
        let (status, header) = if seen.target == "/v2/a/blobs/x" {
            (307, format!("Location: {location}"))
        } else {
            (401, format!("WWW-Authenticate: Bearer realm=\"{location}\""))
        };
        format!("HTTP/1.1 {status} No\r\n{header}\r\nContent-Length: 0\r\n\r\n")
    });
    let name = server.name();
    let client = with_settings(&server, |settings| settings.ca = Some(file("ca.pem")));
    let error = client.call(get(&name, "a/blobs/x", &pull("a"))).unwrap_err();
    assert!(error.to_string().contains("leads from TLS to"), "{error}");
    let error = client.call(get(&name, "a/tags/list", &pull("a"))).unwrap_err();
    assert!(error.to_string().contains("asks for a token from"), "{error}");
    let url = url::Url::parse(&plain.url("/upload")).unwrap();
    let call = Call { target: Target::Url(url), ..get(&name, "", &[]) };
    let error = client.call(call).unwrap_err();
    assert!(error.to_string().contains("which is without"), "{error}");
    assert_eq!(plain.lines().len(), 0);
}

/// A proxy that connects whoever asks to one server.
fn proxy(target: std::net::SocketAddr) -> Server {
    Server::raw(move |stream, log| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        log.lock().unwrap().push(head(&mut reader).unwrap());
        let mut there = TcpStream::connect(target).unwrap();
        let (mut back, mut here) = (there.try_clone().unwrap(), stream);
        here.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
        std::thread::spawn(move || std::io::copy(&mut back, &mut here));
        std::io::copy(&mut reader, &mut there).ok();
    })
}

#[test]
fn a_proxy_leads_out_and_not_to_this_machine() {
    let server = server("other", &Clients::Any, ok);
    let proxy = proxy(server.address);
    let client = |address: &str| {
        let (client, _) = client_with("", |options| {
            options.proxy = Some(ureq::Proxy::new(address).unwrap());
            options.retries.attempts = 1;
            let other = options.settings.of_mut("other.example").unwrap();
            other.ca = Some(file("ca.pem"));
        });
        client
    };
    // Only the proxy knows what that name means.
    let answer = client(&proxy.url("/")).call(get("other.example", "a/tags/list", &pull("a")));
    assert_eq!(text(answer.unwrap()), "ok");
    assert_eq!(proxy.lines(), ["CONNECT other.example:443"]);
    let local = Server::new(|_| super::server::reply(200, &[], ""));
    let answer = client(&proxy.url("/")).call(get(&local.name(), "a/tags/list", &pull("a")));
    assert_eq!(answer.unwrap().status, 200);
    assert_eq!(proxy.lines().len(), 1);
    let refusing = Server::new(|_| super::server::reply(403, &[], ""));
    let answer = client(&refusing.url("/")).call(get("other.example", "a/tags/list", &pull("a")));
    let error = answer.unwrap_err();
    assert!(error.to_string().contains("the proxy refuses to connect"), "{error}");
    assert!(error.hint.unwrap().contains("HTTPS_PROXY"));
}
