//! The laws of [`crate::format`] for rpm, and what an independent reader makes of our packages.

use super::*;
use crate::blob::{BlobStore, MemoryStore};
use crate::encode::{Compression, Encoder, NoCache};
use crate::format::Epoch;
use crate::tree::{Content, DeviceKind, Entry, Mark, Mode, Node, Owner, TreeBuilder, TreePath};

const EPOCH: Epoch = Epoch(1_700_000_000);

fn path(text: impl AsRef<[u8]>) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn package() -> Package {
    Package {
        summary: "says hello".into(),
        description: "Says hello.\n\nMore than once.".into(),
        license: "MIT".into(),
        ..Package::new("hello", "1.0", "1", "x86_64")
    }
}

pub(super) fn full_package(tree: &FileTree) -> Package {
    let dependencies = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let lua = Script { interpreter: "<lua>".into(), ..Script::shell("print(1)") };
    let python = Script {
        interpreter: "/usr/bin/python3".into(),
        arguments: vec!["-s".into()],
        body: "print(2)\n".into(),
        flags: ScriptFlags { expand: true, qformat: true, critical: true },
    };
    let change = Change { time: 1, author: "Jo <jo@example.com> - 1.0-1".into(), text: "x".into() };
    Package {
        epoch: Some(2),
        version: "1.0~rc1^git2".into(),
        url: Some("https://example.com".into()),
        vendor: Some("Caf\u{e9}".into()),
        packager: Some("Jo <jo@example.com>".into()),
        group: Some("Applications/System".into()),
        bug_url: Some("https://example.com/bugs".into()),
        relations: Relations {
            requires: dependencies(&["(a or b >= 1)", "/bin/sh", "a", "glibc >= 2.28"]),
            scriptlet_requires: vec![
                (Moment::Pre, Dependency::on("useradd")),
                (Moment::Meta, Dependency::on("zsh")),
            ],
            order: dependencies(&["h > 1"]),
            provides: dependencies(&["hi = 3"]),
            conflicts: dependencies(&["bye"]),
            obsoletes: dependencies(&["hallo < 2:1"]),
            recommends: dependencies(&["c"]),
            suggests: dependencies(&["d > 1"]),
            supplements: dependencies(&["(e and f)"]),
            enhances: dependencies(&["g <= 1"]),
        },
        scripts: Scripts {
            pre: Some(Script::shell("echo pre\n")),
            post: Some(Script::shell("/sbin/ldconfig")),
            preun: Some(lua.clone()),
            postun: Some(python),
            pretrans: Some(lua),
            posttrans: Some(Script::shell("")),
            preuntrans: Some(Script::shell("echo preuntrans\n")),
            postuntrans: Some(Script::shell("echo postuntrans\n")),
            verify: Some(Script::shell("echo verify\n")),
        },
        triggers: triggers(),
        vcs: Some("https://example.com/hello.git".into()),
        distribution: Some("Example".into()),
        prefixes: vec!["/opt/hello".into()],
        changelog: vec![change.clone(), Change { time: 0, ..change }],
        tree_id: Some(tree.id()),
        ..package()
    }
}

fn triggers() -> Triggers {
    let package = Trigger {
        moment: TriggerMoment::Postun,
        on: vec!["i < 2~x".parse().unwrap(), "j".parse().unwrap()],
        script: Script::shell("echo trigger\n"),
    };
    let files = FileTrigger {
        moment: TriggerMoment::In,
        prefixes: vec!["/usr/lib".into(), "/usr/share".into()],
        priority: 5,
        script: Script { interpreter: "/bin/cat".into(), ..Script::shell("") },
    };
    Triggers { packages: vec![package], files: Vec::new(), transaction_files: vec![files] }
}

