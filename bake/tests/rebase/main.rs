//! `bake rebase` as a user runs it: layouts of this machine in, layouts and archives out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod fresh;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use bake_formats::blob::{BlobStore, MemoryStore};
use bake_formats::encode::{Encoder, NoCache};
use bake_formats::format::{Epoch, Format, WriteCx};
use bake_formats::input::Source;
use bake_formats::oci::{
    Base, Documents, Image, Layout, LayoutReader, Platform, Written, layout, write,
};
use bake_formats::tree::{Content, Entry, FileTree, Mode, TreeBuilder, TreePath};
use bake_test_registry::TestRegistry;

struct Project {
    folder: tempfile::TempDir,
    blobs: MemoryStore,
}

impl Project {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), blobs: MemoryStore::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tree(&self, files: &[(&str, u32, &[u8])]) -> FileTree {
        let mut builder = TreeBuilder::new();
        for (path, mode, bytes) in files {
            self.blobs.put(bytes).unwrap();
            let entry = Entry::file(Content::of(bytes), Mode::new(*mode).unwrap());
            builder.insert(TreePath::parse(path).unwrap(), entry).unwrap();
        }
        builder.finish().unwrap()
    }

    /// Writes an image as a layout and returns what was written.
    fn image(&self, name: &str, image: &Image, files: &[(&str, u32, &[u8])]) -> Written {
        let encoder = Encoder::new(&self.blobs, &NoCache, 1);
        let cx = WriteCx { blobs: &self.blobs, encoder: &encoder, epoch: Epoch(1_700_000_000) };
        let written = write(image, &self.tree(files), &cx).unwrap();
        for file in layout::artifact(&written).unwrap().files {
            let path = self.path(name).join(&file.path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            let bytes = file.rope.to_vec(&self.blobs).unwrap();
            if path.starts_with(self.path(name).join("blobs")) {
                self.blobs.put(&bytes).unwrap();
            }
            fs_err::write(path, bytes).unwrap();
        }
        written
    }

    /// Writes a base: an image of its own.
    fn base(&self, name: &str, files: &[(&str, u32, &[u8])]) -> Base {
        let mut image = Image::new(name, "1", Platform::new("linux", "amd64"));
        image.user = Some("0".into());
        self.image(name, &image, files);
        let documents = documents(&self.path(name));
        let mut base = Base::new(None, documents.descriptor(), Arc::new(documents));
        base.includes_layers = true;
        base
    }

    fn app(&self, name: &str, base: Option<Base>) -> Written {
        let mut image = Image::new("app", "1.0", Platform::new("linux", "amd64"));
        image.entrypoint = vec!["/usr/bin/app".into()];
        image.base = base;
        self.image(name, &image, &[("usr/bin/app", 0o755, b"#!/usr/bin/perl\n")])
    }

    fn rebase(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
        command.current_dir(self.folder.path()).env("BAKE_STORE", self.path("store"));
        command.env_remove("NO_COLOR").arg("rebase").args(arguments).output().unwrap()
    }
}

fn open(path: &Path) -> LayoutReader {
    LayoutReader::open(&bake::source::open(path).unwrap()).unwrap()
}

