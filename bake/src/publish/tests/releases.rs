//! What was pushed comes back: every kind of output, byte for byte.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use bake_formats::blob::Blob;
use bake_formats::oci::artifact::TITLE_KEY;
use bake_formats::oci::descriptor::media_type;
use bake_formats::oci::{self, Descriptor, Manifest, Reference, TREE_KEY, json};
use bake_recipes::Platform;

use super::images::{Images, parcel};
use super::memory::{Memory, Rules};
use crate::assemble::Listings;
use crate::base::{self, Locking, Network, Places};
use crate::lower::Kind;
use crate::plan::{PlanCx, Platforms, Request, plan};
use crate::publish::outputs::platform_of;
use crate::publish::{
    Copied, CopyOptions, Form, LayoutOrigin, Origin, Plan, PullOptions, Target, copy, of_file,
    of_release, pull, push, referrers, survey,
};
use crate::registry::{Access, Repository, Unwatched};
use crate::report::Silent;
use crate::run::{RunCx, run};
use crate::store::Store;

const RECIPE: &str = r#"name = "hello"
version = "1.0.0+x-1"
summary = "Says hello"
license = "MIT"
maintainer = "Me <me@example.com>"

[[files]]
content = "hello"
to = "/usr/share/hello/text"

[deb]
[rpm]
[vm]
formats = ["raw", "qcow2"]
"#;

/// Bakes into `dist` of a new folder.
fn baked(image: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("bake.toml");
    fs_err::write(&recipe, format!("{RECIPE}{image}")).unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let platform: Platform = "linux/amd64".parse().unwrap();
    let request = Request {
        recipe: &recipe,
        text: None,
        platforms: Platforms::These(&[platform]),
        only: &[],
        epoch: None,
        variable: &|_| None,
        threads: 1,
    };
    let images = Places::nearby(folder.path());
    let rules = base::Rules { network: Network::Offline, locking: Locking::Frozen };
    let cx = PlanCx {
        store: &store,
        images: &images,
        rules,
        reporter: &Silent,
        walked: Listings::default(),
    };
    let planned = plan(&request, cx).unwrap();
    let cx = RunCx { threads: 1, signer: None, images: &images, reporter: &Silent };
    run(&planned, &store, &folder.path().join("dist"), cx).unwrap();
    folder
}

/// Returns the digest of every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let walk = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = walk.filter(|entry| entry.file_type().is_file()).map(|entry| {
        let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
        let mut bytes = fs_err::read(entry.path()).unwrap();
        if name == "release.json" {
            let text = String::from_utf8(bytes).unwrap();
            bytes = text.replace("\"cached\": true", "\"cached\": false").into_bytes();
        }
        (name, bake_formats::digest::Digest::of(&bytes).to_string())
    });
    files.collect()
}

fn push_release(memory: &Memory, dist: &Path, to: &Reference) -> Plan {
    let loaded = of_release(dist, &[]).unwrap();
    let repository = Repository::new(memory, to, Access::Push);
    let target = Target { repository: to.clone() };
    let known = survey(&repository, &target, &loaded.graph, &loaded.parcels).unwrap();
    let plan = Plan::new(&loaded.graph, &loaded.parcels, &known, &target);
    push(memory, &repository, &loaded.origin, &loaded.graph, &plan, &Unwatched).unwrap();
    plan
}

fn pulled(memory: &Memory, reference: &str, options: &PullOptions) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    pull(memory, &reference.parse().unwrap(), &out, options, &Unwatched).unwrap();
    files(&out)
}

#[test]
fn a_release_comes_back_as_it_was() {
    for no_referrers in [false, true] {
        let memory = Memory::new(Rules { no_referrers, ..Rules::default() });
        let folder = baked("[oci]\n");
        let dist = folder.path().join("dist");
        let to: Reference = "r.test/hello".parse().unwrap();
        push_release(&memory, &dist, &to);
        let all = pulled(&memory, "r.test/hello:1.0.0_x-1", &PullOptions::default());
        assert_eq!(all, files(&dist));
        let again = pulled(&memory, "r.test/hello:1.0.0_x-1-release", &PullOptions::default());
        assert_eq!(again, all);
        assert!(push_release(&memory, &dist, &to).is_done());
    }
}

