mod handmade;
mod laws;
mod outside;

use super::*;
use crate::archive::ar::{ArReader, ArWriter};
use crate::archive::tar::TarReader;
use crate::blob::{BlobStore, MemoryStore};
use crate::digest::Digest;
use crate::encode::{Compression, Encoder, NoCache};
use crate::format::Epoch;
use crate::rope::Rope;
use crate::tree::{Content, Entry, Mark, Mode, Node, Owner, TreeBuilder, TreePath};

const EPOCH: Epoch = Epoch(1_700_000_000);

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

/// A tree with what a package can carry.
fn sample_tree(store: &MemoryStore) -> FileTree {
    let file = |bytes: &[u8], mode| {
        store.put(bytes).unwrap();
        Entry::file(Content::of(bytes), mode)
    };
    let mut builder = TreeBuilder::new();
    let mut add = |name: &str, entry: Entry| builder.insert(path(name), entry).unwrap();
    add("/usr/bin/hello", file(&[b'x'; 1500], Mode::EXECUTABLE));
    add("/usr/bin/hallo", Entry::symlink("hello"));
    add("/usr/bin/hi", Entry::new(Node::HardLink(path("/usr/bin/hello")), Mode::PLAIN));
    add("/usr/share/doc/hello/copyright", file(b"Copyright\n", Mode::PLAIN));
    add(&format!("/usr/share/{}", "n".repeat(200)), file(b"", Mode::PLAIN));
    let mut config = file(b"greeting = hello\n", Mode::new(0o640).unwrap());
    config.mark = Mark::Config;
    config.group = Owner::new("adm", 4);
    add("/etc/hello/hello.conf", config);
    let mut directory = Entry::directory();
    directory.mark = Mark::Config;
    add("/etc/hello", directory);
    let mut state = Entry::directory();
    state.owner = Owner::new("daemon", 1);
    add("/var/lib/hello", state);
    let mut ghost = file(b"log", Mode::PLAIN);
    ghost.mark = Mark::Ghost;
    add("/var/log/hello/log", ghost);
    builder.finish().unwrap()
}

fn sample_model(tree: &FileTree) -> Package {
    let mut model = Package::new("hello", "1:2.10-3~rc1".parse().unwrap(), "amd64");
    model.source = Some("hello-src (2.10)".into());
    model.maintainer = "Ärger Team <team@example.org>".into();
    model.section = Some("net".into());
    model.priority = Some("optional".into());
    model.multi_arch = Some(MultiArch::Foreign);
    model.homepage = Some("https://example.org/hello".into());
    model.synopsis = "greets whoever asks".into();
    model.description = "It greets.\n\n * verbatim\nÜmlaut.".into();
    let relations = [
        (RelationField::Provides, "greeter (= 2)"),
        (RelationField::Depends, "libc6 (>= 2.31), bash | dash:any"),
        (RelationField::Breaks, "hello-old (<< 2)"),
    ];
    for (field, text) in relations {
        model.relations.insert(field, text.parse().unwrap());
    }
    for (name, value) in [("Zulu", "last"), ("Essential", "no"), ("Tag", "a::b,\nc::d")] {
        model.fields.insert(name.into(), value.into());
    }
    let files = [
        (ControlFile::Postinst, "#!/bin/sh\nset -e\n"),
        (ControlFile::Prerm, "#! /bin/sh\nset -e\n"),
        (ControlFile::Triggers, "activate-noawait ldconfig\n"),
    ];
    model.control_files.extend(files.map(|(file, text)| (file, text.into())));
    model.removed_conffiles.insert("/etc/hello/old.conf".into());
    model.compression = Compression::NONE;
    model.tree_id = Some(tree.id());
    model
}

/// The smallest package that is valid.
fn small_model() -> Package {
    let mut model = Package::new("hello", "1.0".parse().unwrap(), "all");
    model.maintainer = "A <a@example.org>".into();
    model.synopsis = "greets".into();
    model.compression = Compression::NONE;
    model
}

fn try_write(model: &Package, tree: &FileTree, store: &MemoryStore) -> Result<Vec<u8>, WriteError> {
    let encoder = Encoder::new(store, &NoCache, 1);
    let cx = WriteCx { blobs: store, encoder: &encoder, epoch: EPOCH };
    let artifact = Deb::write(model, tree, &cx)?;
    assert!(!artifact.is_folder());
    Ok(artifact.files[0].rope.to_vec(store).unwrap())
}

