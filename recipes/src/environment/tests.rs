//! Environments: what is written is understood, what is wrong is refused in words, no value is shown.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::error::Look;

const ARMORED: &str =
    "-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n";
const ALICE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs_err::write(folder.path().join(format!("{name}.toml")), text).unwrap();
    }
    folder
}

fn load_named(folder: &Path, name: &str) -> Result<Environment, String> {
    super::load(folder, &name.parse().unwrap()).map_err(|errors| errors.render(Look::Plain))
}

fn loaded(files: &[(&str, &str)]) -> Result<Environment, String> {
    load_named(folder(files).path(), "prod")
}

fn sources(environment: &Environment) -> BTreeMap<String, (Source, String, usize)> {
    let row = |(name, setting): (&Name, &Setting)| {
        let found = (setting.source.clone(), setting.origin.to_string(), setting.place.line);
        (name.to_string(), found)
    };
    environment.settings.iter().map(row).collect()
}

fn text(value: &str) -> Source {
    Source::Plain(Scalar::Text(value.into()))
}

#[test]
fn a_file_is_understood() {
    let written = format!(
        "description = \"all\"\nrecipients = [\"{ALICE}\"]\ndigest-key = '''{ARMORED}'''\n\n[values]\nA = \"x\"\n\
         B = 1000000\nC = true\nD = [\"a\", \"b\"]\nE = 1.5\nF = \"\"\n\n[secrets]\nG = {{ age = '''{ARMORED}''' }}\n\
         H = {{ sops = \"s/prod.yaml#/a/b\" }}\nI = {{ ref = \"vault:kv#x\" }}\nJ = {{ command = [\"pass\", \"x\"] }}\n"
    );
    let environment = loaded(&[("prod", &written)]).unwrap();
    let at = |source, line| (source, "prod".to_owned(), line);
    let expected = BTreeMap::from([
        ("A".into(), at(text("x"), 9)),
        ("B".into(), at(Source::Plain(Scalar::Integer(1_000_000)), 10)),
        ("C".into(), at(Source::Plain(Scalar::Bool(true)), 11)),
        ("D".into(), at(Source::Plain(Scalar::List(vec!["a".into(), "b".into()])), 12)),
        ("E".into(), at(Source::Plain(Scalar::Float(1.5)), 13)),
        ("F".into(), at(text(""), 14)),
        ("G".into(), at(Source::Age(ARMORED.into()), 17)),
        ("H".into(), at(Source::Sops(SopsValue::parse("s/prod.yaml#/a/b").unwrap()), 21)),
        ("I".into(), at(Source::Reference(reference("vault:kv#x").unwrap()), 22)),
        ("J".into(), at(Source::Command(vec!["pass".into(), "x".into()]), 23)),
    ]);
    assert_eq!(sources(&environment), expected);
    assert_eq!(environment.description.as_deref(), Some("all"));
    let recipients = environment.recipients.unwrap();
    assert_eq!((recipients.list[0].0.as_str(), recipients.list[0].1.line), (ALICE, 2));
    let key = environment.digest_key.unwrap();
    assert_eq!((key.age.as_str(), key.place.line), (ARMORED, 3));
}

