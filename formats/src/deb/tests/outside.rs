//! What a package has besides the tree: documents and capabilities.

use proptest::prelude::*;

use super::*;
use crate::tree::capabilities::{XATTR, from_text};

const COPYRIGHT: &str = "/usr/share/doc/hello/copyright";
const CHANGELOG: &str = "/usr/share/doc/hello/changelog.Debian.gz";
const OVERRIDES: &str = "/usr/share/lintian/overrides/hello";

fn documented(names: &[&str], tree: &FileTree) -> Package {
    let mut model = small_model();
    let text = |name: &&str| ((*name).to_owned(), format!("text of {name}\n"));
    model.documents = names.iter().map(text).collect();
    model.tree_id = Some(tree.id());
    model
}

fn tree_of(store: &MemoryStore, entries: &[(&str, Entry)]) -> FileTree {
    store.put(b"x").unwrap();
    let mut builder = TreeBuilder::new();
    for (name, entry) in entries {
        builder.insert(path(name), entry.clone()).unwrap();
    }
    builder.finish().unwrap()
}

fn file() -> Entry {
    Entry::file(Content::of(b"x"), Mode::PLAIN)
}

/// Writes and reads back, and checks that model and tree are the same.
fn there_and_back(model: &Package, tree: &FileTree, store: &MemoryStore) -> Vec<u8> {
    let bytes = try_write(model, tree, store).unwrap();
    let source = Source::from_bytes(bytes.clone());
    let back = Deb::read(&source).unwrap();
    assert_eq!(&back.model, model);
    assert_eq!(back.tree.id(), tree.id());
    assert_eq!(Deb::verify(&source).unwrap(), []);
    bytes
}

#[test]
fn documents_are_files_of_the_package_and_not_of_the_tree() {
    let store = MemoryStore::new();
    let tree = tree_of(&store, &[("/usr/share/hello/data", file())]);
    let model = documented(&[COPYRIGHT, CHANGELOG, OVERRIDES], &tree);
    let bytes = there_and_back(&model, &tree, &store);
    let control = control_file(&bytes, "control");
    let expected = format!(
        "Bake-Documents: /usr/share/doc/ /usr/share/doc/hello/ {CHANGELOG} {COPYRIGHT} \
        /usr/share/lintian/ /usr/share/lintian/overrides/ {OVERRIDES}\n"
    );
    assert!(control.contains(&expected), "{control}");
    // Four directories of the tree, four for documents, and a KiB for each of four files.
    assert!(control.contains("Installed-Size: 12\n"), "{control}");
    let sums = control_file(&bytes, "md5sums");
    let paths: Vec<_> = sums.lines().filter_map(|line| line.split("  ").nth(1)).collect();
    let all = [&CHANGELOG[1..], &COPYRIGHT[1..], "usr/share/hello/data", &OVERRIDES[1..]];
    assert_eq!(paths, all);
}

#[test]
fn changelogs_are_compressed_as_gzip_does_it() {
    let store = MemoryStore::new();
    let tree = tree_of(&store, &[]);
    let bytes = try_write(&documented(&[CHANGELOG], &tree), &tree, &store).unwrap();
    let at = position(&bytes, &[0x1f, 0x8b, 8]);
    assert_eq!(bytes[at + 3..at + 10], [0, 0, 0, 0, 0, 2, 3]);
}

#[test]
fn directories_keep_what_the_tree_says_of_them() {
    let store = MemoryStore::new();
    let mut private = Entry::new(Node::Directory, Mode::new(0o700).unwrap());
    private.owner = Owner::new("svc", 900);
    let cases = [
        vec![],
        vec![("/usr/share/doc/hello", Entry::directory())],
        vec![("/usr/share/doc/hello", private.clone())],
        vec![("/usr/share", private.clone()), ("/usr/share/lintian", Entry::directory())],
        vec![("/usr/share/doc/hello/README", file())],
        vec![("/usr/share/doc/hello/examples", Entry::directory())],
        vec![("/usr/share/lintian/overrides/other", file())],
    ];
    let mut ids = std::collections::BTreeSet::new();
    for entries in cases {
        let tree = tree_of(&store, &entries);
        there_and_back(&documented(&[COPYRIGHT, OVERRIDES], &tree), &tree, &store);
        there_and_back(&documented(&[], &tree), &tree, &store);
        ids.insert(tree.id());
    }
    assert_eq!(ids.len(), 7);
}

