//! What people read when a registry refuses.

use super::script::{Reply, Script, status};
use crate::registry::RegistryError;

const LIST: &str = "GET acme/app/tags/list?n=1000";
const POST: &str = "POST acme/app/blobs/uploads/";

fn list(reply: Reply) -> RegistryError {
    let script = Script::new(&[], vec![(LIST, reply)]);
    script.source().tags().unwrap_err()
}

fn push(reply: Reply) -> RegistryError {
    let blob = bake_formats::blob::Blob::of(b"x");
    let store = bake_formats::blob::MemoryStore::new();
    let script = Script::new(&[], vec![(POST, reply)]);
    script.repository().upload(blob, &store, None, &crate::registry::Unwatched).unwrap_err()
}

#[test]
fn the_message_is_the_registrys() {
    let json = |text: &str| status(400).json(text);
    let long = format!(r#"{{"errors":[{{"code":"X","message":"{}"}}]}}"#, "y".repeat(400));
    let shortened = format!("400 X: {}…", "y".repeat(300));
    let rows = [
        (status(500), "500: no explanation"),
        (status(400).code("DENIED"), "400 DENIED: no"),
        (
            json(r#"{"errors":[{"code":"X","message":"m","detail":{"a":1}}]}"#),
            r#"400 X: m ({"a":1})"#,
        ),
        (json(r#"{"errors":[{"code":"X","message":"","detail":"d"}]}"#), "400 X: d"),
        (json(r#"{"errors":[{"code":"a b","message":"x\ny\u001b[31m"}]}"#), "400: x y [31m"),
        (json(r#"{"errors":[]}"#), "400: no explanation"),
        (json(r#"{"errors":null,"message":"plain"}"#), "400: plain"),
        (json(r#"{"error":"invalid","error_description":"why"}"#), "400: why"),
        (json("[1,2"), "400: [1,2"),
        (status(400).body("just\r\n text"), "400: just text"),
        (status(400).body([0xff, b'a']), "400: \u{fffd}a"),
        (
            status(400).body("<!doctype html><TITLE>Log in\n</TITLE>"),
            "400: an HTML page titled `Log in`",
        ),
        (status(502).with("Content-Type", "text/html").body("x"), "502: an HTML page"),
        (status(400).body("half").breaks(), "400: half"),
        (json(&long), &shortened),
    ];
    for (reply, expected) in rows {
        let found = list(reply).fault.to_string();
        let found = found.strip_prefix("the registry answers ").unwrap();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_body_without_end_is_read_only_at_its_beginning() {
    let error = list(status(500).body(vec![b'a'; 10 << 20])).to_string();
    assert!(error.len() < 500, "{}", error.len());
}

#[test]
fn an_error_names_what_was_done_and_to_what() {
    let error = list(status(404).code("NAME_UNKNOWN"));
    let expected = "cannot list the tags of r.test/acme/app: there is no such repository";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_hint_says_what_to_do() {
    let rows = [
        (list(status(401)), "docker login"),
        (list(status(403)), "may not pull from `acme/app`"),
        (list(status(429).code("TOOMANYREQUESTS")), "rate limit"),
        (
            list(status(200 + 4).with("Content-Type", "text/html")),
            "is a registry behind this address",
        ),
        (push(status(403).code("DENIED")), "may not push to `acme/app`"),
        (push(status(404).code("NAME_UNKNOWN")), "create the repository `acme/app` first"),
        (push(status(404)), "is `acme/app` a repository that exists"),
        (push(status(413)), "`max-body`"),
    ];
    for (error, expected) in rows {
        let hint = error.hint.unwrap_or_default();
        assert!(hint.contains(expected), "{hint}, expected {expected}");
    }
}
