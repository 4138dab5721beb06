//! Packages put together by hand.

use super::super::*;
use crate::archive::ar::ArWriter;
use crate::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
use crate::blob::{BlobStore, MemoryStore};
use crate::format::Epoch;
use crate::rope::Rope;
use crate::tree::{Content, Entry, Mark, Mode, Node, TreePath};

const EPOCH: Epoch = Epoch(1_700_000_000);

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

/// A package put together by hand, to break its rules one at a time.
struct Handmade {
    members: Vec<(&'static str, Vec<u8>)>,
    control: Vec<(&'static str, u32, Vec<u8>)>,
    data: Vec<(TreePath, Entry)>,
    options: TarOptions<'static>,
}

impl Handmade {
    fn new() -> Self {
        let control = "Package: hello\nVersion: 1\nArchitecture: all\n\
            Maintainer: A <a@example.org>\nInstalled-Size: 4\nDescription: greets\n";
        let md5 = crate::digest::hex(&Content::of(b"a").md5);
        let mut config = Entry::file(Content::of(b"c"), Mode::PLAIN);
        config.mark = Mark::Config;
        let a = Entry::file(Content::of(b"a"), Mode::PLAIN);
        Self {
            members: vec![("debian-binary", b"2.0\n".to_vec())],
            control: vec![
                ("conffiles", 0o644, b"/etc/c\n".to_vec()),
                ("control", 0o644, control.into()),
                ("md5sums", 0o644, format!("{md5}  a\n").into()),
                ("postinst", 0o755, b"#!/bin/sh\n".to_vec()),
            ],
            data: vec![
                (path("/"), Entry::directory()),
                (path("/a"), a),
                (path("/etc"), Entry::directory()),
                (path("/etc/c"), config),
            ],
            options: TarOptions {
                format: "test",
                dialect: Dialect::Gnu,
                prefix: "./",
                epoch: EPOCH,
                symlinks: SymlinkOrder::InTree,
                root: Root::Listed,
            },
        }
    }

    /// Replaces a text in a control file.
    fn replace(mut self, file: &str, from: &str, to: &str) -> Self {
        let (_, _, text) = self.control.iter_mut().find(|(name, ..)| *name == file).unwrap();
        let old = String::from_utf8(text.clone()).unwrap();
        assert!(old.contains(from));
        *text = old.replace(from, to).into_bytes();
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn source(mut self) -> Source {
        let store = MemoryStore::new();
        for bytes in [b"a", b"c"] {
            store.put(bytes).unwrap();
        }
        let tar = || TarWriter::new(TarOptions { dialect: Dialect::Gnu, ..self.options });
        let mut control = tar();
        for (name, mode, text) in &self.control {
            control.append_bytes(&path(name), Mode::new(*mode).unwrap(), text).unwrap();
        }
        let control = control.finish().to_vec(&store).unwrap();
        let mut data = TarWriter::new(self.options);
        for (path, entry) in &self.data {
            data.append(path, entry).unwrap();
        }
        let data = data.finish().to_vec(&store).unwrap();
        for (name, bytes) in [("control.tar", control), ("data.tar", data)] {
            if !self.members.iter().any(|(known, _)| *known == name) {
                self.members.push((name, bytes));
            }
        }
        let mut archive = ArWriter::new("deb", EPOCH);
        for (name, bytes) in self.members {
            archive.append(name, &Rope::from(bytes)).unwrap();
        }
        Source::from_bytes(archive.finish().to_vec(&store).unwrap())
    }
}

/// The rules that a package breaks, in the order in which they are reported.
type Case = (&'static [&'static str], Handmade);

fn with(change: fn(&mut Handmade)) -> Handmade {
    Handmade::new().change(change)
}

fn control_cases() -> Vec<Case> {
    let new = Handmade::new;
    vec![
        (&[], new()),
        (&[], with(|deb| deb.members.push(("_gpgorigin", b"x".to_vec())))),
        (&["deb-control-file-unknown"], with(|deb| deb.control.push(("rules", 0o644, vec![1])))),
        (&["deb-control-mode"], with(|deb| deb.control[3].1 = 0o644)),
        (&["deb-control-mode"], with(|deb| deb.control[1].1 = 0o600)),
        (
            &["deb-triggers"],
            with(|deb| deb.control.push(("triggers", 0o644, b"listen x\n".to_vec()))),
        ),
        (
            &[],
            with(|deb| {
                let text = b"# both\ninterest-noawait /usr/x\nactivate y\n\n".to_vec();
                deb.control.push(("triggers", 0o644, text));
            }),
        ),
        (&["deb-script-interpreter"], new().replace("postinst", "#!", "# ")),
        (&["deb-control-syntax"], new().replace("control", "Version: ", "Version ")),
        (&["deb-control-syntax"], new().replace("control", "Version: 1", "Package: x")),
        (&["deb-control-syntax"], with(|deb| drop(deb.control.remove(1)))),
        (&["deb-field-missing"], new().replace("control", "Version: 1\n", "")),
        (&["deb-field"], new().replace("control", "Version: 1\n", "Version: v1\n")),
        (&["deb-field"], new().replace("control", "Version: 1\n", "Version: 1\nDepends: x y\n")),
        (&["deb-field"], new().replace("control", "Version: 1\n", "Version: 1\nSection:\n")),
        (&["deb-installed-size"], new().replace("control", "Size: 4", "Size: 3")),
        (
            &["deb-tree-id"],
            new().replace("control", "Version: 1\n", {
                "Version: 1\nBake-Tree: sha256:\
            0000000000000000000000000000000000000000000000000000000000000000\n"
            }),
        ),
        (&["deb-conffile", "deb-md5sums-missing"], new().replace("conffiles", "/etc/c", "/etc/d")),
        (&["deb-conffile", "deb-md5sums-missing"], new().replace("conffiles", "/etc/c", "/etc")),
        (&["deb-conffiles-syntax", "deb-md5sums-missing"], new().replace("conffiles", "/", "")),
        (
            &["deb-conffiles-syntax", "deb-md5sums-missing"],
            new().replace("conffiles", "\n", "\n\n"),
        ),
        (&["deb-conffile-removed"], new().replace("conffiles", "\n", "\nremove-on-upgrade /a\n")),
        (&["deb-md5sums-mismatch"], new().replace("md5sums", "0c", "0d")),
        (&["deb-md5sums-stray", "deb-md5sums-missing"], new().replace("md5sums", "  a", "  b")),
        (&["deb-md5sums-syntax"], new().replace("md5sums", "  a", " a")),
        (&["deb-md5sums-missing"], with(|deb| drop(deb.control.remove(2)))),
    ]
}

fn outside_cases() -> Vec<Case> {
    let with_field = |field: &str| {
        Handmade::new().replace("control", "Version: 1\n", &format!("Version: 1\n{field}\n"))
    };
    let copyright = "/usr/share/doc/hello/copyright";
    let listed = format!("Bake-Documents: {copyright}");
    let document = |entry: fn() -> Entry| {
        with_field(&listed).change(|deb| {
            for name in ["/usr", "/usr/share", "/usr/share/doc", "/usr/share/doc/hello"] {
                deb.data.push((path(name), Entry::directory()));
            }
            deb.data.push((path(copyright), entry()));
        })
    };
    let plain = || Entry::file(Content::of(b"a"), Mode::PLAIN);
    let private = || Entry::file(Content::of(b"a"), Mode::new(0o600).unwrap());
    // What is added here is neither in md5sums nor in the size.
    vec![
        (&["deb-document"], with_field(&listed)),
        (&["deb-document"], with_field("Bake-Documents: /a")),
        (&["deb-document"], with_field("Bake-Documents: /etc/")),
        (&["deb-document"], with_field("Bake-Documents: /usr/share/doc/other/copyright")),
        (&["deb-installed-size", "deb-md5sums-missing"], document(plain)),
        (&["deb-installed-size", "deb-document", "deb-md5sums-missing"], document(private)),
        (
            &["deb-installed-size", "deb-document", "deb-md5sums-missing"],
            document(plain)
                .replace("control", &listed, &format!("{listed} /usr/"))
                .change(|deb| deb.data.push((path("/usr/b"), Entry::directory()))),
        ),
        (&["deb-field"], with_field("Bake-Capabilities:\n /a cap_none=ep")),
        (&["deb-capabilities"], with_field("Bake-Capabilities:\n /a cap_kill=ep")),
        (&["deb-capabilities"; 2], with_field("Bake-Capabilities:\n /b cap_kill=ep")),
        (
            &[],
            with_field("Bake-Capabilities:\n /a cap_kill=ep").replace(
                "postinst",
                "#!/bin/sh\n",
                "#!/bin/sh\nsetcap cap_kill=ep /a\n",
            ),
        ),
    ]
}

fn data_cases() -> Vec<Case> {
    vec![
        (&["deb-parent-missing"], with(|deb| drop(deb.data.remove(2)))),
        (&["deb-tar-root", "deb-parent-missing", "deb-parent-missing"], {
            with(|deb| drop(deb.data.remove(0)))
        }),
        (&["deb-tar-name"; 3], with(|deb| deb.options.prefix = "/")),
        (&["deb-duplicate"], with(|deb| deb.data.insert(3, deb.data[2].clone()))),
        (
            &["deb-tar-pax", "deb-installed-size"],
            with(|deb| {
                deb.options.dialect = Dialect::Pax;
                deb.data.push((path(&"d".repeat(120)), Entry::directory()));
            }),
        ),
        (
            &["deb-link-order", "deb-md5sums-missing"],
            with(|deb| {
                let link = Entry::new(Node::HardLink(path("/a")), Mode::PLAIN);
                deb.data.insert(1, (path("/z"), link));
            }),
        ),
    ]
}

#[test]
fn reports_each_broken_rule() {
    let cases = control_cases().into_iter().chain(outside_cases()).chain(data_cases());
    for (index, (expected, deb)) in cases.enumerate() {
        let problems = Deb::verify(&deb.source()).unwrap();
        let rules: Vec<_> = problems.iter().map(|problem| problem.rule).collect();
        assert_eq!(rules, expected, "case {index}: {problems:#?}");
    }
}

#[test]
fn rejects_what_cannot_be_taken_apart() {
    let cases = [
        ("debian-binary", with(|deb| deb.members[0].1 = b"3.0\n".to_vec())),
        ("debian-binary", with(|deb| deb.members[0].1 = vec![b'2'; 1000])),
        ("expected debian-binary", with(|deb| drop(deb.members.remove(0)))),
        ("expected control.tar", with(|deb| deb.members.push(("data.tar", Vec::new())))),
        ("expected control.tar", with(|deb| deb.members.push(("x", Vec::new())))),
        (".zst after it", with(|deb| deb.members.push(("control.tar.bz2", Vec::new())))),
        ("control.tar: a header", with(|deb| deb.members.push(("control.tar", Vec::new())))),
        ("it is there twice", with(|deb| deb.control.push(("control", 0o644, Vec::new())))),
        ("without a folder", with(|deb| deb.control.push(("a/b", 0o644, Vec::new())))),
        ("two entries", with(|deb| deb.data.push(deb.data[1].clone()))),
    ];
    for (reason, deb) in cases {
        let error = Deb::verify(&deb.source()).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn reads_what_less_strict_tools_write() {
    let new = Handmade::new;
    let deb =
        new().replace("control", "A <a@example.org>", "root").replace("control", "greets", "");
    let model = Deb::read(&deb.source()).unwrap().model;
    assert_eq!((model.maintainer.as_str(), model.synopsis.as_str()), ("root", ""));
    let fields = ["Multi-Arch: both", "Depends: aa, bb,", "Provides: aa bb"];
    for field in fields {
        let (name, value) = field.split_once(": ").unwrap();
        let deb = new().replace("control", "Version: 1\n", &format!("Version: 1\n{field}\n"));
        let model = Deb::read(&deb.source()).unwrap().model;
        assert_eq!(model.fields[name], value);
    }
    let deb = new().replace("control", "greets\n", "greets\n .hidden\n");
    assert_eq!(Deb::read(&deb.source()).unwrap().model.fields["Description"], "greets\n.hidden");
    for (name, value) in [("Package", "hello"), ("Version", "1"), ("Architecture", "all")] {
        let deb = new().replace("control", &format!("{name}: {value}\n"), "");
        let error = Deb::read(&deb.source()).unwrap_err().to_string();
        assert_eq!(error, format!("deb: {name}: it is missing"));
    }
    let deb = new().replace("control", "Version: 1", "Version: v1");
    let error = Deb::read(&deb.source()).unwrap_err().to_string();
    assert!(error.starts_with("deb: Version: `v1` is not a Debian version"), "{error}");
}