#[test]
fn later_wins_over_earlier_and_the_file_over_all() {
    let key = format!("digest-key = '''{ARMORED}'''\n");
    let environment = loaded(&[
        ("root", &format!("recipients = [\"{ALICE}\"]\n{key}[values]\nA = \"root\"\nB = \"root\"\nC = \"root\"\n")),
        ("eu", "extends = [\"root\"]\n[values]\nB = \"eu\"\nC = \"eu\"\nD = \"eu\"\n"),
        ("big", "description = \"big\"\n[values]\nC = \"big\"\nD = \"big\"\n"),
        ("prod", "extends = [\"eu\", \"big\"]\n[secrets]\nD = { ref = \"vault:d\" }\n"),
    ])
    .unwrap();
    let row = |source, origin: &str, line| (source, origin.to_owned(), line);
    let expected = BTreeMap::from([
        ("A".into(), row(text("root"), "root", 7)),
        ("B".into(), row(text("eu"), "eu", 3)),
        ("C".into(), row(text("big"), "big", 3)),
        ("D".into(), row(Source::Reference(reference("vault:d").unwrap()), "prod", 3)),
    ]);
    assert_eq!(sources(&environment), expected);
    let recipients = environment.recipients.unwrap();
    assert_eq!(recipients.origin.as_str(), "root");
    // A description and a key of digests are one file's own.
    assert_eq!((environment.description, environment.digest_key), (None, None));
    let names: Vec<_> = environment.extends.iter().map(EnvironmentName::as_str).collect();
    assert_eq!(names, ["eu", "big"]);
}

#[test]
fn chains_that_cannot_be_are_shown() {
    let extends = |name: &str| format!("extends = [\"{name}\"]\n");
    let to = ["a", "b", "c", "d", "e"].map(extends);
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("prod", &to[0]), ("a", &to[1]), ("b", &to[0])], "`a` extends itself: prod → a → b → a"),
        (&[("prod", "extends = [\"prod\"]")], "`prod` extends itself: prod → prod"),
        (
            &[("prod", "extends = [\"a\", \"b\"]"), ("a", &to[2]), ("b", &to[2]), ("c", "")],
            "`c` is extended twice: prod → a → c and prod → b → c",
        ),
        (
            &[
                ("prod", &to[0]),
                ("a", &to[1]),
                ("b", &to[2]),
                ("c", &to[3]),
                ("d", &to[4]),
                ("e", ""),
            ],
            "expected at most 4 levels, found prod → a → b → c → d → e",
        ),
        (&[("prod", "extends = [\"bsae\"]"), ("base", "")], "hint: did you mean `base`?"),
        (&[("prod", "extends = [\"xyzzy\"]"), ("base", "")], "hint: there are base, prod"),
    ];
    for (files, expected) in cases {
        let error = loaded(files).unwrap_err();
        assert!(error.contains(expected), "{error}\nexpected {expected}");
        assert!(error.contains(".toml:1:"), "{error}");
    }
    let fits = loaded(&[("prod", &to[0]), ("a", &to[1]), ("b", &to[2]), ("c", &to[3]), ("d", "")]);
    assert!(fits.is_ok(), "{fits:?}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = folder(&[("base", "")]);
    let path = folder.path().join("prod.toml");
    assert!(
        load_named(folder.path(), "prod").unwrap_err().contains("there is no environment `prod`")
    );
    std::os::unix::fs::symlink("base.toml", &path).unwrap();
    assert!(load_named(folder.path(), "prod").unwrap_err().contains("prod.toml` is a link"));
    fs_err::remove_file(&path).unwrap();
    fs_err::create_dir_all(&path).unwrap();
    assert!(load_named(folder.path(), "prod").unwrap_err().contains("prod.toml` is not a file"));
    std::fs::remove_dir(&path).unwrap();
    fs_err::write(&path, b"[values]\nA = \"hunter2 \xff\"\n").unwrap();
    let error = load_named(folder.path(), "prod").unwrap_err();
    assert!(
        error.contains("the environment is not UTF-8") && !error.contains("hunter2"),
        "{error}"
    );
    fs_err::File::create(&path).unwrap().set_len(MAX_LEN + 1).unwrap();
    assert!(
        load_named(folder.path(), "prod").unwrap_err().contains("is larger than 16777216 bytes")
    );
}

