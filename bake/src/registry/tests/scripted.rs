//! The wire against a whole registry, and what its trace must show.

use bake_test_registry as scripted;
use scripted::{Action, Auth, Kind, Match, Property, RetryAfter, TestRegistry, TokenService};

use super::*;

fn registry(auth: Auth, rules: Vec<(Match, Action)>) -> TestRegistry {
    let mut builder = TestRegistry::builder().auth(auth);
    for (when, then) in rules {
        builder = builder.rule(when, then);
    }
    builder.start().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the registry's date is that of now, too")]
fn date() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

fn blob(registry: &TestRegistry) -> String {
    format!("a/b/blobs/{}", registry.put_blob("a/b", b"content"))
}

#[test]
fn credentials_stay_with_the_registry() {
    let auth = Auth::token("me", "hunter2");
    let registry = registry(auth, vec![(Match::any(), Action::RedirectBlobs)]);
    let (name, path) = (registry.address(), blob(&registry));
    let (client, _) = client(&login(&name, "me", "hunter2"));
    for _ in 0..2 {
        let answer = client.call(get(&name, &path, &pull("a/b"))).unwrap();
        assert!(answer.url.as_str().contains(&registry.other_address()), "{answer:?}");
        assert_eq!(text(answer), "content");
    }
    registry
        .trace()
        .check(&[Property::NoCredentialElsewhere, Property::AtMost(Kind::Token, 1)])
        .unwrap();
}

#[test]
fn tokens_that_end_are_renewed_without_the_caller() {
    for field in ["token", "access_token"] {
        let service = TokenService { field: field.into(), ..TokenService::default() };
        let registry = registry(Auth::Token(service), vec![]);
        let (name, path) = (registry.address(), blob(&registry));
        let (client, _) = client("");
        for _ in 0..3 {
            let answer = client.call(get(&name, &path, &pull("a/b"))).unwrap();
            assert_eq!(text(answer), "content");
            registry.expire_tokens();
        }
        let trace = registry.trace();
        trace.check(&[Property::Requests(6), Property::AtMost(Kind::Token, 3)]).unwrap();
    }
}

#[test]
fn several_challenges_are_told_apart() {
    let challenges = vec!["Negotiate".into(), "Basic realm=\"a, Bearer realm=\\\"x\\\"\"".into()];
    let service = TokenService { challenges, ..TokenService::default() };
    let registry = registry(Auth::Token(service), vec![]);
    let (name, path) = (registry.address(), blob(&registry));
    let (client, _) = client("");
    assert_eq!(text(client.call(get(&name, &path, &pull("a/b"))).unwrap()), "content");
}

#[test]
fn what_a_login_does_not_allow_is_told() {
    let registry = registry(Auth::token("me", "hunter2"), vec![]);
    let (name, scopes) = (registry.address(), push("a/b"));
    let begin = || Call { method: Method::Post, ..get(&name, "a/b/blobs/uploads/", &scopes) };
    let (anonymous, _) = client("");
    let error = anonymous.call(begin()).unwrap_err();
    assert!(error.to_string().contains("it wants a login"), "{error}");
    let (wrong, _) = client(&login(&name, "me", "hunter3"));
    let error = wrong.call(begin()).unwrap_err();
    assert!(error.to_string().contains("it refuses the login of me"), "{error}");
    let (right, _) = client(&login(&name, "me", "hunter2"));
    assert_eq!(right.call(begin()).unwrap().status, 202);
}

#[test]
fn private_realms_are_not_asked() {
    for realm in ["http://169.254.169.254/token", "http://[fe80::1]/token", "http://0.0.0.0/t"] {
        let service = TokenService { realm: Some(realm.into()), ..TokenService::default() };
        let registry = registry(Auth::Token(service), vec![]);
        let (name, path) = (registry.address(), blob(&registry));
        for auths in [String::new(), login(&name, "me", "hunter2")] {
            let (client, _) = client(&auths);
            let error = client.call(get(&name, &path, &pull("a/b"))).unwrap_err();
            assert!(matches!(error.fault, Fault::Credentials(_)), "{realm}: {error:?}");
        }
        registry.trace().check(&[Property::NoCredentialElsewhere]).unwrap();
    }
}

#[test]
fn a_busy_registry_is_left_alone_as_long_as_it_asks() {
    for (asks, seconds) in [(RetryAfter::Seconds(30), 30), (RetryAfter::Date(30), 25)] {
        let busy = Action::Answer(scripted::Answer::too_many(Some(asks)));
        let registry = registry(Auth::Open, vec![(Match::any().once(), busy)]);
        let (name, path) = (registry.address(), blob(&registry));
        // The registry says when to come again, and not what time it is.
        let (client, clock) = client_with("", |options| options.date = Some(date));
        assert_eq!(text(client.call(get(&name, &path, &pull("a/b"))).unwrap()), "content");
        assert!(clock.now() >= Duration::from_secs(seconds), "{asks:?}: {:?}", clock.now());
        assert!(clock.now() < Duration::from_secs(40), "{asks:?}: {:?}", clock.now());
        registry.trace().check(&[Property::Requests(2)]).unwrap();
    }
}

#[test]
fn circles_are_left() {
    let registry = registry(Auth::Open, vec![(Match::any(), Action::RedirectLoop)]);
    let (name, path) = (registry.address(), blob(&registry));
    let (client, _) = client("");
    let error = client.call(get(&name, &path, &pull("a/b"))).unwrap_err();
    assert!(error.to_string().contains("redirects"), "{error}");
    registry.trace().check(&[Property::Requests(6)]).unwrap();
}