fn sample() -> (MemoryStore, FileTree, Package, Vec<u8>) {
    let store = MemoryStore::new();
    let tree = sample_tree(&store);
    let model = sample_model(&tree);
    let bytes = try_write(&model, &tree, &store).unwrap();
    (store, tree, model, bytes)
}

fn rules(bytes: &[u8]) -> Vec<&'static str> {
    let problems = Deb::verify(&Source::from_bytes(bytes.to_vec())).unwrap();
    problems.iter().map(|problem| problem.rule).collect()
}

#[test]
fn reading_undoes_writing() {
    let (store, tree, model, _) = sample();
    let all = [Compression::NONE, Compression::GZIP, Compression::XZ, Compression::ZSTD];
    for compression in all {
        let model = Package { compression, ..model.clone() };
        let bytes = try_write(&model, &tree, &store).unwrap();
        let source = Source::from_bytes(bytes);
        let back = Deb::read(&source).unwrap();
        assert_eq!(back.model, model);
        assert_eq!(back.tree.id(), tree.id());
        assert_eq!(back.declared, Some(tree.id()));
        let config = back.tree.get(&path("/etc/hello/hello.conf")).unwrap();
        assert_eq!(config.mark, Mark::Config);
        assert_eq!(back.tree.get(&path("/var/log/hello")), None);
        assert_eq!(Deb::verify(&source).unwrap(), []);
    }
    let empty = TreeBuilder::new().finish().unwrap();
    let bytes = try_write(&small_model(), &empty, &store).unwrap();
    let back = Deb::read(&Source::from_bytes(bytes.clone())).unwrap();
    assert_eq!((back.model, back.tree.id()), (small_model(), empty.id()));
    assert_eq!(rules(&bytes), [""; 0]);
}

#[test]
fn bytes_do_not_move() {
    let (store, tree, model, bytes) = sample();
    assert_eq!(try_write(&model, &tree, &store).unwrap(), bytes);
    assert_eq!(
        Digest::of(&bytes).hex(),
        "815dda26f3200ebd1d27f6c8ef40bf372d27426b8ef0365cdd342a519706d396"
    );
}

/// Returns the contents of a control file.
fn control_file(bytes: &[u8], name: &str) -> String {
    let mut archive = ArReader::new(std::sync::Arc::new(bytes.to_vec())).unwrap();
    archive.next_member().unwrap();
    let member = archive.next_member().unwrap().unwrap();
    let mut control = TarReader::new(archive.open(&member), "control.tar");
    while let Some(member) = control.next_member().unwrap() {
        if member.path == path(name) {
            return String::from_utf8(control.contents_to_vec(10_000).unwrap()).unwrap();
        }
    }
    panic!("no {name}")
}

#[test]
fn control_files_follow_from_model_and_tree() {
    let (_, tree, _, bytes) = sample();
    let id = tree.id();
    let expected = format!(
        "Package: hello\n\
        Source: hello-src (2.10)\n\
        Version: 1:2.10-3~rc1\n\
        Architecture: amd64\n\
        Essential: no\n\
        Maintainer: Ärger Team <team@example.org>\n\
        Installed-Size: 16\n\
        Depends: libc6 (>= 2.31), bash | dash:any\n\
        Breaks: hello-old (<< 2)\n\
        Provides: greeter (= 2)\n\
        Section: net\n\
        Priority: optional\n\
        Multi-Arch: foreign\n\
        Homepage: https://example.org/hello\n\
        Description: greets whoever asks\n \
        It greets.\n \
        .\n  \
        * verbatim\n \
        Ümlaut.\n\
        Tag: a::b,\n \
        c::d\n\
        Bake-Tree: {id}\n\
        Zulu: last\n"
    );
    assert_eq!(control_file(&bytes, "control"), expected);
    let conffiles = "/etc/hello/hello.conf\nremove-on-upgrade /etc/hello/old.conf\n";
    assert_eq!(control_file(&bytes, "conffiles"), conffiles);
    let long = "n".repeat(200);
    let x1500 = crate::digest::hex(&Content::of(&[b'x'; 1500]).md5);
    let copyright = crate::digest::hex(&Content::of(b"Copyright\n").md5);
    let expected = format!(
        "{x1500}  usr/bin/hello\n\
        {x1500}  usr/bin/hi\n\
        {copyright}  usr/share/doc/hello/copyright\n\
        d41d8cd98f00b204e9800998ecf8427e  usr/share/{long}\n"
    );
    assert_eq!(control_file(&bytes, "md5sums"), expected);
}

