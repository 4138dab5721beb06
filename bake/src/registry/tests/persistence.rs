//! When calls are made again.

use std::sync::atomic::{AtomicU32, Ordering};

use super::server::{Reply, Server, reply};
use super::*;

/// A server that gives the first `faults` requests this reply, and then succeeds.
fn failing(faults: u32, fault: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    let count = AtomicU32::new(0);
    Server::new(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        n if n < faults => fault(),
        _ => reply(200, &[], "done"),
    })
}

#[test]
fn faults_that_pass_are_waited_out() {
    for fault in [
        || reply(500, &[], ""),
        || reply(503, &[], "<html>"),
        || reply(429, &[], "{}"),
        || Reply::Close,
    ] {
        let server = failing(3, fault);
        let (client, clock) = client("");
        // What the server speaks is known from here on: a connection that breaks at once says it not.
        client.call(get(&server.name(), "a/tags/list", &pull("a"))).unwrap();
        assert_eq!(server.lines().len(), 4);
        assert!(clock.now() > Duration::ZERO);
        assert_eq!(client.counts()[&server.name()].retries, 3);
    }
}

#[test]
fn the_last_answer_is_given_when_there_were_enough() {
    let server = failing(100, || reply(502, &[], "busy"));
    let (client, _) = client("");
    let answer = client.call(get(&server.name(), "a/tags/list", &pull("a"))).unwrap();
    assert_eq!((answer.status, text(answer).as_str()), (502, "busy"));
    assert_eq!(server.lines().len(), 5);
}

#[test]
fn what_does_not_pass_is_not_tried_again() {
    for status in [400, 403, 404, 416, 501] {
        let server = failing(1, move || reply(status, &[], ""));
        let (client, _) = client("");
        let answer = client.call(get(&server.name(), "a/tags/list", &pull("a"))).unwrap();
        assert_eq!(answer.status, status);
    }
}

#[test]
fn retry_after_is_kept_to_in_both_forms() {
    let date = [
        ("Date", "Sat, 07 Mar 2026 10:00:00 GMT"),
        ("Retry-After", "Sat, 07 Mar 2026 10:01:40 GMT"),
    ];
    for (headers, seconds) in [(&[("Retry-After", "77")][..], 77), (&date[..], 100)] {
        let headers: Vec<_> = headers.to_vec();
        let server = failing(1, move || reply(429, &headers, ""));
        let (client, clock) = client("");
        client.call(get(&server.name(), "a/tags/list", &pull("a"))).unwrap();
        let waited = clock.now();
        let most = Duration::from_secs(seconds * 11 / 10 + 1);
        assert!(waited >= Duration::from_secs(seconds) && waited <= most, "{waited:?}");
    }
}

#[test]
fn a_registry_that_wants_too_much_time_is_told_of() {
    let server = failing(1, || reply(429, &[("Retry-After", "3600")], ""));
    let (client, clock) = client("");
    let error = client.call(get(&server.name(), "a/tags/list", &pull("a"))).unwrap_err();
    assert!(error.to_string().contains("left alone for 3600 seconds"), "{error}");
    assert_eq!(clock.now(), Duration::ZERO);
}

#[test]
fn a_patient_caller_is_left_to_it() {
    let (scopes, patience) = (push("a"), Patience::Caller);
    let server = failing(1, || reply(503, &[("Retry-After", "5")], ""));
    let (client, clock) = client("");
    let name = server.name();
    let call =
        || Call { patience, method: Method::Patch, ..get(&name, "a/blobs/uploads/1", &scopes) };
    let answer = client.call(call()).unwrap();
    assert_eq!((answer.status, answer.retry_after()), (503, Some(Duration::from_secs(5))));
    assert!(client.pause(&name, 1, answer.retry_after()));
    assert!(clock.now() >= Duration::from_secs(5));
    assert_eq!(client.call(call()).unwrap().status, 200);
    assert!(!client.pause(&name, 5, None), "there is no end");
    assert!(!client.pause(&name, 1, Some(Duration::from_secs(3600))));
}

#[test]
fn a_broken_connection_is_the_callers_if_it_wants_it() {
    let server = failing(1, || Reply::Close);
    let (client, _) = client("");
    let (name, scopes) = (server.name(), push("a"));
    let call =
        Call { patience: Patience::Caller, method: Method::Post, ..get(&name, "a/x", &scopes) };
    let error = client.call(call).unwrap_err();
    assert!(matches!(error.fault, Fault::Unreachable(_)), "{error:?}");
    assert_eq!(server.lines().len(), 1);
}