#[test]
fn only_some_formats_and_forms_are_pulled() {
    let (memory, folder) = (Memory::default(), baked("[oci]\n"));
    let to: Reference = "r.test/hello:1".parse().unwrap();
    push_release(&memory, &folder.path().join("dist"), &to);
    let only = |words: &[&str], form| {
        let only = words.iter().map(|word| (*word).to_owned()).collect();
        let options = PullOptions { only, platform: None, form };
        let found = pulled(&memory, "r.test/hello:1.0.0_x-1", &options);
        let tops = found.into_keys().map(|name| name.split('/').next().unwrap().to_owned());
        tops.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(only(&["deb"], Form::Layout).len(), 1);
    assert_eq!(only(&["oci"], Form::Archive), ["hello-1.0.0_x-1.oci.tar"]);
    assert_eq!(only(&["oci"], Form::Layout), ["hello-1.0.0_x-1.oci"]);
}

#[test]
fn without_an_image_the_version_names_the_release() {
    let (memory, folder) = (Memory::default(), baked(""));
    let dist = folder.path().join("dist");
    push_release(&memory, &dist, &"r.test/hello".parse().unwrap());
    assert_eq!(memory.tags(), ["r.test/hello:1.0.0_x-1"]);
    assert_eq!(pulled(&memory, "r.test/hello:1.0.0_x-1", &PullOptions::default()), files(&dist));
}

/// Clients write what has a title to a file of that name: of an image that would be its manifest.
#[test]
fn the_image_of_a_release_has_no_title() {
    let folder = baked("[oci]\n");
    let loaded = of_release(&folder.path().join("dist"), &[]).unwrap();
    let release = loaded.graph.node(&loaded.parcels[1].root).unwrap();
    let image = |listed: &&Descriptor| listed.digest == loaded.parcels[0].root;
    let image = release.children.iter().find(image).unwrap();
    assert_eq!(image.annotations.get(TITLE_KEY), None);
    assert_eq!(image.annotations["dev.bake.layout"], "hello-1.0.0_x-1.oci");
}

#[test]
fn a_package_for_all_architectures_is_for_every_platform() {
    let text = |kind, path| {
        let platform = platform_of(kind, path, "linux/arm64");
        platform.map(|platform| platform.to_string())
    };
    assert_eq!(text(Kind::Deb, "hello_1.0_all.deb"), None);
    assert_eq!(text(Kind::Rpm, "hello-1.0-1.noarch.rpm"), None);
    assert_eq!(text(Kind::Deb, "hello_1.0_arm64.deb").as_deref(), Some("linux/arm64"));
    assert_eq!(text(Kind::Rpm, "hello-1.0-1.aarch64.rpm").as_deref(), Some("linux/arm64"));
    assert_eq!(text(Kind::Raw, "hello_all.deb").as_deref(), Some("linux/arm64"));
}

#[test]
fn a_release_is_attached_to_its_image() {
    let (memory, folder) = (Memory::default(), baked("[oci]\n"));
    let to: Reference = "r.test/hello:1.0.0_x-1".parse().unwrap();
    push_release(&memory, &folder.path().join("dist"), &to);
    let repository = Repository::new(&memory, &to, Access::Pull);
    assert_eq!(referrers(&repository, &to).unwrap().len(), 1);
}

#[test]
fn an_output_that_changed_is_not_pushed() {
    let folder = baked("");
    let dist = folder.path().join("dist");
    let deb = fs_err::read_dir(&dist).unwrap().map(|entry| entry.unwrap().path());
    let deb = deb.filter(|path| path.extension().is_some_and(|ext| ext == "deb")).last().unwrap();
    let mut bytes = fs_err::read(&deb).unwrap();
    bytes.push(b'\n');
    fs_err::write(&deb, bytes).unwrap();
    let error = of_release(&dist, &[]).unwrap_err().to_string();
    assert!(error.contains("as release.json says"), "{error}");
}

#[test]
fn a_single_file_is_an_artifact_of_its_type() {
    let folder = baked("");
    for entry in fs_err::read_dir(folder.path().join("dist")).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("release.json") {
            continue;
        }
        let loaded = of_file(&path, &["1".to_owned()]).unwrap();
        let kind = loaded.graph.nodes()[0].artifact_type.clone().unwrap();
        let expected = match path.extension().unwrap().to_str().unwrap() {
            "deb" => "application/vnd.debian.binary-package",
            "rpm" => "application/x-rpm",
            "qcow2" => "application/vnd.bake.disk.qcow2",
            _ => "application/vnd.bake.disk.raw",
        };
        assert_eq!(kind, expected);
    }
}

fn copied(memory: &Memory, from: &str, to: &str, options: &CopyOptions) -> Copied {
    copy(memory, &from.parse().unwrap(), &to.parse().unwrap(), options, &Unwatched).unwrap()
}

