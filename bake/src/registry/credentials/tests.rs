//! Which credentials are found where.

use super::*;

fn keychain(texts: &[&str]) -> Keychain {
    let source = |text: &&str| Source::Text("test".into(), Secret::new((*text).to_owned()));
    Keychain::new(texts.iter().map(source).collect())
}

fn password(user: &str, password: &str) -> Credential {
    let password = Secret::new(password.into());
    Credential::Password { user: user.into(), password }
}

// base64 of `u1:p1`, `u2:p2` and `u3:p:3`.
const U1: &str = "dTE6cDE=";
const U2: &str = "dTI6cDI=";
const U3: &str = "dTM6cDoz";

#[test]
fn the_longest_name_wins() {
    let text = format!(
        r#"{{"auths": {{
            "a.example": {{"auth": "{U1}"}},
            "a.example/team": {{"auth": "{U2}"}},
            "a.example/team/app": {{"auth": "{U3}"}}
        }}}}"#
    );
    let keychain = keychain(&[&text]);
    let cases = [
        ("x", Some(password("u1", "p1"))),
        ("team", Some(password("u2", "p2"))),
        ("team/other", Some(password("u2", "p2"))),
        ("teamwork/app", Some(password("u1", "p1"))),
        ("team/app", Some(password("u3", "p:3"))),
        ("team/app/sub", Some(password("u3", "p:3"))),
    ];
    for (repository, expected) in cases {
        assert_eq!(keychain.find("a.example", repository).unwrap(), expected, "{repository}");
    }
    assert_eq!(keychain.find("b.example", "x").unwrap(), None);
    assert_eq!(keychain.find("a.example:5000", "x").unwrap(), None);
}

#[test]
fn keys_of_docker_hub_and_with_schemes_are_found() {
    for (key, registry) in [
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("https://a.example", "a.example"),
        ("https://a.example:5000/v2/", "a.example:5000"),
        ("http://a.example/v1/", "a.example"),
    ] {
        let text = format!(r#"{{"auths": {{"{key}": {{"auth": "{U1}"}}}}}}"#);
        let found = keychain(&[&text]).find(registry, "library/debian").unwrap();
        assert_eq!(found, Some(password("u1", "p1")), "{key}");
    }
}

#[test]
fn the_first_place_wins_and_empty_entries_are_not_there() {
    let first = r#"{"auths": {"a": {}, "b": null, "c": {"auth": ""}}}"#;
    let second = format!(r#"{{"auths": {{"a": {{"auth": "{U1}"}}}}}}"#);
    let third = format!(r#"{{"auths": {{"a": {{"auth": "{U2}"}}, "c": {{"auth": "{U2}"}}}}}}"#);
    let keychain = keychain(&[first, &second, &third]);
    assert_eq!(keychain.find("a", "x").unwrap(), Some(password("u1", "p1")));
    assert_eq!(keychain.find("b", "x").unwrap(), None);
    assert_eq!(keychain.find("c", "x").unwrap(), Some(password("u2", "p2")));
}

#[test]
fn tokens_and_plain_fields_are_read() {
    let text = r#"{"auths": {
        "id": {"auth": "dTE6", "identitytoken": "refresh"},
        "bearer": {"registrytoken": "pass"},
        "plain": {"username": "u", "password": "p"}
    }}"#;
    let keychain = keychain(&[text]);
    let token = Secret::new("refresh".into());
    let identity = Credential::Identity { user: Some("u1".into()), token };
    assert_eq!(keychain.find("id", "x").unwrap(), Some(identity));
    let bearer = Credential::Bearer(Secret::new("pass".into()));
    assert_eq!(keychain.find("bearer", "x").unwrap(), Some(bearer));
    assert_eq!(keychain.find("plain", "x").unwrap(), Some(password("u", "p")));
}

#[test]
fn errors_and_debug_hold_no_secret() {
    let cases = [
        (r#"{"auths": {"a": {"auth": "hunter2!!"}}}"#, "auths[\"a\"]: `auth` is not base64"),
        (r#"{"auths": {"a": {"auth": "aHVudGVyMg=="}}}"#, "`auth` is not user:password"),
        (r#"{"auths": {"a": "hunter2"}}"#, "line 1, column 25: not a docker or podman auth file"),
    ];
    for (text, expected) in cases {
        let error = keychain(&[text]).find("a", "x").unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let text = format!(r#"{{"auths": {{"a": {{"auth": "{U1}"}}}}}}"#);
    let keychain = keychain(&[&text]);
    let found = keychain.find("a", "x").unwrap();
    let printed = format!("{keychain:?} {found:?}");
    assert!(!printed.contains("p1") && !printed.contains(U1), "{printed}");
}

#[test]
fn a_file_that_must_be_there_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.json");
    let optional = Keychain::new(vec![Source::IfPresent(path.clone())]);
    assert_eq!(optional.find("a", "x").unwrap(), None);
    let error = Keychain::new(vec![Source::File(path)]).find("a", "x").unwrap_err();
    assert!(error.to_string().contains("auth.json"), "{error}");
}

#[test]
fn helpers_come_first_and_an_empty_name_switches_them_off() {
    let text = format!(
        r#"{{"auths": {{"a": {{"auth": "{U1}"}}, "b": {{"auth": "{U1}"}}}},
            "credHelpers": {{"a": ""}}, "credsStore": "bake-has-no-such-helper"}}"#
    );
    let keychain = keychain(&[&text]);
    assert_eq!(keychain.find("a", "x").unwrap(), Some(password("u1", "p1")));
    let error = keychain.find("b", "x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "docker-credential-bake-has-no-such-helper: no such program in PATH"
    );
}