/// What is written, and the error.
const WRONG: [(&str, &str); 28] = [
    ("[value]\n", "unknown key `value`"),
    ("[value]\n", "hint: did you mean `values`?"),
    ("extend = []\n", "hint: did you mean `extends`?"),
    ("extends = [\"../base\"]\n", "`../base` is not the name of an environment"),
    ("extends = [\"a\", \"a\"]\n", "`a` stands here twice"),
    ("recipients = []\n", "nobody could decrypt"),
    ("recipients = [\"alice\"]\n", "this is no recipient"),
    ("recipients = [\"AGE-SECRET-KEY-1HUNTER2\"]\n", "this is a secret key"),
    ("recipients = [\"ssh-dss AAAA\"]\n", "this is no recipient"),
    ("digest-key = \"hunter2\"\n", "expected a key that age encrypted, armored"),
    ("[values]\ndb_url = \"x\"\n", "`db_url` is not the name of a configuration key"),
    ("[values]\nA = { b = \"hunter2\" }\n", "found a table"),
    ("[values]\nA = { b = \"hunter2\" }\n", "a key of type `json` takes text"),
    ("[values.A]\nb = 1\n", "a key of type `json` takes text"),
    ("[values]\nA = 2026-01-01\n", "a date is no value"),
    (
        "[values]\nA = \"-----BEGIN AGE ENCRYPTED FILE-----\\nhunter2\"\n",
        "write `A = { age = … }` into `[secrets]`",
    ),
    ("[values]\nA = \"ENC[AES256_GCM,data:hunter2\"\n", "write `A = { sops = \"FILE#/POINTER\" }`"),
    ("[values]\nA = \"x\"\nA = \"hunter2\"\n", "duplicate key"),
    ("[values]\nA = hunter2\n", "prod.toml:2:"),
    ("[secrets]\nA = \"hunter2\"\n", "the secret `A` stands here in plain text"),
    (
        "[secrets]\nA = 5\n",
        "expected a table with `age`, `sops`, `ref` or `command`, found an integer",
    ),
    ("[secrets]\nA = {}\n", "expected one of `age`, `sops`, `ref` and `command`"),
    ("[secrets]\nA = { agee = \"hunter2\" }\n", "hint: did you mean `age`?"),
    ("[secrets]\nA = { age = \"hunter2\" }\n", "`age` of `A` is not what age encrypted"),
    ("[secrets]\nA = { sops = \"hunter2\" }\n", "`sops` of `A`: expected FILE#/POINTER"),
    ("[secrets]\nA = { ref = \"hunter2\" }\n", "`ref` of `A`: expected PROVIDER:LOCATION"),
    ("[secrets]\nA = { command = [] }\n", "`command` of `A`: expected a program and its arguments"),
    (
        "[secrets]\nA = { ref = \"a:hunter2\", command = [\"hunter2\"] }\n",
        "`A` has several sources",
    ),
];

#[test]
fn says_what_is_wrong_and_shows_no_value() {
    for (written, expected) in WRONG {
        let error = loaded(&[("prod", written)]).unwrap_err();
        assert!(error.contains(expected), "{written}\n{error}\nexpected {expected}");
        assert!(!error.to_lowercase().contains("hunter2"), "{error}");
    }
}

#[test]
fn a_key_in_both_tables_is_an_error_with_both_places() {
    let written = "[values]\nA = \"x\"\n[secrets]\nA = { ref = \"vault:a\" }\n";
    let error = loaded(&[("prod", written)]).unwrap_err();
    assert!(error.contains("the other is at ") && error.contains("prod.toml:2:1"), "{error}");
    assert!(error.contains("prod.toml:4:1"), "{error}");
}

proptest! {
    #[test]
    fn any_text_is_an_environment_or_an_error_that_shows_no_value(
        before in "[a-z\\[\\]=\"{}' \\n]{0,20}", after in "[a-z\\[\\]=\"{}' ,\\n]{0,20}"
    ) {
        let written = format!("{before}\n[secrets]\nA = \"HUNTER2\"{after}\n");
        let parsed = super::file::parse("prod.toml", &written, &"prod".parse().unwrap());
        if let Err(errors) = parsed {
            prop_assert!(!errors.render(Look::Plain).contains("HUNTER2"));
        }
    }
}
