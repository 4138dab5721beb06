//! What all targets promise: the bytes of an example, and laws.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::kind::{Kind, Pattern, Range};
use crate::schema::{
    Case, Delivery, Document, File, Format, Key, Presence, Reload, Schema, Secrecy,
};
use crate::value::Scalar;
use crate::{
    ConfigDigest, Deployment, DigestKey, Entrypoint, Given, Name, OutputFile, Reference, Refusal,
    Secret, Settings, Target,
};

const PASSWORD: &str = "s3cret-p4ssword";
const TOKEN: &str = "t0ken-of-the-api";

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn file(name: &str, path_variable: Option<&str>) -> Delivery {
    Delivery::File { name: name.into(), path_variable: path_variable.and_then(Name::parse) }
}

/// A schema with everything that there is.
fn schema() -> Schema {
    let text = || Key::new(Kind::String(Pattern::default()));
    let secret = || Key { secrecy: Secrecy::Secret, ..text() };
    let mut schema = Schema::empty("catalog");
    schema.service.unit = Some("catalog".into());
    schema.service.user = Some("catalog".into());
    schema.service.group = Some("catalog".into());
    let keys = [
        ("API_TOKEN", secret()),
        ("CA_BUNDLE", Key { delivery: file("ca.pem", Some("CA_FILE")), ..text() }),
        ("DATABASE_URL", Key { presence: Presence::Required, ..text() }),
        (
            "DB_PASSWORD",
            Key { delivery: file("db-password", Some("DB_PASSWORD_FILE")), ..secret() },
        ),
        ("GREETING", text()),
        ("LICENSE", Key { delivery: Delivery::Files, ..text() }),
        ("WORKERS", Key::new(Kind::Int(Range::default()))),
    ];
    schema.keys = keys.into_iter().map(|(text, key)| (name(text), key)).collect();
    schema.files.push(File {
        path: "/etc/catalog/app.yaml".into(),
        mode: 0o640,
        format: Some(Format::Yaml),
        reload: Reload::Reload,
        template: "url: {{ cfg.DATABASE_URL | yaml }}\nlicense: {{ cfg.LICENSE | yaml }}\n".into(),
    });
    schema.documents.push(Document {
        path: "/etc/catalog/secret.json".into(),
        mode: 0o640,
        format: Format::Json,
        nest: None,
        case: Case::Lower,
        keys: vec![name("DB_PASSWORD"), name("WORKERS")],
        reload: Reload::Restart,
    });
    schema
}

fn plain(text: &str) -> Given {
    Given::Plain(Scalar::Text(text.into()))
}

fn secret(text: &str) -> Given {
    Given::Secret(Secret::new(text.into()))
}

fn refer(provider: &str, location: &str) -> Given {
    Given::Reference(Reference { provider: provider.into(), location: location.into() })
}

fn values() -> Vec<(&'static str, Given)> {
    vec![
        ("API_TOKEN", secret(TOKEN)),
        ("CA_BUNDLE", plain("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")),
        ("DATABASE_URL", plain("postgres://db.example/catalog?a=1&b=<2>")),
        ("DB_PASSWORD", secret(PASSWORD)),
        ("GREETING", plain("Hello \"you\", $USER \\ `date` %n # ünï")),
        ("LICENSE", plain("no")),
        ("WORKERS", Given::Plain(Scalar::Integer(1_000_000))),
    ]
}

