//! Several platforms in one bake, as a user runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::process::{Command, Output};

use serde_json::Value;

const HEAD: &str = r#"name = "hello"
version = "1.0.0"
summary = "Says hello"
license = "MIT"
maintainer = "Me <me@example.com>"
"#;

const RULES: &str = r#"
platforms = ["linux/amd64", "linux/arm64"]

[[files]]
content = "for all"
to = "/usr/share/hello/common"

[[files]]
content = "amd64 only"
to = "/usr/share/hello/machine"
platforms = ["linux/amd64"]

[[files]]
content = "arm64 only"
to = "/usr/share/hello/machine"
platforms = ["linux/arm64"]

[deb]
[oci]
archive = true
[vm]
"#;

struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(rules: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("bake.toml"), format!("{HEAD}{rules}")).unwrap();
        Self { folder }
    }

    fn bake(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
        let store = self.folder.path().join("store");
        command.args(arguments).current_dir(self.folder.path());
        command.env_clear().env("BAKE_STORE", store).output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.bake(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&fs_err::read(self.folder.path().join(path)).unwrap()).unwrap()
    }
}

#[test]
fn a_recipe_is_baked_for_all_its_platforms_and_images_get_one_index() {
    let project = Project::new(RULES);
    let lines = project.succeeds(&["build"]);
    let paths: Vec<_> = lines.lines().map(|line| line.rsplit('/').next().unwrap()).collect();
    let expected = [
        "hello_1.0.0-1_amd64.deb",
        "hello_1.0.0-1_arm64.deb",
        "hello-1.0.0.oci",
        "hello-1.0.0.oci.tar",
        "hello-1.0.0-amd64.qcow2",
        "hello-1.0.0-arm64.qcow2",
    ];
    assert_eq!(paths, expected);

    let release = project.json("dist/release.json");
    assert_eq!(release["tree"], Value::Null);
    let trees: Vec<_> = (0..2).map(|n| release["platforms"][n]["tree"].clone()).collect();
    assert!(trees[0].is_string() && trees[1].is_string() && trees[0] != trees[1], "{release}");
    let image = &release["artifacts"][2];
    assert_eq!(image["platform"], "linux/amd64,linux/arm64");
    let root = project.json("dist/hello-1.0.0.oci/index.json");
    assert_eq!(root["manifests"][0]["digest"], image["digest"]);
    let name = image["digest"].as_str().unwrap().replace(':', "/");
    let index = project.json(&format!("dist/hello-1.0.0.oci/blobs/{name}"));
    for (number, architecture) in ["amd64", "arm64"].into_iter().enumerate() {
        assert_eq!(index["manifests"][number]["platform"]["architecture"], architecture);
        assert_eq!(index["manifests"][number]["digest"], image["images"][number]["digest"]);
        assert_eq!(image["images"][number]["tree"], trees[number]);
        assert_eq!(release["artifacts"][3]["images"][number], image["images"][number]);
    }
}

#[test]
fn an_image_of_an_index_is_the_one_that_is_baked_alone() {
    let project = Project::new(RULES);
    project.succeeds(&["build", "--only", "oci"]);
    let both = project.json("dist/release.json")["artifacts"][0]["images"].clone();
    for (number, platform) in ["linux/amd64", "linux/arm64"].into_iter().enumerate() {
        project.succeeds(&["build", "--only", "oci", "--platform", platform, "-o", "one"]);
        let one = project.json("one/release.json")["artifacts"][0].clone();
        assert_eq!(one["digest"], both[number]["digest"], "a plain manifest, and the same one");
        assert_eq!(one["platform"], platform);
    }
    let reversed = ["build", "--only", "oci", "--platform", "linux/arm64,linux/amd64", "-o", "two"];
    project.succeeds(&reversed);
    let (one, two) = (project.json("dist/release.json"), project.json("two/release.json"));
    assert_eq!(one["artifacts"][0]["digest"], two["artifacts"][0]["digest"]);
}

