//! Machines as a user bakes them, on a root file system that is made here and never started.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bake_formats::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
use bake_formats::blob::MemoryStore;
use bake_formats::digest::Digest;
use bake_formats::format::Epoch;
use bake_formats::tree::{Entry, Mode, TreePath};

const HEAD: &str = r#"version = "1.0"
summary = "Answers"
license = "MIT"
maintainer = "Me <me@example.com>"
source-date = "2024-01-01T00:00:00Z"
platforms = ["linux/amd64"]
"#;

const SERVICE: &str = r#"name = "answer"
HEAD
[[files]]
from = "answer"
to = "/usr/bin/answer"
mode = "0755"
[service]
command = ["/usr/bin/answer"]
user = "answer"
state = ["/var/lib/answer"]
"#;

const MACHINE: &str = r#"[vm]
base = { rootfs = "base.tar" }
init = "init"
formats = ["raw"]
"#;

/// What belongs to no program and has no structure, in bytes.
const BALLAST: usize = 24 << 20;

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// The headers of a PE image with one section that starts at an offset and goes to the end.
fn portable_executable(bytes: &mut [u8], optional: u16, text: usize) {
    let len = u32::try_from(bytes.len() - text).unwrap();
    put(bytes, 0, b"MZ");
    put(bytes, 60, &64_u32.to_le_bytes());
    put(bytes, 64, b"PE\0\0");
    put(bytes, 68, &0x8664_u16.to_le_bytes());
    put(bytes, 70, &1_u16.to_le_bytes());
    put(bytes, 84, &optional.to_le_bytes());
    for (at, value) in [(32, 512), (36, 512), (56, 0x1_0000), (60, 1024), (108, 5)] {
        put(bytes, 88 + at, &u32::to_le_bytes(value));
    }
    put(bytes, 88, &0x20b_u16.to_le_bytes());
    put(bytes, 88 + 68, &10_u16.to_le_bytes());
    let section = 88 + usize::from(optional);
    put(bytes, section, b".text");
    let offset = u32::try_from(text).unwrap();
    for (at, value) in [(8, len), (12, 0x1000), (16, len), (20, offset)] {
        put(bytes, section + at, &value.to_le_bytes());
    }
}

fn stub() -> Vec<u8> {
    let mut bytes = vec![0; 1536];
    portable_executable(&mut bytes, 240, 1024);
    bytes
}

/// A bzImage: two sectors of setup code, then what would be the kernel.
fn kernel() -> Vec<u8> {
    let mut bytes = vec![0; 1536 + 1024];
    portable_executable(&mut bytes, 160, 1536);
    bytes[0x1f1] = 2;
    put(&mut bytes, 0x1f4, &64_u32.to_le_bytes());
    put(&mut bytes, 0x202, b"HdrS");
    for (at, value) in [(0x206, 0x20f_u16), (0x20e, 0x200), (0x236, 1)] {
        put(&mut bytes, at, &value.to_le_bytes());
    }
    let numbers = [(0x22c, 0x7fff_ffff), (0x238, 2047), (0x248, 512), (0x24c, 6), (0x260, 1 << 20)];
    for (at, value) in numbers {
        put(&mut bytes, at, &u32::to_le_bytes(value));
    }
    put(&mut bytes, 0x400, b"6.1.0-test (somebody@host) #1 SMP\0");
    put(&mut bytes, 2048, b"kernel");
    bytes
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33).to_le_bytes()
    });
    words.flat_map(|word| [word[0], word[1], word[2]]).take(len).collect()
}

/// The first header of a program for x86-64.
fn program() -> Vec<u8> {
    let mut bytes = vec![0; 64];
    put(&mut bytes, 0, b"\x7fELF\x02\x01\x01");
    for (at, value) in [(16, 2_u16), (18, 62), (52, 64), (54, 56), (58, 64)] {
        put(&mut bytes, at, &value.to_le_bytes());
    }
    put(&mut bytes, 20, &1_u32.to_le_bytes());
    bytes
}