fn settle(schema: &Schema, values: Vec<(&'static str, Given)>) -> Settings {
    let settled = schema.settle(values);
    assert!(!settled.is_refused(), "{:?}", settled.faults);
    settled.settings
}

fn render(
    target: Target,
    schema: &Schema,
    settings: &Settings,
    entrypoint: Entrypoint,
) -> Result<Vec<OutputFile>, Vec<Refusal>> {
    let key = DigestKey::new([7; 32]);
    let digest = ConfigDigest::of(schema, "prod", settings, Some(&key)).unwrap();
    target.render(&Deployment {
        schema,
        settings,
        environment: "prod",
        digest,
        version: Some("1.4.2"),
        entrypoint,
    })
}

fn example(target: Target, entrypoint: Entrypoint) -> Vec<OutputFile> {
    let schema = schema();
    let settings = settle(&schema, values());
    render(target, &schema, &settings, entrypoint).unwrap()
}

/// Writes files as one text.
fn dump(files: &[OutputFile]) -> String {
    let mut text = String::new();
    for file in files {
        text.push_str(&format!("==== {:04o} {:?} {}\n", file.mode, file.secrecy, file.path));
        text.push_str(std::str::from_utf8(&file.contents).unwrap());
        if !file.contents.ends_with(b"\n") {
            text.push_str("(no newline)\n");
        }
    }
    text
}

/// Returns what a file of expectations has; with `BAKE_BLESS=1` it is written first.
fn golden(name: &str, found: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that rewrites its expectations on demand"
    )]
    let bless = std::env::var("BAKE_BLESS").is_ok_and(|value| value == "1");
    let path = format!("{}/../../testdata/targets/{name}", env!("CARGO_MANIFEST_DIR"));
    if bless {
        fs_err::write(&path, found).unwrap();
    }
    fs_err::read_to_string(&path).unwrap()
}

#[test]
fn the_example_has_these_bytes() {
    for target in Target::ALL {
        for (entrypoint, suffix) in [(Entrypoint::Direct, ""), (Entrypoint::BakeInit, "-bake-init")]
        {
            let found = dump(&example(target, entrypoint));
            let name = format!("{}{suffix}.txt", target.word());
            assert_eq!(golden(&name, &found), found, "{name}");
        }
    }
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    let mut needles = vec![needle.as_bytes().to_vec()];
    // The three ways in which it can lie within base64, without what its neighbours share.
    for shift in 0..3 {
        let text = BASE64.encode([&[b'x'; 2][..shift], needle.as_bytes()].concat());
        let inside = text.trim_end_matches('=').as_bytes();
        needles.push(inside[4.min(shift * 2)..inside.len() - 2].to_vec());
    }
    needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle))
}

#[test]
fn the_law_of_secrets_can_fail() {
    for bytes in [TOKEN.to_owned(), BASE64.encode(TOKEN), BASE64.encode(format!("a{TOKEN}b"))] {
        assert!(holds(bytes.as_bytes(), TOKEN), "{bytes}");
    }
    assert!(!holds(b"t0ken-of-the-ap", TOKEN));
}

#[test]
fn secrets_lie_in_secret_files_only() {
    for target in Target::ALL {
        for entrypoint in [Entrypoint::Direct, Entrypoint::BakeInit] {
            let files = example(target, entrypoint);
            for secret in [PASSWORD, TOKEN] {
                let found: Vec<_> =
                    files.iter().filter(|file| holds(&file.contents, secret)).collect();
                assert_ne!(found, Vec::<&OutputFile>::new(), "{target:?}: nobody gets `{secret}`");
                for file in found {
                    assert_eq!(file.secrecy, Secrecy::Secret, "{target:?} {file:?}");
                }
            }
        }
    }
}

#[test]
fn files_are_safe_to_lay_down() {
    for target in Target::ALL {
        for entrypoint in [Entrypoint::Direct, Entrypoint::BakeInit] {
            let files = example(target, entrypoint);
            assert_eq!(files, example(target, entrypoint), "{target:?}: not the same twice");
            for (index, file) in files.iter().enumerate() {
                let forbidden = match file.secrecy {
                    Secrecy::Open => 0o7022,
                    Secrecy::Secret => 0o7077,
                };
                assert_eq!(file.mode & forbidden, 0, "{target:?} {file:?}");
                let is_clean = file.path.split('/').all(|part| !matches!(part, "" | "." | ".."));
                assert!(is_clean, "{target:?} {file:?}");
                assert!(files[..index].iter().all(|other| other.path < file.path), "{target:?}");
            }
        }
    }
}