#[test]
fn file_names_leave_out_the_epoch() {
    let (_, _, model, _) = sample();
    assert_eq!(Deb::file_name(&model), "hello_2.10-3~rc1_amd64.deb");
}

#[test]
fn every_part_of_the_model_is_in_its_key() {
    let (_, _, model, _) = sample();
    let key = serde_json::to_string(&model).unwrap();
    for part in ["1:2.10-3~rc1", "bash | dash:any", "Postinst", "old.conf", "none", "Zulu"] {
        assert!(key.contains(part), "{part}: {key}");
    }
}

#[test]
fn every_flipped_bit_of_the_files_is_noticed() {
    let (_, _, _, bytes) = sample();
    let data = position(&bytes, b"data.tar  ") + 60;
    let source = |bytes| Source::from_bytes(bytes);
    for index in (data..bytes.len()).step_by(5) {
        let mut damaged = bytes.clone();
        damaged[index] ^= 1 << (index % 8);
        let result = Deb::verify(&source(damaged.clone()));
        let is_same =
            || Deb::read(&source(damaged)).unwrap() == Deb::read(&source(bytes.clone())).unwrap();
        assert!(
            !matches!(&result, Ok(problems) if problems.is_empty()) || is_same(),
            "byte {index}"
        );
    }
}

#[test]
fn every_flipped_bit_of_compressed_members_is_noticed() {
    let (store, tree, model, _) = sample();
    let bytes =
        try_write(&Package { compression: Compression::XZ, ..model }, &tree, &store).unwrap();
    let control = position(&bytes, b"control.tar.xz  ") + 60;
    let data = position(&bytes, b"data.tar.xz ");
    for index in (control..data).chain(data + 60..bytes.len()) {
        let mut damaged = bytes.clone();
        damaged[index] ^= 1 << (index % 8);
        let problems = Deb::verify(&Source::from_bytes(damaged));
        assert!(!matches!(&problems, Ok(problems) if problems.is_empty()), "byte {index}");
    }
}

fn position(bytes: &[u8], pattern: &[u8]) -> usize {
    bytes.windows(pattern.len()).position(|window| window == pattern).unwrap()
}

#[test]
fn every_truncation_is_an_error() {
    let (_, _, _, bytes) = sample();
    for len in 0..bytes.len() {
        assert!(Deb::verify(&Source::from_bytes(bytes[..len].to_vec())).is_err(), "cut to {len}");
    }
}