#[test]
fn a_second_bake_is_cached_and_a_change_of_one_platform_leaves_the_others_packages() {
    let project = Project::new(RULES);
    project.succeeds(&["build"]);
    let again = project.succeeds(&["build", "--platform", "all"]);
    assert_eq!(again.matches(" cached ").count(), 6, "{again}");
    let rules = RULES.replace("arm64 only", "arm64, and changed");
    fs_err::write(project.folder.path().join("bake.toml"), format!("{HEAD}{rules}")).unwrap();
    let plan = project.succeeds(&["plan"]);
    let hits: Vec<_> = plan.lines().filter(|line| line.starts_with("hit")).collect();
    assert_eq!(hits.len(), 2, "{plan}");
    assert!(hits.iter().all(|line| line.contains("amd64")), "{plan}");
}

#[test]
fn a_package_for_all_architectures_is_made_once_or_refused() {
    let equal = "platforms = [\"linux/amd64\", \"linux/arm64\"]\narchitecture = \"all\"\n\
        [[files]]\ncontent = \"x\"\nto = \"/usr/share/x\"\n[deb]\n";
    let project = Project::new(equal);
    let lines = project.succeeds(&["build"]);
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.contains("hello_1.0.0-1_all.deb"), "{lines}");
    let different = format!(
        "{equal}[[files]]\ncontent = \"x\"\nto = \"/usr/share/y\"\nplatforms = [\"linux/arm64\"]\n"
    );
    let different = different.replace("[deb]\n", "") + "[deb]\n";
    let project = Project::new(&different);
    let output = project.bake(&["build"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("comes out differently for linux/amd64 and linux/arm64"), "{error}");
}

#[test]
fn platforms_are_named_once_and_in_the_words_of_oci() {
    let project = Project::new(RULES);
    let rows = [
        ("linux/amd64,linux/amd64", "`linux/amd64` stands there twice"),
        ("linux/amd64,x86_64", "unknown platform `x86_64`; did you mean `linux/amd64`?"),
        ("linux/amd64,all", "unknown platform `all`"),
    ];
    for (words, expected) in rows {
        let output = project.bake(&["build", "--platform", words]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(error.contains(expected), "{words}: {error}");
    }
    let output = project.succeeds(&["check", "--json"]);
    assert!(output.contains("\"files\":0"), "{output}");
}

#[test]
fn readers_take_one_image_or_all() {
    let project = Project::new(RULES);
    project.succeeds(&["build"]);
    let image = "dist/hello-1.0.0.oci";
    for path in [image, "dist/hello-1.0.0.oci.tar"] {
        let output = project.bake(&["inspect", path]);
        let error = String::from_utf8(output.stderr).unwrap();
        let expected = "holds images for linux/amd64, linux/arm64; choose one with `--platform`";
        assert!(output.status.code() == Some(1) && error.contains(expected), "{error}");
        let chosen = ["inspect", "--tree", "--platform", "linux/arm64", path];
        let tree = project.succeeds(&chosen);
        assert_eq!(tree, project.succeeds(&["inspect", "--tree", "dist/hello_1.0.0-1_arm64.deb"]));
    }
    let arm = ["diff", "dist/hello_1.0.0-1_arm64.deb", image, "--platform", "linux/arm64"];
    assert_eq!(project.succeeds(&arm), "");
    let none = project.bake(&["inspect", "--platform", "linux/s390x", image]);
    let error = String::from_utf8(none.stderr).unwrap();
    assert!(error.contains("found linux/amd64, linux/arm64"), "{error}");

    let all = [
        "verify",
        image,
        "dist/hello-1.0.0.oci.tar",
        "dist/hello_1.0.0-1_amd64.deb",
        "dist/hello_1.0.0-1_arm64.deb",
        "dist/hello-1.0.0-arm64.qcow2",
    ];
    let text = project.succeeds(&all);
    assert!(text.contains("all 5 artifacts hold the trees of their 2 platforms:"), "{text}");
    assert_eq!(text.matches("ok ").count(), 7, "{text}");
    let rules = RULES.replace("arm64 only", "arm64, and changed");
    fs_err::write(project.folder.path().join("bake.toml"), format!("{HEAD}{rules}")).unwrap();
    project.succeeds(&["build", "--only", "deb"]);
    let output = project.bake(&all);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("5 artifacts hold 3 different trees"), "{text}");
}
