//! The program as a user runs it: exit codes, what it prints, and what is on disk afterwards.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

const HEAD: &str = r#"name = "hello"
version = "1.0.0"
summary = "Says hello"
license = "MIT"
maintainer = "Me <me@example.com>"
"#;

const RULES: &str = r#"
[[files]]
from = "out/bin/hello"
to = "/usr/bin/"

[[files]]
from = "out/share/"
to = "/usr/share/hello/"

[[files]]
content = "key = value\n"
to = "/etc/hello.conf"
type = "config"

[service]
command = ["/usr/bin/hello", "serve"]
user = "hello"
ports = [8080]
state = ["/var/lib/hello"]

[deb]
[rpm]
[oci]
archive = true
[vm]
formats = ["raw", "qcow2"]
"#;

/// A project in a folder of its own, with a store of its own.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(rules: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        let out = project.path("out");
        fs_err::create_dir_all(out.join("bin")).unwrap();
        fs_err::create_dir_all(out.join("share/empty")).unwrap();
        fs_err::write(out.join("bin/hello"), "#!/bin/sh\necho hello\n").unwrap();
        let mut mode = fs_err::metadata(out.join("bin/hello")).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o700);
        fs_err::set_permissions(out.join("bin/hello"), mode).unwrap();
        fs_err::write(out.join("share/data"), noise(3_000_000)).unwrap();
        fs_err::hard_link(out.join("share/data"), out.join("share/same")).unwrap();
        symlink("data", out.join("share/link")).unwrap();
        project.write(rules);
        project
    }

    fn write(&self, rules: &str) {
        fs_err::write(self.path("bake.toml"), format!("{HEAD}{rules}")).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn bake(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("BAKE_STORE", self.path("store"));
        command
    }

    fn build(&self) -> String {
        success(&self.bake(&["build"]))
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.bake(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(!self.path("dist").exists(), "something was written");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// Returns bytes that no codec makes smaller, always the same.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

fn success(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns every file below a folder with its bytes, but for `release.json`.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file() && entry.file_name() != "release.json")
        .map(|entry| {
            let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
            (name, fs_err::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn all_artifacts_of_one_bake_hold_one_tree() {
    let project = Project::new(RULES);
    let lines = project.build();
    assert_eq!(lines.lines().count(), 6, "{lines}");
    let artifacts = [
        "dist/hello_1.0.0-1_amd64.deb",
        "dist/hello-1.0.0-1.x86_64.rpm",
        "dist/hello-1.0.0.oci",
        "dist/hello-1.0.0.oci.tar",
        "dist/hello-1.0.0-amd64.raw",
        "dist/hello-1.0.0-amd64.qcow2",
    ];
    let output = success(&project.bake(&[&["verify"], artifacts.as_slice()].concat()));
    let trees: std::collections::BTreeSet<_> =
        output.lines().map(|line| line.split("sha256:").nth(1).unwrap()[..64].to_owned()).collect();
    assert_eq!(trees.len(), 1, "{output}");
    assert!(output.contains("all 6 artifacts hold the tree sha256:"), "{output}");
    let release = fs_err::read(project.path("dist/release.json")).unwrap();
    let release: serde_json::Value = serde_json::from_slice(&release).unwrap();
    assert_eq!(release["tree"], format!("sha256:{}", trees.first().unwrap()));
    assert_eq!(release["artifacts"].as_array().unwrap().len(), 6);
    for (artifact, entry) in artifacts.iter().zip(release["artifacts"].as_array().unwrap()) {
        assert_eq!(*artifact, format!("dist/{}", entry["path"].as_str().unwrap()));
        assert_eq!(entry["cached"], false);
    }
    let difference = project.bake(&["diff", artifacts[0], artifacts[2]]);
    assert_eq!(success(&difference), "");
    let mixed = project.bake(&["verify", artifacts[0], "bake.toml", artifacts[1]]);
    assert_eq!(mixed.status.code(), Some(1));
    let text = String::from_utf8(mixed.stdout).unwrap();
    assert!(text.contains("all 2 artifacts hold the tree sha256:"), "{text}");
}

#[test]
fn the_same_bytes_wherever_and_however_it_is_baked() {
    let one = Project::new(RULES);
    one.build();
    let other = Project::new(RULES);
    fs_err::create_dir_all(other.path("tmp")).unwrap();
    let output = other
        .command(&["build", "-j", "8", "-o", "elsewhere"])
        .env("TZ", "Asia/Kathmandu")
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("TMPDIR", other.path("tmp"))
        .env("HOME", other.path("tmp"))
        .output()
        .unwrap();
    success(&output);
    let (a, b) = (files(&one.path("dist")), files(&other.path("elsewhere")));
    let differing: Vec<_> = a.keys().filter(|name| a.get(*name) != b.get(*name)).collect();
    assert!(differing.is_empty() && a.len() == b.len(), "{differing:?}");
}

#[test]
fn a_second_bake_touches_nothing_and_a_lost_output_comes_back() {
    let project = Project::new(RULES);
    project.build();
    let before = files(&project.path("dist"));
    let deb = project.path("dist/hello_1.0.0-1_amd64.deb");
    let inode = fs_err::metadata(&deb).unwrap().ino();
    let lines = project.build();
    assert!(lines.lines().all(|line| line.contains(" cached ")), "{lines}");
    assert_eq!(fs_err::metadata(&deb).unwrap().ino(), inode);
    fs_err::remove_dir_all(project.path("dist")).unwrap();
    let lines = project.build();
    assert!(lines.lines().all(|line| line.contains(" cached ")), "{lines}");
    assert!(files(&project.path("dist")) == before);
    fs_err::write(&deb, "spoilt").unwrap();
    fs_err::write(project.path("dist/hello-1.0.0.oci/stranger"), "").unwrap();
    project.build();
    assert!(files(&project.path("dist")) == before);
}

/// Flips the last bit of every blob that `which` picks by its bytes.
fn damage(project: &Project, mut which: impl FnMut(&[u8]) -> bool) {
    let mut count = 0;
    for entry in fs_err::read_dir(project.path("store/blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs_err::read(&path).unwrap();
        if which(&bytes) {
            count += 1;
            *bytes.last_mut().unwrap() ^= 1;
            fs_err::write(&path, bytes).unwrap();
        }
    }
    assert!(count > 0, "nothing was damaged");
}

#[test]
fn a_damaged_store_is_healed() {
    let project = Project::new(RULES);
    project.build();
    let before = files(&project.path("dist"));
    for everything in [true, false] {
        fs_err::remove_dir_all(project.path("dist")).unwrap();
        let is_record = |bytes: &[u8]| bytes.starts_with(b"bakerope") || bytes.starts_with(b"{");
        damage(&project, |bytes| everything || !is_record(bytes));
        let output = project.bake(&["build"]);
        success(&output);
        let warning = String::from_utf8(output.stderr).unwrap();
        // Without its description an output is simply made again, of segments that are damaged too.
        assert!(warning.contains("was damaged and is made again"), "{everything}: {warning}");
        let after = files(&project.path("dist"));
        let differing: Vec<_> =
            before.keys().filter(|name| before.get(*name) != after.get(*name)).collect();
        assert!(differing.is_empty(), "{differing:?}");
    }
    let found = project.bake(&["store", "verify"]);
    assert!(matches!(found.status.code(), Some(0 | 1)), "{found:?}");
    success(&project.bake(&["store", "verify", "--store", "store"]));
}

#[test]
fn damage_to_more_blobs_than_there_are_attempts_is_healed() {
    let rules = "[[files]]\nfrom = \"out/share/\"\nto = \"/usr/share/hello/\"\n\n\
                 [deb]\ncompression = \"gzip\"\n[oci]\n";
    let project = Project::new(rules);
    for (number, bytes) in noise(120 * 70_000).chunks(70_000).enumerate() {
        fs_err::write(project.path(&format!("out/share/{number}")), bytes).unwrap();
    }
    project.build();
    let before = files(&project.path("dist"));
    fs_err::remove_dir_all(project.path("dist")).unwrap();
    let mut count = 0;
    damage(&project, |bytes| {
        let is_segment = bytes.len() > 16 << 10;
        count += usize::from(is_segment);
        is_segment
    });
    assert!(count > 120);
    let output = project.bake(&["build"]);
    success(&output);
    assert!(files(&project.path("dist")) == before);
    success(&project.bake(&["store", "verify"]));
}

#[test]
fn two_bakes_share_one_store() {
    let project = Project::new(RULES);
    let mut children: Vec<_> = (0..4)
        .map(|n| project.command(&["build", "-o", &format!("dist{n}")]).spawn().unwrap())
        .collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let expected = files(&project.path("dist0"));
    for n in 1..4 {
        assert!(files(&project.path(&format!("dist{n}"))) == expected);
    }
    success(&project.bake(&["store", "verify"]));
}

#[test]
fn plan_says_what_is_done_and_why_not() {
    let project = Project::new(RULES);
    let plan = success(&project.bake(&["plan", "--explain"]));
    assert_eq!(plan.matches("miss ").count(), 6, "{plan}");
    assert_eq!(plan.matches("because: never baked with this store").count(), 6, "{plan}");
    project.build();
    let plan = success(&project.bake(&["plan", "--explain"]));
    assert_eq!(plan.matches("hit ").count(), 6, "{plan}");
    fs_err::write(project.path("out/share/data"), "other").unwrap();
    success(&project.bake(&["plan"]));
    let plan = success(&project.bake(&["plan", "--explain"]));
    assert_eq!(
        plan.matches("because: changed since the last bake: the files").count(),
        6,
        "{plan}"
    );
}

#[test]
fn a_fault_is_shown_at_its_line_and_nothing_is_written() {
    let file = |from: &str| format!("[[files]]\nfrom = \"{from}\"\nto = \"/x\"\n");
    let cases = [
        (file("nope"), "error: `nope` is not there", 7),
        (file("out/*.zip").replace("/x", "/x/"), "error: `out/*.zip` matches nothing", 7),
        (file("loop"), "is a loop of symbolic links", 7),
        (file("leaves"), "leaves the source: it leads to `/etc/passwd`", 7),
        (file("socket"), "is a socket, which no artifact can hold", 7),
        (
            file("out/bin/hello") + "[[files]]\nfrom = \"out/share/data\"\nto = \"/x\"\n",
            "error: two rules place something at `/x`",
            10,
        ),
        (
            "[[files]]\nfrom = \"out/share/\"\nto = \"/x/\"\n".to_owned()
                + "[[files]]\ncontent = \"\"\nto = \"/x/data\"\n",
            "error: two entries for `/x/data`; the other is at bake.toml:7:8",
            10,
        ),
        (
            file("out/bin/hello") + "[[files]]\ncontent = \"\"\nto = \"/x/y\"\n",
            "error: `/x/y` lies below `/x`, which is not a directory",
            10,
        ),
    ];
    for (rules, message, line) in cases {
        let project = Project::new(&rules);
        symlink("loop", project.path("loop")).unwrap();
        symlink("/etc/passwd", project.path("leaves")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(project.path("socket")).unwrap();
        for command in ["check", "build", "plan"] {
            let error = project.fails(&[command]);
            assert!(error.contains(message), "{command}: {error}");
            assert!(error.contains(&format!(" --> bake.toml:{line}:")), "{command}: {error}");
        }
    }
}

#[test]
fn links_and_names_in_a_directory_are_checked() {
    let rules = "[[files]]\nfrom = \"tree/\"\nto = \"/x\"\n";
    let cases: [(&str, &str); 3] = [
        ("../../up", "leaves the source: its target is `../../up`"),
        ("self", "is a loop of symbolic links"),
        ("ABSOLUTE", "leaves the source: its target is `"),
    ];
    for (target, message) in cases {
        let project = Project::new(rules);
        fs_err::create_dir_all(project.path("tree/sub")).unwrap();
        let own = project.path("tree/sub").display().to_string();
        let target = if target == "ABSOLUTE" { &own } else { target };
        symlink(target, project.path("tree/self")).unwrap();
        let error = project.fails(&["build"]);
        assert!(error.contains(message), "{target}: {error}");
    }
    let project = Project::new(&format!("{rules}[vm]\n"));
    fs_err::create_dir_all(project.path("tree")).unwrap();
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"caf\xe9");
    fs_err::write(project.path("tree").join(name), "").unwrap();
    project.build();
    let verified = project.bake(&["verify", "dist/hello-1.0.0-amd64.qcow2"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn an_output_folder_that_cannot_take_outputs_is_refused() {
    let project = Project::new(RULES);
    fs_err::write(project.path("file"), "mine").unwrap();
    let error = project.fails(&["build", "-o", "file"]);
    assert!(error.contains("cannot write outputs to `file`"), "{error}");
    assert!(error.contains("caused by: it is a file, expected a folder"), "{error}");
    assert_eq!(fs_err::read_to_string(project.path("file")).unwrap(), "mine");
}

#[test]
fn a_newer_store_is_refused() {
    let project = Project::new(RULES);
    fs_err::create_dir_all(project.path("store")).unwrap();
    fs_err::write(project.path("store/meta.json"), r#"{"version":9}"#).unwrap();
    let error = project.fails(&["build"]);
    assert!(error.contains("the store has version 9 [], this program knows version 1"), "{error}");
    assert!(error.contains("hint: use a newer bake"), "{error}");
}

#[test]
fn bad_values_given_to_the_program_are_named() {
    let project = Project::new(RULES);
    let error = project.fails(&["build", "--platform", "x86_64"]);
    assert!(error.contains("unknown platform `x86_64`; did you mean `linux/amd64`?"), "{error}");
    let error = project.fails(&["build", "--only", "msi"]);
    assert!(error.contains("`msi` is no output, expected deb, rpm, oci, vm"), "{error}");
    let output = project.command(&["build"]).env("SOURCE_DATE_EPOCH", "today").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("SOURCE_DATE_EPOCH: expected seconds since 1970"), "{error}");
    assert_eq!(project.bake(&["build", "--environment", "production"]).status.code(), Some(2));
    assert_eq!(project.bake(&[]).status.code(), Some(2));
}

#[test]
fn json_lines_are_json_and_begin_with_the_schema() {
    let project = Project::new(RULES);
    let output = success(&project.bake(&["build", "--json"]));
    let events: Vec<serde_json::Value> =
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[0], "bake");
    assert_eq!(events[0]["data"]["schema"], 1);
    assert_eq!(kinds[1..].iter().filter(|kind| **kind == "artifact").count(), 6);
    assert_eq!(kinds.last(), Some(&"release"));
}

#[test]
fn the_date_and_the_platform_move_the_outputs_but_not_the_tree() {
    let project = Project::new(RULES);
    project.build();
    let tree = |name: &str| {
        let output = project.bake(&["inspect", "--tree", name]);
        success(&output)
    };
    let before = tree("dist/hello_1.0.0-1_amd64.deb");
    let old = files(&project.path("dist"));
    let mut command = project.command(&["build"]);
    success(&command.env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap());
    let new = files(&project.path("dist"));
    assert!(old.keys().filter(|name| !name.contains("oci/")).all(|name| old[name] != new[name]));
    assert_eq!(tree("dist/hello_1.0.0-1_amd64.deb"), before);
    success(&project.bake(&["build", "--only", "deb", "--platform", "linux/arm64"]));
    assert_eq!(tree("dist/hello_1.0.0-1_arm64.deb"), before);
}

#[test]
fn what_is_no_artifact_is_said_so() {
    let project = Project::new(RULES);
    for name in ["bake.toml", "out"] {
        let output = project.bake(&["inspect", name]);
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(&format!("`{name}` is not an artifact that bake knows")), "{error}");
    }
}

/// Returns the path of a key for tests.
fn key(name: &str) -> String {
    format!("{}/src/sign/tests/keys/{name}.asc", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_signed_bake_differs_in_its_signatures_only() {
    let project = Project::new(RULES);
    let plain = files_of(&project, "plain", &[]);
    let sign = ["--sign-key", &key("ed25519")];
    let signed = files_of(&project, "signed", &sign);
    let differing: Vec<&str> = plain
        .iter()
        .filter(|(name, bytes)| signed[*name] != **bytes)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(differing, ["hello-1.0.0-1.x86_64.rpm", "hello_1.0.0-1_amd64.deb"]);
    // With another store, and in two steps.
    fs_err::remove_dir_all(project.path("store")).unwrap();
    let again = files_of(&project, "again", &sign);
    for name in &differing {
        assert_eq!(again[*name], signed[*name], "{name}");
        let file = project.path("plain").join(name);
        let mut arguments = vec!["sign", "--key", sign[1]];
        let file_name = file.to_str().unwrap();
        arguments.push(file_name);
        success(&project.bake(&arguments));
        assert_eq!(fs_err::read(&file).unwrap(), signed[*name], "{name}");
        success(&project.bake(&["sign", "--delete", file_name]));
        assert_eq!(fs_err::read(&file).unwrap(), plain[*name], "{name}");
    }
    let release: serde_json::Value =
        serde_json::from_slice(&fs_err::read(project.path("signed/release.json")).unwrap())
            .unwrap();
    for (number, name) in [(0, differing[1]), (1, differing[0])] {
        let artifact = &release["artifacts"][number];
        let digest = |bytes: &[u8]| bake_formats::digest::Digest::of(bytes).to_string();
        assert_eq!(artifact["path"], name);
        assert_eq!(artifact["digest"], digest(&signed[name]));
        assert_eq!(artifact["signature"]["unsigned"], digest(&plain[name]));
        assert_eq!(
            artifact["signature"]["fingerprint"],
            "BB849AB50AA80F1FBB8C9B26E0A51EB99159703B"
        );
    }
    assert_eq!(release["artifacts"][2].get("signature"), None);
}

fn files_of(project: &Project, folder: &str, more: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut arguments = vec!["build", "-o", folder];
    arguments.extend(more);
    success(&project.bake(&arguments));
    files(&project.path(folder))
}

#[test]
fn a_second_signed_bake_touches_nothing_and_who_signs_makes_a_difference() {
    let project = Project::new(RULES);
    let build = |name: &str| {
        success(&project.bake(&["build", "--only", "deb,rpm", "--sign-key", &key(name)]))
    };
    let count = |text: &str| text.matches(" cached ").count();
    assert_eq!(count(&build("ed25519")), 0);
    let rpm = project.path("dist/hello-1.0.0-1.x86_64.rpm");
    let identity = |path: &Path| fs_err::metadata(path).map(|m| (m.ino(), m.mtime())).unwrap();
    let before = identity(&rpm);
    assert_eq!(count(&build("ed25519")), 2);
    assert_eq!(identity(&rpm), before);
    assert_eq!(count(&build("rsa")), 0);
    assert_ne!(identity(&rpm), before);
    // Unsigned, signed by either: all three are kept, and a lost output comes back.
    fs_err::remove_file(&rpm).unwrap();
    assert_eq!(count(&build("ed25519")), 2);
    let keyring = key("ed25519");
    let rpm = rpm.to_str().unwrap();
    success(&project.bake(&["verify", "--keyring", &keyring, "--require-signature", rpm]));
    let output = project.bake(&["build", "--only", "deb,rpm"]);
    assert_eq!(count(&success(&output)), 2);
    let output = project.bake(&["verify", "--keyring", &keyring, "--require-signature", rpm]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("no good signature by a key of the keyrings"), "{text}");
}

#[test]
fn an_output_stays_signed_when_the_unsigned_one_is_made_again() {
    let project = Project::new(RULES);
    let build = || {
        success(&project.bake(&["build", "--only", "rpm", "--sign-key", &key("ed25519")]));
        fs_err::read(project.path("dist/hello-1.0.0-1.x86_64.rpm")).unwrap()
    };
    let signed = build();
    let release = fs_err::read_to_string(project.path("dist/release.json")).unwrap();
    let release: serde_json::Value = serde_json::from_str(&release).unwrap();
    let unsigned = release["artifacts"][0]["signature"]["unsigned"].as_str().unwrap();
    // As collection may do it: the result of the unsigned output is forgotten, the other is not.
    let forgotten: Vec<_> = walkdir::WalkDir::new(project.path("store/actions"))
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| {
            let text = fs_err::read_to_string(entry.path()).unwrap();
            text.contains(&format!("\"identity\":\"{unsigned}\""))
        })
        .map(|entry| fs_err::remove_file(entry.path()).unwrap())
        .collect();
    assert_eq!(forgotten.len(), 1);
    assert_eq!(build(), signed);
}

#[test]
fn signatures_are_told_by_inspect_and_verify() {
    let project = Project::new(RULES);
    let deb = "dist/hello_1.0.0-1_amd64.deb";
    success(&project.bake(&["build", "--only", "deb", "--sign-key", &key("ed25519")]));
    let text = success(&project.bake(&["inspect", deb]));
    let claim =
        "signature _gpgorigin: BB849AB50AA80F1FBB8C9B26E0A51EB99159703B, 2024-01-01, SHA512";
    assert!(text.contains(claim), "{text}");
    let verify =
        |keyring: &str| project.bake(&["verify", "--json", "--keyring", &key(keyring), deb]);
    let outcome = |output: &Output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.contains("verified")).unwrap();
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["data"]["signatures"][0]["outcome"].as_str().unwrap().to_owned()
    };
    let good = verify("ed25519");
    assert_eq!((outcome(&good).as_str(), good.status.code()), ("good", Some(0)));
    let unknown = verify("rsa");
    assert_eq!((outcome(&unknown).as_str(), unknown.status.code()), ("unknown-key", Some(0)));
    let mut bytes = fs_err::read(project.path(deb)).unwrap();
    // The end of the signature, before what may be padding.
    let end = bytes.len() - 3;
    bytes[end] ^= 1;
    fs_err::write(project.path(deb), bytes).unwrap();
    let bad = verify("ed25519");
    assert_eq!((outcome(&bad).as_str(), bad.status.code()), ("bad", Some(1)));
}

#[test]
fn what_cannot_be_signed_is_said_so_and_left_alone() {
    let project = Project::new(RULES);
    success(&project.bake(&["build"]));
    let refused = |arguments: &[&str], expected: &str| {
        let output = project.bake(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(expected), "{arguments:?}: {text}");
    };
    let (ed25519, rsa) = (key("ed25519"), key("rsa"));
    let deb = "dist/hello_1.0.0-1_amd64.deb";
    refused(&["sign", deb], "neither --sign-key nor --sign-command says who signs");
    refused(&["sign", "--key", &ed25519, "dist/hello-1.0.0.oci"], "bake signs deb and rpm");
    refused(&["sign", "--key", &ed25519, "out/share/data"], "is not an artifact that bake knows");
    success(&project.bake(&["sign", "--key", &ed25519, deb]));
    let before = fs_err::read(project.path(deb)).unwrap();
    refused(&["sign", "--key", &rsa, deb], "_gpgorigin has another's signature already; --resign");
    let mut later = project.command(&["sign", "--key", &ed25519, deb]);
    let output = later.env("SOURCE_DATE_EPOCH", "1710000000").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("_gpgorigin has a signature of BB849AB50AA8"), "{text}");
    assert_eq!(fs_err::read(project.path(deb)).unwrap(), before);
    let options = ["build", "--sign-key", &key("expired"), "-o", "never"];
    refused(&options, "expired on 2025-01-01");
    assert!(!project.path("never").exists());
}

#[test]
fn an_image_is_given_to_an_engine_through_its_own_command() {
    let project = Project::new(RULES);
    let tools = project.path("tools");
    fs_err::create_dir_all(&tools).unwrap();
    let engine = |body: &str| {
        let path = tools.join("podman");
        fs_err::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(&path, mode).unwrap();
        let mut command = project.command(&["build", "--only", "oci", "--load", "podman"]);
        let path = format!("{}:/usr/bin:/bin", tools.display());
        command.env("PATH", path).output().unwrap()
    };
    let output = engine("[ \"$1\" = load ] || exit 9\ncat > got.tar\necho 'Loaded image: x'");
    success(&output);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("Loaded image: x"), "{said}");
    success(&project.bake(&["verify", "got.tar"]));
    let output = engine("cat > /dev/null\necho 'no space left' >&2\nexit 3");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no space left"), "{said}");
}
