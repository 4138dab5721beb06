//! `bake build` is blind: there is no way by which an environment could enter an artifact.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const RECIPE: &str = r#"
name = "orders"
version = "1.0.0"
summary = "Orders"
license = "MIT"
maintainer = "Me <me@example.com>"

[[files]]
from = "out/"
to = "/usr/share/orders/"

[config]
prefix = "ORDERS_"

[config.DB_URL]
type = "url"
required = true

[config.LOG_LEVEL]
type = "string"
default = "info"

[config.PASSWORD]
type = "string"
secret = true

[[config.file]]
template = "orders.tmpl"
path = "/etc/orders/orders.conf"

[[config.document]]
path = "/etc/orders/orders.json"

[deb]
[rpm]
[oci]
archive = true
[vm]
formats = ["raw"]
"#;

/// What an environment would bring, whichever way it came.
const VALUE: &str = "postgres://s3cret-of-an-environment";

/// Options of `bake build`, each of which says where, how fast or for what, and none what is configured.
const OPTIONS: &[&str] = &[
    "--authfile",
    "--color",
    "--explain",
    "--file",
    "--help",
    "--insecure",
    "--jobs",
    "--json",
    "--key",
    "--key-id",
    "--load",
    "--locked",
    "--offline",
    "--only",
    "--output",
    "--parallel",
    "--passphrase-fd",
    "--passphrase-file",
    "--plain-http",
    "--platform",
    "--quiet",
    "--registries",
    "--sign-cert",
    "--sign-command",
    "--sign-key",
    "--sign-text-command",
    "--store",
    "--textmode",
    "--timings",
    "--timings-file",
    "--trace",
    "--version",
];

struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        project.write("bake.toml", RECIPE);
        project.write("orders.tmpl", "url = {{ cfg.DB_URL }}\n");
        project.write("out/data", "data");
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs_err::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs_err::write(self.path(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("BAKE_STORE", self.path("store"));
        command
    }

    /// Bakes with an empty store and returns the artifacts.
    fn bake(&self, change: impl Fn(&mut Command)) -> BTreeMap<String, Vec<u8>> {
        for folder in ["store", "dist"] {
            if self.path(folder).exists() {
                fs_err::remove_dir_all(self.path(folder)).unwrap();
            }
        }
        let mut command = self.command(&["build"]);
        change(&mut command);
        let output = within(Duration::from_secs(120), command);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        files(&self.path("dist"))
    }
}

/// Runs a command, and fails if it does not end: it would wait for an environment then.
fn within(limit: Duration, mut command: Command) -> Output {
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > limit {
            child.kill().unwrap();
            panic!("`bake build` waits for something: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
            (name, fs_err::read(entry.path()).unwrap())
        })
        .collect()
}