/// A tree with everything that an rpm carries.
fn full_tree(store: &MemoryStore) -> FileTree {
    let mut builder = TreeBuilder::new();
    let mut add = |name: &[u8], entry: Entry| builder.insert(path(name), entry).unwrap();
    let file = |bytes: &[u8], mode| {
        store.put(bytes).unwrap();
        Entry::file(Content::of(bytes), Mode::new(mode).unwrap())
    };
    let marked = |entry, mark| Entry { mark, ..entry };
    add(b"/usr/bin", Entry::directory());
    add(b"/usr/bin/hello", file(b"#!/bin/sh\necho hello\n", 0o4755));
    add(b"/usr/bin/hi", Entry::new(Node::HardLink(path("/usr/bin/hello")), Mode::PLAIN));
    add(b"/usr/bin-old", Entry::new(Node::HardLink(path("/usr/bin/hello")), Mode::PLAIN));
    add(b"/usr/bin/caf\xe9\n", file(b"", 0o644));
    let mut ping = file(b"ping", 0o755);
    let words = [0x0200_0001_u32, 1 << 13, 0, 0, 0];
    let value = words.into_iter().flat_map(u32::to_le_bytes).collect();
    ping.xattrs.insert("security.capability".into(), value);
    add(b"/usr/bin/ping", ping);
    add(b"/usr/share/hello", Entry::directory());
    add(b"/usr/share/hello/link", Entry::symlink("../doc/hello"));
    add(b"/usr/share/hello/empty", Entry::directory());
    add(b"/usr/share/doc/hello/README", marked(file(b"read me", 0o644), Mark::Doc));
    add(b"/usr/share/licenses/hello/MIT", marked(file(b"MIT", 0o644), Mark::License));
    add(b"/etc/hello.conf", marked(file(b"a = 1\n", 0o640), Mark::ConfigNoReplace));
    add(b"/etc/hello.rc", marked(file(b"b", 0o644), Mark::Config));
    add(b"/var/log/hello.log", marked(file(b"", 0o600), Mark::Ghost));
    let mut state = Entry::new(Node::Directory, Mode::new(0o2750).unwrap());
    state.owner = Owner::new("hello", 970);
    state.group = Owner::new("www", 971);
    add(b"/var/lib/hello", state);
    add(b"/run/pipe", Entry::new(Node::Fifo, Mode::PLAIN));
    let null = Node::Device { kind: DeviceKind::Character, major: 1, minor: 3 };
    add(b"/dev/null", Entry::new(null, Mode::new(0o666).unwrap()));
    builder.finish().unwrap()
}

fn small_tree(store: &MemoryStore) -> FileTree {
    let mut builder = TreeBuilder::new();
    let blob = store.put(b"hello\n").unwrap();
    assert_eq!(blob.digest, Content::of(b"hello\n").digest);
    let hello = Entry::file(Content::of(b"hello\n"), Mode::EXECUTABLE);
    builder.insert(path("/usr/bin/hello"), hello).unwrap();
    builder.insert(path("/usr/bin/link"), Entry::symlink("hello")).unwrap();
    builder.finish().unwrap()
}

fn artifact(store: &MemoryStore, package: &Package, tree: &FileTree, threads: usize) -> Artifact {
    let encoder = Encoder::new(store, &NoCache, threads);
    let cx = WriteCx { blobs: store, encoder: &encoder, epoch: EPOCH };
    Rpm::write(package, tree, &cx).unwrap()
}

pub(super) fn bytes(store: &MemoryStore, package: &Package, tree: &FileTree) -> Vec<u8> {
    artifact(store, package, tree, 1).files[0].rope.to_vec(store).unwrap()
}

#[test]
fn writing_is_pure() {
    let store = MemoryStore::new();
    let tree = full_tree(&store);
    let package = full_package(&tree);
    let one = bytes(&store, &package, &tree);
    let other = MemoryStore::new();
    let tree = full_tree(&other);
    let two = artifact(&other, &package, &tree, 4).files[0].rope.to_vec(&other).unwrap();
    assert_eq!(one, two);
}

