//! Challenges, tokens and logins.

use super::server::{Reply, Seen, Server, reply};
use super::*;

/// A registry with a token service of its own: `/token` gives `t1`, `t2`, … and the registry takes
/// what `takes` says.
fn registry(
    reply_to_token: impl Fn(&Seen, u32) -> Reply + Send + Sync + 'static,
    takes: impl Fn(&Seen, &str) -> bool + Send + Sync + 'static,
) -> Server {
    let made = Mutex::new(0);
    let refusals = Mutex::new(());
    Server::new(move |seen| {
        if seen.target.starts_with("/token") {
            let mut made = made.lock().unwrap();
            *made += 1;
            return reply_to_token(seen, *made);
        }
        let _one_at_a_time = refusals.lock().unwrap();
        let token = seen.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        if token.is_some_and(|token| takes(seen, token)) {
            return reply(200, &[], "content");
        }
        let host = seen.header("host").unwrap();
        let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"s\"");
        reply(401, &[("WWW-Authenticate", &challenge)], "{}")
    })
}

fn token(number: u32) -> Reply {
    reply(200, &[], &format!("{{\"token\":\"t{number}\",\"expires_in\":300}}"))
}

#[test]
fn a_token_is_asked_for_once_and_kept() {
    let server = registry(|_, n| token(n), |_, token| token == "t1");
    let name = server.name();
    let (client, clock) = client(&login(&name, "me", "hunter2"));
    for _ in 0..3 {
        let answer = client.call(get(&name, "a/b/manifests/1", &pull("a/b"))).unwrap();
        assert_eq!(text(answer), "content");
    }
    let question = "GET /token?account=me&service=s&scope=repository%3Aa%2Fb%3Apull";
    let manifest = "GET /v2/a/b/manifests/1";
    assert_eq!(server.lines(), [manifest, question, manifest, manifest, manifest]);
    // base64 of `me:hunter2`.
    assert_eq!(server.seen()[1].header("authorization"), Some("Basic bWU6aHVudGVyMg=="));
    let counts = client.counts()[&name];
    assert_eq!((counts.requests, counts.broken), (5, 1), "one found no TLS");
    clock.sleep(Duration::from_secs(271));
    let error = client.call(get(&name, "a/b/manifests/1", &pull("a/b"))).unwrap_err();
    assert!(server.lines()[5..].contains(&question.to_owned()), "the token was not renewed");
    assert!(matches!(error.fault, Fault::Credentials(_)), "{error}");
}

#[test]
fn each_set_of_scopes_has_its_token_and_pushing_comes_first() {
    let server = registry(|_, n| token(n), |_, _| true);
    let name = server.name();
    let (client, _) = client("");
    let both = [pull("from"), push("to")].concat();
    client.call(get(&name, "a/tags/list", &pull("a"))).unwrap();
    client.call(get(&name, "to/tags/list", &both)).unwrap();
    client.call(get(&name, "to/tags/list", &both)).unwrap();
    let asked: Vec<_> = server.lines().into_iter().filter(|line| line.contains("/token")).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[1].ends_with(
        "?service=s&scope=repository%3Ato%3Apull%2Cpush&scope=repository%3Afrom%3Apull"
    ));
    assert_eq!(server.seen()[1].header("authorization"), None);
}

#[test]
fn threads_share_one_challenge_and_one_token() {
    let server = registry(|_, n| token(n), |_, token| token == "t1");
    let name = server.name();
    let (client, _) = client("");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| client.call(get(&name, "b/tags/list", &pull("b"))).unwrap());
        }
    });
    let lines = server.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("/token")).count(), 1);
    assert_eq!(lines.len(), 8, "one challenge, one token, six answers: {lines:?}");
}

#[test]
fn a_token_that_ends_early_is_renewed() {
    // `t1` is good for one request only.
    let used = Mutex::new(0);
    let server = registry(
        |_, n| token(n),
        move |_, token| {
            let mut used = used.lock().unwrap();
            *used += u32::from(token == "t1");
            token == "t2" || (token == "t1" && *used == 1)
        },
    );
    let (name, scopes) = (server.name(), pull("a"));
    let (client, _) = client("");
    for _ in 0..3 {
        assert_eq!(client.call(get(&name, "a/tags/list", &scopes)).unwrap().status, 200);
    }
    let asked = server.lines().iter().filter(|line| line.contains("/token")).count();
    assert_eq!(asked, 2);
}

#[test]
fn a_streamed_body_is_not_sent_twice_without_the_caller() {
    let server = registry(|_, n| token(n), |seen, token| seen.method != "PATCH" || token == "t2");
    let (name, scopes) = (server.name(), push("a"));
    let (client, _) = client("");
    client.call(get(&name, "a/tags/list", &scopes)).unwrap();
    let opened = Mutex::new(0);
    let open = || -> std::io::Result<Box<dyn std::io::Read + Send>> {
        *opened.lock().unwrap() += 1;
        Ok(Box::new(std::io::Cursor::new("body")))
    };
    let patch = || Call {
        method: Method::Patch,
        body: Body::Stream { len: 4, open: &open },
        patience: Patience::Caller,
        ..get(&name, "a/blobs/uploads/1", &scopes)
    };
    assert_eq!(client.call(patch()).unwrap().status, 401);
    assert_eq!(*opened.lock().unwrap(), 1);
    // The token that was refused is forgotten, so the caller's next attempt has a new one.
    assert_eq!(client.call(patch()).unwrap().status, 200);
}