/// Changes to the smallest package, each with the field that it spoils.
struct Spoiled(Vec<(&'static str, Package)>);

impl Spoiled {
    fn by(&mut self, field: &'static str, change: impl FnOnce(&mut Package)) {
        let mut model = small_model();
        change(&mut model);
        self.0.push((field, model));
    }

    fn relation(&mut self, field: RelationField, text: &str) {
        let relations = text.parse().unwrap();
        self.by(field.name(), |model| model.relations = [(field, relations)].into());
    }

    fn other(&mut self, name: &'static str, value: &str) {
        self.by(name, |model| model.fields = [(name.into(), value.into())].into());
    }

    fn file(&mut self, file: ControlFile, text: &str) {
        self.by(file.name(), |model| model.control_files = [(file, text.into())].into());
    }
}

fn spoiled_control_fields() -> Spoiled {
    let mut all = Spoiled(Vec::new());
    for name in ["", "a", "Foo", "foo_x", "-foo", "foo bar", "foo\nEssential: yes"] {
        all.by("Package", |model| model.name = name.into());
    }
    for architecture in ["", "any", "source", "AMD64", "x86_64", "amd64 i386"] {
        all.by("Architecture", |model| model.architecture = architecture.into());
    }
    for maintainer in ["", "A", "a@b.c", "A <a>", "A <a@b", "<a@b>", "A <a@b>\nX: y", "A <@b>"] {
        all.by("Maintainer", |model| model.maintainer = maintainer.into());
    }
    for synopsis in ["", "a\nb", " a", "a\u{7}"] {
        all.by("Description", |model| model.synopsis = synopsis.into());
    }
    for text in ["trailing \nspace", ".foo", "a\rb"] {
        all.by("Description", |model| model.description = text.into());
    }
    for section in ["", "a b", "a/b/c", "/a"] {
        all.by("Section", |model| model.section = Some(section.into()));
    }
    all.by("Priority", |model| model.priority = Some("high".into()));
    for homepage in ["", "example.org", "https://", "https://a b", "https://a\nb"] {
        all.by("Homepage", |model| model.homepage = Some(homepage.into()));
    }
    for source in ["", "A", "foo ()", "foo (v1)", "foo (1", "foo bar"] {
        all.by("Source", |model| model.source = Some(source.into()));
    }
    all
}

#[test]
fn rejects_fields_that_dpkg_or_policy_reject() {
    let store = MemoryStore::new();
    let tree = TreeBuilder::new().finish().unwrap();
    let mut all = spoiled_control_fields();
    all.relation(RelationField::Provides, "foo (>= 1)");
    all.relation(RelationField::Provides, "foo | bar");
    all.relation(RelationField::Conflicts, "foo | bar");
    all.other("version", "2");
    all.other("Depends", "foo");
    all.other("bake-tree", "x");
    all.other("Essential", "maybe");
    all.other("bake-documents", "/usr/share/doc/hello/copyright");
    all.other("Bake-Capabilities", "/a cap_kill=ep");
    all.other("Bugs", "bugs");
    for sources in ["a1", "a1 (>= 1)", "a1 (= 1) | b1 (= 1)", "a1 (= v)"] {
        all.other("Built-Using", sources);
        all.other("Static-Built-Using", sources);
    }
    all.other("X Y", "1");
    all.other("X:", "1");
    all.other("X", "");
    all.other("X", "a\n\nb");
    all.file(ControlFile::Postinst, "echo no interpreter\n");
    all.file(ControlFile::Preinst, "#! sh\n");
    all.file(ControlFile::Triggers, "");
    all.file(ControlFile::Triggers, "interest\n");
    for path in ["etc/x", "/etc//x", "/etc/../x", "/", "/etc/x\n/y", "/etc/x "] {
        all.by("conffiles", |model| model.removed_conffiles = [path.into()].into());
    }
    all.by("Bake-Tree", |model| model.tree_id = Some(sample_tree(&store).id()));
    for (field, model) in all.0 {
        match try_write(&model, &tree, &store) {
            Err(WriteError::Field { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{field}: {other:?} of {model:?}"),
        }
    }
}

#[test]
fn refuses_entries_that_a_package_cannot_carry() {
    let store = MemoryStore::new();
    let file = |mark| Entry { mark, ..Entry::file(Content::of(b""), Mode::PLAIN) };
    let link = |mark| Entry { mark, ..Entry::new(Node::HardLink(path("/a")), Mode::PLAIN) };
    let mut caps = file(Mark::Plain);
    caps.xattrs.insert("security.capability".into(), vec![1]);
    let plain = || file(Mark::Plain);
    let config = || file(Mark::Config);
    let cases = [
        ("the extended attribute", vec![("/a", caps)]),
        ("the line feed", vec![("/a\nb", plain())]),
        ("a hard link", vec![("/a", config()), ("/b", link(Mark::Plain))]),
        ("a hard link", vec![("/a", plain()), ("/b", link(Mark::Config))]),
        ("the name", vec![("/a ", config())]),
    ];
    for (expected, entries) in cases {
        let mut builder = TreeBuilder::new();
        for (name, entry) in entries {
            builder.insert(path(name), entry).unwrap();
        }
        match try_write(&small_model(), &builder.finish().unwrap(), &store) {
            Err(WriteError::Unsupported { what, .. }) => assert!(what.starts_with(expected)),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let content = Content { size: 10_000_000_000, ..Content::of(b"") };
    let mut builder = TreeBuilder::new();
    builder.insert(path("/big"), Entry::file(content, Mode::PLAIN)).unwrap();
    let big = Rope::from(crate::blob::Blob { digest: content.digest, size: content.size });
    let mut archive = ArWriter::new("deb", EPOCH);
    assert!(matches!(archive.append("data.tar", &big), Err(WriteError::Limit { .. })));
}