#[test]
fn reading_undoes_writing_and_our_own_output_verifies_clean() {
    let store = MemoryStore::new();
    let tree = full_tree(&store);
    let compressions = [Compression::NONE, Compression::GZIP, Compression::ZSTD, Compression::XZ];
    for compression in compressions {
        let package = Package { compression, ..full_package(&tree) };
        let source = Source::from_bytes(bytes(&store, &package, &tree));
        assert_eq!(Rpm::verify(&source).unwrap(), [], "{compression}");
        let unpacked = Rpm::read(&source).unwrap();
        assert_eq!(unpacked.model, package);
        assert_eq!(unpacked.declared, Some(tree.id()));
        assert_eq!(unpacked.tree.id(), tree.id());
        for (path, entry) in tree.iter().filter(|(_, entry)| !entry.is_directory()) {
            assert_eq!(unpacked.tree.get(path), Some(entry), "{path}");
        }
    }
}

#[test]
fn a_package_of_large_files_has_a_stripped_payload() {
    let store = MemoryStore::new();
    let tree = full_tree(&store);
    let package = package();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: EPOCH };
    // The form that a file of 4 GiB asks for, with files of a few bytes.
    let table = files::FileTable::from_tree(&tree, &package).unwrap();
    let table = files::FileTable { large: true, ..table };
    let artifact = write::assemble(&package, table, &cx).unwrap();
    let bytes = artifact.files[0].rope.to_vec(&store).unwrap();
    let source = Source::from_bytes(bytes.clone());
    assert_eq!(Rpm::verify(&source).unwrap(), []);
    assert_eq!(Rpm::read(&source).unwrap().tree.id(), tree.id());
    let parsed = ::rpm::Package::parse(&mut bytes.as_slice()).unwrap();
    parsed.verify_digests().unwrap();
    let requires = parsed.metadata.get_requires().unwrap();
    assert!(requires.iter().any(|one| one.name == "rpmlib(LargeFiles)"));
}

#[test]
fn a_file_that_newc_cannot_say_makes_the_payload_stripped() {
    let content = |size| Content { size, ..Content::of(b"") };
    for (size, large) in [(u64::from(u32::MAX) - 1, false), (u64::from(u32::MAX), true)] {
        let mut builder = TreeBuilder::new();
        builder.insert(path("/a"), Entry::file(content(size), Mode::PLAIN)).unwrap();
        let table = files::FileTable::from_tree(&builder.finish().unwrap(), &package()).unwrap();
        assert_eq!((table.large, table.usage().large_files), (large, large), "{size}");
    }
}

#[test]
fn a_package_without_files_is_a_package() {
    let store = MemoryStore::new();
    let tree = TreeBuilder::new().finish().unwrap();
    for format in [RpmFormat::V4, RpmFormat::V6] {
        let package = Package { arch: "noarch".into(), format, ..package() };
        let source = Source::from_bytes(bytes(&store, &package, &tree));
        assert_eq!(Rpm::verify(&source).unwrap(), []);
        let unpacked = Rpm::read(&source).unwrap();
        assert_eq!((unpacked.model, &unpacked.tree), (package, &tree));
    }
}

#[test]
fn every_flipped_byte_is_noticed() {
    let store = MemoryStore::new();
    let tree = small_tree(&store);
    let good = bytes(&store, &package(), &tree);
    for at in 0..good.len() {
        // Most of the file is reserved zeros: every hundredth of those will do.
        if good[at] == 0 && (400..4400).contains(&at) && at % 100 != 0 {
            continue;
        }
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let verified = Rpm::verify(&Source::from_bytes(bad));
        assert!(verified.is_err() || verified.is_ok_and(|found| !found.is_empty()), "byte {at}");
    }
}

#[test]
fn a_truncated_or_extended_package_is_noticed() {
    let store = MemoryStore::new();
    let tree = small_tree(&store);
    let mut good = bytes(&store, &package(), &tree);
    for len in (0..good.len()).step_by(37).chain([good.len() - 1]) {
        assert!(Rpm::read(&Source::from_bytes(good[..len].to_vec())).is_err(), "{len} bytes");
    }
    good.push(0);
    assert!(Rpm::read(&Source::from_bytes(good)).is_err());
}

