//! Mirrors: asked first, for reading only, with their own credentials.

use super::server::{Server, reply};
use super::*;

fn with_mirror(registry: &str, mirror: &str, auths: &str) -> Client {
    let (client, _) = client_with(auths, |options| {
        options.settings.of_mut(registry).unwrap().mirrors = vec![mirror.to_owned()];
        options.retries.attempts = 1;
    });
    client
}

#[test]
fn a_mirror_is_asked_first_with_its_prefix_and_its_own_login() {
    let mirror = Server::new(|seen| match seen.header("authorization") {
        Some(_) => reply(200, &[], "mirrored"),
        None => reply(401, &[("WWW-Authenticate", "Basic")], ""),
    });
    let upstream = Server::new(|_| reply(200, &[], "upstream"));
    let both = serde_json::json!({ "auths": {
        mirror.name(): { "username": "m", "password": "m" },
        upstream.name(): { "username": "u", "password": "u" },
    }});
    let place = format!("{}/hub", mirror.name());
    let client = with_mirror(&upstream.name(), &place, &both.to_string());
    let answer = client.call(get(&upstream.name(), "a/manifests/1", &pull("a"))).unwrap();
    assert_eq!(text(answer), "mirrored");
    let seen = mirror.seen();
    assert_eq!(seen[1].line(), "GET /v2/hub/a/manifests/1");
    // base64 of `m:m`.
    assert_eq!(seen[1].header("authorization"), Some("Basic bTpt"));
    assert_eq!(upstream.lines().len(), 0);
}

#[test]
fn what_a_mirror_does_not_have_comes_from_the_registry() {
    let mirror = Server::new(|_| reply(404, &[], ""));
    let upstream = Server::new(|_| reply(200, &[], "upstream"));
    let client = with_mirror(&upstream.name(), &mirror.name(), "");
    let answer = client.call(get(&upstream.name(), "a/manifests/1", &pull("a"))).unwrap();
    assert_eq!(text(answer), "upstream");
    assert_eq!(mirror.lines().len(), 1);
    drop(mirror);
    let answer = client.call(get(&upstream.name(), "a/manifests/2", &pull("a"))).unwrap();
    assert_eq!(text(answer), "upstream");
}

#[test]
fn what_is_about_pushing_does_not_ask_mirrors() {
    let mirror = Server::new(|_| reply(200, &[], "mirrored"));
    let upstream = Server::new(|_| reply(200, &[], "upstream"));
    let (name, scopes) = (upstream.name(), push("a"));
    let client = with_mirror(&name, &mirror.name(), "");
    assert_eq!(text(client.call(get(&name, "a/manifests/1", &scopes)).unwrap()), "upstream");
    let call = Call { method: Method::Put, ..get(&name, "a/manifests/1", &[]) };
    assert_eq!(text(client.call(call).unwrap()), "upstream");
    assert_eq!(mirror.lines().len(), 0);
}