/// A root file system with a kernel whose modules are part of it.
fn root(message: &str, ballast: usize) -> Vec<u8> {
    let mut writer = TarWriter::new(TarOptions {
        format: "oci",
        dialect: Dialect::Pax,
        prefix: "",
        epoch: Epoch(0),
        symlinks: SymlinkOrder::InTree,
        root: Root::Omitted,
    });
    let (kernel, stub, program, ballast) = (kernel(), stub(), program(), noise(ballast));
    let builtin = "kernel/fs/ext4/ext4.ko\nkernel/fs/erofs/erofs.ko\nkernel/fs/overlay.ko\n";
    let files: [(&str, &[u8]); 12] = [
        ("boot/vmlinuz-6.1.0-test", &kernel),
        ("etc/group", b"root:x:0:\n"),
        ("etc/hostname", b"builder\n"),
        ("etc/machine-id", b"0123456789abcdef0123456789abcdef\n"),
        ("etc/motd", message.as_bytes()),
        ("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
        ("usr/lib/modules/6.1.0-test/modules.builtin", builtin.as_bytes()),
        ("usr/lib/os-release", b"ID=debian\nVERSION_ID=12\n"),
        ("usr/lib/systemd/boot/efi/linuxx64.efi.stub", &stub),
        ("usr/lib/systemd/systemd", &program),
        ("usr/sbin/nologin", &program),
        ("usr/share/ballast", &ballast),
    ];
    for (path, bytes) in files {
        let path = TreePath::parse(path).unwrap();
        writer.append_bytes(&path, Mode::new(0o755).unwrap(), bytes).unwrap();
    }
    for (path, target) in [("lib", "usr/lib"), ("sbin", "usr/sbin")] {
        writer.append(&TreePath::parse(path).unwrap(), &Entry::symlink(target)).unwrap();
    }
    writer.finish().to_vec(&MemoryStore::new()).unwrap()
}

/// A folder with a base, a program and an init, and a store of its own.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(ballast: usize) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.put("base.tar", &root("hello", ballast));
        project.put("init", b"an init");
        project.put("answer", b"#!/bin/sh\necho 42\n");
        project.recipe(MACHINE);
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs_err::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs_err::write(self.path(name), bytes).unwrap();
    }

    /// Writes the recipe of the service; what is on which line is known to the tests of errors.
    fn recipe(&self, vm: &str) {
        let text = format!("{}{vm}", SERVICE.replace("HEAD\n", HEAD));
        self.put("bake.toml", text.as_bytes());
    }

    /// Writes the recipe of a base disk and bakes it.
    fn bake_base(&self, more: &str) -> PathBuf {
        let head = HEAD.replace("1.0", "12");
        let vm = MACHINE.replace("\"base.tar\"", "\"../base.tar\"").replace("init\"", "../init\"");
        self.put("base/bake.toml", format!("name = \"debian\"\n{head}{vm}{more}").as_bytes());
        success(
            &self
                .command(&["build", "-f", "base/bake.toml", "-o", "base/dist"], &[])
                .output()
                .unwrap(),
        );
        self.path("base/dist/debian-12-amd64.raw")
    }

    fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("BAKE_STORE", self.path("store")).envs(environment.iter().copied());
        command
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        success(&self.command(arguments, &[]).output().unwrap())
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments, &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn is_done(&self) -> bool {
        let plan = self.succeeds(&["plan", "--explain"]);
        let (hits, misses) = (plan.matches("hit ").count(), plan.matches("miss ").count());
        assert!(hits == 0 || misses == 0, "{plan}");
        hits > 0
    }
}

fn success(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns the digests of all files of a folder by their names.
fn files(folder: &Path) -> BTreeMap<String, Digest> {
    let entries = fs_err::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().is_file());
    files
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, Digest::of(&fs_err::read(entry.path()).unwrap()))
        })
        .collect()
}

