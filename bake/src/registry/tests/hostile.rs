//! What others write may be refused; it may not bring the program down.

use std::path::Path;

use proptest::prelude::*;

use crate::registry::challenge::Challenge;
use crate::registry::settings::Settings;

/// Challenges put together from their parts, in any order, and any text.
fn header() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("Bearer"),
        Just("basic "),
        Just("Negotiate YII="),
        Just("realm=\"https://auth.example/t\""),
        Just("scope = \"a,b\\\"c"),
        Just("\\"),
        Just("\""),
        Just("="),
        Just(","),
        Just(" "),
        Just("ä"),
        Just("\u{7f}"),
    ];
    let parts = proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat());
    prop_oneof![parts, ".{0,200}"]
}

/// Settings put together from tables, keys and values, right and wrong ones.
fn settings() -> impl Strategy<Value = String> {
    let table = prop_oneof![
        Just("[registry.\"a.example:5000\"]"),
        Just("[registry.docker]"),
        Just("[registry]"),
        Just("[[registry.\"a\"]]"),
        Just("[registry.\"a/../b\"]"),
        Just(""),
    ];
    let key = prop_oneof![
        Just("chunk-size"),
        Just("max-body"),
        Just("parallel"),
        Just("mirrors"),
        Just("http"),
        Just("ca"),
        Just("none"),
    ];
    let value = prop_oneof![
        Just("0"),
        Just("-1"),
        Just("9223372036854775807"),
        Just("true"),
        Just("1e400"),
        Just("[\"b.example/x\", \"://\"]"),
        Just("\"\\u0000/etc\""),
        Just("{}"),
        Just(""),
    ];
    let line =
        (table, key, value).prop_map(|(table, key, value)| format!("{table}\n{key} = {value}\n"));
    let lines = proptest::collection::vec(line, 0..6).prop_map(|lines| lines.concat());
    prop_oneof![lines, ".{0,200}"]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_challenge_is_read_or_left(headers in proptest::collection::vec(header(), 0..4)) {
        let chosen = Challenge::choose(headers.iter().map(String::as_str));
        if let Some(Challenge::Bearer(bearer)) = chosen {
            prop_assert!(!bearer.realm.is_empty());
            prop_assert!(headers.iter().any(|header| header.to_ascii_lowercase().contains("bearer")));
        }
    }

    #[test]
    fn any_settings_are_read_or_refused_in_one_message(text in settings()) {
        if let Err(error) = Settings::parse(&text, Path::new("registries.toml")) {
            prop_assert!(error.to_string().contains("registries.toml"), "{error}");
        }
    }
}

#[test]
fn a_long_challenge_takes_no_longer_than_its_length_pays_for() {
    for part in ["a ", "a=", "\"", "a=\"\\", ",", "Bearer realm=\"x\", "] {
        let header = part.repeat((1 << 20) / part.len());
        let start = std::time::Instant::now();
        let chosen = Challenge::choose(std::iter::once(header.as_str()));
        assert_eq!(chosen.is_some(), part.starts_with("Bearer"), "{part}");
        assert!(start.elapsed().as_secs() < 10, "{part}: {:?}", start.elapsed());
    }
}
