use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bake_formats::blob::{BlobSource, BlobStore, MemoryStore};
use bake_formats::digest::Digest;
use bake_formats::encode::{Codec, Compression, Encoder, NoCache};
use bake_formats::oci::descriptor::media_type;
use bake_formats::oci::{Base, Descriptor};
use bake_formats::rope::Rope;
use bake_formats::tree::{Entry, FileTree, Mode, Node, Owner, TreeBuilder, TreePath};
use bake_recipes::lock::Lock;
use bake_recipes::resolved::BaseSource;

use super::*;
use crate::assemble::{Contents, EntryPlaces, SourceFiles};
use crate::base::{BaseError, Bases, Document, Found, ImageSource, Images, Rules};
use crate::error::Error;
use crate::report::Silent;
use crate::store::Store;
use crate::survey::Limits;
use crate::survey::handmade::{Handmade, Member, dir, file, hard_link, link, program, tar};

/// The blobs of an image, and how often one was read.
struct Fake(BTreeMap<Digest, Vec<u8>>, AtomicUsize);

impl Images for Fake {
    fn open(&self, _source: &BaseSource) -> Result<Box<dyn ImageSource + '_>, BaseError> {
        Ok(Box::new(FakeSource(self)))
    }
}

struct FakeSource<'a>(&'a Fake);

impl ImageSource for FakeSource<'_> {
    fn look(&self) -> Result<Option<Descriptor>, BaseError> {
        Ok(None)
    }

    fn root(&self) -> Result<Document, BaseError> {
        Err(BaseError::new("fake", "it is known already"))
    }

    fn by_digest(&self, _digest: &Digest) -> Result<Document, BaseError> {
        self.root()
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, BaseError> {
        self.0.1.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(self.0.0[&descriptor.digest].as_slice()))
    }

    fn is_remote(&self) -> bool {
        false
    }
}

