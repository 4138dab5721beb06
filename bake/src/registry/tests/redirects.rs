//! Where a registry may send us, and with what.

use super::server::{Server, reply};
use super::*;

#[test]
fn credentials_do_not_go_to_another_origin() {
    let storage = Server::new(|_| reply(200, &[], "blob"));
    let place = storage.url("/bucket/blob?X-Amz-Signature=0");
    let server = Server::new(move |seen| match seen.header("authorization") {
        Some(_) => reply(307, &[("Location", &place)], ""),
        None => reply(401, &[("WWW-Authenticate", "Basic")], ""),
    });
    let name = server.name();
    let (client, _) = client(&login(&name, "me", "hunter2"));
    let answer = client.call(get(&name, "a/blobs/x", &pull("a"))).unwrap();
    assert_eq!(answer.url.as_str(), storage.url("/bucket/blob?X-Amz-Signature=0"));
    assert_eq!(text(answer), "blob");
    assert_eq!(storage.seen()[0].header("authorization"), None);
}

#[test]
fn credentials_stay_within_the_origin() {
    let server =
        Server::new(move |seen| match (seen.header("authorization"), seen.target.as_str()) {
            (None, _) => reply(401, &[("WWW-Authenticate", "Basic")], ""),
            (_, "/v2/a/blobs/x") => reply(302, &[("Location", "../elsewhere")], ""),
            (_, target) => reply(200, &[], target),
        });
    let name = server.name();
    let (client, _) = client(&login(&name, "me", "hunter2"));
    let answer = client.call(get(&name, "a/blobs/x", &pull("a"))).unwrap();
    assert_eq!(text(answer), "/v2/a/elsewhere");
}

#[test]
fn a_url_of_another_origin_gets_no_credentials() {
    let other = Server::new(|_| reply(202, &[], ""));
    let server = Server::new(|seen| match seen.header("authorization") {
        Some(_) => reply(200, &[], ""),
        None => reply(401, &[("WWW-Authenticate", "Basic")], ""),
    });
    let (name, scopes) = (server.name(), push("a"));
    let (client, _) = client(&login(&name, "me", "hunter2"));
    client.call(get(&name, "a/tags/list", &scopes)).unwrap();
    let url = url::Url::parse(&other.url("/upload?_state=1")).unwrap();
    let target = Target::Url(url);
    let call =
        Call { method: Method::Patch, target, body: Body::Bytes(b"x"), ..get(&name, "", &scopes) };
    assert_eq!(client.call(call).unwrap().status, 202);
    assert_eq!(other.seen()[0].header("authorization"), None);
    assert_eq!(other.lines(), ["PATCH /upload?_state=1"]);
}

#[test]
fn circles_and_long_ways_are_given_up() {
    let circle = Server::new(|seen| {
        let next = if seen.target.ends_with("/a") { "b" } else { "a" };
        reply(307, &[("Location", next)], "")
    });
    let (client, _) = client("");
    let error = client.call(get(&circle.name(), "x/a", &pull("x"))).unwrap_err();
    assert!(error.to_string().contains("redirects in a circle"), "{error}");
    assert_eq!(circle.lines().len(), 2);
    let long = Server::new(|seen| reply(307, &[("Location", &format!("{}1", seen.target))], ""));
    let error = client.call(get(&long.name(), "x/a", &pull("x"))).unwrap_err();
    assert!(error.to_string().contains("redirects more than 5 times"), "{error}");
    assert_eq!(long.lines().len(), 6);
}

#[test]
fn only_reading_follows() {
    let server = Server::new(|_| reply(307, &[("Location", "/elsewhere")], ""));
    let (name, scopes) = (server.name(), push("a"));
    let (client, _) = client("");
    let call = Call { method: Method::Put, ..get(&name, "a/manifests/1", &scopes) };
    assert_eq!(client.call(call).unwrap().status, 307);
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn places_that_are_nearer_or_no_places_are_not_visited() {
    for (location, reason) in [
        ("http://169.254.169.254/latest", "nearer to this machine"),
        ("http://0.0.0.0/", "nearer to this machine"),
        ("file:///etc/passwd", "it names `file:`"),
        ("http://[", "redirects to no URL"),
    ] {
        let server = Server::new(move |_| reply(302, &[("Location", location)], ""));
        let (client, _) = client("");
        let error = client.call(get(&server.name(), "a/blobs/x", &pull("a"))).unwrap_err();
        assert!(error.to_string().contains(reason), "{location}: {error}");
    }
}