#[test]
fn a_disk_is_made_again_if_anything_on_it_changes_and_not_otherwise() {
    let project = Project::new(0);
    project.succeeds(&["build"]);
    assert!(project.is_done());
    // Where the base is does not matter, nor when it was written.
    fs_err::rename(project.path("base.tar"), project.path("moved.tar")).unwrap();
    project.recipe(&MACHINE.replace("base.tar", "moved.tar"));
    assert!(project.is_done());
    project.put("moved.tar", &root("hello", 0));
    assert!(project.is_done());
    project.put("base.tar", &root("hello", 0));
    for more in [
        "kernel-arguments = [\"quiet\"]",
        "label = \"other\"",
        "slot = \"32MiB\"",
        "slot = \"32MiB\"\nplacement = \"slot\"",
        "seed = \"2MiB\"",
        "firmware = \"uefi\"",
        "file-system = \"erofs\"",
        "size = \"1GiB\"",
    ] {
        project.recipe(&format!("{MACHINE}{more}\n"));
        assert!(!project.is_done(), "{more}");
    }
    project.recipe(MACHINE);
    assert!(project.is_done());
    for (name, bytes) in [
        ("base.tar", root("hello there", 0)),
        ("init", b"another init".to_vec()),
        ("answer", b"#!/bin/sh\necho 43\n".to_vec()),
    ] {
        let before = fs_err::read(project.path(name)).unwrap();
        project.put(name, &bytes);
        assert!(!project.is_done(), "{name}");
        project.put(name, &before);
        assert!(project.is_done(), "{name}");
    }
}

#[test]
fn neither_place_nor_environment_matter() {
    let [one, two] = [Project::new(0), Project::new(0)];
    let formats = MACHINE.replace("[\"raw\"]", "[\"raw\", \"qcow2\", \"vmdk\", \"vhdx\"]");
    for project in [&one, &two] {
        project.recipe(&formats);
    }
    success(&one.command(&["build"], &[]).output().unwrap());
    let environment =
        [("TZ", "Asia/Kolkata"), ("LC_ALL", "de_DE.UTF-8"), ("HOME", "/nowhere"), ("USER", "me")];
    success(&two.command(&["build", "-o", "else/where"], &environment).output().unwrap());
    assert_eq!(files(&one.path("dist")), files(&two.path("else/where")));
    let raw = one.path("dist/answer-1.0-amd64.raw");
    let text = fs_err::read(raw).unwrap();
    let holds = |wanted: &[u8]| text.windows(wanted.len()).any(|window| window == wanted);
    assert!(holds(b"answer:x:"));
    for gone in [b"builder\n".as_slice(), b"0123456789abcdef0123456789abcdef"] {
        assert!(!holds(gone), "{}", String::from_utf8_lossy(gone));
    }
}

#[test]
fn a_base_and_a_service_are_the_same_as_both_in_one() {
    let project = Project::new(0);
    let base = project.bake_base("kind = \"base\"\nslot = \"32MiB\"\n");
    let base = base.strip_prefix(project.folder.path()).unwrap().to_str().unwrap();
    project.recipe(&format!(
        "[vm]\nbase = {{ disk = \"{base}\" }}\nformats = [\"raw\", \"overlay\"]\n"
    ));
    project.succeeds(&["build", "-o", "on-base"]);
    let on_base = files(&project.path("on-base"));
    let more = "slot = \"32MiB\"\nplacement = \"slot\"\nlabel = \"debian\"";
    project.recipe(&format!("{MACHINE}{more}\n"));
    project.succeeds(&["build", "-o", "in-one"]);
    let in_one = files(&project.path("in-one"));
    assert_eq!(on_base["answer-1.0-amd64.raw"], in_one["answer-1.0-amd64.raw"]);
    project.succeeds(&["verify", "on-base/answer-1.0-amd64.overlay.qcow2"]);
}

