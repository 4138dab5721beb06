//! Files made by sops 3.11 (`make`), and what may not pass of those that were changed.

use proptest::prelude::*;

use super::*;

const FILES: [(&str, &str); 8] = [
    ("all.yaml", include_str!("all.yaml")),
    ("all.json", include_str!("all.json")),
    ("all.env", include_str!("all.env")),
    ("only-encrypted.yaml", include_str!("only-encrypted.yaml")),
    ("regex.yaml", include_str!("regex.yaml")),
    ("not-regex.yaml", include_str!("not-regex.yaml")),
    ("suffix.yaml", include_str!("suffix.yaml")),
    ("comments.yaml", include_str!("comments.yaml")),
];

/// Pointers with their values.
type Table = [(&'static str, &'static str)];

fn text(name: &str) -> &'static str {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).unwrap()
}

fn identities() -> Identities {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), include_str!("identity")).unwrap();
    Identities::find(&[file.path().into()], &|_| None).unwrap()
}

fn opened(name: &str, text: &str) -> Result<SopsFile, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, text).unwrap();
    SopsFile::open(&path, &identities()).map_err(|fault| fault.message)
}

fn found(file: &SopsFile, pointer: &str) -> Result<String, String> {
    let value = SopsValue::parse(&format!("file#{pointer}")).unwrap();
    file.get(&value).map(|text| (*text).clone()).map_err(|fault| fault.message)
}

