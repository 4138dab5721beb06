//! Images on base images, as a user bakes them: what a registry is asked, what the lock file does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::process::{Command, Output};

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_test_registry::TestRegistry;
use serde_json::{Value, json};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A registry with a base image, and a recipe for an image on it.
struct Project {
    folder: tempfile::TempDir,
    registry: TestRegistry,
}

impl Project {
    fn new(oci: &str) -> Self {
        let registry = TestRegistry::start();
        let project = Self { folder: tempfile::tempdir().unwrap(), registry };
        project.publish("one");
        let base = format!("{}/team/base:1", project.registry.address());
        project.write(&format!("base = \"{base}\"\n{oci}"));
        project
    }

    fn write(&self, oci: &str) {
        let text = format!(
            "name = \"hello\"\nversion = \"1.0.0\"\nsummary = \"Says hello\"\n\
             platforms = [\"linux/amd64\", \"linux/arm64\"]\n\
             [[files]]\ncontent = \"hello\"\nto = \"/usr/share/hello\"\n[oci]\n{oci}"
        );
        fs_err::write(self.folder.path().join("bake.toml"), text).unwrap();
    }

    /// Lets the tag `1` lead to an index over two images that differ from others by a label.
    fn publish(&self, label: &str) -> Digest {
        let blob = |bytes: &[u8]| {
            self.registry.put_blob("team/base", bytes);
            Blob::of(bytes)
        };
        let put = |media_type: &str, value: &Value, tag: Option<&str>| {
            let bytes = serde_json::to_vec(value).unwrap();
            self.registry.put_manifest("team/base", tag, media_type, &bytes);
            Blob::of(&bytes)
        };
        let describe = |media_type: &str, blob: Blob| json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.size });
        // An archive without members.
        let layer = blob(&[0; 1024]);
        let manifests = ["amd64", "arm64"].map(|architecture| {
            let config = json!({
                "architecture": architecture, "os": "linux",
                "config": { "Env": ["PATH=/base/bin"], "Labels": { "of": label } },
                "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
            });
            let config = blob(&serde_json::to_vec(&config).unwrap());
            let manifest = json!({
                "schemaVersion": 2, "mediaType": MANIFEST,
                "config": describe(CONFIG, config), "layers": [describe(LAYER, layer)],
            });
            let mut listed = describe(MANIFEST, put(MANIFEST, &manifest, None));
            listed["platform"] = json!({ "os": "linux", "architecture": architecture });
            listed
        });
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        put(INDEX, &index, Some("1")).digest
    }

    /// Runs a command; returns its output and how many requests the registry got.
    fn bake(&self, arguments: &[&str]) -> (Output, usize) {
        self.registry.forget();
        let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        if ["build", "lock", "outdated"].contains(&arguments[0]) {
            command.args(["--plain-http", &self.registry.address()]);
        }
        let output = command.env("BAKE_STORE", self.folder.path().join("store")).output().unwrap();
        (output, self.registry.trace().requests())
    }

    fn succeeds(&self, arguments: &[&str]) -> (String, usize) {
        let (output, requests) = self.bake(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), requests)
    }

    fn fails(&self, arguments: &[&str]) -> (String, usize) {
        let (output, requests) = self.bake(arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        (String::from_utf8(output.stderr).unwrap(), requests)
    }

    fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.folder.path().join(path)).unwrap()
    }

    fn forget_store(&self) {
        fs_err::remove_dir_all(self.folder.path().join("store")).unwrap();
    }

    /// Returns the digest of the image that was baked last.
    fn image(&self) -> Value {
        let release: Value = serde_json::from_str(&self.read("dist/release.json")).unwrap();
        release["artifacts"][0]["digest"].clone()
    }
}

#[test]
fn documents_are_read_once_and_layers_never() {
    let project = Project::new("");
    let one = ["build", "--platform", "linux/amd64"];
    assert_eq!(project.succeeds(&one).1, 3, "index, manifest, configuration");
    let (lock, image) = (project.read("bake.lock"), project.image());
    assert_eq!(project.succeeds(&one).1, 0);
    assert_eq!(project.succeeds(&["build"]).1, 2, "the other platform of the same index");
    assert_ne!(project.read("bake.lock"), lock);
    let lock = project.read("bake.lock");
    assert_eq!(project.succeeds(&["build", "--locked", "--offline"]).1, 0);
    // On another machine the lock file says which manifests.
    project.forget_store();
    assert_eq!(project.succeeds(&[&one[..], &["--locked"]].concat()).1, 2);
    assert_eq!((project.read("bake.lock"), project.image()), (lock, image));
    let layer = Digest::of(&[0; 1024]).hex();
    let path = project.folder.path().join("dist/hello-1.0.0.oci/blobs/sha256").join(layer);
    assert!(!path.exists(), "the layout refers to the base's layer");
}

