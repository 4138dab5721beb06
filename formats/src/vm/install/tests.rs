//! What a file system holds is told apart again, and lists that do not fit it are refused.

use std::sync::Arc;

use super::*;
use crate::owners::Owners;
use crate::record::Record as _;
use crate::tree::{Content, Mode, Owner, StatedTree};
use crate::vm::machine::{Baked, Placement, System};
use crate::vm::{Disk, DiskSize, Guid};

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn file(text: &str) -> Entry {
    Entry::file(Content::of(text.as_bytes()), Mode::PLAIN)
}

fn hard_link(target: &str) -> Entry {
    Entry::new(Node::HardLink(path(target)), Mode::PLAIN)
}

fn tree<'a>(entries: impl IntoIterator<Item = (&'a str, Entry)>) -> FileTree {
    let mut builder = TreeBuilder::new();
    for (name, entry) in entries {
        builder.insert(path(name), entry).unwrap();
    }
    builder.finish().unwrap()
}

/// A payload whose file comes first among its names, and last once `/lib` is where it leads.
fn payload() -> FileTree {
    let mut owned = Entry::directory();
    owned.owner = Owner::new("app", 990);
    tree([
        ("/lib/app/data", file("data")),
        ("/usr/bin/app", hard_link("/lib/app/data")),
        ("/lib/app/empty", Entry::directory()),
        ("/var/lib/app", owned),
        ("/opt/app/conf", Entry::symlink("../../etc/app")),
    ])
}

fn system() -> FileTree {
    tree([
        ("/lib", Entry::symlink("usr/lib")),
        ("/usr", Entry::directory()),
        ("/usr/lib", Entry::directory()),
        ("/usr/lib/os-release", file("ID=debian")),
        ("/etc", Entry::directory()),
        ("/etc/one", file("same")),
        ("/etc/two", hard_link("/etc/one")),
    ])
}

fn disk() -> Disk {
    let additions = tree([
        ("/etc/app", Entry::directory()),
        ("/etc/passwd", file("root")),
        ("/srv/deep/unit", Entry::symlink("/usr/lib/unit")),
    ]);
    let baked = Baked { guid: Guid::from_u128(1), file: None, disk: Arc::default() };
    Disk {
        name: "app".into(),
        version: "1".into(),
        arch: "amd64".into(),
        size: DiskSize::Minimal,
        label: None,
        tree_id: None,
        machine: Some(Machine {
            system: System::Baked(baked),
            placement: Placement::Root,
            additions: StatedTree::new(Arc::new(additions)),
            redirects: [(path("/lib"), path("/usr/lib"))].into(),
        }),
        compression: None,
        hardware: None,
    }
}

/// Returns what a file system holds in all, and its record.
fn written(disk: &Disk, payload: &FileTree, system: Option<&FileTree>) -> (FileTree, Record) {
    let contents = Contents { payload, machine: disk.machine.as_ref(), system };
    let whole = contents.tree("raw").unwrap();
    let record = Record::new(disk, &contents, &whole, Owners::of("raw", &whole).unwrap());
    (whole, Record::parse(&record.to_bytes().unwrap()).unwrap())
}

#[test]
fn parts_are_told_apart_again() {
    let (disk, payload) = (disk(), payload());
    let machine = disk.machine.as_ref().unwrap();
    for system in [None, Some(system())] {
        let (whole, record) = written(&disk, &payload, system.as_ref());
        assert_eq!(
            whole.content(&path("/usr/lib/app/data")),
            payload.content(&path("/usr/bin/app"))
        );
        let found = Found::of(whole, &record).unwrap();
        assert_eq!(found.payload.id(), payload.id());
        assert_eq!(StatedTree::new(Arc::new(found.additions)), machine.additions);
        let expected = StatedTree::new(Arc::new(system.unwrap_or_default()));
        assert_eq!(StatedTree::new(Arc::new(found.system)), expected);
    }
}

#[test]
fn without_a_machine_everything_is_the_payload() {
    let disk = Disk { machine: None, ..disk() };
    let (whole, record) = written(&disk, &payload(), None);
    let found = Found::of(whole, &record).unwrap();
    assert_eq!(found.payload, payload());
    assert_eq!((found.additions, found.system), (FileTree::default(), FileTree::default()));
    assert_eq!((record.payload, record.additions, record.made), (None, vec![], vec![]));
}

