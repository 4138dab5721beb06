//! Whole updates, without signatures: what is on disk afterwards, whatever came before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bake_formats::blob::{BlobStore as _, MemoryStore};
use bake_formats::encode::{Encoder, NoCache};
use bake_formats::format::{Epoch, Format, WriteCx};
use bake_formats::tree::{Content, Entry, FileTree, Mode, TreeBuilder, TreePath};
use bake_formats::{deb, rpm};

use super::apt::{AptRequest, SettingsChange};
use super::dnf::DnfRequest;
use super::{Changes, Request, Selector};
use crate::error::Error;

/// The kinds of repository, for tests of what they have in common.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Apt,
    Dnf,
}

const KINDS: [Kind; 2] = [Kind::Apt, Kind::Dnf];

/// A folder with packages and repositories.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a package with one file of some text; returns where it is.
    fn package(&self, kind: Kind, version: &str, text: &str) -> PathBuf {
        let blobs = MemoryStore::new();
        let blob = blobs.put(text.as_bytes()).unwrap();
        let content = Content { digest: blob.digest, size: blob.size, md5: md5_of(text) };
        let mut builder = TreeBuilder::new();
        let path = TreePath::parse(format!("/opt/hello/{version}")).unwrap();
        builder.insert(path, Entry::file(content, Mode::new(0o644).unwrap())).unwrap();
        let tree = builder.finish().unwrap();
        let encoder = Encoder::new(&blobs, &NoCache, 1);
        let cx = WriteCx { blobs: &blobs, encoder: &encoder, epoch: Epoch(1_700_000_000) };
        let rope = match kind {
            Kind::Apt => write_deb(version, &tree, &cx),
            Kind::Dnf => write_rpm(version, &tree, &cx),
        };
        let path = self.path(&format!("{kind:?}-{version}-{text}"));
        fs_err::write(&path, rope.to_vec(&blobs).unwrap()).unwrap();
        path
    }
}

fn md5_of(text: &str) -> [u8; 16] {
    Content::of(text.as_bytes()).md5
}

fn write_deb(version: &str, tree: &FileTree, cx: &WriteCx<'_>) -> bake_formats::rope::Rope {
    let mut model = deb::Package::new("hello", version.parse().unwrap(), "amd64");
    model.maintainer = "Me <me@example.com>".into();
    model.synopsis = "says hello".into();
    deb::Deb::write(&model, tree, cx).unwrap().files.remove(0).rope
}

fn write_rpm(version: &str, tree: &FileTree, cx: &WriteCx<'_>) -> bake_formats::rope::Rope {
    let (summary, license) = ("says hello".into(), "MIT".into());
    let description = "Says hello.".into();
    let model = rpm::Package::new("hello", version, "1", "x86_64");
    let model = rpm::Package { summary, description, license, ..model };
    rpm::Rpm::write(&model, tree, cx).unwrap().files.remove(0).rope
}

/// What an update of these tests is told.
#[derive(Default)]
struct Told<'a> {
    artifacts: &'a [PathBuf],
    remove: &'a [&'a str],
    keep: Option<usize>,
    dry_run: bool,
}

fn update(kind: Kind, root: &Path, told: &Told<'_>) -> Result<Changes, Error> {
    let remove: Vec<Selector> = told.remove.iter().map(|text| text.parse().unwrap()).collect();
    let common = Request {
        root,
        artifacts: told.artifacts,
        remove: &remove,
        keep: told.keep,
        epoch: Some(Epoch(1_700_000_000)),
        signer: None,
        dry_run: told.dry_run,
        threads: 1,
    };
    match kind {
        Kind::Apt => {
            let settings = SettingsChange::default();
            let request = AptRequest { common, suite: "stable", component: "main", settings };
            super::apt::update(&request)
        }
        Kind::Dnf => {
            let settings = super::dnf::SettingsChange::default();
            super::dnf::update(&DnfRequest { common, updateinfo: None, settings })
        }
    }
}

