//! Single exchanges: what is sent, what is received, and what happens when it breaks.

use std::io::{BufReader, Cursor, Read, Write};

use super::server::{Reply, Server, head, reply};
use super::*;

#[test]
fn a_registry_on_this_machine_may_do_without_tls() {
    let server = Server::new(|_| reply(200, &[("X-A", "b")], "hello"));
    let (client, _) = client("");
    let answer = client.call(get(&server.name(), "a/b/manifests/1", &pull("a/b"))).unwrap();
    assert_eq!((answer.status, answer.headers.get("x-a")), (200, Some("b")));
    assert_eq!(answer.url.as_str(), server.url("/v2/a/b/manifests/1"));
    assert_eq!(text(answer), "hello");
    let seen = &server.seen()[0];
    let agent = concat!("bake/", env!("CARGO_PKG_VERSION"));
    assert_eq!(seen.header("user-agent"), Some(agent));
    assert_eq!(seen.header("authorization"), None);
    let counts = client.counts()[&server.name()];
    assert_eq!((counts.received, counts.sent, counts.retries), (5, 0, 0));
}

#[test]
fn one_that_closes_the_connection_on_tls_is_asked_without() {
    let server = Server::silent_about_tls(|_| reply(404, &[], "none"));
    let (client, _) = client("");
    let answer = client.call(get(&server.name(), "a/b/manifests/1", &pull("a/b"))).unwrap();
    assert_eq!(answer.status, 404);
    assert_eq!(server.lines(), ["GET /v2/", "GET /v2/a/b/manifests/1"]);
}

#[test]
fn one_that_resets_everything_is_not_taken_for_one_without_tls() {
    let server = Server::silent_about_tls(|seen| match seen.target.as_str() {
        "/v2/" => reply(400, &[], "Client sent an HTTP request to an HTTPS server."),
        _ => reply(200, &[], ""),
    });
    let (client, _) = client_with("", |options| options.retries.attempts = 1);
    let error = client.call(get(&server.name(), "a/b/manifests/1", &pull("a/b"))).unwrap_err();
    assert_eq!(error.fault, Fault::Unreachable("the connection broke".into()));
    assert_eq!(server.lines(), ["GET /v2/"]);
}

#[test]
fn bodies_have_their_length() {
    let server = Server::new(|_| reply(201, &[], ""));
    let (client, _) = client("");
    let (name, scopes) = (server.name(), push("a"));
    let open = || -> std::io::Result<Box<dyn Read + Send>> { Ok(Box::new(Cursor::new("stream"))) };
    for (method, body) in [
        (Method::Post, Body::Empty),
        (Method::Put, Body::Bytes(b"bytes")),
        (Method::Patch, Body::Stream { len: 6, open: &open }),
        (Method::Delete, Body::Empty),
    ] {
        let call = Call { method, body, ..get(&name, "a/blobs/uploads/1", &scopes) };
        assert_eq!(client.call(call).unwrap().status, 201);
    }
    let seen = server.seen();
    let lengths: Vec<_> = seen.iter().map(|seen| seen.header("content-length")).collect();
    assert_eq!(lengths, [Some("0"), Some("5"), Some("6"), None]);
    assert_eq!(seen[2].body, b"stream");
    assert_eq!(client.counts()[&name].sent, 11);
    assert!(seen.iter().all(|seen| seen.header("transfer-encoding").is_none()));
}

#[test]
fn a_stream_that_is_too_short_is_a_fault_of_ours_and_not_tried_again() {
    let server = Server::new(|_| reply(201, &[], ""));
    let (client, clock) = client("");
    let (name, scopes) = (server.name(), push("a"));
    let open = || -> std::io::Result<Box<dyn Read + Send>> { Ok(Box::new(Cursor::new("short"))) };
    let body = Body::Stream { len: 9, open: &open };
    let call = Call { method: Method::Put, body, ..get(&name, "a/blobs/uploads/1", &scopes) };
    let error = client.call(call).unwrap_err();
    assert!(matches!(&error.fault, Fault::Local(reason) if reason.contains("4 bytes before")));
    assert_eq!(clock.now(), Duration::ZERO);
}

