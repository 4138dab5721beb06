//! The laws of `Format` for both forms, what is refused, and images that lie.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::blob::{BlobStore, MemoryStore};
use crate::digest::Digest;
use crate::encode::{Encoder, NoCache};
use crate::format::Epoch;
use crate::input::ReadAt;
use crate::rope::Rope;
use crate::tree::{Content, Entry, Mark, Mode, Node, Owner, TreeBuilder, TreePath};
use crate::vm::DiskSize;
use crate::vm::erofs::{Erofs, Image};
use crate::vm::ext4::{FileSystemWriter, Identity, Volume};
use crate::vm::walk::{small_file, walk};

const EPOCH: Epoch = Epoch(1_704_067_200);
const MIB: usize = 1 << 20;

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn tree<'a>(entries: impl IntoIterator<Item = (&'a str, Entry)>) -> FileTree {
    let mut builder = TreeBuilder::new();
    for (name, entry) in entries {
        builder.insert(path(name), entry).unwrap();
    }
    builder.finish().unwrap()
}

fn file(store: &MemoryStore, bytes: &[u8]) -> Entry {
    store.put(bytes).unwrap();
    Entry::file(Content::of(bytes), Mode::PLAIN)
}

fn payload(store: &MemoryStore) -> FileTree {
    let mut program = file(store, b"#!/bin/sh\necho hello\n");
    program.mode = Mode::new(0o4755).unwrap();
    program.group = Owner::new("svc", 990);
    let mut ghost = file(store, b"");
    ghost.mark = Mark::Ghost;
    tree([
        ("/usr/bin/hello", program),
        ("/usr/bin/same", Entry::new(Node::HardLink(path("/usr/bin/hello")), Mode::PLAIN)),
        ("/usr/bin/link", Entry::symlink("hello")),
        ("/usr/share/hello/data", file(store, &b"data ".repeat(2000))),
        ("/usr/share/hello/empty", Entry::directory()),
        ("/opt/hello/readme", file(store, b"read me")),
        ("/var/log/hello.log", ghost),
    ])
}

fn additions(store: &MemoryStore) -> FileTree {
    tree([
        ("/usr/lib/sysusers.d/hello.conf", file(store, b"u svc 990\n")),
        ("/usr/lib/systemd/system/hello.service", file(store, b"[Service]\n")),
        ("/usr/lib/systemd/system/x.wants/hello.service", Entry::symlink("../hello.service")),
        ("/usr/share/hello/more", file(store, b"more")),
        ("/usr/share/other", Entry::directory()),
    ])
}

/// An extension in either form, with and without what is optional.
fn models(store: &MemoryStore) -> [Extension; 3] {
    let plain = Extension::new("hello", "1.0");
    let release = Release {
        id: "debian".into(),
        version_id: Some("12".into()),
        sysext_level: Some("1".into()),
        architecture: Some("x86-64".into()),
        ..Release::default()
    };
    let full = Extension {
        name: "hello-extension-with-a-long.name".into(),
        release,
        additions: additions(store),
        tree_id: Some(payload(store).id()),
        ..plain.clone()
    };
    let protected = Extension { protection: Protection::Verity, ..full.clone() };
    [plain, full, protected]
}

fn write(store: &MemoryStore, model: &Extension, tree: &FileTree) -> Result<Rope, WriteError> {
    let encoder = Encoder::new(store, &NoCache, 1);
    let cx = WriteCx { blobs: store, encoder: &encoder, epoch: EPOCH };
    Sysext::write(model, tree, &cx).map(|mut artifact| artifact.files.remove(0).rope)
}

fn bytes(store: &MemoryStore, model: &Extension) -> Vec<u8> {
    write(store, model, &payload(store)).unwrap().to_vec(store).unwrap()
}

#[test]
fn reading_undoes_writing() {
    let store = MemoryStore::new();
    for model in models(&store) {
        let source = Source::from_bytes(bytes(&store, &model));
        let unpacked = Sysext::read(&source).unwrap();
        assert_eq!(unpacked.model, model);
        assert_eq!(unpacked.declared, model.tree_id);
        let tree = payload(&store).filter(|_, entry| entry.mark != Mark::Ghost).unwrap();
        assert_eq!(unpacked.tree.id(), tree.id());
        assert_eq!(Sysext::verify(&source).unwrap(), []);
        assert_eq!(Sysext::file_name(&model), format!("{}.raw", model.name));
        assert_eq!(bytes(&store, &model), bytes(&store, &model));
    }
}