fn add(kind: Kind, root: &Path, artifacts: &[&PathBuf]) -> Result<Changes, Error> {
    let artifacts: Vec<PathBuf> = artifacts.iter().map(|path| (*path).clone()).collect();
    update(kind, root, &Told { artifacts: &artifacts, ..Told::default() })
}

/// Returns all files but those of older generations and what remembers them.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let walk = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let all = walk.filter(|entry| entry.file_type().is_file()).map(|entry| {
        let name = entry.path().strip_prefix(root).unwrap().display().to_string();
        (name, fs_err::read(entry.path()).unwrap())
    });
    let is_own = |name: &str| {
        name.starts_with(".bake") || name.ends_with("bake.json") || name.contains("by-hash")
    };
    all.filter(|(name, _)| !is_own(name)).collect()
}

/// The same without dnf's older indices.
fn current(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = files(root);
    let listed =
        files.get("repodata/repomd.xml").map(|text| String::from_utf8_lossy(text).into_owned());
    if let Some(listed) = listed {
        files.retain(|name, _| {
            !name.starts_with("repodata/") || listed.contains(name) || name.ends_with("repomd.xml")
        });
    }
    files
}

#[test]
fn the_way_a_repository_grew_does_not_show() {
    for kind in KINDS {
        let place = Place::new();
        let [one, two, three] = ["1.0", "2.0", "3.0"].map(|text| place.package(kind, text, "x"));
        let (grown, fresh) = (place.path("grown"), place.path("fresh"));
        add(kind, &grown, &[&two]).unwrap();
        add(kind, &grown, &[&three, &one]).unwrap();
        let name = "hello";
        let version = if matches!(kind, Kind::Apt) { "2.0" } else { "2.0-1" };
        let selector = format!("{name}={version}");
        let told = Told { remove: &[&selector], ..Told::default() };
        assert_eq!(update(kind, &grown, &told).unwrap().removed.len(), 1);
        add(kind, &fresh, &[&one, &three]).unwrap();
        assert_eq!(current(&grown), current(&fresh), "{kind:?}");
        assert_eq!(super::check(&grown).unwrap(), []);
    }
}

#[test]
fn what_is_there_already_changes_nothing() {
    for kind in KINDS {
        let place = Place::new();
        let one = place.package(kind, "1.0", "x");
        let root = place.path("repository");
        assert!(add(kind, &root, &[&one]).unwrap().published);
        let before = fs_err::read_dir(&root).unwrap().count();
        let changes = add(kind, &root, &[&one, &one]).unwrap();
        assert!(!changes.published && changes.added.is_empty(), "{kind:?}");
        assert_eq!((changes.present.len(), changes.packages), (2, 1));
        assert_eq!(fs_err::read_dir(&root).unwrap().count(), before);
        assert_eq!(fs_err::read_dir(root.join(".bake")).unwrap().count(), 1, "only the lock");
    }
}

#[test]
fn other_bytes_of_one_version_are_refused_with_both_digests() {
    for kind in KINDS {
        let place = Place::new();
        let [one, other] = ["x", "y"].map(|text| place.package(kind, "1.0", text));
        let digests = [&one, &other]
            .map(|path| bake_formats::digest::Digest::of(&fs_err::read(path).unwrap()).to_string());
        let root = place.path("repository");
        add(kind, &root, &[&one]).unwrap();
        let before = files(&root);
        let error = add(kind, &root, &[&other]).unwrap_err().to_string();
        assert!(digests.iter().all(|digest| error.contains(digest)), "{error}");
        assert_eq!(files(&root), before);
        let error = add(kind, &place.path("another"), &[&one, &other]).unwrap_err().to_string();
        assert!(digests.iter().all(|digest| error.contains(digest)), "{error}");
    }
}