#[test]
fn an_empty_configuration_renders() {
    for target in Target::ALL {
        let mut schema = Schema::empty("catalog");
        schema.service.unit = Some("catalog".into());
        let files = render(target, &schema, &Settings::default(), Entrypoint::Direct).unwrap();
        // What developers write into .env later may be secret.
        let expected = if target == Target::Dotenv { Secrecy::Secret } else { Secrecy::Open };
        assert!(files.iter().all(|file| file.secrecy == expected), "{target:?} {files:?}");
    }
}

fn told(refusals: &[Refusal]) -> Vec<String> {
    let tell = |refusal: &Refusal| {
        let hint = refusal.hint.as_deref().unwrap_or("nothing");
        format!("{refusal}; {hint}")
    };
    refusals.iter().map(tell).collect()
}

/// What targets refuse of one deployment: everything at once, and no value.
#[test]
fn everything_that_is_refused_is_told() {
    let mut schema = schema();
    schema.files[0].path = "/etc/catalog/a b.yaml".into();
    let huge = format!("{PASSWORD}{}", "x".repeat(100 * 1024));
    let mut values = values();
    for (key, given) in &mut values {
        match *key {
            "API_TOKEN" => *given = secret(&huge),
            "CA_BUNDLE" => *given = refer("Nowhere", "a#b"),
            "DATABASE_URL" => *given = plain("it's `two`\nlines\u{feff}"),
            "GREETING" => *given = refer("file", "relative"),
            _ => {}
        }
    }
    let settings = settle(&schema, values);
    let mut all = String::new();
    for target in Target::ALL {
        let refusals = render(target, &schema, &settings, Entrypoint::Direct).unwrap_err();
        all.push_str(&format!("==== {}\n{}\n", target.word(), told(&refusals).join("\n")));
    }
    assert!(!all.contains(PASSWORD) && !all.contains("it's"), "{all}");
    assert_eq!(golden("refusals.txt", &all), all);
}

#[test]
fn what_no_program_starts_with_is_refused() {
    let schema = schema();
    let mut values = values();
    values[0].1 = secret(&"x".repeat(128 * 1024 - "API_TOKEN=".len()));
    let settings = settle(&schema, values);
    for target in Target::ALL {
        let rendered = render(target, &schema, &settings, Entrypoint::Direct);
        if target == Target::Json {
            assert!(rendered.is_ok());
            continue;
        }
        let reason = "Linux starts no program with a variable of more than 131072 bytes";
        let expected = format!("`API_TOKEN`: {reason}; deliver it as a file");
        assert_eq!(told(&rendered.unwrap_err()), [expected], "{target:?}");
    }
}

/// `bake-init` takes one line end away from what it reads.
#[test]
fn line_ends_survive_bake_init_or_are_refused() {
    let schema = schema();
    let mut values = values();
    values[0].1 = secret("token\n");
    let settings = settle(&schema, values.clone());
    let files = render(Target::Docker, &schema, &settings, Entrypoint::BakeInit).unwrap();
    let token = files.iter().find(|file| file.path == "secrets/api-token").unwrap();
    assert_eq!(&**token.contents, b"token\n\n");
    values[3].1 = secret("password\n");
    let settings = settle(&schema, values);
    let refusals = render(Target::Docker, &schema, &settings, Entrypoint::BakeInit).unwrap_err();
    let reason =
        "it ends with a line break, which bake-init leaves out of the files that it renders";
    let hint = "end the value without one, or deliver it in files only";
    assert_eq!(told(&refusals), [format!("`DB_PASSWORD`: {reason}; {hint}")]);
    assert!(render(Target::Systemd, &schema, &settings, Entrypoint::Direct).is_ok());
}