#[test]
fn directories_that_both_have_are_the_trees() {
    let store = MemoryStore::new();
    let mut private = Entry::directory();
    private.mode = Mode::new(0o750).unwrap();
    let tree =
        tree([("/usr/lib/both", private.clone()), ("/usr/lib/led-to/file", file(&store, b"x"))]);
    let additions = self::tree([
        ("/usr/lib/both", private.clone()),
        ("/usr/lib/both/more", file(&store, b"y")),
        ("/usr/lib/led-to", private),
    ]);
    let model = Extension { additions, ..Extension::new("hello", "1.0") };
    let image = write(&store, &model, &tree).unwrap().to_vec(&store).unwrap();
    let unpacked = Sysext::read(&Source::from_bytes(image)).unwrap();
    assert_eq!(unpacked.tree.id(), tree.id());
    let found: Vec<String> = unpacked
        .model
        .additions
        .iter()
        .filter(|(_, entry)| !entry.implied)
        .map(|(path, entry)| format!("{path} {}", entry.mode))
        .collect();
    assert_eq!(found, ["/usr/lib/both/more 0644", "/usr/lib/led-to 0750"]);
}

/// systemd-sysext merges these.
#[test]
fn bytes_are_pinned() {
    let store = MemoryStore::new();
    let found = models(&store).map(|model| Digest::of(&bytes(&store, &model)).hex());
    let expected = [
        "80642e14fae9791c8d85e9176f4a33851d96ac3df21899f9859b8a1ea720e247",
        "09e19144b5b23f8bc393d099d95ef398172f68606fc9db5d229c42e1ba0c7a84",
        "959530f20d98e7c5531d022a424b4a0cf607ecd779ab5e40d19ed35922187fd0",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_release_stands_where_systemd_looks_for_it() {
    let store = MemoryStore::new();
    let model = &models(&store)[1];
    let image = Image::open(Arc::new(bytes(&store, model))).unwrap();
    let place = format!("/usr/lib/extension-release.d/extension-release.{}", model.name);
    let text = small_file(&image, &path(&place), 1000).unwrap().unwrap();
    let expected = "ID=debian\nVERSION_ID=12\nSYSEXT_LEVEL=1\nARCHITECTURE=x86-64\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn a_configuration_extension_is_merged_into_etc_alone() {
    let store = MemoryStore::new();
    let release =
        Release { sysext_level: Some("2".into()), reload: Reload::Manager, ..Release::default() };
    let scope = Scope::Configuration;
    let model = Extension { scope, release, ..Extension::new("hello-config", "7") };
    let mut private = file(&store, b"a = 1\n");
    private.mode = Mode::new(0o640).unwrap();
    private.group = Owner::new("svc", 990);
    let tree = tree([("/etc/hello/hello.conf", private)]);
    let source = Source::from_bytes(write(&store, &model, &tree).unwrap().to_vec(&store).unwrap());
    let unpacked = Sysext::read(&source).unwrap();
    assert_eq!((&unpacked.model, unpacked.tree.id()), (&model, tree.id()));
    assert_eq!(Sysext::verify(&source).unwrap(), []);
    let image = Image::open(source.file().unwrap().clone()).unwrap();
    let place = path("/etc/extension-release.d/extension-release.hello-config");
    let text = small_file(&image, &place, 1000).unwrap().unwrap();
    let expected = "ID=_any\nCONFEXT_LEVEL=2\nEXTENSION_RELOAD_MANAGER=1\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
    let outside = self::tree([("/usr/share/hello", file(&store, b"x"))]);
    let error = write(&store, &model, &outside).unwrap_err().to_string();
    assert!(error.contains("only /etc is merged"), "{error}");
}

#[test]
fn every_byte_that_verity_covers_counts() {
    let store = MemoryStore::new();
    let [_, _, model] = models(&store);
    let good = bytes(&store, &model);
    let file: Arc<dyn ReadAt> = Arc::new(good.clone());
    let data = container::Container::open(&file).unwrap().data;
    let end = MIB + usize::try_from(data.len()).unwrap();
    for at in (MIB..end).step_by(1009) {
        let mut changed = good.clone();
        changed[at] ^= 4;
        let found = Sysext::verify(&Source::from_bytes(changed));
        assert!(found.map_or(true, |problems| !problems.is_empty()), "{at}");
    }
    for end in (0..good.len()).step_by(60_007) {
        let source = Source::from_bytes(good[..end].to_vec());
        assert!(Sysext::verify(&source).map_or(true, |problems| !problems.is_empty()), "{end}");
    }
}

#[test]
fn refuses_what_is_not_merged_and_says_where_it_goes() {
    let store = MemoryStore::new();
    let plain = || file(&store, b"x");
    let release = "/usr/lib/extension-release.d/extension-release.hello";
    let cases = [
        ("/etc/hello.conf", "confext"),
        ("/etc", "confext"),
        ("/var/lib/hello/x", "StateDirectory="),
        ("/lib/x", "in /usr"),
        ("/usrlocal", "put it there"),
        ("/.bake/x", "reserved"),
        (release, "reserved"),
    ];
    for (name, hint) in cases {
        let entry = if name == "/etc" { Entry::directory() } else { plain() };
        let model = Extension::new("hello", "1.0");
        let one = tree([(name, entry)]);
        let with = Extension { additions: one.clone(), ..model.clone() };
        for (model, tree) in [(model, one), (with, FileTree::default())] {
            let error = write(&store, &model, &tree).unwrap_err();
            assert!(matches!(error, WriteError::Unsupported { .. }), "{name}: {error}");
            assert!(error.to_string().contains(hint), "{name}: {error}");
        }
    }
    let twice = Extension { additions: tree([("/usr/a", plain())]), ..Extension::new("a", "1") };
    let error = write(&store, &twice, &tree([("/usr/a", file(&store, b"y"))])).unwrap_err();
    assert!(matches!(error, WriteError::Tree(_)), "{error}");
}

#[test]
fn refuses_models_that_are_not_one() {
    type Change = fn(&mut Extension);
    let store = MemoryStore::new();
    let cases: [(&str, Change); 9] = [
        ("name", |model| model.name.clear()),
        ("name", |model| model.name = "a/b".into()),
        ("name", |model| model.name = ".hidden".into()),
        ("name", |model| model.name = "x".repeat(129)),
        ("version", |model| model.version.clear()),
        ("ID", |model| model.release.id = "a b".into()),
        ("VERSION_ID", |model| model.release.version_id = Some("1\n".into())),
        ("architecture", |model| model.protection = Protection::Verity),
        ("tree_id", |model| model.tree_id = Some(FileTree::default().id())),
    ];
    for (name, change) in cases {
        let mut model = Extension::new("hello", "1.0");
        change(&mut model);
        let error = write(&store, &model, &payload(&store)).unwrap_err();
        let WriteError::Field { field, .. } = &error else { panic!("{error}") };
        assert_eq!(field, name, "{error}");
    }
}

/// Returns the image of another extension's entries with a record that was changed.
fn forged(store: &MemoryStore, change: impl Fn(&str) -> String, more: &[(&str, Entry)]) -> Source {
    let [_, model, _] = models(store);
    let image = Image::open(Arc::new(bytes(store, &model))).unwrap();
    let place = path("/.bake/tree.json");
    let record = small_file(&image, &place, 1 << 20).unwrap().unwrap();
    let record = change(&String::from_utf8(record).unwrap()).into_bytes();
    let whole = walk(
        &image,
        &|user, group| {
            let name = |id| Owner::new(if id == 0 { "root" } else { "svc" }, id);
            (name(user), name(group))
        },
        &|_| true,
    );
    let whole = whole.unwrap().filter(|path, _| *path != place).unwrap();
    let mut builder = TreeBuilder::from(whole);
    builder.insert(place, file(store, &record)).unwrap();
    for (name, entry) in more {
        builder.insert(path(name), entry.clone()).unwrap();
    }
    store.put(model.release.text(model.scope).as_bytes()).unwrap();
    let volume = Volume {
        format: "test",
        size: DiskSize::Minimal,
        identity: Identity { uuid: [1; 16], hash_seed: [0; 16] },
        label: None,
        epoch: EPOCH,
        inline: BTreeMap::new(),
    };
    let rope = Erofs.write(&builder.finish().unwrap(), &volume).unwrap();
    Source::from_bytes(rope.to_vec(store).unwrap())
}

#[test]
fn refuses_records_that_hide_something() {
    type Change = fn(&str) -> String;
    type More<'a> = &'a [(&'a str, Entry)];
    let store = MemoryStore::new();
    let same: Change = str::to_owned;
    let hidden = [("/.bake/hidden", file(&store, b"x"))];
    let link = Entry::new(Node::HardLink(path("/usr/share/hello/more")), Mode::PLAIN);
    let linked = [("/usr/share/hello/of-the-tree", link)];
    let cases: [(&str, Change, More<'_>); 8] = [
        ("not what an extension has there", same, &hidden),
        ("a name of a file of the tree", same, &linked),
        ("canonical", |text| format!("{text} "), &[]),
        ("schema 1", |text| text.replace(r#""schema":1"#, r#""schema":2"#), &[]),
        ("expected what an extension has", |text| text.replace("debian", "fedora"), &[]),
        ("in order", |text| text.replace(r#""/usr/share/other""#, r#""/usr/a""#), &[]),
        ("not there", |text| text.replace(r#""/usr/share/other""#, r#""/usr/share/x""#), &[]),
        (
            "only leads somewhere",
            |text| text.replace(r#""/usr/lib","#, r#""/usr/bin/hello","#),
            &[],
        ),
    ];
    for (reason, change, more) in cases {
        let source = forged(&store, change, more);
        let error = Sysext::read(&source).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
    let source = forged(&store, same, &[]);
    Sysext::read(&source).unwrap();
    let found: Vec<_> =
        Sysext::verify(&source).unwrap().into_iter().map(|problem| problem.rule).collect();
    assert_eq!(found, ["sysext-uuid"]);
}