#[test]
fn an_answer_that_comes_while_sending_is_read() {
    let server = Server::raw(|mut stream, log| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let Some(seen) = head(&mut reader) else { return };
        log.lock().unwrap().push(seen);
        let mut some = vec![0; 1 << 16];
        reader.read_exact(&mut some).unwrap();
        let body = "too large";
        write!(stream, "HTTP/1.1 413 No\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let (client, _) = client("");
    let (name, scopes) = (server.name(), push("a"));
    let len = 256 << 20;
    let open = || -> std::io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(std::io::repeat(b'x').take(256 << 20)))
    };
    let body = Body::Stream { len, open: &open };
    let call = Call { method: Method::Put, body, ..get(&name, "a/blobs/uploads/1", &scopes) };
    let answer = client.call(call).unwrap();
    assert_eq!(answer.status, 413);
    assert_eq!(text(answer), "too large");
    let sent = client.counts()[&name].sent;
    assert!(sent < len / 2, "{sent} bytes were read although nobody wanted them");
}

#[test]
fn a_success_that_comes_too_early_is_none() {
    let server = Server::raw(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if head(&mut reader).is_some() {
            write!(stream, "HTTP/1.1 201 Yes\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    let (client, _) = client("");
    let (name, scopes) = (server.name(), push("a"));
    let open = || -> std::io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(std::io::repeat(b'x').take(256 << 20)))
    };
    let body = Body::Stream { len: 256 << 20, open: &open };
    let (method, patience) = (Method::Put, Patience::Caller);
    let call = Call { method, body, patience, ..get(&name, "a/blobs/uploads/1", &scopes) };
    let error = client.call(call).unwrap_err();
    assert!(matches!(&error.fault, Fault::Unreachable(reason) if reason.contains("broke")));
}

#[test]
fn a_registry_that_says_nothing_is_not_waited_for() {
    let server = Server::new(|_| Reply::Stall(Duration::from_secs(5)));
    let (client, _) = client_with("", |options| options.retries.attempts = 1);
    let client = client.with_stall(Duration::from_millis(100));
    let error = client.call(get(&server.name(), "a/tags/list", &pull("a"))).unwrap_err();
    assert_eq!(error.fault, Fault::Unreachable("nothing came for too long".into()));
}

#[test]
fn nobody_there_is_said_in_words() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (client, clock) = client("");
    let error = client.call(get(&address.to_string(), "a/tags/list", &pull("a"))).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {address}/a/tags/list: connection refused"));
    assert!(error.hint.unwrap().contains("is the registry running"));
    assert!(clock.now() > Duration::ZERO, "it was not tried again");
    assert_eq!(client.counts()[&address.to_string()].retries, 4);
}

#[test]
fn a_body_that_ends_too_early_is_an_error() {
    let server = Server::raw(|mut stream, _| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if head(&mut reader).is_some() {
            write!(stream, "HTTP/1.1 200 Yes\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
        }
    });
    let (client, _) = client("");
    let answer = client.call(get(&server.name(), "a/blobs/x", &pull("a"))).unwrap();
    assert!(std::io::read_to_string(answer.body).is_err());
}

#[test]
fn warnings_are_passed_on_once() {
    #[derive(Debug, Default)]
    struct Listener(Mutex<Vec<String>>);
    impl Observer for Listener {
        fn event(&self, event: &Event<'_>) {
            if let Event::Warned { text, .. } = event {
                self.0.lock().unwrap().push((*text).to_owned());
            }
        }
    }
    let server = Server::new(|_| reply(200, &[("Warning", "299 - \"old\t tag\"")], ""));
    let listener = Arc::new(Listener::default());
    let (client, _) = client_with("", |options| options.observer = listener.clone());
    for _ in 0..3 {
        client.call(get(&server.name(), "a/tags/list", &pull("a"))).unwrap();
    }
    assert_eq!(*listener.0.lock().unwrap(), ["old tag"]);
}