fn documents(path: &Path) -> Documents {
    let reader = open(path);
    let images = reader.images().unwrap();
    reader.documents(&images[0].descriptor).unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const PERL: (&str, u32, &[u8]) = ("usr/bin/perl", 0o755, b"perl");

#[test]
fn an_image_goes_onto_a_new_base_and_is_a_fresh_bake() {
    let project = Project::new();
    let old = project.base("old", &[PERL]);
    let new = project.base("new", &[PERL, ("etc/fixed", 0o644, b"1")]);
    project.app("app.oci", Some(old));
    let fresh = project.app("fresh.oci", Some(new));

    let output = project.rebase(&["app.oci", "--onto", "./new"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("0 errors, 0 warnings, 0 notes"), "{}", out(&output));
    assert!(
        err(&output).contains(&format!("it would be {}", fresh.root.digest)),
        "{}",
        err(&output)
    );

    let output = project.rebase(&["app.oci", "--onto", "./new", "-o", "result/app.oci"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let result = project.path("result/app.oci");
    assert_eq!(documents(&result).descriptor().digest, fresh.root.digest);
    assert!(out(&output).contains(&format!("rebased  {}", fresh.root.digest)), "{}", out(&output));
    let source: Source = bake::source::open(&result).unwrap();
    assert_eq!(Layout::verify(&source).unwrap(), []);
    // Like the image, the result holds its base's layers.
    let reader = open(&result);
    let layers = documents(&result).manifest.layers;
    assert!(layers.iter().all(|layer| reader.has(layer).unwrap()));

    let output = project.rebase(&["result/app.oci", "--onto", "./new", "-o", "new.tar", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(documents(&project.path("new.tar")).descriptor().digest, fresh.root.digest);
    let events: Vec<serde_json::Value> =
        out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["bake", "image", "rebased"]);
    assert_eq!(events[1]["data"]["new_digest"], fresh.root.digest.to_string());
    assert!(err(&output).contains("on this base already"));
}

#[test]
fn a_sparse_result_only_refers_to_its_base() {
    let project = Project::new();
    let (old, new) =
        (project.base("old", &[PERL]), project.base("new", &[PERL, ("x", 0o644, b"")]));
    project.app("app.oci", Some(old));
    let below = new.documents.unwrap().manifest.layers.clone();
    let arguments = ["app.oci", "--onto", "./new", "-o", "out.oci", "--base-layers", "refer"];
    let output = project.rebase(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let reader = open(&project.path("out.oci"));
    let layers = documents(&project.path("out.oci")).manifest.layers;
    for layer in &layers {
        let is_below = below.iter().any(|base| base.digest == layer.digest);
        assert_eq!(reader.has(layer).unwrap(), !is_below);
    }
}

#[test]
fn what_would_not_run_is_refused_and_force_documents_itself() {
    let project = Project::new();
    let (old, new) = (project.base("old", &[PERL]), project.base("new", &[("x", 0o644, b"")]));
    project.app("app.oci", Some(old));
    let fresh = project.app("fresh.oci", Some(new));
    let arguments = ["app.oci", "--onto", "./new", "-o", "out.oci"];
    let output = project.rebase(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let line = "error[interpreter-missing]: /usr/bin/app: /usr/bin/perl: not found (old base: found as /usr/bin/perl)";
    assert!(out(&output).contains(line), "{}", out(&output));
    assert!(err(&output).contains("refused: interpreter-missing"), "{}", err(&output));
    assert!(!project.path("out.oci").exists());

    let output = project.rebase(&[&arguments[..], &["--force"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let documents = documents(&project.path("out.oci"));
    assert_ne!(documents.descriptor().digest, fresh.root.digest);
    let annotations = &documents.manifest.annotations;
    assert_eq!(annotations["dev.bake.rebase.forced"], "interpreter-missing");
    assert!(err(&output).contains("a fresh bake gives another digest"), "{}", err(&output));
}

#[test]
fn damaged_layers_and_missing_images_are_named_and_nothing_is_written() {
    let project = Project::new();
    let (old, new) =
        (project.base("old", &[PERL]), project.base("new", &[PERL, ("x", 0o644, b"")]));
    let written = project.app("app.oci", Some(old));
    drop(new);
    let output = project.rebase(&["app.oci", "--onto", "./nowhere", "-o", "out.oci"]);
    assert_eq!(output.status.code(), Some(1));
    let text = err(&output);
    assert!(text.contains("cannot read the image `./nowhere`") && text.contains("hint:"), "{text}");

    let own = written.images[0].manifest.layers.last().unwrap();
    let path = project.path("app.oci").join(own.path());
    let mut bytes = fs_err::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    let output = project.rebase(&["app.oci", "--onto", "./new", "-o", "out.oci"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains(&format!("cannot read layer 1 ({})", own.digest)),
        "{}",
        err(&output)
    );
    assert!(!project.path("out.oci").exists());
}

#[test]
fn one_of_several_images_of_a_layout_is_chosen_by_its_name() {
    let project = Project::new();
    let (old, new) =
        (project.base("old", &[PERL]), project.base("new", &[PERL, ("x", 0o644, b"")]));
    project.app("app.oci", Some(old));
    let fresh = project.app("fresh.oci", Some(new));
    // Everything of both bases in one layout, under the tags `old` and `new`.
    let index = |name: &str| -> serde_json::Value {
        let bytes = fs_err::read(project.path(name).join("index.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    let mut both = index("new");
    let mut manifests = Vec::new();
    for name in ["old", "new"] {
        let mut listed = index(name)["manifests"][0].clone();
        listed["annotations"] = serde_json::json!({ "org.opencontainers.image.ref.name": name });
        manifests.push(listed);
        for blob in fs_err::read_dir(project.path(name).join("blobs/sha256")).unwrap() {
            let blob = blob.unwrap();
            let to = project.path("new/blobs/sha256").join(blob.file_name());
            if !to.exists() {
                fs_err::copy(blob.path(), to).unwrap();
            }
        }
    }
    both["manifests"] = manifests.into();
    fs_err::write(project.path("new/index.json"), both.to_string()).unwrap();

    let output = project.rebase(&["app.oci", "--onto", "./new"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("expected one image, found 2"), "{}", err(&output));
    assert!(err(&output).contains("hint: there is old, new"), "{}", err(&output));
    let output = project.rebase(&["app.oci", "--onto", "oci:new:new", "-o", "out.oci"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let out = project.path("out.oci");
    assert_eq!(documents(&out).descriptor().digest, fresh.root.digest);
    let names = |path: &Path| {
        let image = open(path).images().unwrap().remove(0);
        (image.name, image.version)
    };
    assert_eq!(names(&out), names(&project.path("app.oci")));
}

#[test]
fn images_without_a_base_say_what_to_do() {
    let project = Project::new();
    project.base("new", &[PERL]);
    project.app("app.oci", None);
    let output = project.rebase(&["app.oci", "--onto", "./new"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("the image is built on nothing"), "{}", err(&output));
}

/// Puts a layout into a registry, as a push would.
fn put(project: &Project, registry: &TestRegistry, layout: &str, repository: &str, tag: &str) {
    let documents = documents(&project.path(layout));
    for blob in documents.manifest.layers.iter().chain([&documents.manifest.config]) {
        let bytes = fs_err::read(project.path(layout).join(blob.path())).unwrap();
        registry.put_blob(repository, &bytes);
    }
    let media_type = documents.descriptor().media_type;
    registry.put_manifest(repository, Some(tag), &media_type, &documents.manifest_bytes);
}

#[test]
fn an_image_of_a_registry_is_rebased_there_and_its_layers_are_read_once() {
    let project = Project::new();
    let registry = TestRegistry::start();
    let host = registry.address();
    let named = |name: &str, files: &[(&str, u32, &[u8])], tag: &str| {
        let mut base = project.base(name, files);
        base.name = Some(format!("{host}/library/base:{tag}"));
        put(&project, &registry, name, "library/base", tag);
        base
    };
    let old = named("old", &[PERL], "1");
    let new = named("new", &[PERL, ("etc/fixed", 0o644, b"1")], "2");
    let newest = named("newest", &[PERL, ("etc/fixed", 0o644, b"2")], "3");
    project.app("app.oci", Some(old));
    put(&project, &registry, "app.oci", "acme/app", "1.0");
    let fresh = project.app("fresh.oci", Some(new));
    let later = project.app("later.oci", Some(newest));

    let (app, bases) = (format!("{host}/acme/app:1.0"), format!("{host}/library/base"));
    let rebase = |tag: &str, more: &[&str]| {
        registry.forget();
        let onto = format!("{bases}:{tag}");
        let arguments = [&app, "--onto", &onto, "--to", &app, "--plain-http", &host];
        let output = project.rebase(&[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        output
    };
    let before = registry.state().repositories["acme/app"].tags["1.0"];
    let output = rebase("2", &["--dry-run"]);
    assert!(err(&output).contains("nothing was sent"), "{}", err(&output));
    assert_eq!(registry.state().repositories["acme/app"].tags["1.0"], before);

    let output = rebase("2", &["--tag", "stable"]);
    let tags = &registry.state().repositories["acme/app"].tags;
    assert_eq!((tags["1.0"], tags["stable"]), (fresh.root.digest, fresh.root.digest));
    assert!(out(&output).contains("mounted 1"), "{}", out(&output));
    let is_layer = |digest: &str| {
        let layers = [&fresh, &later].into_iter().flat_map(|one| &one.images[0].manifest.layers);
        layers.into_iter().any(|layer| layer.digest.to_string() == digest)
    };
    let layers_read = || {
        let exchanges = registry.trace().exchanges;
        let gets = exchanges.iter().filter(|one| one.method == "GET");
        gets.filter(|one| is_layer(one.path.rsplit('/').next().unwrap())).count()
    };
    // All layers were read for the report before.
    assert_eq!(layers_read(), 0);

    // Only the layer of a base that was never seen is read.
    rebase("3", &[]);
    assert_eq!(layers_read(), 1);
    assert_eq!(registry.state().repositories["acme/app"].tags["1.0"], later.root.digest);
    assert!(registry.trace().open.is_empty());
}