#[test]
fn directories_that_nobody_asked_for_belong_to_nobody() {
    let (_, record) = written(&disk(), &payload(), Some(&system()));
    let made: Vec<String> = record.made.iter().map(ToString::to_string).collect();
    let expected =
        ["/opt", "/opt/app", "/srv", "/srv/deep", "/usr/bin", "/usr/lib/app", "/var", "/var/lib"];
    assert_eq!(made, expected);
}

#[test]
fn redirects_that_lead_to_each_other_move_a_path_once() {
    let pairs = [("/a", "/b"), ("/b", "/a"), ("/c", "/c/c"), ("/c/c/d", "/d")];
    let redirects = pairs.map(|(from, to)| (path(from), path(to))).into();
    for (from, to) in
        [("/a/x", "/b/x"), ("/b", "/a"), ("/c/x", "/c/c/x"), ("/c/c/d/x", "/d/x"), ("/ab", "/ab")]
    {
        assert_eq!(place(&path(from), &redirects).unwrap(), path(to), "{from}");
    }
    let long = ["/", &"n".repeat(255)].concat().repeat(15);
    let redirects = [(path("/a"), path(&long))].into();
    assert!(place(&path(&format!("/a/{}", "x/".repeat(200))), &redirects).is_err());
}

#[test]
fn refuses_records_that_do_not_fit() {
    type Change = fn(&mut Record);
    let cases: [(&str, Change); 9] = [
        ("`/usr/bin/none`: the record lists it, and it is not there", |record| {
            record.payload.as_mut().unwrap().push(path("/usr/bin/none"));
        }),
        ("`/usr/lib/none`: the record lists it, and it is not there", |record| {
            record.payload.as_mut().unwrap().push(path("/lib/none"));
        }),
        ("`/usr/lib/app/data`: the record lists it twice", |record| {
            record.payload.as_mut().unwrap().push(path("/usr/lib/app/data"));
        }),
        ("`/etc/none`: the record lists it, and it is not there", |record| {
            record.additions.push(path("/etc/none"));
        }),
        ("`/etc/passwd`: the record lists it twice", |record| {
            record.additions.push(path("/etc/passwd"));
        }),
        ("`/opt/app/conf`: the record lists it twice", |record| {
            record.additions.push(path("/opt/app/conf"));
        }),
        ("`/etc/two`: another name of `/etc/one`", |record| {
            record.additions.push(path("/etc/two"));
        }),
        ("`/usr/lib/app/data`: another name of `/usr/bin/app`", |record| {
            record.payload.as_mut().unwrap().retain(|listed| *listed != path("/usr/bin/app"));
        }),
        ("`/etc/one`: the record lists it as a directory", |record| {
            record.made.push(path("/etc/one"));
        }),
    ];
    let (whole, record) = written(&disk(), &payload(), Some(&system()));
    for (reason, change) in cases {
        let mut record = record.clone();
        change(&mut record);
        let error = Found::of(whole.clone(), &record).unwrap_err().to_string();
        assert!(error.replace('`', "").contains(&reason.replace('`', "")), "{reason}: {error}");
    }
}

#[test]
fn refuses_payloads_that_cannot_lie_there() {
    let refused = |payload: &FileTree, system: Option<&FileTree>| {
        let disk = disk();
        let contents = Contents { payload, machine: disk.machine.as_ref(), system };
        contents.tree("raw").unwrap_err().to_string()
    };
    let error = refused(&tree([("/etc/passwd", file("mine"))]), None);
    assert!(error.contains("two entries for `/etc/passwd`"), "{error}");
    let both = tree([("/lib/x", file("1")), ("/usr/lib/x", file("2"))]);
    let error = refused(&both, None);
    assert!(error.contains("`/usr/lib/x`"), "{error}");
    let mut root = Entry::directory();
    root.mode = Mode::from_st_mode(0o777);
    let error = refused(&tree([("/", root)]), None);
    assert!(error.contains("owner and mode"), "{error}");
    // A file where the payload has a directory.
    let error = refused(&payload(), Some(&tree([("/opt", file("x"))])));
    assert!(error.contains("/opt"), "{error}");
}