#[test]
fn values_are_what_was_encrypted() {
    let all = [
        ("/api/token", "t0ken"),
        ("/api/port", "8080"),
        ("/api/ratio", "1.5"),
        ("/api/big", "1000000"),
        ("/api/on", "true"),
        ("/api/empty", ""),
        ("/list/0", "a"),
    ];
    let yaml = [
        ("/api/off", "false"),
        ("/api/lines", "one\ntwo\n"),
        ("/list/1/deep/1", "2"),
        ("/odd ~0 ~1 name", "007"),
        ("/date", "2026-01-31T00:00:00Z"),
        ("/no", "no"),
        ("/unicode", "größer 🔑"),
        ("/plain_unencrypted/text", "yes"),
        ("/plain_unencrypted/number", "16"),
        ("/plain_unencrypted/flag", "true"),
    ];
    let json = [
        ("/list/1/b", "c"),
        ("/unicode", "größer 🔑 \u{1f} / \\ \""),
        ("/plain_unencrypted/4", "1000000"),
    ];
    let env = [("/TOKEN", "t0ken"), ("/LINES", "one\ntwo"), ("/EMPTY", ""), ("/QUOTED", "\"a b\"")];
    let some =
        [("/secret_a", "x"), ("/open", "5"), ("/nested/secret_b", "y"), ("/nested/open", "true")];
    let cases: [(&str, &[&Table]); 7] = [
        ("all.yaml", &[&all, &yaml]),
        ("only-encrypted.yaml", &[&all, &yaml]),
        ("all.json", &[&all, &json]),
        ("all.env", &[&env, &[("/PLAIN_unencrypted", "x")]]),
        ("regex.yaml", &[&some]),
        ("not-regex.yaml", &[&some]),
        ("suffix.yaml", &[&some]),
    ];
    for (name, tables) in cases {
        let file = opened(name, text(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (pointer, expected) in tables.iter().copied().flatten() {
            assert_eq!(found(&file, pointer).as_deref(), Ok(*expected), "{name} {pointer}");
        }
    }
}

#[test]
fn pointers_that_lead_nowhere_say_what_is_there() {
    let file = opened("all.yaml", text("all.yaml")).unwrap();
    for (pointer, expected) in [
        ("/api", "there are several values, expected one"),
        ("/list", "there is a list, expected a single value"),
        ("/api/none", "there is nothing there, expected a value"),
        (
            "/api/tokn",
            "there is no `tokn`: `/api` has token, port, ratio, big, on, off, empty, none, lines",
        ),
        ("/list/9", "there is no `9`: `/list` is a list of 2"),
        ("/api/token/x", "there is no `x`: `/api/token` is a single value"),
        ("/sops/mac", "there is no `sops`: the file has api, list, odd ~ / name, date"),
    ] {
        let error = found(&file, pointer).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// Returns the line of a text that begins with a key.
fn line<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines().find(|line| line.trim_start().starts_with(key)).unwrap()
}

#[test]
fn changed_files_are_refused() {
    let whole = text("all.yaml");
    let (port, big) = (line(whole, "port: "), line(whole, "big: "));
    let moved = whole
        .replace(port, &format!("    port: {}", big.trim_start().strip_prefix("big: ").unwrap()));
    let code = "was changed after sops wrote it: its authentication code does not fit";
    let cases = [
        // A value elsewhere, gone, in another order, in the open, and one that was not there.
        (moved, "the value at `/api/port` was changed or moved after sops wrote it"),
        (whole.replace(&format!("{port}\n"), ""), code),
        (whole.replace(&format!("{port}\n"), "").replace(big, &format!("{big}\n{port}")), code),
        (
            whole.replace(port, "    port: 8080"),
            "the value at `/api/port` is not encrypted, and should be",
        ),
        (
            whole.replace(port, "    port: \"8080\""),
            "the value at `/api/port` is not encrypted, and should be",
        ),
        (whole.replace("text: \"yes\"", "text: \"no\""), code),
        (whole.replace("number: 16", "number: 17"), code),
        (whole.replace("lastmodified: \"20", "lastmodified: \"21"), code),
        (whole.replace("    empty: \"\"", "    empty: \"\"\n    more: \"\""), "ok"),
        (
            whole.replace("unencrypted_suffix: _unencrypted", "unencrypted_suffix: api"),
            "the value at `/plain_unencrypted/text` is not encrypted",
        ),
        (whole.replace("    unencrypted_suffix: _unencrypted\n", ""), "ok"),
        (whole.replace("    lastmodified", "    mac_only_encrypted: true\n    lastmodified"), code),
        (
            whole.replace("    lastmodified", "    encrypted_regex: x\n    lastmodified"),
            "`sops` has several rules",
        ),
        (whole.replace("    mac: ENC", "    mac: enc"), code),
    ];
    for (changed, expected) in cases {
        assert_ne!(changed, whole);
        match opened("all.yaml", &changed) {
            Ok(_) => assert_eq!(expected, "ok", "{changed}"),
            Err(error) => assert!(error.starts_with(expected), "{error}\nexpected {expected}"),
        }
    }
    // What is not encrypted may be changed if the code covers what is.
    let open = text("only-encrypted.yaml").replace("number: 16", "number: 17");
    assert_eq!(
        found(&opened("a.yaml", &open).unwrap(), "/plain_unencrypted/number").as_deref(),
        Ok("17")
    );
    let gone = text("only-encrypted.yaml").replace("    mac_only_encrypted: true\n", "");
    assert_eq!(opened("a.yaml", &gone).err().unwrap(), code);
}

#[test]
fn what_is_not_for_age_is_named() {
    let whole = text("all.yaml");
    let start = whole.find("sops:\n").unwrap();
    let about = |keys: &str| {
        format!("{}sops:\n{keys}    lastmodified: \"x\"\n    mac: x\n", &whole[..start])
    };
    for (changed, expected) in [
        ("a: 1\n".to_owned(), "was not encrypted by sops: it has no `sops`"),
        ("- a\n".to_owned(), "holds no names, expected what sops writes"),
        (
            about("    pgp:\n        - fp: x\n"),
            "its key is with OpenPGP, expected recipients of age",
        ),
        (
            about("    kms:\n        - arn: x\n    hc_vault:\n        - x: y\n    age: []\n"),
            "its key is with AWS KMS and Vault, expected recipients of age",
        ),
        (about(""), "its key is with nobody, expected recipients of age"),
        (about("    key_groups:\n        - age: []\n"), "its key is shared by groups"),
        (
            about("    age:\n        - recipient: x\n"),
            "`sops.age` has entries without `recipient` or `enc`",
        ),
        (text("comments.yaml").to_owned(), "`sops.encrypted_comment_regex` is not supported"),
    ] {
        let error = opened("all.yaml", &changed).err().unwrap();
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
    }
    assert!(opened(".env", text("all.env")).is_ok());
    for name in ["all.ini", "all", "all.txt"] {
        assert!(opened(name, whole).err().unwrap().starts_with("is not called"), "{name}");
    }
    let error = SopsFile::open(Path::new("no-such.yaml"), &identities()).err().unwrap().message;
    assert!(error.contains("no-such.yaml"), "{error}");
}

#[test]
fn a_stranger_is_told_who_can_decrypt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.json");
    fs_err::write(&path, text("all.json")).unwrap();
    let fault = SopsFile::open(&path, &Identities::none()).err().unwrap();
    assert!(fault.message.starts_with("there is no identity to decrypt with"), "{fault:?}");
    let recipient = identities().recipients().next().unwrap().to_owned();
    assert!(fault.hint.unwrap().contains(&recipient));
}

/// Returns every value of a document with its path.
fn values(clear: &Clear, path: &str, all: &mut Vec<(String, String)>) {
    match clear {
        Clear::Null => {}
        Clear::Value(text) => all.push((path.to_owned(), (**text).clone())),
        Clear::List(list) => {
            for (number, node) in list.iter().enumerate() {
                values(node, &format!("{path}/{number}"), all);
            }
        }
        Clear::Map(entries) => {
            for (name, node) in entries {
                values(node, &format!("{path}/{name}"), all);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_damage_is_an_error_or_moves_no_encrypted_value(
        number in 0_usize..3, at in 0.0..1.0, len in 0_usize..6, put in "[ -~\\n]{0,4}"
    ) {
        let (name, whole) = FILES[number];
        let mut bytes = whole.as_bytes().to_vec();
        #[expect(clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a small file")]
        #[expect(clippy::cast_possible_truncation, reason = "a place in a small file")]
        let start = (at * bytes.len() as f64) as usize;
        let end = (start + len).min(bytes.len());
        bytes.splice(start..end, put.bytes());
        let Ok(file) = opened(name, &String::from_utf8_lossy(&bytes)) else { return Ok(()) };
        let (mut before, mut after) = (Vec::new(), Vec::new());
        values(&opened(name, whole).unwrap().0, "", &mut before);
        values(&file.0, "", &mut after);
        // The code covers values in their order; names only where a value is encrypted.
        let text = |all: &[(String, String)]| all.iter().map(|(_, text)| text.as_str()).collect::<String>();
        prop_assert_eq!(text(&before), text(&after));
        for (path, value) in before.iter().filter(|(path, value)| !path.contains("_unencrypted") && !value.is_empty()) {
            prop_assert!(after.iter().any(|(known, found)| (known, found) == (path, value)), "{}", path);
        }
    }
}