#[test]
fn a_lie_about_the_tree_is_a_problem() {
    let store = MemoryStore::new();
    let tree = small_tree(&store);
    let package = Package { tree_id: Some(full_tree(&store).id()), ..package() };
    let problems = Rpm::verify(&Source::from_bytes(bytes(&store, &package, &tree))).unwrap();
    let rules: Vec<_> = problems.iter().map(|problem| problem.rule).collect();
    assert_eq!(rules, ["rpm-tree-id"]);
}

#[test]
fn the_file_name_is_conventional() {
    assert_eq!(Rpm::file_name(&package()), "hello-1.0-1.x86_64.rpm");
}

/// A change of these bytes raises `REVISION`.
#[test]
fn the_bytes_of_a_small_package_are_pinned() {
    let store = MemoryStore::new();
    let package = Package { compression: Compression::NONE, ..package() };
    let bytes = bytes(&store, &package, &small_tree(&store));
    let digest = crate::digest::Digest::of(&bytes).to_string();
    assert_eq!(digest, "sha256:f7058b21be226c99c6c2994f9757a5115e4abb229761b55b55302cdab717f52d");
}

#[test]
fn refuses_what_an_rpm_cannot_carry() {
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: EPOCH };
    let with = |name: &str, entry: Entry| {
        let mut builder = TreeBuilder::new();
        builder.insert(path("/a"), Entry::file(Content::of(b""), Mode::PLAIN)).unwrap();
        builder.insert(path(name), entry).unwrap();
        Rpm::write(&package(), &builder.finish().unwrap(), &cx)
    };
    let mut attributed = Entry::directory();
    attributed.xattrs.insert("user.x".into(), vec![]);
    assert!(matches!(with("/x", attributed), Err(WriteError::Unsupported { .. })));
    let mut capable = Entry::directory();
    capable.xattrs.insert("security.capability".into(), vec![0; 20]);
    assert!(matches!(with("/x", capable), Err(WriteError::Unsupported { .. })));
    let node = Node::Device { kind: DeviceKind::Block, major: 259, minor: 0 };
    let device = with("/x", Entry::new(node, Mode::PLAIN));
    assert!(matches!(device, Err(WriteError::Limit { limit: 255, found: 259, .. })));
    let nameless = Entry { owner: Owner::new("", 5), ..Entry::directory() };
    assert!(matches!(with("/x", nameless), Err(WriteError::Unsupported { .. })));
    let long = vec!["x".repeat(255); 15].join("/") + "/" + &"y".repeat(254);
    let file = Entry::file(Content::of(b""), Mode::PLAIN);
    assert!(matches!(with(&long, file), Err(WriteError::Limit { limit: 4096, .. })));

    let mut builder = TreeBuilder::new();
    let ghost = Entry { mark: Mark::Ghost, ..Entry::file(Content::of(b""), Mode::PLAIN) };
    builder.insert(path("/a"), ghost).unwrap();
    builder.insert(path("/b"), Entry::new(Node::HardLink(path("/a")), Mode::PLAIN)).unwrap();
    let linked = Rpm::write(&package(), &builder.finish().unwrap(), &cx);
    assert!(matches!(linked, Err(WriteError::Unsupported { .. })));
}