#[test]
fn a_frozen_lock_file_says_all_or_it_is_an_error() {
    let project = Project::new("");
    project.succeeds(&["build", "--platform", "linux/amd64"]);
    let lock = project.read("bake.lock");
    for command in [&["build", "--locked"][..], &["lock", "--locked"]] {
        let (error, _) = project.fails(command);
        let expected = "its image for linux/arm64 is not in the lock file, which `--locked` keeps";
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("hint: run `bake lock`"), "{error}");
    }
    project.succeeds(&["build", "--locked", "--platform", "linux/amd64"]);
    assert_eq!(project.read("bake.lock"), lock);
    let (output, _) = project.bake(&["lock", "--locked", "--update"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_frozen_lock_file_keeps_files_in_their_layers() {
    let project = Project::new("");
    let text = project.read("bake.toml");
    let jars = |names: &[&str]| {
        let mut text = text.clone();
        for name in names {
            fs_err::write(project.folder.path().join(name), vec![b'x'; 5 << 20]).unwrap();
            text = text.replace(
                "[oci]",
                &format!("[[files]]\nfrom = \"{name}\"\nto = \"/opt/lib/{name}\"\n[oci]"),
            );
        }
        fs_err::write(project.folder.path().join("bake.toml"), text).unwrap();
    };
    jars(&["guava-1.0.jar"]);
    project.succeeds(&["lock"]);
    let plan = project.bake(&["plan"]).0;
    let note = String::from_utf8(plan.stderr).unwrap();
    assert!(note.contains("bake.lock` does not say everything; `bake build` writes it"), "{note}");
    let (error, _) = project.fails(&["build", "--locked"]);
    let expected = "bake.lock` does not say in which layer `/opt/lib/guava-1.0.jar` (dependencies)";
    assert!(error.contains(expected) && error.contains("hint: run `bake build`"), "{error}");
    assert!(!project.folder.path().join("dist").exists());

    project.succeeds(&["build"]);
    let (lock, image) = (project.read("bake.lock"), project.image());
    project.succeeds(&["build", "--locked"]);
    assert_eq!((project.read("bake.lock"), project.image()), (lock.clone(), image));
    jars(&["guava-1.0.jar", "slf4j-2.0.jar"]);
    let one = ["build", "--locked", "--platform", "linux/arm64"];
    let (error, _) = project.fails(&one);
    assert!(error.contains("`/opt/lib/slf4j-2.0.jar` (dependencies)"), "{error}");
    assert!(!error.contains("guava"), "{error}");
    // What is gone moves no byte of what is left.
    jars(&[]);
    project.succeeds(&["build", "--locked"]);
    assert_eq!(project.read("bake.lock"), lock);
}

#[test]
fn a_complete_output_has_the_bases_layers_and_the_same_manifest() {
    let project = Project::new("");
    let one = ["build", "--platform", "linux/amd64"];
    project.succeeds(&one);
    let image = project.image();
    project.succeeds(&[&one[..], &["-o", "sparse"]].concat());
    let base = format!("base = \"{}/team/base:1\"\n", project.registry.address());
    project.write(&format!("{base}base-layers = \"copy\"\narchive = true\n"));
    let (error, requests) = project.fails(&[&one[..], &["--offline"]].concat());
    assert!(error.contains("1 of its layers (1024 bytes) is not in the store"), "{error}");
    assert!(error.contains("hint: `bake lock --layers` brings them"), "{error}");
    assert_eq!(requests, 0);
    assert_eq!(project.succeeds(&one).1, 1, "the layer, once for both outputs");
    assert_eq!(project.image(), image);
    project.succeeds(&["diff", "sparse/hello-1.0.0.oci", "dist/hello-1.0.0.oci"]);
    project.succeeds(&["verify", "dist/hello-1.0.0.oci", "dist/hello-1.0.0.oci.tar"]);
    assert_eq!(project.succeeds(&["build", "--platform", "linux/amd64"]).1, 0);
}

#[test]
fn a_base_that_may_not_be_asked_for_is_an_error_at_its_line() {
    let project = Project::new("");
    let (error, requests) = project.fails(&["build", "--offline"]);
    assert!(error.contains("what the name stands for is not in the store"), "{error}");
    assert!(error.contains(" --> bake.toml:9:8") && error.contains("hint: "), "{error}");
    let (error, more) = project.fails(&["build", "--locked"]);
    assert!(error.contains("it is not in the lock file, which `--locked` keeps"), "{error}");
    assert_eq!(requests + more, 0);
    assert!(!project.folder.path().join("bake.lock").exists());
    assert!(!project.folder.path().join("dist").exists());

    let (plan, requests) = project.succeeds(&["plan", "--explain"]);
    assert!(plan.starts_with("unknown oci"), "{plan}");
    assert_eq!(requests, 0);
    project.succeeds(&["lock"]);
    let (plan, requests) = project.succeeds(&["plan", "--explain"]);
    assert!(plan.starts_with("miss ") && requests == 0, "{plan}");
    let name = format!("{}/team/base:1", project.registry.address());
    for platform in ["linux/amd64", "linux/arm64"] {
        let line = plan.lines().find(|line| line.contains(" base: ") && line.contains(platform));
        assert!(line.unwrap().ends_with(&format!("({name})")), "{plan}");
    }

    project.write(&format!("base = \"{}/team/other:1\"\n", project.registry.address()));
    let (error, _) = project.fails(&["build"]);
    assert!(
        error.contains("there is no such manifest") && error.contains("bake.toml:9:8"),
        "{error}"
    );
}

#[test]
fn a_tag_that_moved_is_told_and_taken_when_asked() {
    let project = Project::new("");
    let name = format!("{}/team/base:1", project.registry.address());
    let (text, _) = project.succeeds(&["lock"]);
    assert!(text.starts_with(&format!("locked {name} sha256:")), "{text}");
    project.succeeds(&["build"]);
    let (old_lock, old) = (project.read("bake.lock"), project.image());
    let (text, requests) = project.succeeds(&["outdated"]);
    assert!(text.starts_with(&format!("current {name} sha256:")), "{text}");
    assert_eq!(requests, 1);

    let new = project.publish("two");
    let (output, requests) = project.bake(&["outdated"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), requests), (Some(1), 1));
    assert!(text.starts_with("moved   ") && text.contains(&format!("-> {new}")), "{text}");
    project.succeeds(&["build"]);
    assert_eq!((project.read("bake.lock"), project.image()), (old_lock, old.clone()));

    let (error, _) = project.fails(&["lock", "--update", "debian"]);
    assert!(error.contains("`debian` is no base image of the recipe"), "{error}");
    let (text, _) = project.succeeds(&["lock", "--update", &name]);
    assert!(text.starts_with("moved ") && text.contains(&new.to_string()), "{text}");
    assert_eq!(project.succeeds(&["build"]).1, 0, "the lock brought the documents");
    assert_ne!(project.image(), old);
}

#[test]
fn an_image_of_this_machine_is_a_base_and_may_not_change_unseen() {
    let project = Project::new("base-layers = \"copy\"\n");
    project.succeeds(&["build", "-o", "base"]);
    project.write("base = \"oci:base/hello-1.0.0.oci\"\n");
    assert_eq!(project.succeeds(&["build"]).1, 0);
    project.succeeds(&["verify", "dist/hello-1.0.0.oci"]);
    let first = project.image();
    let registry =
        format!("base = \"{}/team/base:1\"\nbase-layers = \"copy\"\n", project.registry.address());
    project.write(&format!("{registry}labels = {{ a = \"b\" }}\n"));
    project.succeeds(&["build", "-o", "base"]);
    project.write("base = \"oci:base/hello-1.0.0.oci\"\n");
    let (error, _) = project.fails(&["build"]);
    assert!(error.contains("it changed: expected sha256:"), "{error}");
    assert!(error.contains("hint: `bake lock --update` takes"), "{error}");
    project.succeeds(&["lock", "--update"]);
    project.succeeds(&["build"]);
    assert_ne!(project.image(), first);
    project.write("base = \"oci:nowhere\"\n");
    let (error, _) = project.fails(&["build"]);
    assert!(error.contains("nowhere") && error.contains("bake.toml:9:8"), "{error}");
}

#[test]
fn a_layer_of_another_size_is_not_taken_for_one_that_is_elsewhere() {
    let project = Project::new("base-layers = \"copy\"\n");
    project.succeeds(&["build", "-o", "base"]);
    project.write("base = \"oci:base/hello-1.0.0.oci\"\n");
    project.succeeds(&["lock"]);
    let layer = Digest::of(&[0; 1024]).hex();
    let layer = project.folder.path().join("base/hello-1.0.0.oci/blobs/sha256").join(layer);
    project.forget_store();
    fs_err::write(&layer, [0; 1023]).unwrap();
    let (error, _) = project.fails(&["build"]);
    assert!(error.contains("its descriptor says 1024 bytes, found 1023"), "{error}");
    fs_err::remove_file(&layer).unwrap();
    let (error, _) = project.fails(&["build"]);
    assert!(error.contains("hint: it is a sparse layout"), "{error}");
}