/// Imports an image; returns also how many layers were read for it.
fn import_image(
    store: &Store,
    image: &Handmade,
    limits: Limits,
) -> (Result<Imported, Error>, usize) {
    let fake = Fake(image.blobs.clone(), AtomicUsize::new(0));
    let source = BaseSource::Local { path: "image".into(), name: None };
    let documents = Arc::new(image.documents.clone());
    let base = Base::new(None, documents.descriptor(), documents);
    let bases = Bases::new(&fake, store, Rules::READ_ONLY, Lock::default());
    let imported = import::oci(&bases, &Found { source, base }, limits);
    (imported, fake.1.into_inner())
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    (folder, store)
}

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn read(imported: &Imported, store: &Store, at: &str) -> String {
    let contents = Contents { sources: &imported.sources, store, reporter: &Silent };
    let content = imported.tree.content(&path(at)).unwrap();
    let mut text = String::new();
    contents.open(&content.digest, 0).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Returns the whole chain of an error.
fn message(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Returns an entry with owners that a tar archive knows by number only.
fn owned(entry: Entry, user: u32, group: u32) -> Entry {
    let number = |id: u32| Owner::new("somebody", id);
    Entry { owner: number(user), group: number(group), ..entry }
}

const PASSWD: &[u8] =
    b"root:x:0:0::/root:/bin/sh\nweb:x:33:33::/:/bin/sh\nweb:x:34:34::/:/bin/sh\n";

#[test]
fn an_image_is_the_tree_of_its_layers_with_its_own_names() {
    let capable = Entry {
        xattrs: BTreeMap::from([("security.capability".to_owned(), vec![1, 0, 0, 2])]),
        ..Entry::new(Node::Fifo, Mode::PLAIN)
    };
    let lower: &[Member<'_>] = &[
        file("etc/passwd", PASSWD),
        file("etc/group", b"root:x:0:\nweb:x:33:\n"),
        file("a", b"shared"),
        dir("gone"),
        file("gone/x", b"1"),
        Member::Entry("mine", owned(Entry::directory(), 33, 33)),
        Member::Entry("other", owned(Entry::directory(), 34, 1000)),
    ];
    let upper: &[Member<'_>] = &[
        hard_link("b", "a"),
        file("gone/.wh..wh..opq", b""),
        file("gone/y", b"22"),
        Member::Entry("pipe", capable.clone()),
        file("empty", b""),
    ];
    let image = Handmade::of(&[lower, upper]);
    let (_folder, store) = store();
    let (imported, layers) = import_image(&store, &image, Limits::default());
    let imported = imported.unwrap();
    assert_eq!(layers, 2);
    let tree = &imported.tree;
    assert_eq!(tree.get(&path("b")).unwrap().node, Node::HardLink(path("a")));
    assert_eq!(
        (read(&imported, &store, "b"), read(&imported, &store, "gone/y")),
        ("shared".into(), "22".into())
    );
    assert_eq!(read(&imported, &store, "empty"), "");
    assert!(tree.get(&path("gone/x")).is_none());
    assert_eq!(tree.get(&path("pipe")).unwrap().xattrs, capable.xattrs);
    let owners = |at: &str| {
        let entry = tree.get(&path(at)).unwrap();
        (entry.owner.clone(), entry.group.clone())
    };
    assert_eq!(owners("mine"), (Owner::new("web", 33), Owner::new("web", 33)));
    // The name means another number, and the group has none.
    assert_eq!(owners("other"), (Owner::new("34", 34), Owner::new("1000", 1000)));

    let (again, layers) = import_image(&store, &image, Limits::default());
    assert_eq!((&again.unwrap().tree, layers), (tree, 0));
}

#[test]
fn a_layer_that_is_not_what_the_image_says_is_refused_and_a_damaged_one_brought_again() {
    let raw = tar(&[file("a", b"one")]);
    let mut packed = gzip(&raw);
    let image = |bytes: &[u8], id: &[u8]| {
        Handmade::packed(
            vec![bytes.to_vec()],
            vec![Digest::of(id)],
            &format!("{}+gzip", media_type::LAYER),
        )
    };
    let (_folder, store) = store();
    let (error, _) = import_image(&store, &image(&packed, b"other"), Limits::default());
    let error = message(&error.unwrap_err());
    assert!(
        error.contains("layer 0 (sha256:") && error.contains("DiffID: expected sha256:"),
        "{error}"
    );
    let small = Limits { raw: 1000, ..Limits::default() };
    let (error, _) = import_image(&store, &image(&packed, &raw), small);
    let error = message(&error.unwrap_err());
    assert!(error.contains("there are more than 1000 bytes"), "{error}");

    let good = image(&packed, &raw);
    let (imported, _) = import_image(&store, &good, Limits::default());
    let imported = imported.unwrap();
    let blob = |bytes: &[u8]| store.root().join("blobs/sha256").join(Digest::of(bytes).hex());
    let mut damaged = raw.clone();
    damaged[512] ^= 1;
    fs_err::write(blob(&raw), &damaged).unwrap();
    let contents = Contents { sources: &imported.sources, store: &store, reporter: &Silent };
    let content = imported.tree.content(&path("a")).unwrap();
    let error =
        contents.open(&content.digest, 0).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
    store.discard(&crate::store::is_damage(&error).unwrap()).unwrap();
    let half = packed.len() / 2;
    let original = packed.clone();
    packed[half] ^= 1;
    fs_err::write(blob(&original), &packed).unwrap();
    let (imported, layers) = import_image(&store, &good, Limits::default());
    assert_eq!((read(&imported.unwrap(), &store, "a").as_str(), layers), ("one", 1));
}

fn gzip(raw: &[u8]) -> Vec<u8> {
    let store = MemoryStore::new();
    let blob = store.put(raw).unwrap();
    let cache = NoCache;
    let encoder = Encoder::new(&store, &cache, 1);
    encoder.compress(&Rope::from(blob), Compression::GZIP).unwrap().to_vec(&store).unwrap()
}

#[test]
fn a_root_file_system_is_read_from_plain_and_compressed_archives_alike() {
    let members = [file("etc/passwd", PASSWD), program("bin/sh", b"#!"), link("x", "bin/sh")];
    let raw = tar(&members);
    let (folder, store) = store();
    let mut trees = Vec::new();
    for (name, bytes) in [("plain", raw.clone()), ("gzip", gzip(&raw))] {
        let file = folder.path().join(name);
        fs_err::write(&file, &bytes).unwrap();
        for _ in 0..2 {
            let imported = import::rootfs(&store, &file, Limits::default(), &Silent).unwrap();
            assert_eq!(read(&imported, &store, "bin/sh"), "#!");
            trees.push(imported.tree);
        }
    }
    assert!(trees.iter().all(|tree| *tree == trees[0]) && trees[0].len() == 6);
    assert!(store.holds(&Digest::of(&raw)), "the archive in the compressed one is kept");
}

#[test]
fn a_plain_archive_that_changed_is_an_error_when_it_is_read() {
    let (folder, store) = store();
    let at = folder.path().join("rootfs.tar");
    fs_err::write(&at, tar(&[file("a", b"one")])).unwrap();
    let imported = import::rootfs(&store, &at, Limits::default(), &Silent).unwrap();
    assert!(!store.holds(&Digest::of(&fs_err::read(&at).unwrap())), "it is not copied");
    fs_err::write(&at, tar(&[file("a", b"two"), file("b", b"more")])).unwrap();
    let contents = Contents { sources: &imported.sources, store: &store, reporter: &Silent };
    let content = imported.tree.content(&path("a")).unwrap();
    let mut reader = contents.open(&content.digest, 0).unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("changed while it was being read"), "{error}");
}

#[test]
fn hostile_archives_are_errors_that_name_the_file() {
    let (folder, store) = store();
    let good = tar(&[file("etc/passwd", PASSWD), link("x", "y")]);
    let with_zeros = |len: usize| vec![0; len];
    let mut broken = good.clone();
    broken[100] ^= 0x40;
    let rows: [(&[u8], &str); 6] = [
        (b"", "a header"),
        (b"no archive at all", "a header"),
        (&good[..good.len() - 700], "the end of the archive"),
        (&broken, "header checksum at offset 148"),
        (&with_zeros(100), "a header"),
        (&tar(&[hard_link("a", "b")]), "hard link `/a` names `/b`"),
    ];
    for (number, (bytes, expected)) in rows.into_iter().enumerate() {
        let at = folder.path().join(format!("archive-{number}"));
        fs_err::write(&at, bytes).unwrap();
        let error = import::rootfs(&store, &at, Limits::default(), &Silent).unwrap_err();
        let error = message(&error);
        assert!(
            error.contains(&format!("archive-{number}")) && error.contains(expected),
            "{error}"
        );
    }
    let error = import::rootfs(&store, folder.path(), Limits::default(), &Silent).unwrap_err();
    assert!(message(&error).contains("expected a file"));
}

/// Returns a base of files and links, with its contents.
fn base_of(members: &[Member<'_>]) -> (tempfile::TempDir, Store, Imported) {
    let (folder, store) = store();
    let at = folder.path().join("rootfs.tar");
    fs_err::write(&at, tar(members)).unwrap();
    let imported = import::rootfs(&store, &at, Limits::default(), &Silent).unwrap();
    (folder, store, imported)
}

#[test]
fn facts_are_found_in_both_layouts() {
    let this = fs_err::read("/proc/self/exe").unwrap();
    let debian = [
        link("bin", "usr/bin"),
        link("lib", "usr/lib"),
        program("usr/bin/sh", &this),
        file(
            "usr/lib/os-release",
            b"PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\nVERSION_ID='12'\n",
        ),
        link("etc/os-release", "../usr/lib/os-release"),
        file("boot/vmlinuz-6.1.0", b"kernel"),
        file("boot/vmlinuz-6.1.0.old", b"kernel"),
        file("boot/initrd.img-6.1.0", b"initrd"),
        file("usr/lib/modules/6.1.0/kernel/a.ko", b"a"),
        file("usr/lib/modules/6.1.0/kernel/b.ko.xz", b"b"),
        file("usr/lib/modules/6.1.0/modules.dep", b""),
        file("etc/shadow", b"root:*:::::::\n"),
    ];
    let (_folder, store, imported) = base_of(&debian);
    let contents = Contents { sources: &imported.sources, store: &store, reporter: &Silent };
    let facts = Facts::of(Files { tree: &imported.tree, contents: &contents }).unwrap();
    let Distribution { id, version, name } = &facts.distribution;
    assert_eq!(
        (id.as_str(), version.as_deref(), name.as_str()),
        ("debian", Some("12"), "Debian GNU/Linux 12")
    );
    assert_eq!(
        facts.architecture.is_some(),
        cfg!(any(target_arch = "x86_64", target_arch = "aarch64"))
    );
    let kernel = facts.kernel(None).unwrap();
    assert_eq!(kernel.initrd, Some(path("boot/initrd.img-6.1.0")));
    assert_eq!(kernel.modules, Some(path("usr/lib/modules/6.1.0")));
    let modules = kernel.modules(&imported.tree);
    let words: Vec<_> = modules.iter().map(|module| (module.name(), module.codec)).collect();
    assert_eq!(words, [(&b"a"[..], Codec::None), (b"b", Codec::Xz)]);
    assert_eq!(facts.links[&path("lib")], path("usr/lib"));
    assert_eq!(facts.databases.shadow.as_deref(), Some(&b"root:*:::::::\n"[..]));
    assert_eq!(facts.databases.passwd, None);
}

#[test]
fn the_kernel_is_the_only_one_or_the_one_that_is_named() {
    let bootc = [
        file("usr/lib/modules/6.9.1/vmlinuz", b"kernel"),
        file("usr/lib/modules/6.9.1/initramfs.img", b"initrd"),
        file("usr/lib/modules/6.9.2/vmlinuz", b"kernel"),
    ];
    let (_folder, store, imported) = base_of(&bootc);
    let contents = Contents { sources: &imported.sources, store: &store, reporter: &Silent };
    let facts = Facts::of(Files { tree: &imported.tree, contents: &contents }).unwrap();
    let error = facts.kernel(None).unwrap_err();
    assert_eq!(error.reason, "the base has 2 kernels: expected one, found 6.9.1, 6.9.2");
    assert_eq!(error.hint.as_deref(), Some("name the one to boot: `kernel = \"6.9.1\"`"));
    let kernel = facts.kernel(Some("6.9.1")).unwrap();
    assert_eq!(kernel.initrd, Some(path("usr/lib/modules/6.9.1/initramfs.img")));
    let error = facts.kernel(Some("7")).unwrap_err().reason;
    assert!(error.contains("no kernel `7`") && error.ends_with("found 6.9.1, 6.9.2"), "{error}");
    let none = Facts { kernels: Vec::new(), ..facts };
    assert!(none.kernel(None).unwrap_err().reason.starts_with("the base has no kernel: expected"));
}

/// A base that was a machine before.
fn used() -> Vec<Member<'static>> {
    let mut journal = Entry::directory();
    let mark = |name: &str| (name.into(), b"x".to_vec());
    journal.xattrs.extend(["system.posix_acl_access", "user.kept"].map(mark));
    vec![
        file("etc/machine-id", b"0123456789abcdef0123456789abcdef\n"),
        file("var/lib/dbus/machine-id", b"0123456789abcdef0123456789abcdef\n"),
        file("etc/hostname", b"builder\n"),
        file(
            "etc/hosts",
            b"127.0.0.1\tlocalhost\n127.0.1.1 builder.lan builder\n::1 localhost builder # both\n\
              10.0.0.2 builders # another\n172.17.0.2\tbuilder",
        ),
        file("etc/resolv.conf", b"nameserver 10.0.0.1\n"),
        file("etc/ssh/ssh_host_rsa_key", b"secret"),
        file("etc/ssh/sshd_config", b"keep"),
        dir("var/log/apt"),
        dir("var/log/journal/0123456789abcdef0123456789abcdef"),
        Member::Entry("var/log/journal", journal),
        file("var/log/apt/history.log", b"log"),
        hard_link("var/keep", "var/log/apt/history.log"),
        dir("run/lock"),
        file("tmp/x", b"x"),
        file("var/lib/dpkg/status-old", b"old"),
        file("var/lib/dpkg/status", b"keep"),
        program("usr/sbin/sshd", b"#!"),
        program("usr/bin/ssh-keygen", b"#!"),
        program("usr/lib/systemd/systemd", b"#!"),
    ]
}

#[test]
fn a_fresh_tree_has_no_trace_of_the_one_before() {
    let (_folder, store, imported) = base_of(&used());
    let contents = Contents { sources: &imported.sources, store: &store, reporter: &Silent };
    let files = Files { tree: &imported.tree, contents: &contents };
    let fresh = fresh::freshen(files, None).unwrap();
    let mut sources = imported.sources.clone();
    sources.extend(fresh.sources.clone());
    let contents = Contents { sources: &sources, store: &store, reporter: &Silent };
    let after = Files { tree: &fresh.tree, contents: &contents };
    let text = |at: &str| after.text(at).unwrap().map(|text| String::from_utf8(text).unwrap());
    assert_eq!(text("etc/machine-id").as_deref(), Some(""));
    assert_eq!(text("etc/hostname").as_deref(), Some("localhost\n"));
    let hosts = "127.0.0.1\tlocalhost\n::1 localhost # both\n10.0.0.2 builders # another\n";
    assert_eq!(text("etc/hosts").as_deref(), Some(hosts));
    assert_eq!(text("etc/resolv.conf").as_deref(), Some(""));
    assert_eq!(text("var/keep").as_deref(), Some("log"));
    for gone in [
        "var/lib/dbus/machine-id",
        "var/log/journal/0123456789abcdef0123456789abcdef",
        "etc/ssh/ssh_host_rsa_key",
        "var/log/apt/history.log",
        "run/lock",
        "tmp/x",
        "var/lib/dpkg/status-old",
    ] {
        assert!(fresh.tree.get(&path(gone)).is_none(), "{gone}");
        assert!(fresh.changes.iter().any(|change| change.path == path(gone)), "{gone}");
    }
    for kept in ["etc/ssh/sshd_config", "var/log/apt", "var/lib/dpkg/status", "proc", "sys", "dev"]
    {
        assert!(fresh.tree.get(&path(kept)).is_some(), "{kept}");
    }
    let journal = &fresh.tree.get(&path("var/log/journal")).unwrap().xattrs;
    assert_eq!(journal.keys().collect::<Vec<_>>(), ["user.kept"]);
    let wanted = "etc/systemd/system/multi-user.target.wants/bake-ssh-keys.service";
    assert!(text(wanted).unwrap().contains("ExecStart=/usr/bin/ssh-keygen -A\n"));
    let named = fresh::freshen(files, Some("catalog")).unwrap();
    assert_eq!(named.tree.content(&path("etc/hostname")).unwrap().size, 8);
    // What is fresh stays as it is.
    let again = fresh::freshen(after, None).unwrap();
    assert_eq!((&again.tree, again.changes.as_slice()), (&fresh.tree, &[][..]));
}

fn tree(entries: &[(&str, Entry)]) -> FileTree {
    let mut builder = TreeBuilder::new();
    for (at, entry) in entries {
        builder.insert(path(at), entry.clone()).unwrap();
    }
    builder.finish().unwrap()
}

fn text(text: &str) -> Entry {
    Entry::file(bake_formats::tree::Content::of(text.as_bytes()), Mode::PLAIN)
}

fn with_mode(mode: u32) -> Entry {
    Entry::new(Node::Directory, Mode::new(mode).unwrap())
}

fn lay(base: &FileTree, payload: &FileTree, additions: &FileTree) -> Result<Laid, String> {
    Laid::new(base, payload, additions, &EntryPlaces::default()).map_err(|error| error.to_string())
}

#[test]
fn an_application_lands_where_the_base_has_its_directories() {
    let base = tree(&[
        ("usr/lib/old", text("old")),
        ("lib", Entry::symlink("usr/lib")),
        ("srv", with_mode(0o700)),
        ("srv/same", text("same")),
        ("etc/passwd", text("short")),
        ("etc/z", Entry::new(Node::HardLink(path("etc/passwd")), Mode::PLAIN)),
    ]);
    let payload = tree(&[
        ("lib", Entry::directory()),
        ("lib/app/a", text("a")),
        ("lib/app/b", Entry::new(Node::HardLink(path("lib/app/a")), Mode::PLAIN)),
        ("srv/new", text("new")),
        ("srv/same", text("same")),
    ]);
    let additions = tree(&[("etc/passwd", text("longer")), ("var/lib/app", with_mode(0o750))]);
    let laid = lay(&base, &payload, &additions).unwrap();
    assert_eq!(laid.redirects[&path("lib/app/a")], path("usr/lib/app/a"));
    assert_eq!(laid.layer.get(&path("srv")).unwrap().mode, Mode::new(0o700).unwrap());
    assert!(laid.layer.get(&path("srv/same")).is_some() && laid.layer.get(&path("lib")).is_none());
    let whole = laid.onto(&base).unwrap();
    let expected = tree(&[
        ("usr/lib/old", text("old")),
        ("usr/lib/app/a", text("a")),
        ("usr/lib/app/b", Entry::new(Node::HardLink(path("usr/lib/app/a")), Mode::PLAIN)),
        ("lib", Entry::symlink("usr/lib")),
        ("srv", with_mode(0o700)),
        ("srv/new", text("new")),
        ("srv/same", text("same")),
        ("etc/passwd", text("longer")),
        ("etc/z", text("short")),
        ("var/lib/app", with_mode(0o750)),
    ]);
    assert_eq!(whole.id(), expected.id());
}

#[test]
fn what_both_say_differently_is_refused_with_both_sides() {
    let base = tree(&[
        ("etc/a", text("base")),
        ("srv", with_mode(0o700)),
        ("out", Entry::symlink("../..")),
        ("gone", Entry::symlink("nowhere")),
        ("loop", Entry::symlink("loop")),
        ("file", text("")),
        ("sub", Entry::directory()),
        ("link", Entry::symlink("sub")),
    ]);
    let rows = [
        ("etc/a", text("ours"), "`/etc/a`: the application has a file of 4 bytes"),
        ("etc/a", with_mode(0o755), "the base has a file of 4 bytes"),
        (
            "srv",
            with_mode(0o750),
            "has a directory, mode 0750, owner 0:0, the base has a directory, mode 0700",
        ),
        ("link", text("x"), "the base has a link to `sub`"),
        (
            "out/x",
            text("x"),
            "leads through the base's link `/out` to `../..`, which leaves the base",
        ),
        ("gone/x", text("x"), "which is not in the base"),
        ("loop/x", text("x"), "through too many links"),
        ("file/x", text("x"), "`/file`: the application has a directory"),
        ("sub", Entry::symlink("x"), "the application has a link to `x`, the base has a directory"),
    ];
    for (at, entry, expected) in rows {
        let error = lay(&base, &tree(&[(at, entry)]), &FileTree::default()).unwrap_err();
        assert!(error.contains(expected), "{at}: {error}");
    }
    let twice = tree(&[("link/x", text("one")), ("sub/x", text("two"))]);
    let error = lay(&base, &twice, &FileTree::default()).unwrap_err();
    assert!(
        error.contains("(on this base `/sub/x`)") || error.contains("`/sub/x`: the app"),
        "{error}"
    );
}

#[test]
fn what_a_service_needs_is_added() {
    let unit = b"[Install]\nWantedBy=multi-user.target\n";
    let (_folder, store, imported) = base_of(&[
        file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
        file("etc/group", b"root:x:0:\n"),
        Member::File("etc/shadow", 0o640, b"root:*:::::::\n"),
        program("usr/sbin/nologin", b"#!"),
    ]);
    let mut sources: SourceFiles = imported.sources.clone();
    sources.insert_bytes(unit);
    let contents = Contents { sources: &sources, store: &store, reporter: &Silent };
    let base = Files { tree: &imported.tree, contents: &contents };
    let app = Owner::new("app", 1234);
    let owned = Entry { owner: app.clone(), ..text("") };
    let unit = Entry::file(bake_formats::tree::Content::of(unit), Mode::PLAIN);
    let payload = tree(&[("usr/lib/systemd/system/app.service", unit), ("etc/app", owned)]);
    let needed = Needed {
        units: vec!["app.service".into()],
        state: vec![State {
            path: path("var/lib/app"),
            mode: Mode::new(0o750).unwrap(),
            owner: app.clone(),
            group: app,
        }],
        ..Needed::default()
    };
    let facts = Facts::of(base).unwrap();
    let files = Files { tree: &payload, contents: &contents };
    let added = Additions::of(base, &facts.databases, files, &needed).unwrap();
    let mut lines = Vec::new();
    added.tree.write_manifest(&mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let starts: Vec<&str> =
        lines.lines().skip(1).map(|line| line.split(" size").next().unwrap()).collect();
    let expected = [
        "/etc/group file mode=0644 owner=root group=root",
        "/etc/passwd file mode=0644 owner=root group=root",
        "/etc/shadow file mode=0640 owner=root group=root",
        "/etc/systemd/system/multi-user.target.wants/app.service symlink owner=root group=root to=/usr/lib/systemd/system/app.service",
        "/var/lib/app directory mode=0750 owner=app group=app",
    ];
    assert_eq!(starts, expected);
    let passwd = Digest::of(b"root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/:/usr/sbin/nologin\n");
    assert_eq!(added.tree.content(&path("etc/passwd")).unwrap().digest, passwd);
    assert!(added.sources.contains(&passwd));
    assert_eq!(added.payload.id(), payload.id(), "numbers are no part of the identity");
}