#[test]
fn an_independent_reader_agrees() {
    let store = MemoryStore::new();
    let tree = full_tree(&store).filter(|path, _| path.relative_str().is_some()).unwrap();
    let package = full_package(&tree);
    let bytes = bytes(&store, &package, &tree);
    let parsed = ::rpm::Package::parse(&mut bytes.as_slice()).unwrap();
    parsed.verify_digests().unwrap();
    let metadata = &parsed.metadata;
    assert_eq!(metadata.get_name().unwrap(), "hello");
    assert_eq!(metadata.get_epoch().unwrap(), 2);
    assert_eq!(metadata.get_version().unwrap(), "1.0~rc1^git2");
    assert_eq!(metadata.get_release().unwrap(), "1");
    assert_eq!(metadata.get_arch().unwrap(), "x86_64");
    assert_eq!(metadata.get_summary().unwrap(), "says hello");
    assert_eq!(metadata.get_vendor().unwrap(), "Caf\u{e9}");
    assert_eq!(metadata.get_build_time().unwrap(), 1_700_000_000);
    assert!(!metadata.is_source_package());
    let provides = metadata.get_provides().unwrap();
    let provides: Vec<_> =
        provides.iter().map(|one| (one.name.as_str(), one.version.as_str())).collect();
    let evr = "2:1.0~rc1^git2-1";
    let own = [("config(hello)", evr), ("hello", evr), ("hello(x86-64)", evr)];
    assert_eq!(provides, [own.as_slice(), &[("hi", "3")]].concat());
    assert_eq!(metadata.get_pre_install_script().unwrap().script, "echo pre\n");

    let files = metadata.get_file_entries().unwrap();
    let found: Vec<_> = files.iter().map(|file| file.path().display().to_string()).collect();
    let expected = [
        "/dev/null",
        "/etc/hello.conf",
        "/etc/hello.rc",
        "/run/pipe",
        "/usr/bin-old",
        "/usr/bin/hello",
        "/usr/bin/hi",
        "/usr/bin/ping",
        "/usr/share/doc/hello",
        "/usr/share/doc/hello/README",
        "/usr/share/hello",
        "/usr/share/hello/empty",
        "/usr/share/hello/link",
        "/usr/share/licenses/hello",
        "/usr/share/licenses/hello/MIT",
        "/var/lib/hello",
        "/var/log/hello.log",
    ];
    assert_eq!(found, expected);
}

/// Everything but names that are not UTF-8, which version 6 refuses, and numbers of accounts, which
/// it does not hold.
pub(super) fn tree_for_version_6(store: &MemoryStore) -> FileTree {
    full_tree(store).filter(|path, _| path.relative_str().is_some()).unwrap()
}

#[test]
fn version_6_reads_as_it_was_written_and_an_independent_reader_agrees() {
    let store = MemoryStore::new();
    let tree = tree_for_version_6(&store);
    for compression in [Compression::NONE, Compression::ZSTD] {
        let package = Package { format: RpmFormat::V6, compression, ..full_package(&tree) };
        let bytes = bytes(&store, &package, &tree);
        let source = Source::from_bytes(bytes.clone());
        assert_eq!(Rpm::verify(&source).unwrap(), [], "{compression}");
        let unpacked = Rpm::read(&source).unwrap();
        assert_eq!(unpacked.model, package);
        assert_eq!(unpacked.tree.id(), tree.id());

        let parsed = ::rpm::Package::parse(&mut bytes.as_slice()).unwrap();
        parsed.verify_digests().unwrap();
        let files = parsed.metadata.get_file_entries().unwrap();
        assert!(files.iter().any(|file| file.path().ends_with("usr/bin/hello")));
        let requires = parsed.metadata.get_requires().unwrap();
        let requires: Vec<&str> = requires.iter().map(|one| one.name.as_str()).collect();
        for name in ["user(hello)", "group(www)", "rpmlib(LargeFiles)"] {
            assert!(requires.contains(&name), "{name} in {requires:?}");
        }
        assert!(!requires.contains(&"rpmlib(CompressedFileNames)"));
    }
}

#[test]
fn every_flipped_byte_of_version_6_is_noticed() {
    let store = MemoryStore::new();
    let tree = small_tree(&store);
    let package = Package { format: RpmFormat::V6, ..package() };
    let good = bytes(&store, &package, &tree);
    for at in (0..good.len()).step_by(3) {
        if good[at] == 0 && (400..4400).contains(&at) {
            continue;
        }
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let verified = Rpm::verify(&Source::from_bytes(bad));
        assert!(verified.is_err() || verified.is_ok_and(|found| !found.is_empty()), "byte {at}");
    }
}