/// A new option must be looked at before it is listed here.
#[test]
fn no_option_takes_an_environment() {
    let project = Project::new();
    for verb in [["build", "--help"], ["plan", "--help"]] {
        let help = String::from_utf8(project.command(&verb).output().unwrap().stdout).unwrap();
        let words = help.split(|c: char| c.is_whitespace() || ",[]=`".contains(c));
        let options: Vec<_> =
            words.filter(|word| word.starts_with("--") && word.len() > 2).collect();
        assert!(options.len() > 5, "{help}");
        for option in options {
            assert!(
                OPTIONS.contains(&option),
                "{option} of `bake {}` is not known to be blind",
                verb[0]
            );
        }
    }
    for option in [
        "--env",
        "--environment",
        "--environments",
        "--set",
        "--config",
        "--values",
        "--secret",
        "--identity",
    ] {
        let output = project.command(&["build", option, "prod"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{option}: {output:?}");
    }
}

/// Files beside a recipe that other tools take environments from, each with a value in it.
fn crowd(project: &Project) {
    let environment = format!("[values]\nDB_URL = \"{VALUE}\"\nLOG_LEVEL = \"debug\"\n");
    for name in [
        "environments/prod.toml",
        "environments/default.toml",
        "environments/base.toml",
        "prod.toml",
        "bake.prod.toml",
    ] {
        project.write(name, &environment);
    }
    let dotenv = format!("DB_URL={VALUE}\nORDERS_DB_URL={VALUE}\n");
    for name in [".env", ".env.prod", ".env.local", "orders.env", "out.env"] {
        project.write(name, &dotenv);
    }
    for name in [
        "orders.prod.tmpl",
        "orders.tmpl.prod",
        "values.yaml",
        ".bake/config.toml",
        "bake.local.toml",
    ] {
        project.write(name, VALUE);
    }
}

/// Variables that programs and tools take environments from.
const VARIABLES: &[&str] = &[
    "APP_ENV",
    "ASPNETCORE_ENVIRONMENT",
    "BAKE_CONFIG",
    "BAKE_DB_URL",
    "BAKE_ENV",
    "BAKE_ENVIRONMENT",
    "BAKE_IDENTITY",
    "CREDENTIALS_DIRECTORY",
    "DB_URL",
    "ENV",
    "ENVIRONMENT",
    "HOSTNAME",
    "LANG",
    "LOG_LEVEL",
    "NODE_ENV",
    "ORDERS_DB_URL",
    "ORDERS_LOG_LEVEL",
    "ORDERS_PASSWORD",
    "ORDERS_PASSWORD_FILE",
    "PASSWORD",
    "RAILS_ENV",
    "SOPS_AGE_KEY_FILE",
    "SPRING_PROFILES_ACTIVE",
    "TZ",
    "USER",
    "cfg",
];

#[test]
fn neither_variables_nor_files_beside_the_recipe_move_a_byte() {
    let project = Project::new();
    let alone = project.bake(|_| {});
    assert_eq!(alone.len(), 10, "{:?}", alone.keys());
    crowd(&project);
    let crowded = project.bake(|command| {
        command.envs(VARIABLES.iter().map(|name| (name, VALUE)));
        command.env("HOME", "/home/of/prod").env("XDG_CONFIG_HOME", project.path("environments"));
    });
    assert!(alone == crowded, "an environment moved a byte");
    for (name, bytes) in &crowded {
        assert!(!holds_value(bytes), "`{name}` holds a value of an environment");
    }
}

fn holds_value(bytes: &[u8]) -> bool {
    bytes.windows(VALUE.len()).any(|window| window == VALUE.as_bytes())
}

/// Whoever opens a pipe for reading waits until somebody writes to it, and nobody does.
#[test]
fn the_files_of_environments_are_not_even_opened() {
    let project = Project::new();
    fs_err::create_dir(project.path("environments")).unwrap();
    for name in ["environments/prod.toml", ".env", "environments/base.toml"] {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(
            rustix::fs::CWD,
            project.path(name),
            rustix::fs::FileType::Fifo,
            mode,
            0,
        )
        .unwrap();
    }
    assert_eq!(project.bake(|_| {}).len(), 10);
}

/// How an environment may get into the payload: changes the project and returns its recipe.
type Way = fn(&Project) -> String;

const WAYS: [(&str, Way); 6] = [
    ("named", |_| add_rule("from = \"environments/prod.toml\"\nto = \"/usr/share/x\"")),
    ("its folder", |_| add_rule("from = \"environments/\"\nto = \"/usr/share/x/\"")),
    ("a pattern", |_| add_rule("from = \"*/prod.*\"\nto = \"/usr/share/x/\"")),
    ("a hard link", |project| {
        fs_err::hard_link(project.path("environments/prod.toml"), project.path("out/innocent"))
            .unwrap();
        RECIPE.to_owned()
    }),
    ("a link", |project| {
        std::os::unix::fs::symlink("environments/prod.toml", project.path("link")).unwrap();
        add_rule("from = \"link\"\nto = \"/usr/share/x\"")
    }),
    ("a template", |_| RECIPE.replace("orders.tmpl", "environments/prod.toml")),
];

#[test]
fn an_environment_in_the_payload_is_refused() {
    for (name, way) in WAYS {
        let project = Project::new();
        project.write("environments/prod.toml", &format!("[values]\nDB_URL = \"{VALUE}\"\n"));
        let recipe = way(&project);
        project.write("bake.toml", &recipe);
        let output = project.command(&["build"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!told.contains(VALUE), "{name}: {told}");
        if name == "a link" && output.status.code() == Some(0) {
            // It stays a link, which holds no value.
            assert!(
                files(&project.path("dist")).values().all(|bytes| !holds_value(bytes)),
                "{name}"
            );
            continue;
        }
        assert_eq!(output.status.code(), Some(1), "{name}: {told}");
        assert!(
            told.contains("is an environment, and none ever enters an artifact"),
            "{name}: {told}"
        );
        assert!(!project.path("dist").exists(), "{name}: something was written");
    }
}

fn add_rule(rule: &str) -> String {
    // Before the tables of configuration and outputs, where lists of tables may stand.
    RECIPE.replace("[config]\n", &format!("[[files]]\n{rule}\n\n[config]\n"))
}