#[test]
fn what_is_too_large_is_refused() {
    let schema = schema();
    let mut values = values();
    values[1].1 = plain(&"x".repeat(1024 * 1024));
    let settings = settle(&schema, values);
    let large = [
        (
            Target::Systemd,
            "its files of one value and those with secrets are more than 1048576 bytes, all that systemd \
                           loads as credentials of a service",
        ),
        (
            Target::Kubernetes,
            "its open files are more than 1048576 bytes, all that one object holds",
        ),
    ];
    for (target, reason) in large {
        let refusals = render(target, &schema, &settings, Entrypoint::Direct).unwrap_err();
        let expected = format!("`catalog`: {reason}; keep large values out of the configuration");
        assert_eq!(told(&refusals), [expected]);
    }
}

#[test]
fn references_are_left_to_those_who_follow_them() {
    let schema = schema();
    let with = |provider: &str, location: &str| {
        let mut values = values();
        values[1].1 = refer(provider, location);
        settle(&schema, values)
    };
    let find = |target: Target, settings: &Settings, path: &str, line: &str| {
        let files = render(target, &schema, settings, Entrypoint::Direct).unwrap();
        let text = dump(&files);
        assert!(text.contains(line), "{target:?}: no `{line}` in {text}");
        assert!(files.iter().any(|file| file.path.ends_with(path)), "{target:?} {files:?}");
        assert!(files.iter().all(|file| !file.path.ends_with("ca.pem")), "{target:?} {files:?}");
    };
    let machine = with("file", "/etc/ssl/ca.pem");
    find(Target::Systemd, &machine, "config.conf", "LoadCredential=ca.pem:/etc/ssl/ca.pem\n");
    let mount = "\\\"source=/etc/ssl/ca.pem\\\",target=/run/secrets/ca.pem,readonly";
    find(Target::Docker, &machine, "run", mount);
    let secret = "  \"catalog-ca.pem\":\n    file: \"/etc/ssl/ca.pem\"\n";
    find(Target::Compose, &machine, "override.yaml", secret);
    find(Target::Dotenv, &machine, ".env", "CA_FILE='/etc/ssl/ca.pem'\n");
    let credential = with("credential", "company-ca");
    find(Target::Systemd, &credential, "config.conf", "LoadCredential=ca.pem:company-ca\n");
    let vault = with("vault", "kv/catalog#ca");
    let remote = "    - secretKey: \"ca.pem\"\n      remoteRef:\n        key: \"kv/catalog\"\n        property: \"ca\"\n";
    find(Target::Kubernetes, &vault, "externalsecret.yaml", remote);
    let files = render(Target::Kubernetes, &schema, &vault, Entrypoint::Direct).unwrap();
    let external: Vec<_> =
        files.iter().filter(|file| file.path == "externalsecret.yaml").cloned().collect();
    let found = dump(&external);
    assert_eq!(golden("kubernetes-external.txt", &found), found);
}

#[test]
fn files_at_one_place_are_refused() {
    let mut schema = schema();
    let file = |path: &str| File {
        path: path.into(),
        mode: 0o644,
        format: None,
        reload: Reload::None,
        template: String::new(),
    };
    schema.files.push(file("/etc/catalog/catalog.env"));
    schema.files.push(file("/etc/catalog/credentials"));
    let settings = settle(&schema, values());
    let refusals = render(Target::Systemd, &schema, &settings, Entrypoint::Direct).unwrap_err();
    let other = "choose another path in the recipe";
    let inside = "`etc/catalog/credentials` is a file of this target too";
    assert_eq!(
        told(&refusals),
        [
            format!("`etc/catalog/catalog.env`: two files of this target have this path; {other}"),
            format!("`etc/catalog/credentials/ca.pem`: {inside}; {other}"),
            format!("`etc/catalog/credentials/db-password`: {inside}; {other}"),
        ]
    );
}