#[test]
fn reads_what_another_writer_writes() {
    let configs = [::rpm::BuildConfig::v4(), ::rpm::BuildConfig::v6()];
    for (config, format) in configs.into_iter().zip([RpmFormat::V4, RpmFormat::V6]) {
        let mut builder = ::rpm::PackageBuilder::new("other", "1.0", "MIT", "x86_64", "a summary");
        builder.using_config(config).description("a description").epoch(3);
        builder.pre_install_script("echo pre");
        let when = (::rpm::DependencyFlags::GREATER, "1");
        builder.trigger_in("a", Some(when), "echo in");
        builder.requires(::rpm::Dependency::any("b"));
        let options = ::rpm::FileOptions::new("/etc/other.conf").user("svc");
        let options = options.config().noreplace().caps("cap_net_raw=ep").unwrap();
        builder.with_file_contents("a = 1\n", options).unwrap();
        let mut bytes = Vec::new();
        builder.build().unwrap().write(&mut bytes).unwrap();
        let source = Source::from_bytes(bytes);
        let problems = Rpm::verify(&source).unwrap();
        assert_eq!(problems, [], "{format:?}");
        let unpacked = Rpm::read(&source).unwrap();
        let Package { name, epoch, triggers, scripts, .. } = &unpacked.model;
        assert_eq!((name.as_str(), *epoch, unpacked.model.format), ("other", Some(3), format));
        assert_eq!(triggers.packages[0].on, ["a > 1".parse().unwrap()]);
        assert_eq!(scripts.pre.as_ref().unwrap().body, "echo pre");
        let entry = unpacked.tree.get(&path("/etc/other.conf")).unwrap();
        assert_eq!((entry.mark, &*entry.owner.name), (Mark::ConfigNoReplace, "svc"));
        assert_eq!(entry.xattrs.len(), 1);
    }
}

#[test]
fn version_6_refuses_names_that_are_not_utf_8() {
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: EPOCH };
    let package = Package { format: RpmFormat::V6, ..package() };
    let refused = Rpm::write(&package, &full_tree(&store), &cx);
    assert!(matches!(refused, Err(WriteError::Field { field, .. }) if field == "format"));
}

#[test]
fn accounts_of_sysusers_files_are_provided() {
    let store = MemoryStore::new();
    let mut builder = TreeBuilder::new();
    let text = b"# accounts\nu svc 970 \"svc service\" /var/lib/svc\n";
    store.put(text).unwrap();
    let file = Entry::file(Content::of(text), Mode::PLAIN);
    builder.insert(path("/usr/lib/sysusers.d/svc.conf"), file).unwrap();
    let mut state = Entry::new(Node::Directory, Mode::new(0o750).unwrap());
    state.owner = Owner::new("svc", 970);
    builder.insert(path("/var/lib/svc"), state).unwrap();
    let tree = builder.finish().unwrap();
    for format in [RpmFormat::V4, RpmFormat::V6] {
        let package = Package { format, ..package() };
        let bytes = bytes(&store, &package, &tree);
        let source = Source::from_bytes(bytes.clone());
        assert_eq!(Rpm::verify(&source).unwrap(), []);
        assert_eq!(Rpm::read(&source).unwrap().model, package);
        let parsed = ::rpm::Package::parse(&mut bytes.as_slice()).unwrap();
        let provides = parsed.metadata.get_provides().unwrap();
        let version = "dSBzdmMgOTcwICJzdmMgc2VydmljZSIgL3Zhci9saWIvc3Zj";
        let user = |one: &::rpm::Dependency| one.name == "user(svc)" && one.version == version;
        assert!(provides.iter().any(user));
        let names =
            |rows: Vec<::rpm::Dependency>| rows.into_iter().any(|one| one.name == "user(svc)");
        let required = names(parsed.metadata.get_requires().unwrap());
        let recommended = names(parsed.metadata.get_recommends().unwrap());
        assert_eq!((required, recommended), (format == RpmFormat::V6, format == RpmFormat::V4));
    }
}