#[test]
fn only_the_newest_versions_are_kept() {
    for kind in KINDS {
        let place = Place::new();
        let all = ["1.0", "9.0", "10.0", "2.0"].map(|version| place.package(kind, version, "x"));
        let root = place.path("repository");
        add(kind, &root, &[&all[0], &all[1]]).unwrap();
        let told = Told { artifacts: &all[2..], keep: Some(2), ..Told::default() };
        let changes = update(kind, &root, &told).unwrap();
        let versions = |list: &[super::Changed]| -> Vec<String> {
            let version = |changed: &super::Changed| changed.version.replace("-1", "");
            list.iter().map(version).collect()
        };
        assert_eq!(versions(&changes.added), ["10.0"]);
        assert_eq!(versions(&changes.removed), ["1.0"]);
        assert_eq!(versions(&changes.outdated), ["2.0"]);
        assert_eq!(super::check(&root).unwrap(), []);
        let packages = files(&root).keys().filter(|name| name.contains("/hello")).count();
        assert_eq!(packages, 2, "{kind:?}");
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    for kind in KINDS {
        let place = Place::new();
        let artifacts = [place.package(kind, "1.0", "x")];
        let root = place.path("repository");
        let told = Told { artifacts: &artifacts, dry_run: true, ..Told::default() };
        let changes = update(kind, &root, &told).unwrap();
        assert!(changes.published && changes.added.len() == 1);
        assert!(!root.exists());
    }
}

#[test]
fn a_package_that_was_lost_is_noticed_and_comes_back() {
    for kind in KINDS {
        let place = Place::new();
        let [one, two] = ["1.0", "2.0"].map(|version| place.package(kind, version, "x"));
        let root = place.path("repository");
        let changes = add(kind, &root, &[&one]).unwrap();
        let path = root.join(&changes.added[0].path);
        fs_err::remove_file(&path).unwrap();
        assert_eq!(super::check(&root).unwrap().len(), 1);
        assert!(add(kind, &root, &[&two]).is_err());
        add(kind, &root, &[&one]).unwrap();
        assert!(path.exists());
        add(kind, &root, &[&two]).unwrap();
        assert_eq!(super::check(&root).unwrap(), []);
    }
}

#[test]
fn what_a_killed_update_left_is_cleaned_up() {
    for kind in KINDS {
        let place = Place::new();
        let one = place.package(kind, "1.0", "x");
        let root = place.path("repository");
        fs_err::create_dir_all(root.join(".bake/staging-x/suite")).unwrap();
        fs_err::write(root.join(".bake/staging-x/suite/half"), "half").unwrap();
        add(kind, &root, &[&one]).unwrap();
        assert_eq!(fs_err::read_dir(root.join(".bake")).unwrap().count(), 1);
    }
}

#[test]
fn a_truncated_package_is_refused_wherever_it_ends() {
    for kind in KINDS {
        let place = Place::new();
        let bytes = fs_err::read(place.package(kind, "1.0", "x")).unwrap();
        let (root, short) = (place.path("repository"), place.path("short"));
        for len in (0..bytes.len()).step_by(97) {
            fs_err::write(&short, &bytes[..len]).unwrap();
            assert!(add(kind, &root, &[&short]).is_err(), "{kind:?} {len}");
            assert!(files(&root).is_empty());
        }
    }
}

#[test]
fn a_repository_of_others_is_refused_for_apt() {
    let place = Place::new();
    let one = place.package(Kind::Apt, "1.0", "x");
    let root = place.path("repository");
    fs_err::create_dir_all(root.join("dists/stable")).unwrap();
    fs_err::write(root.join("dists/stable/Release"), "Suite: stable\n").unwrap();
    let error = add(Kind::Apt, &root, &[&one]).unwrap_err().to_string();
    assert!(error.contains("did not make"), "{error}");
}

#[test]
fn a_folder_that_is_no_repository_cannot_be_checked() {
    assert!(super::check(Place::new().0.path()).is_err());
}
