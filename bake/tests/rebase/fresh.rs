//! What `bake rebase` makes is what `bake build` makes on the new base, to the byte.

use std::process::{Command, Output};

use bake_formats::digest::Digest;
use bake_formats::oci::{Image, Platform};
use bake_test_registry::TestRegistry;
use serde_json::{Value, json};

use super::{Project, documents, err};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// A registry with two versions of a base image, and a recipe for an image on one of them.
struct Fresh {
    project: Project,
    registry: TestRegistry,
}

impl Fresh {
    fn new() -> Self {
        let fresh = Self { project: Project::new(), registry: TestRegistry::start() };
        fresh.publish("1", b"root:x:0:0:root:/root:/bin/sh\n", "/one");
        let accounts = b"root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/:/bin/false\n";
        fresh.publish("2", accounts, "/two");
        fresh
    }

    /// Puts a version of the base into the registry: an index over an image for each platform.
    fn publish(&self, tag: &str, passwd: &[u8], path: &str) {
        let put = |architecture: &str| {
            let layout = format!("base-{tag}-{architecture}");
            let mut image = Image::new("base", tag, Platform::new("linux", architecture));
            image.env = vec![format!("PATH={path}:/bin"), format!("BASE={tag}")];
            let group = b"root:x:0:\n";
            let files: [(&str, u32, &[u8]); 4] = [
                ("etc/passwd", 0o644, passwd),
                ("etc/group", 0o644, group),
                ("etc/os", 0o644, tag.as_bytes()),
                ("usr/bin/perl", 0o755, architecture.as_bytes()),
            ];
            self.project.image(&layout, &image, &files);
            super::put(&self.project, &self.registry, &layout, "library/base", &layout);
            let mut listed =
                serde_json::to_value(documents(&self.project.path(&layout)).descriptor()).unwrap();
            listed["platform"] = json!({ "os": "linux", "architecture": architecture });
            listed
        };
        let manifests = ARCHITECTURES.map(put);
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        let bytes = serde_json::to_vec(&index).unwrap();
        self.registry.put_manifest("library/base", Some(tag), INDEX, &bytes);
    }

    fn base(&self, tag: &str) -> String {
        format!("{}/library/base:{tag}", self.registry.address())
    }

    fn bake(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
        command.current_dir(self.project.folder.path()).env_clear().args(arguments);
        command.args(["--plain-http", &self.registry.address()]);
        let output = command.env("BAKE_STORE", self.project.path("store")).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", err(&output));
        output
    }

    /// Bakes the recipe on a version of the base into a folder and returns the image's digest.
    fn build(&self, tag: &str, platforms: &[&str], oci: &str) -> String {
        let text = format!(
            "name = \"app\"\nversion = \"1.0\"\nsummary = \"An app\"\nplatforms = {platforms:?}\n\
             [[files]]\ncontent = \"#!/usr/bin/perl\\n\"\nto = \"/usr/bin/app\"\nmode = \"0755\"\n\
             [[files]]\ncontent = \"a library\"\nto = \"/opt/app/lib/a\"\n\
             [service]\ncommand = [\"/usr/bin/app\"]\nuser = \"app\"\nstate = [\"/var/lib/app\"]\n\
             [oci]\nbase = \"{}\"\nenv = [\"PATH=/opt/app/bin:$PATH\"]\n{oci}",
            self.base(tag)
        );
        fs_err::write(self.project.path("bake.toml"), text).unwrap();
        self.bake(&["build", "-o", tag]);
        let bytes = fs_err::read(self.project.path(tag).join("release.json")).unwrap();
        let release: Value = serde_json::from_slice(&bytes).unwrap();
        release["artifacts"][0]["digest"].as_str().unwrap().to_owned()
    }

    /// Bakes on both bases, rebases the first into a folder and in the registry, and compares.
    fn compare(&self, platforms: &[&str], oci: &str) {
        let old = self.build("1", platforms, oci);
        self.bake(&["push", "1/app-1.0.oci", "--to", &self.app()]);
        let fresh = self.build("2", platforms, oci);
        assert_ne!(old, fresh);
        let image = "1/app-1.0.oci";
        let output =
            self.bake(&["rebase", image, "--onto", &self.base("2"), "-o", "out.oci", "--json"]);
        assert_eq!(rebased(&output), fresh, "of a layout: {}", err(&output));
        let index: Value =
            serde_json::from_slice(&fs_err::read(self.project.path("out.oci/index.json")).unwrap())
                .unwrap();
        assert_eq!(index["manifests"][0]["digest"], fresh);

        let (app, base) = (self.app(), self.base("2"));
        let tagged = || self.registry.state().repositories["acme/app"].tags["1.0"];
        assert_eq!(tagged().to_string(), old);
        let output = self.bake(&["rebase", &app, "--onto", &base, "--to", &app, "--json"]);
        assert_eq!(rebased(&output), fresh, "of a registry: {}", err(&output));
        let tagged: Digest = tagged();
        assert_eq!(tagged.to_string(), fresh);
    }

    fn app(&self) -> String {
        format!("{}/acme/app:1.0", self.registry.address())
    }
}

/// Returns the digest that a rebase says it made.
fn rebased(output: &Output) -> String {
    let text = super::out(output);
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found = events.into_iter().find(|event| event["type"] == "rebased").unwrap();
    found["data"]["digest"].as_str().unwrap().to_owned()
}

const ONE: [&str; 1] = ["linux/amd64"];
const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];

#[test]
fn of_an_image_with_its_own_accounts() {
    Fresh::new().compare(&ONE, "accounts = true\n");
}

#[test]
fn of_an_image_that_is_split_by_rules() {
    let rules = "[[oci.layers]]\nname = \"libraries\"\npaths = [\"/opt/app/lib\"]\n";
    Fresh::new().compare(&ONE, rules);
}

#[test]
fn of_an_image_without_accounts_and_of_one_layer() {
    Fresh::new().compare(&ONE, "accounts = false\nlayers = \"one\"\n");
}

#[test]
fn of_an_index_with_everything() {
    let rules = "accounts = true\nlabels = { of = \"us\" }\nannotations = { of = \"us\" }\n\
        index-annotations = { of = \"us\" }\n\
        time-zones = [\"Europe/Berlin\"]\ncompression = \"zstd\"\nbase-layers = \"copy\"\n\
        [[oci.layers]]\nname = \"libraries\"\npaths = [\"/opt/app/lib\"]\n";
    Fresh::new().compare(&BOTH, rules);
}
