//! The program itself, with environments, files and secrets.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a failure ends the test where it is"
)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use bake_config::kind::{Kind, Pattern, Range, Schemes};
use bake_config::schema::{Case, Delivery, Document, File, Format, Key, Presence, Reload, Secrecy};
use bake_config::{Name, Schema, Value};
use rustix::fs::{CWD, FileType, Mode};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bake-init");
/// What must not be seen in any message.
const SECRET: &str = "s3cret-hunter2";

/// A schema in a folder of its own, which everybody may enter.
struct Service {
    folder: tempfile::TempDir,
}

impl Service {
    fn new(schema: &Schema) -> Self {
        let service = Self { folder: tempfile::tempdir().unwrap() };
        fs::set_permissions(service.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        service.write("schema.json", schema.to_record());
        service
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Returns a call; `@` stands for the folder.
    fn call(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let folder = self.folder.path().to_str().unwrap();
        let mut command = Command::new(PROGRAM);
        command.env_clear().stdin(Stdio::null());
        command.args(arguments.iter().map(|argument| argument.replace('@', folder)));
        command.envs(variables.iter().map(|(name, value)| (name, value.replace('@', folder))));
        command
    }

    /// Runs a call and returns its status and what it says, where no secret may be.
    fn told(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let (status, text) = said(&self.call(arguments, variables).output().unwrap());
        (status, text.replace(self.folder.path().to_str().unwrap(), "@"))
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    (output.status.code(), text)
}

fn printed(output: &Output) -> String {
    assert_eq!(said(output), (Some(0), String::new()));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn text() -> Key {
    Key::new(Kind::String(Pattern::default()))
}

fn name(name: &str) -> Name {
    Name::parse(name).unwrap()
}

fn schema_of(keys: Vec<(&str, Key)>) -> Schema {
    let mut schema = Schema::empty("orders");
    schema.keys = keys.into_iter().map(|(key, value)| (name(key), value)).collect();
    schema
}

/// A service with every kind of delivery, a template and a document.
fn orders() -> Schema {
    let url = Kind::Url(Schemes { schemes: vec!["postgres".into()] });
    let token = Delivery::File { name: "token".into(), path_variable: Some(name("TOKEN_PATH")) };
    let mut schema = schema_of(vec![
        ("DATABASE_URL", Key { presence: Presence::Required, ..Key::new(url) }),
        (
            "PORT",
            Key {
                default: Some(Value::Text("8080".into())),
                ..Key::new(Kind::Port(Range::default()))
            },
        ),
        ("TOKEN", Key { secrecy: Secrecy::Secret, delivery: token, ..text() }),
        ("PASSWORD", Key { secrecy: Secrecy::Secret, delivery: Delivery::Files, ..text() }),
    ]);
    schema.files.push(File {
        path: "/etc/orders/app.json".into(),
        mode: 0o640,
        format: Some(Format::Json),
        reload: Reload::Restart,
        template: "{\"url\": {{ cfg.DATABASE_URL | json }}, \"port\": {{ cfg.PORT }}}\n".into(),
    });
    schema.documents.push(Document {
        path: "/etc/orders/secret.properties".into(),
        mode: 0o600,
        format: Format::Properties,
        nest: None,
        case: Case::Lower,
        keys: vec![name("PASSWORD")],
        reload: Reload::Restart,
    });
    schema
}

const URL: (&str, &str) = ("DATABASE_URL", "postgres://db/orders");

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn the_program_takes_over_this_very_process() {
    let service = Service::new(&schema_of(vec![("PORT", text())]));
    let arguments = ["@/schema.json", "--", "sh", "-c", "echo $$ $0 \"$*\"", "a b", "--", ""];
    let child = service
        .call(&arguments, &[("PATH", "/usr/bin:/bin")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    assert_eq!(printed(&child.wait_with_output().unwrap()), format!("{id} a b -- \n"));

    let mut child =
        service.call(&["@/schema.json", "--", "/bin/sleep", "60"], &[]).spawn().unwrap();
    let own = PathBuf::from(format!("/proc/{}/comm", child.id()));
    let waiting = Instant::now();
    while fs::read_to_string(&own).unwrap() != "sleep\n" {
        assert!(waiting.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn the_program_is_as_free_as_if_it_had_been_started_alone() {
    let service = Service::new(&schema_of(vec![("PORT", text())]));
    // Of signals the common ones: the C library's own are what the test's threads make of them.
    let script = "ulimit -c; umask; ls -l /proc/self/fd | wc -l; stat -c %U /proc/self/environ; \
        sed -nE 's/^(SigBlk|SigIgn):.*(.{7})$/\\1 \\2/p; /^(NoNewPrivs|CapEff)/p' /proc/self/status";
    let variables = [("PATH", "/usr/bin:/bin")];
    let through =
        service.call(&["@/schema.json", "--", "sh", "-c", script], &variables).output().unwrap();
    let alone = Command::new("sh")
        .args(["-c", script])
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(printed(&through), printed(&alone));
}

#[test]
fn values_arrive_as_they_were_given() {
    let service = Service::new(&schema_of(vec![("VALUE", text())]));
    let long = "x".repeat(100_000);
    let pem = "-----BEGIN CERTIFICATE-----\nMIIB+/=\n-----END CERTIFICATE-----\n";
    let values = [
        "",
        " ",
        " a  b ",
        "\"q\" 'q' `q`",
        "$HOME ${HOME} $(id) %n",
        "\\ \\n \\\\",
        "a\nb\n\n",
        "#a #",
        "=a==",
        "ünï 日本 😀",
        "\u{feff}bom",
        "0x10",
        "007",
        "1000000",
        "1e6",
        "no",
        "true",
        "null",
        "~",
        "a\tb\r\n\u{1}",
        "{\"a\": [1, \"b\\n\"]}",
        "-----",
        "--",
        pem,
        &long,
    ];
    for value in values {
        let find = |output: &Output| {
            let all = printed(output);
            let own = all.split('\0').find_map(|variable| variable.strip_prefix("VALUE="));
            own.map(ToOwned::to_owned)
        };
        let command = ["@/schema.json", "--", "/usr/bin/env", "-0"];
        let by_variable = service.call(&command, &[]).env("VALUE", value).output().unwrap();
        assert_eq!(find(&by_variable).as_deref(), Some(value), "{value:?}");
        service.write("value", format!("{value}\n"));
        let by_file = service.call(&command, &[("VALUE_FILE", "@/value")]).output().unwrap();
        assert_eq!(find(&by_file).as_deref(), Some(value), "{value:?}");
        let absent = printed(&service.call(&command, &[]).output().unwrap());
        assert_eq!(absent, "");
    }
}

#[test]
fn values_are_written_into_files_as_they_were_given() {
    let mut schema = schema_of(vec![("VALUE", Key { delivery: Delivery::Files, ..text() })]);
    schema.files.push(File {
        path: "/value".into(),
        mode: 0o640,
        format: None,
        reload: Reload::Restart,
        template: "{{ cfg.VALUE }}".into(),
    });
    schema.documents.push(Document {
        path: "/value.json".into(),
        mode: 0o640,
        format: Format::Json,
        nest: None,
        case: Case::Keep,
        keys: vec![name("VALUE")],
        reload: Reload::Restart,
    });
    let service = Service::new(&schema);
    for value in [
        "",
        " a ",
        "\"$x\\ #=",
        "a\nb\n",
        "日本 😀",
        "007",
        "1000000",
        "no",
        "{\"a\": 1}",
        "{{ cfg.VALUE }}",
    ] {
        let output = service
            .call(&["--render", "@/schema.json", "--output", "@"], &[])
            .env("VALUE", value)
            .output()
            .unwrap();
        assert_eq!(printed(&output), "");
        assert_eq!(service.read("value"), value);
        let document: serde_json::Value =
            serde_json::from_str(&service.read("value.json")).unwrap();
        assert_eq!(document["VALUE"], value);
    }
}

#[test]
fn everything_that_is_wrong_is_told_and_nothing_is_done() {
    let service = Service::new(&orders());
    service.write("long", vec![b'x'; (1 << 20) + 1]);
    let variables = [
        ("DATABSE_URL", SECRET),
        ("PORT", SECRET),
        ("TOKEN_FILE", "@/long"),
        ("PASSWORD", SECRET),
        ("PASSWORD_FILE", SECRET),
    ];
    let expected = "\
bake-init: DATABASE_URL is required and not set: expected an absolute URL with postgres
    looked for: the variable DATABASE_URL; a file that DATABASE_URL_FILE names
    DATABSE_URL is set: was DATABASE_URL meant?
bake-init: PASSWORD: PASSWORD and PASSWORD_FILE are both set
    set the one that holds the value, or the one that names a file with it
bake-init: PORT: expected a port from 1 to 65535
    it is from the variable PORT
bake-init: TOKEN: cannot read the file that TOKEN_FILE names: it is longer than 1048576 bytes
bake-init: 4 errors in the configuration of orders: nothing was written, nothing is started
";
    for arguments in [
        &["--check", "@/schema.json"][..],
        &["--render", "@/schema.json", "--output=@/out"],
        &["@/schema.json", "--output=@/out", "--", "/bin/touch", "@/started"],
    ] {
        assert_eq!(service.told(arguments, &variables), (Some(78), expected.to_owned()));
    }
    let mut left: Vec<_> = fs::read_dir(service.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["long", "schema.json"]);
}

#[test]
fn a_value_that_is_no_text_is_told() {
    let service = Service::new(&schema_of(vec![("VALUE", text())]));
    let output = service
        .call(&["--check", "@/schema.json"], &[])
        .env("VALUE", OsStr::from_bytes(b"s3cret-hunter2\xff"))
        .env("OTHER", OsStr::from_bytes(b"\xff"))
        .output()
        .unwrap();
    let (status, text) = said(&output);
    assert_eq!(status, Some(78));
    assert!(
        text.starts_with(
            "bake-init: VALUE: expected UTF-8 text\n    it is from the variable VALUE\n"
        ),
        "{text}"
    );
    // What belongs to no key passes through, whatever it is.
    let odd = std::ffi::OsString::from_vec(b"a\xff".to_vec());
    let output = service
        .call(&["@/schema.json", "--", "/usr/bin/env", "-0"], &[])
        .env("OTHER", &odd)
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"OTHER=a\xff\0");
}

#[test]
fn files_that_never_end_or_never_begin_are_not_waited_for() {
    let service = Service::new(&schema_of(vec![("VALUE", text())]));
    rustix::fs::mknodat(CWD, service.path("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .unwrap();
    service.write("file", "");
    for (path, expected) in [
        ("@/fifo", "expected a file, found a FIFO"),
        ("/dev/zero", "expected a file, found a device"),
        ("/dev/tty", ""),
        ("@", "expected a file, found a directory"),
        ("@/none", "No such file or directory (os error 2)"),
        ("@/file/below", "Not a directory (os error 20)"),
    ] {
        let (status, text) = service.told(&["--check", "@/schema.json"], &[("VALUE_FILE", path)]);
        assert_eq!(status, Some(78));
        let first =
            format!("bake-init: VALUE: cannot read the file that VALUE_FILE names: {expected}");
        assert!(text.starts_with(&first), "{path}: {text}");
    }
}

#[test]
fn a_record_that_is_none_is_refused() {
    let record = orders().to_record();
    let service = Service::new(&orders());
    rustix::fs::mknodat(CWD, service.path("fifo.json"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    service.write("empty.json", "");
    service.write("half.json", &record[..record.len() / 2]);
    service.write("later.json", record.replace("\"bake-config\":1", "\"bake-config\":2"));
    service.write(
        "other.json",
        record.replace("\"prefix\":", "\"suffix\":").replace("/etc/orders/app.json", "/etc/../x"),
    );
    service.write("spaced.json", format!(" {record}"));
    service.write("binary.json", b"\xff\xfe\0");
    service.write("deep.json", "[".repeat(1 << 20));
    service.write("huge.json", vec![b' '; 5 << 20]);
    for (name, expected) in [
        ("none.json", "No such file or directory"),
        ("fifo.json", "expected a file, found a FIFO"),
        ("empty.json", "EOF while parsing"),
        ("half.json", "EOF while parsing"),
        ("later.json", "expected a schema of version 1, found 2"),
        ("other.json", "`/etc/../x` is not an absolute path"),
        ("spaced.json", "it is not in its canonical form"),
        ("binary.json", "expected value"),
        ("deep.json", "invalid type"),
        ("huge.json", "it is longer than 4194304 bytes"),
    ] {
        let (status, text) = service.told(&["--check", &format!("@/{name}")], &[URL]);
        assert_eq!(status, Some(78), "{name}");
        let first = format!("bake-init: cannot read the schema @/{name}: ");
        assert!(text.starts_with(&first) && text.contains(expected), "{name}: {text}");
    }
}

#[test]
fn files_are_written_with_their_modes_and_left_alone_if_nothing_changes() {
    let service = Service::new(&orders());
    let arguments = ["@/schema.json", "--output", "@/out", "--", "/bin/true"];
    let variables = [URL, ("PASSWORD", SECRET), ("TOKEN", SECRET)];
    let run = |variables: &[(&str, &str)]| {
        assert_eq!(service.told(&arguments, variables), (Some(0), String::new()));
        [
            "out/etc/orders/app.json",
            "out/etc/orders/secret.properties",
            "out/run/bake-init/orders/token",
        ]
        .map(|name| {
            let found = fs::metadata(service.path(name)).unwrap();
            (found.mode() & 0o7777, found.ino(), found.mtime_nsec(), service.read(name))
        })
    };
    let first = run(&variables);
    let expected = [
        (0o640, "{\"url\": \"postgres://db/orders\", \"port\": 8080}\n".to_owned()),
        (0o600, format!("password={SECRET}\n")),
        (0o400, SECRET.to_owned()),
    ];
    let found = first.clone().map(|(mode, _, _, text)| (mode, text));
    assert_eq!(found, expected);
    assert_eq!(
        fs::metadata(service.path("out/run/bake-init/orders")).unwrap().mode() & 0o7777,
        0o700
    );
    assert_eq!(run(&variables), first);
    let changed = run(&[URL, ("PASSWORD", SECRET), ("TOKEN", SECRET), ("PORT", "9090")]);
    assert_eq!(changed[1..], first[1..]);
    assert_eq!(changed[0].3, "{\"url\": \"postgres://db/orders\", \"port\": 9090}\n");
    assert_ne!(changed[0].1, first[0].1);
    // Neither a template that fails nor a value that is wrong touches what is there.
    let broken = [URL, ("PORT", "0"), ("PASSWORD", "other")];
    assert_eq!(service.told(&arguments, &broken).0, Some(78));
    assert_eq!(service.read("out/etc/orders/app.json"), changed[0].3);
    assert_eq!(service.read("out/etc/orders/secret.properties"), format!("password={SECRET}\n"));
}

#[test]
fn each_value_reaches_the_program_in_one_way() {
    let service = Service::new(&orders());
    service.write("url", "postgres://from/file\n");
    service.write("credentials/token", format!("{SECRET}\n"));
    let command = ["@/schema.json", "--output", "@/out", "--", "/usr/bin/env"];
    let environment = |variables: &[(&str, &str)]| {
        let text = printed(&service.call(&command, variables).output().unwrap());
        text.replace(service.folder.path().to_str().unwrap(), "@")
    };
    // A variable that is wanted as a file, one of no key, one that only files hold.
    assert_eq!(
        environment(&[URL, ("TOKEN", SECRET), ("OTHER", "x"), ("PASSWORD", SECRET)]),
        "DATABASE_URL=postgres://db/orders\nOTHER=x\nPORT=8080\nTOKEN_PATH=@/out/run/bake-init/orders/token\n"
    );
    // A file that is wanted as a variable, a credential that is wanted as a file.
    assert_eq!(
        environment(&[("DATABASE_URL_FILE", "@/url"), ("CREDENTIALS_DIRECTORY", "@/credentials")]),
        "CREDENTIALS_DIRECTORY=@/credentials\nDATABASE_URL=postgres://from/file\nPORT=8080\nTOKEN_PATH=@/credentials/token\n"
    );
    // As a unit of systemd gives it: the credential, and its path in a variable.
    assert_eq!(
        environment(&[
            URL,
            ("CREDENTIALS_DIRECTORY", "@/credentials"),
            ("TOKEN_PATH", "@/credentials/token")
        ]),
        "CREDENTIALS_DIRECTORY=@/credentials\nDATABASE_URL=postgres://db/orders\nPORT=8080\nTOKEN_PATH=@/credentials/token\n"
    );
    let (status, text) = service
        .told(&command, &[URL, ("CREDENTIALS_DIRECTORY", "@/credentials"), ("TOKEN", "other")]);
    assert_eq!(status, Some(78));
    assert_eq!(
        text,
        "bake-init: TOKEN has two values that differ\n    one is from the variable TOKEN\n    the other is from the file \
         @/credentials/token\nbake-init: 1 error in the configuration of orders: nothing was written, nothing is started\n"
    );
}

#[test]
fn a_prefix_makes_typing_errors_visible() {
    let mut schema = orders();
    schema.prefix = "ORDERS_".into();
    let service = Service::new(&schema);
    let variables = [("ORDERS_DATABASE_URL", URL.1), ("ORDERS_PROT", "1"), ("PROT", "1")];
    assert_eq!(
        service.told(&["--check", "@/schema.json"], &variables),
        (
            Some(0),
            "bake-init: warning: ORDERS_PROT stands for no key\n    did you mean ORDERS_PORT?\n"
                .to_owned()
        )
    );
}

#[test]
fn links_in_the_way_lead_nowhere() {
    let service = Service::new(&orders());
    service.write("victim", "kept");
    fs::create_dir_all(service.path("out/etc/orders")).unwrap();
    symlink(service.path("victim"), service.path("out/etc/orders/app.json")).unwrap();
    let arguments = ["--render", "@/schema.json", "--output", "@/out"];
    assert_eq!(service.told(&arguments, &[URL]), (Some(0), String::new()));
    assert_eq!(service.read("victim"), "kept");
    assert!(fs::symlink_metadata(service.path("out/etc/orders/app.json")).unwrap().is_file());

    fs::remove_dir_all(service.path("out/etc")).unwrap();
    fs::create_dir(service.path("elsewhere")).unwrap();
    symlink(service.path("elsewhere"), service.path("out/etc")).unwrap();
    let (status, text) = service.told(&arguments, &[URL]);
    assert_eq!(status, Some(73));
    assert!(
        text.starts_with(
            "bake-init: cannot write @/out/etc/orders/app.json: cannot enter etc: Not a directory"
        ),
        "{text}"
    );
    assert_eq!(fs::read_dir(service.path("elsewhere")).unwrap().count(), 0);
}

#[test]
fn how_it_ends_says_why() {
    let service = Service::new(&schema_of(vec![("PORT", text())]));
    service.write("data", "");
    service.write("script", "#!/nonexistent/interpreter\n");
    fs::set_permissions(service.path("script"), fs::Permissions::from_mode(0o755)).unwrap();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["@/schema.json"], 64, "there is no `--` with a command after it"),
        (&["--wrong"], 64, "there is no option `--wrong`"),
        (&["@/schema.json", "--", "no-such-command"], 127, "cannot start no-such-command: "),
        (&["@/schema.json", "--", "@/none"], 127, "cannot start @/none: "),
        (&["@/schema.json", "--", "@/script"], 127, "cannot start @/script: "),
        (&["@/schema.json", "--", "@/data"], 126, "cannot start @/data: Permission denied"),
        (
            &["@/schema.json", "--user", "no-such-user", "--", "/bin/true"],
            77,
            "there is no user `no-such-user`",
        ),
        (
            &["@/schema.json", "--user", "54321", "--", "/bin/true"],
            77,
            "54321 is not in /etc/passwd",
        ),
    ];
    for (arguments, status, expected) in cases {
        let (found, text) = service.told(arguments, &[("PATH", "/usr/bin:/bin")]);
        assert_eq!(found, Some(status), "{arguments:?}");
        assert!(text.starts_with(&format!("bake-init: {expected}")), "{text}");
    }
    assert_eq!(service.told(&["@/schema.json", "--", "/bin/sh", "-c", "exit 42"], &[]).0, Some(42));
    let version = service.call(&["--version"], &[]).output().unwrap();
    assert_eq!(printed(&version), format!("bake-init {}\n", env!("CARGO_PKG_VERSION")));
    assert!(printed(&service.call(&["--help"], &[]).output().unwrap()).contains("--no-new-privs"));
}

#[test]
fn a_value_that_fits_into_no_variable_is_told() {
    let service = Service::new(&schema_of(vec![("VALUE", text())]));
    service.write("value", vec![b'x'; 200_000]);
    assert_eq!(
        service.told(&["@/schema.json", "--", "/bin/true"], &[("VALUE_FILE", "@/value")]),
        (
            Some(78),
            "bake-init: VALUE: a variable of 200007 bytes is too long, at most 131072 fit\n    let the recipe deliver it \
             as a file\n"
                .to_owned()
        )
    );
}

/// The program where any user may run it.
fn program_for_all(service: &Service) -> PathBuf {
    let path = service.path("bake-init");
    fs::copy(PROGRAM, &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn privileges_are_given_up_for_good() {
    let service = Service::new(&orders());
    if !is_root() {
        println!("not root: only the refusal is tested");
        let (status, text) =
            service.told(&["@/schema.json", "--user", "0:0", "--", "/bin/true"], &[URL]);
        assert_eq!(status, Some(77));
        assert!(text.contains("and only root can"), "{text}");
        return;
    }
    let program = program_for_all(&service);
    fs::create_dir(service.path("credentials")).unwrap();
    service.write("credentials/token", format!("{SECRET}\n"));
    fs::set_permissions(service.path("credentials/token"), fs::Permissions::from_mode(0o400))
        .unwrap();
    let script = "id -u; id -g; id -G; grep -E '^(Uid|Gid|CapEff|CapPrm|NoNewPrivs)' /proc/self/status; \
        cat \"$TOKEN_PATH\"; echo; cat @/out/etc/orders/*; echo \"$HOME ${USER-none}\"";
    let variables = [
        URL,
        ("PATH", "/usr/bin:/bin"),
        ("PASSWORD", SECRET),
        ("CREDENTIALS_DIRECTORY", "@/credentials"),
        ("HOME", "/root"),
        ("USER", "root"),
    ];
    let arguments =
        ["@/schema.json", "--output", "@/out", "--user", "54321:54322", "--no-new-privs", "--"];
    let command = [&arguments[..], &["sh", "-c", script]].concat();
    let output = service.call(&command, &variables).output().unwrap();
    assert_eq!(
        printed(&output),
        format!(
            "54321\n54322\n54322\nUid:\t54321\t54321\t54321\t54321\nGid:\t54322\t54322\t54322\t54322\n\
             CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n{SECRET}\n\
             {{\"url\": \"postgres://db/orders\", \"port\": 8080}}\npassword={SECRET}\n/ none\n"
        )
    );
    let owner = |name: &str| {
        let found = fs::metadata(service.path(name)).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o7777)
    };
    assert_eq!(owner("out/etc/orders"), (0, 0, 0o755));
    assert_eq!(owner("out/etc/orders/app.json"), (0, 54322, 0o640));
    assert_eq!(owner("out/etc/orders/secret.properties"), (54321, 54322, 0o600));
    assert_eq!(owner("out/run/bake-init/orders"), (54321, 54322, 0o700));
    assert_eq!(owner("out/run/bake-init/orders/token"), (54321, 54322, 0o400));

    // Who is not root any more becomes nobody else, and stays who it is.
    for (user, expected) in [("0:0", 77), ("54321:54321", 77), ("54321:54322", 0)] {
        let again = [
            &arguments[..],
            &[program.to_str().unwrap(), "@/schema.json", "--output", "@/again", "--user"],
            &[user, "--", "true"],
        ]
        .concat();
        fs::remove_dir_all(service.path("again")).ok();
        fs::create_dir(service.path("again")).unwrap();
        fs::set_permissions(service.path("again"), fs::Permissions::from_mode(0o777)).unwrap();
        let (status, text) = service.told(&again, &variables[..3]);
        assert_eq!(status, Some(expected), "{user}: {text}");
        let is_written = fs::read_dir(service.path("again")).unwrap().count() > 0;
        assert_eq!(is_written, expected == 0, "{user}");
    }
}

#[test]
fn without_the_power_to_change_users_it_says_so() {
    if !is_root() || !Path::new("/usr/bin/setpriv").exists() {
        println!("not root, or no setpriv: not tested");
        return;
    }
    let service = Service::new(&schema_of(vec![("PORT", text())]));
    let folder = service.folder.path().to_str().unwrap();
    for (set, expected) in [("-setgid", 77), ("-setuid", 77), ("-chown", 0)] {
        let output = Command::new("/usr/bin/setpriv")
            .args(["--inh-caps", set, "--bounding-set", set, PROGRAM])
            .arg(format!("{folder}/schema.json"))
            .args(["--user", "54321:54322", "--", "/bin/true"])
            .output()
            .unwrap();
        let (status, text) = said(&output);
        assert_eq!(status, Some(expected), "{set}: {text}");
        assert_eq!(text.contains("the capabilities SETUID and SETGID"), expected != 0, "{text}");
    }
    // With capabilities that outlive the change there is a way back.
    let output = Command::new("/usr/bin/setpriv")
        .args(["--securebits", "+no_setuid_fixup", PROGRAM])
        .arg(format!("{folder}/schema.json"))
        .args(["--user", "54321:54322", "--", "/bin/true"])
        .output()
        .unwrap();
    let (status, text) = said(&output);
    assert_eq!(status, Some(77));
    assert!(text.contains("root's privileges could be had back"), "{text}");
}