#[test]
fn a_document_cannot_be_where_the_tree_has_something() {
    let store = MemoryStore::new();
    let tree = tree_of(&store, &[(COPYRIGHT, file())]);
    let error = try_write(&documented(&[COPYRIGHT], &tree), &tree, &store).unwrap_err();
    let WriteError::Unsupported { path: place, what, reason, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!((place, what.as_str()), (path(COPYRIGHT), "the tree's own file"));
    assert!(reason.unwrap().contains(COPYRIGHT));
    let tree = tree_of(&store, &[("/usr/share/doc/hello", Entry::symlink("other"))]);
    let error = try_write(&documented(&[COPYRIGHT], &tree), &tree, &store).unwrap_err();
    assert!(matches!(error, WriteError::Tree(_)), "{error:?}");
}

#[test]
fn only_documents_can_be_kept_out_of_the_tree() {
    let store = MemoryStore::new();
    let tree = tree_of(&store, &[]);
    for name in ["/usr/bin/hello", "/usr/share/doc/other/copyright", "usr/x", "/usr/share/doc"] {
        match try_write(&documented(&[name], &tree), &tree, &store) {
            Err(WriteError::Field { field, .. }) => assert_eq!(field, "Bake-Documents"),
            other => panic!("{name}: {other:?}"),
        }
    }
    for listed in ["/usr/bin/hello", "/usr/share/", "//", "/usr/share/doc/hello/copyright/x"] {
        assert!(documents::parse("hello", listed).is_err(), "{listed}");
    }
}

fn capable(text: &str) -> Entry {
    let mut entry = Entry::file(Content::of(b"x"), Mode::EXECUTABLE);
    entry.xattrs.insert(XATTR.into(), from_text(text).unwrap());
    entry
}

#[test]
fn capabilities_are_listed_and_given_back() {
    let store = MemoryStore::new();
    let link = Entry::new(Node::HardLink(path("/usr/bin/a b")), Mode::PLAIN);
    let entries = [
        ("/usr/bin/a b", capable("cap_net_raw=ep")),
        ("/usr/bin/c", link),
        ("/usr/bin/d", capable("cap_chown=ep cap_kill=eip")),
    ];
    let tree = tree_of(&store, &entries);
    let mut model = documented(&[COPYRIGHT], &tree);
    let without = try_write(&model, &tree, &store);
    assert!(matches!(&without, Err(WriteError::Field { field, .. }) if field == "postinst"));
    let script = "#!/bin/sh\nsetcap cap_net_raw=ep x\nsetcap 'cap_chown=ep cap_kill=eip' y\n";
    model.control_files.insert(ControlFile::Postinst, script.into());
    let bytes = there_and_back(&model, &tree, &store);
    let expected = "Bake-Capabilities:\n /usr/bin/a\\040b cap_net_raw=ep\n \
        /usr/bin/d cap_chown=ep cap_kill=eip\n";
    assert!(control_file(&bytes, "control").contains(expected));
    let back = Deb::read(&Source::from_bytes(bytes)).unwrap();
    assert_eq!(back.tree.get(&path("/usr/bin/c")).unwrap().xattrs, entries[0].1.xattrs);
}

#[test]
fn fields_that_nobody_can_mean_are_refused() {
    for bad in ["/usr/bin/x", "/a cap_none=ep", "/a\\04 cap_kill=ep", "/a\\057 cap_kill=ep", " x"] {
        assert!(capabilities::parse(bad).is_err(), "{bad}");
    }
    let one = capabilities::parse("/a cap_kill=ep").unwrap();
    assert_eq!(one, [(path("/a"), "cap_kill=ep".to_owned())].into());
}

/// Entries in and around the places where documents are.
fn entries() -> impl Strategy<Value = Vec<(String, u8)>> {
    const PLACES: [&str; 9] = [
        "/usr",
        "/usr/share",
        "/usr/share/doc",
        "/usr/share/doc/hello",
        "/usr/share/doc/hello/README",
        "/usr/share/doc/hello/x/y",
        "/usr/share/lintian",
        "/usr/share/lintian/overrides/x",
        "/etc/hello",
    ];
    let place = prop::sample::select(&PLACES[..]).prop_map(str::to_owned);
    prop::collection::vec((place, 0_u8..5), 0..6)
}

proptest! {
    /// Documents come and go without a trace in the tree, whatever is around them.
    #[test]
    fn documents_leave_the_tree_alone(entries in entries(), which in 0_usize..8) {
        let store = MemoryStore::new();
        let private = Entry::new(Node::Directory, Mode::new(0o750).unwrap());
        let mut ghost = file();
        ghost.mark = Mark::Ghost;
        let kinds = [file(), Entry::directory(), private, ghost, capable("cap_kill=ep")];
        let mut builder = TreeBuilder::new();
        store.put(b"x").unwrap();
        for (name, kind) in entries {
            // The first entry for a path counts; a file above another is no tree.
            if builder.get(&path(&name)).is_none() {
                builder.insert(path(&name), kinds[usize::from(kind)].clone()).unwrap();
            }
        }
        let Ok(tree) = builder.finish() else { return Ok(()) };
        let all = [COPYRIGHT, CHANGELOG, OVERRIDES];
        let chosen = all.iter().enumerate().filter(|(index, _)| which >> index & 1 == 1);
        let names: Vec<&str> = chosen.map(|(_, name)| *name).collect();
        let mut model = documented(&names, &tree);
        let script = "#!/bin/sh\nsetcap cap_kill=ep x\n";
        model.control_files.insert(ControlFile::Postinst, script.into());
        match try_write(&model, &tree, &store) {
            Ok(_) => drop(there_and_back(&model, &tree, &store)),
            Err(error) => prop_assert!(matches!(error, WriteError::Tree(_)), "{error:?}"),
        }
    }
}
