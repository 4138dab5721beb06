//! Thousands of damaged recipes, lock files and environments: each is refused with a message or read, and none makes it panic.

#[expect(unreachable_pub, reason = "the fuzz targets use it too")]
#[path = "../fuzz/src/entries.rs"]
mod entries;
#[expect(unreachable_pub, reason = "the fuzz targets use it too")]
#[path = "../../formats/fuzz/src/mutate.rs"]
mod mutate;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use mutate::{Random, mutate};

/// How long mutations are tried; at least [`LEAST`] are, however slow the machine is.
const TIME: Duration = Duration::from_secs(3);
const LEAST: usize = 1000;

/// Anything that goes wrong here is the test's own fault.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Returns every recipe of the tests, valid or not.
fn seeds() -> Outcome<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for folder in ["valid", "invalid"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/recipes").join(folder);
        for file in fs_err::read_dir(folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                seeds.push((path.clone(), fs_err::read(path)?));
            }
        }
    }
    seeds.sort();
    Ok(seeds.into_iter().map(|(_, text)| text).collect())
}

#[test]
fn damaged_recipes_are_refused_in_words() -> Outcome<()> {
    let seeds = seeds()?;
    assert!(seeds.len() > 60, "found only {}", seeds.len());
    let started = Instant::now();
    let mut tried = 0;
    while tried < LEAST || started.elapsed() < TIME {
        let mut random = Random(tried as u64);
        let input = mutate(&seeds[random.below(seeds.len())], &seeds, &mut random);
        let outcome = catch_unwind(AssertUnwindSafe(|| entries::recipe(&input)));
        assert!(outcome.is_ok(), "mutation {tried} panics:\n{}", String::from_utf8_lossy(&input));
        tried += 1;
    }
    Ok(())
}

/// A lock file with everything that one may have.
const LOCK: &str = r#"version = 1

[[base]]
name = "docker.io/library/debian:12-slim"
digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

[[base.manifest]]
platform = "linux/amd64"
digest = "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
size = 529
media-type = "application/vnd.oci.image.manifest.v1+json"

[[base]]
name = "oci:images/base"
digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

[[layer]]
name = "runtime"
paths = ["/usr/lib/jvm"]

[[layer]]
name = "dependencies"
paths = [
    "/opt/catalog/lib/a.jar",
    "/opt/catalog/lib/b.jar",
]
"#;

#[test]
fn damaged_lock_files_are_refused_in_words() -> Outcome<()> {
    bake_recipes::lock::parse("bake.lock", LOCK)?;
    let seeds = [LOCK.as_bytes().to_vec(), bake_recipes::Lock::default().to_string().into_bytes()];
    let started = Instant::now();
    let mut tried = 0;
    while tried < LEAST || started.elapsed() < TIME {
        let mut random = Random(tried as u64);
        let input = mutate(&seeds[random.below(seeds.len())], &seeds, &mut random);
        let outcome = catch_unwind(AssertUnwindSafe(|| entries::lock(&input)));
        assert!(outcome.is_ok(), "mutation {tried} panics:\n{}", String::from_utf8_lossy(&input));
        tried += 1;
    }
    Ok(())
}

/// A file of an environment with everything that one may have.
const ENVIRONMENT: &str = r#"description = "The live system."
extends = ["base", "eu"]
recipients = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", "ssh-ed25519 AAAA you"]
digest-key = """
-----BEGIN AGE ENCRYPTED FILE-----
AAAA
-----END AGE ENCRYPTED FILE-----
"""

[values]
DB_URL = "postgres://db/orders"
PORT = 8080
RATIO = 0.5
ON = true
HOSTS = ["a", "b"]

[secrets]
DB_PASSWORD = { age = """
-----BEGIN AGE ENCRYPTED FILE-----
AAAA
-----END AGE ENCRYPTED FILE-----
""" }
API_TOKEN = { sops = "secrets/prod.enc.yaml#/api/a~1b" }
TLS_KEY = { ref = "vault:kv/orders#tls_key" }
SMTP_PASS = { command = ["pass", "show", "smtp"] }
"#;

#[test]
fn damaged_environments_are_refused_in_words() -> Outcome<()> {
    bake_recipes::environment::own_sources("prod.toml", ENVIRONMENT, &"prod".parse()?)?;
    let seeds = [ENVIRONMENT.as_bytes().to_vec()];
    let started = Instant::now();
    let mut tried = 0;
    while tried < LEAST || started.elapsed() < TIME {
        let mut random = Random(tried as u64);
        let input = mutate(&seeds[0], &seeds, &mut random);
        let outcome = catch_unwind(AssertUnwindSafe(|| entries::environment(&input)));
        assert!(outcome.is_ok(), "mutation {tried} panics:\n{}", String::from_utf8_lossy(&input));
        tried += 1;
    }
    Ok(())
}