#[test]
fn an_image_is_copied_out_of_a_registry_and_back() {
    let (memory, folder) = (Memory::default(), baked("[oci]\n"));
    push_release(&memory, &folder.path().join("dist"), &"r.test/hello".parse().unwrap());
    let options = CopyOptions::default();
    let out = folder.path().join("out");
    let (layout, archive) = (out.join("image"), out.join("image.tar"));
    let digest =
        copied(&memory, "r.test/hello:1.0.0_x-1", &format!("oci:{}", layout.display()), &options)
            .digest;
    // From the layout to a file, from the file to another registry.
    copied(&memory, &layout.display().to_string(), &archive.display().to_string(), &options);
    let back = copied(&memory, &archive.display().to_string(), "b.test/hello", &options);
    assert_eq!(back.digest, digest);
    assert!(memory.tags().contains(&"b.test/hello:1.0.0_x-1".to_owned()), "{:?}", memory.tags());
    let again = format!("{}/again", out.display());
    copied(&memory, "b.test/hello:1.0.0_x-1", &again, &options);
    assert_eq!(files(&layout), files(Path::new(&again)));
    let dist = files(&folder.path().join("dist/hello-1.0.0_x-1.oci"));
    assert_eq!(files(&layout), dist);
}

#[test]
fn what_is_attached_is_copied_if_asked_for() {
    let (memory, folder) = (Memory::default(), baked("[oci]\n"));
    push_release(&memory, &folder.path().join("dist"), &"r.test/hello".parse().unwrap());
    for (referrers_too, expected) in [(false, 0), (true, 1)] {
        let options = CopyOptions { referrers: referrers_too, ..CopyOptions::default() };
        let to = format!("b.test/copy{expected}:1");
        copied(&memory, "r.test/hello:1.0.0_x-1", &to, &options);
        let to: Reference = to.parse().unwrap();
        let repository = Repository::new(&memory, &to, Access::Pull);
        assert_eq!(referrers(&repository, &to).unwrap().len(), expected);
    }
    let all = pulled(&memory, "b.test/copy1:1", &PullOptions::default());
    assert_eq!(all, files(&folder.path().join("dist")));
}

#[test]
fn every_platform_of_an_index_must_hold_its_tree() {
    for is_lying in [false, true] {
        let (memory, folder) = (Memory::default(), baked("[oci]\n"));
        let layout = folder.path().join("dist/hello-1.0.0_x-1.oci");
        let origin = LayoutOrigin::open(layout).unwrap();
        let mut images = Images::default();
        let root = origin.roots().unwrap().remove(0);
        let bytes = origin.document(&root).unwrap();
        let mut manifest = Manifest::parse(&bytes).unwrap();
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            let named = Blob { digest: blob.digest, size: blob.size };
            let mut bytes = Vec::new();
            origin.open(named, 0).unwrap().read_to_end(&mut bytes).unwrap();
            images.blobs.insert(blob.digest, bytes);
        }
        let honest = images.keep(media_type::MANIFEST, bytes);
        let tree = manifest.annotations.get_mut(TREE_KEY).unwrap();
        if is_lying {
            *tree = tree.chars().map(|c| if c == '1' { '2' } else { c }).collect();
        }
        manifest.annotations.insert("test".into(), "another".into());
        let other = images.keep(media_type::MANIFEST, json::canonical(&manifest).unwrap());
        let on = |image: Descriptor, architecture: &str| {
            let platform = Some(oci::Platform::new("linux", architecture));
            Descriptor { platform, ..image }
        };
        let index = images.index(vec![on(honest, "amd64"), on(other, "arm64")]);
        let to: Reference = "r.test/several:1".parse().unwrap();
        let repository = Repository::new(&memory, &to, Access::Push);
        let graph = images.graph(&index);
        let target = Target { repository: to.clone() };
        let parcels = parcel(&index, &["1"]);
        let known = survey(&repository, &target, &graph, &parcels).unwrap();
        let plan = Plan::new(&graph, &parcels, &known, &target);
        push(&memory, &repository, &images, &graph, &plan, &Unwatched).unwrap();
        let out = folder.path().join("out");
        let found = pull(&memory, &to, &out, &PullOptions::default(), &Unwatched);
        if is_lying {
            let error = found.unwrap_err().to_string();
            assert!(error.contains("expected the tree"), "{error}");
            assert!(!out.exists() || files(&out).is_empty());
        } else {
            assert_eq!(found.unwrap().len(), 1);
        }
    }
}