#[test]
fn name_and_password_do_where_there_are_no_tokens() {
    let server = Server::new(|seen| match seen.header("authorization") {
        Some("Basic bWU6aHVudGVyMg==") => reply(200, &[], ""),
        _ => reply(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], ""),
    });
    let name = server.name();
    let (with, _) = client(&login(&name, "me", "hunter2"));
    for _ in 0..2 {
        assert_eq!(with.call(get(&name, "a/tags/list", &pull("a"))).unwrap().status, 200);
    }
    assert_eq!(server.lines().len(), 3);
    let (wrong, _) = client(&login(&name, "me", "hunter3"));
    let error = wrong.call(get(&name, "a/tags/list", &pull("a"))).unwrap_err();
    assert!(error.to_string().ends_with("it refuses the login of me"), "{error}");
    let (without, _) = client("");
    let error = without.call(get(&name, "a/tags/list", &pull("a"))).unwrap_err();
    assert!(error.to_string().contains(&format!("there is none for `{name}`")), "{error}");
    assert!(error.hint.as_ref().unwrap().contains("docker login"), "{error:?}");
    assert!(error.hint.as_ref().unwrap().starts_with("is `a` right?"), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter"));
}

#[test]
fn less_than_was_asked_for_is_told_as_that() {
    let server = Server::new(|seen| {
        if seen.target.starts_with("/token") {
            return token(1);
        }
        let host = seen.header("host").unwrap();
        let error = match seen.header("authorization") {
            Some(_) => ",error=\"insufficient_scope\"",
            None => "",
        };
        let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"s\"{error}");
        reply(401, &[("WWW-Authenticate", &challenge)], "")
    });
    let (name, scopes) = (server.name(), push("team/app"));
    let (client, _) = client(&login(&name, "me", "p"));
    let call = Call { method: Method::Post, ..get(&name, "team/app/blobs/uploads/", &scopes) };
    let error = client.call(call).unwrap_err();
    assert_eq!(
        error.fault,
        Fault::Credentials("logged in as me, who may not push to `team/app`".into())
    );
}

#[test]
fn identity_tokens_are_posted_and_then_used_as_passwords() {
    for (status, lines) in [(200, 3), (405, 4)] {
        let server = registry(
            move |seen, n| match seen.method.as_str() {
                "POST" if status != 200 => reply(status, &[], ""),
                _ => token(n),
            },
            |_, _| true,
        );
        let name = server.name();
        let entry = serde_json::json!({ "auth": "bWU6", "identitytoken": "refresh" });
        let (client, _) = client(&serde_json::json!({ "auths": { &name: entry } }).to_string());
        client.call(get(&name, "a/tags/list", &pull("a"))).unwrap();
        let seen = server.seen();
        assert_eq!(seen.len(), lines);
        assert_eq!(seen[1].line(), "POST /token");
        assert_eq!(
            String::from_utf8_lossy(&seen[1].body),
            "grant_type=refresh_token&client_id=bake&service=s&scope=repository%3Aa%3Apull\
            &refresh_token=refresh"
        );
        assert_eq!(seen[1].header("authorization"), None);
        if status == 405 {
            // base64 of `me:refresh`.
            assert_eq!(seen[2].header("authorization"), Some("Basic bWU6cmVmcmVzaA=="));
        }
    }
}

#[test]
fn credentials_go_to_no_token_service_elsewhere() {
    for (realm, reason) in [
        ("https://evil.example/token", "another domain"),
        ("http://evil.example/token", "another domain"),
        ("https://192.168.1.1/token", "another domain"),
    ] {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"s\"");
        let server = Server::new(move |_| reply(401, &[("WWW-Authenticate", &challenge)], ""));
        let name = server.name();
        let (client, _) = client(&login(&name, "me", "hunter2"));
        let error = client.call(get(&name, "a/tags/list", &pull("a"))).unwrap_err();
        assert!(error.to_string().contains(reason), "{realm}: {error}");
        assert_eq!(client.counts()[&name].requests, 1, "{realm}");
    }
}

#[test]
fn realms_that_are_nearer_than_the_registry_are_not_visited() {
    let challenge = "Bearer realm=\"http://169.254.169.254/latest/meta-data\",service=\"s\"";
    let server = Server::new(move |_| reply(401, &[("WWW-Authenticate", challenge)], ""));
    let (client, _) = client("");
    let error = client.call(get(&server.name(), "a/tags/list", &pull("a"))).unwrap_err();
    assert!(matches!(error.fault, Fault::Credentials(_)), "{error:?}");
    assert!(error.to_string().contains("nearer to this machine"), "{error}");
}

#[test]
fn a_login_that_nobody_speaks_is_named() {
    let server = Server::new(|_| reply(401, &[("WWW-Authenticate", "Negotiate")], ""));
    let (client, _) = client("");
    let error = client.call(get(&server.name(), "a/tags/list", &pull("a"))).unwrap_err();
    assert!(error.to_string().contains("neither Bearer nor Basic"), "{error}");
}

#[test]
fn a_token_service_that_is_busy_is_asked_again() {
    let server = registry(
        |_, n| if n < 3 { reply(503, &[("Retry-After", "9")], "") } else { token(n) },
        |_, token| token == "t3",
    );
    let (client, clock) = client("");
    let answer = client.call(get(&server.name(), "a/tags/list", &pull("a"))).unwrap();
    assert_eq!(answer.status, 200);
    assert!(clock.now() >= Duration::from_secs(18));
}

#[test]
fn a_token_service_says_who_is_refused() {
    for (status, reason) in [
        (401, "it refuses the login of me"),
        (403, "logged in as me, who may not push to `a`, or the login is wrong or has expired"),
    ] {
        let server = registry(move |_, _| reply(status, &[], "{}"), |_, _| true);
        let (name, scopes) = (server.name(), push("a"));
        let (client, _) = client(&login(&name, "me", "p"));
        let error = client.call(get(&name, "a/tags/list", &scopes)).unwrap_err();
        assert_eq!(error.fault, Fault::Credentials(reason.into()));
    }
}