/// Returns how many bytes a successful bake read.
fn bytes_read(project: &Project, arguments: &[&str]) -> u64 {
    let script = "\"$0\" \"$@\" >&2 || exit; while read -r name count; do \
                  test \"$name\" = rchar: && echo \"$count\"; done </proc/$$/io; true";
    let bake = project.command(arguments, &[]);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_bake")]).args(arguments);
    command.current_dir(project.folder.path()).env_clear();
    command.envs(bake.get_envs().filter_map(|(name, value)| Some((name, value?))));
    success(&command.output().unwrap()).trim().parse().unwrap()
}

#[test]
fn another_service_on_a_base_reads_little_of_it() {
    let project = Project::new(BALLAST);
    let base = project.bake_base("kind = \"base\"\nslot = \"32MiB\"\n");
    let base = base.strip_prefix(project.folder.path()).unwrap().to_str().unwrap().to_owned();
    project.recipe(&format!("[vm]\nbase = {{ disk = \"{base}\" }}\nformats = [\"overlay\"]\n"));
    let first = bytes_read(&project, &["build"]);
    assert!(first > BALLAST as u64, "{first} bytes, so they are not counted");
    project.put("answer", b"#!/bin/sh\necho 43\n");
    let second = bytes_read(&project, &["build"]);
    assert!(second < 4 << 20, "{second} bytes were read");
    let third = bytes_read(&project, &["build"]);
    assert!(third < 4 << 20, "{third} bytes were read");
    // A base that is another is another.
    assert!(project.is_done());
    project.put("base.tar", &root("another", 0));
    project.bake_base("kind = \"base\"\nslot = \"32MiB\"\n");
    assert!(!project.is_done());
    fs_err::remove_file(project.path(&base)).unwrap();
    let error = project.fails(&["plan"]);
    assert!(error.contains("bake it first: a recipe with `kind = \"base\"`"), "{error}");
}

#[test]
fn errors_say_what_is_missing_where() {
    let project = Project::new(0);
    let machine = |more: &str| format!("{MACHINE}{more}\n");
    let on = |base: &str| MACHINE.replace("{ rootfs = \"base.tar\" }", base);
    let place = |to: &str| format!("[[files]]\ncontent = \"\"\nto = \"{to}\"\n{MACHINE}");
    let without = project.bake_base("").strip_prefix(project.folder.path()).unwrap().to_owned();
    let without = format!("{{ disk = \"{}\" }}", without.display());
    for (vm, expected) in [
        (on("{ rootfs = \"none.tar\" }"), "none.tar`: not there\n  --> bake.toml:17:8"),
        (on("{ rootfs = \"answer\" }"), "cannot use `"),
        (on("{ disk = \"none.raw\" }").replace("init = \"init\"\n", ""), "bake it first"),
        (on(&without).replace("init = \"init\"\n", ""), "it has no slot"),
        (machine("kernel = \"7\""), "found 6.1.0-test\n  --> bake.toml:17:8"),
        (machine("modules = [\"nothing\"]"), "nothing"),
        (machine("initrd = \"base\"").replace("init = \"init\"\n", ""), "the base has no initrd"),
        (machine("uefi-stub = \"none.stub\""), "none.stub`: not there\n  --> bake.toml:17:8"),
        (machine("slot = \"1MiB\"\nplacement = \"slot\""), "the size of the slot"),
        (place("/etc/motd/below"), "/etc/motd"),
        (place("/etc"), "/etc"),
    ] {
        project.recipe(&vm);
        let error = project.fails(&["build"]);
        assert!(error.contains(expected), "{vm}\n{error}");
        if vm.starts_with("[[files]]") {
            assert!(error.contains("bake.toml:17:11"), "{error}");
        }
        assert!(!project.path("dist/answer-1.0-amd64.raw").exists());
    }
}
