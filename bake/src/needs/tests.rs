//! Whole recipes: what their packages declare, and what is found.

use bake_formats::tree::{Content, FileTree};
use bake_recipes::Platform;

use super::*;
use crate::assemble::{self, Listings};
use crate::plan;
use crate::store::Store;

/// A folder with a recipe and a build output.
struct Project {
    folder: tempfile::TempDir,
}

const HEAD: &str = r#"
name = "sample"
version = "1.0"
summary = "a sample"
description = "a sample of a package"
license = "MIT"
maintainer = "Team <team@bake.example>"
"#;

impl Project {
    fn new(rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("bake.toml"), format!("{HEAD}{rest}")).unwrap();
        Self { folder }
    }

    fn with(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, bytes).unwrap();
        self
    }

    /// Adds the program that runs these tests, with names in it replaced by others as long.
    fn with_program(self, path: &str, replaced: &[(&str, &str)]) -> Self {
        let mut bytes = fs_err::read(std::env::current_exe().unwrap()).unwrap();
        for (old, new) in replaced {
            assert_eq!(old.len(), new.len());
            let (old, new) = (format!("\0{old}\0"), format!("\0{new}\0"));
            let places = places(&bytes, old.as_bytes());
            assert!(!places.is_empty(), "{old}");
            for at in places {
                bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
            }
        }
        self.with(path, bytes)
    }

    fn settle_with(&self, store: Option<&Store>) -> Result<Settled, Failures> {
        let path = self.folder.path().join("bake.toml");
        let request = plan::Request {
            text: None,
            recipe: &path,
            platforms: plan::Platforms::These(&[host()]),
            only: &[],
            epoch: None,
            variable: &|_| None,
            threads: 2,
        };
        let recipe = plan::load(&request)?.recipes.remove(0);
        let folder = fs_err::canonicalize(self.folder.path()).unwrap();
        let scan =
            assemble::scan(&folder, &recipe.files, &Listings::default(), 2).map_err(Error::from)?;
        let stand_in = |(number, file): (usize, &assemble::FoundFile)| Content {
            size: file.stamp.size,
            ..Content::of(&[u8::try_from(number).unwrap()])
        };
        let contents: Vec<Content> = scan.files.iter().enumerate().map(stand_in).collect();
        let trees = assemble::compose(&recipe, &scan, &contents).map_err(Error::from)?;
        let cache = store.map(|store| Cache { store, folder: &folder });
        if store.is_some() {
            // What is kept must do: nothing can be read any more the second time.
            let kept =
                Request { recipe: &recipe, folder: &folder, trees: &trees, threads: 2, cache };
            settle(&kept, &mut FileTree::id)?;
            fs_err::remove_dir_all(folder.join("out")).unwrap();
        }
        let request =
            Request { recipe: &recipe, folder: &folder, trees: &trees, threads: 2, cache };
        settle(&request, &mut FileTree::id)
    }

    fn settle(&self) -> Settled {
        self.settle_with(None).unwrap()
    }
}

/// Returns where some bytes are in the first megabytes of a program, where its names are.
fn places(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    let head = &bytes[..bytes.len().min(4 << 20)];
    let found = head.windows(wanted.len()).enumerate().filter(|(_, found)| *found == wanted);
    found.map(|(at, _)| at).collect()
}

fn host() -> Platform {
    match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64",
        other => panic!("no platform is known for {other}"),
    }
    .parse()
    .unwrap()
}

fn depends(settled: &Settled) -> Vec<String> {
    settled.recipe.deb.as_ref().unwrap().depends.iter().map(ToString::to_string).collect()
}

fn requires(settled: &Settled) -> Vec<String> {
    settled.recipe.rpm.as_ref().unwrap().requires.iter().map(ToString::to_string).collect()
}

fn rules(settled: &Settled, output: Output) -> Vec<Rule> {
    let of = settled.findings.iter().filter(|finding| finding.output == output);
    of.map(|finding| finding.rule).collect()
}

const FILES: &str = "[[files]]\nfrom = \"out/\"\nto = \"/usr/\"\nmode = \"0755\"\n";

#[test]
fn a_compiled_program_needs_the_c_library_it_was_linked_with() {
    let recipe = format!("auto-depends = \"on\"\n{FILES}[deb]\n[rpm]\n");
    let settled = Project::new(&recipe).with_program("out/bin/x", &[]).settle();
    let found = depends(&settled);
    assert!(found.iter().any(|relation| relation.starts_with("libc6 (>= 2.")), "{found:?}");
    assert!(found.iter().any(|relation| relation.starts_with("libgcc-s1 (>= ")), "{found:?}");
    let found = requires(&settled);
    let has = |name: &str| found.iter().any(|relation| relation == name);
    assert!(has("libc.so.6()(64bit)") && has("libgcc_s.so.1()(64bit)"), "{found:?}");
    assert!(found.iter().any(|relation| relation.starts_with("libc.so.6(GLIBC_2.")));
    assert!(settled.findings.is_empty(), "{:?}", settled.findings);
}

#[test]
fn lint_says_what_is_missing_and_off_nothing() {
    let program = |auto: &str| {
        let recipe = format!("auto-depends = \"{auto}\"\n{FILES}[deb]\n[rpm]\n");
        Project::new(&recipe).with_program("out/bin/x", &[]).settle()
    };
    let settled = program("lint");
    assert!(depends(&settled).is_empty() && requires(&settled).is_empty());
    assert_eq!(rules(&settled, Output::Deb), [Rule::MissingLibrary; 2]);
    assert_eq!(rules(&settled, Output::Rpm), [Rule::MissingLibrary]);
    let finding = &settled.findings[0];
    assert_eq!(finding.path.as_deref(), Some("/usr/bin/x"));
    assert!(finding.place.is_some());
    let text = crate::lint::Finding::from(finding.clone()).brief(bake_recipes::Look::Plain);
    assert!(text.starts_with("warning: deb: nothing declares `libc6 (>= 2."), "{text}");
    assert!(text.contains("which /usr/bin/x needs for libc.so.6"), "{text}");
    assert!(text.contains("hint: add it, deb.depends = [\"libc6 (>= 2."), "{text}");
    assert!(program("off").findings.is_empty());
}

#[test]
fn what_is_declared_covers_what_is_needed_or_gives_way() {
    let settle = |depends: &str| {
        let recipe = format!("auto-depends = \"on\"\n{FILES}[deb]\ndepends = [{depends}]\n");
        depends_of(&Project::new(&recipe).with_program("out/bin/x", &[]))
    };
    let strong = settle(r#""libc6 (>= 99)", "libgcc-s1 (>= 99)", "adduser""#);
    assert_eq!(strong, ["libc6 (>= 99)", "libgcc-s1 (>= 99)", "adduser"]);
    let weak = settle(r#""libc6", "libc6 (<< 99)", "libgcc-s1 (>= 99) | other""#);
    assert!(!weak.contains(&"libc6".to_owned()), "{weak:?}");
    assert!(weak.contains(&"libc6 (<< 99)".to_owned()), "{weak:?}");
    let libc = |relation: &&String| relation.starts_with("libc6 (>= 2.");
    assert_eq!(weak.iter().filter(libc).count(), 1, "{weak:?}");
    // An alternative may be installed without the library.
    assert!(
        weak.iter()
            .any(|relation| relation.starts_with("libgcc-s1 (>= ") && !relation.contains('|'))
    );
}

fn depends_of(project: &Project) -> Vec<String> {
    depends(&project.settle())
}

#[test]
fn the_distributions_data_goes_before_what_is_built_in() {
    let recipe =
        format!("auto-depends = \"on\"\n{FILES}[deb]\nlibrary-data = [\"own.shlibs\", \"data\"]\n");
    let symbols = "libc.so.6 fakec #MINVER#, fakec-data\n| x\n never@Base 3.0\n";
    let project = Project::new(&recipe)
        .with_program("out/bin/x", &[])
        .with(&format!("data/fakec:{}.symbols", host().deb()), symbols)
        .with("data/other:nowhere.symbols", "libc.so.6 other\n x@Base 9\n")
        .with("data/fakec.shlibs", "libc 6 unused\n")
        .with("data/gcc.symbols", "libgcc_s.so.1 unused #MINVER#\n x@Base 1\n")
        .with("own.shlibs", "libgcc_s 1 mygcc (>= 9) | yourgcc\nld-linux-x86-64 2\nld-linux-aarch64 1\nlibm 6 fakec (>= 2)\n");
    let found = depends_of(&project);
    assert_eq!(found, ["fakec (>= 3.0)", "fakec-data", "mygcc (>= 9) | yourgcc"]);
}

#[test]
fn a_library_of_an_unknown_package_is_an_error_only_if_it_is_to_be_declared() {
    let project = |auto: &str, rest: &str| {
        let recipe = format!("auto-depends = \"{auto}\"\n{FILES}[deb]\n{rest}");
        Project::new(&recipe).with_program("out/bin/x", &[("libgcc_s.so.1", "libxyz_s.so.1")])
    };
    let error = project("on", "").settle_with(None).unwrap_err().to_string();
    assert!(error.contains("libxyz_s.so.1 of /usr/bin/x (by its name `libxyz-s1`)"), "{error}");
    let settled = project("lint", "depends = [\"libc6 (>= 99)\"]").settle();
    assert_eq!(rules(&settled, Output::Deb), [Rule::UnknownLibrary]);
    for known in ["depends = [\"libxyz-s1t64\"]", "library-data = [\"none.shlibs\"]"] {
        let settled = project("on", known).with("none.shlibs", "libxyz_s 1\n").settle();
        assert!(settled.findings.is_empty(), "{known}: {:?}", settled.findings);
    }
}

#[test]
fn what_the_package_brings_itself_is_not_needed() {
    let recipe = format!("auto-depends = \"on\"\n{FILES}[deb]\n[rpm]\n");
    let renamed = [("libgcc_s.so.1", "libxyz_s.so.1")];
    let private = Project::new(&recipe)
        .with_program("out/bin/x", &renamed)
        .with_program("out/share/x/libxyz_s.so.1", &renamed);
    let settled = private.settle();
    let found = requires(&settled);
    assert!(depends(&settled).iter().all(|relation| relation.starts_with("libc6 ")));
    assert!(!found.iter().any(|name| name.contains("xyz")), "{found:?}");
    assert!(settled.recipe.rpm.as_ref().unwrap().provides.is_empty());
}

#[test]
fn scripts_and_services_need_what_runs_them() {
    let recipe = r#"
auto-depends = "on"
[[files]]
from = "out/"
to = "/opt/x/"
mode = "0755"
[[files]]
from = "plain/"
to = "/opt/plain/"
[[files]]
symlink = "/usr/bin/python3"
to = "/opt/x/venv/bin/python"
[service]
command = ["/usr/bin/node", "/opt/x/server.js"]
[deb]
recommends = ["perl-base"]
[rpm]
"#;
    let settled = Project::new(recipe)
        .with("out/a", "#!/opt/x/venv/bin/python\n")
        .with("out/b", "#!/usr/bin/env -S ruby --x\n")
        .with("out/c", "#!/bin/sh\n")
        .with("out/d", "#!/opt/x/c\n")
        .with("out/e", "#!/usr/bin/perl\n")
        .with("out/f", "#!/usr/bin/env deno\n")
        .with("plain/g", "#!/usr/bin/php\n")
        .settle();
    let mut found = depends(&settled);
    found.sort();
    assert_eq!(found, ["nodejs", "python3", "ruby"]);
    let paths = [
        "/bin/sh",
        "/usr/bin/env",
        "/usr/bin/node",
        "/usr/bin/perl",
        "/usr/bin/python3",
        "/usr/bin/ruby",
    ];
    assert_eq!(requires(&settled), paths);
    assert_eq!(rules(&settled, Output::Deb), [Rule::UnknownInterpreter]);
    assert!(settled.findings[0].message.contains("/opt/x/f is run by `deno`"));
}

#[test]
fn programs_for_another_machine_are_reported_and_left_out() {
    let recipe = format!("auto-depends = \"on\"\n{FILES}[deb]\n[rpm]\n");
    let project = Project::new(&recipe).with_program("out/bin/x", &[]);
    let path = project.folder.path().join("out/bin/x");
    let mut bytes = fs_err::read(&path).unwrap();
    // The machine in the header: IBM S/390.
    bytes[18] = 22;
    fs_err::write(&path, bytes).unwrap();
    let settled = project.settle();
    assert!(depends(&settled).is_empty() && requires(&settled).is_empty());
    assert_eq!(rules(&settled, Output::Deb), [Rule::ForeignBinary]);
    assert!(settled.findings[0].message.contains("S/390"), "{:?}", settled.findings[0]);
}

#[test]
fn runtimes_are_suggested_and_never_declared() {
    let settle = |auto: &str, depends: &str| {
        let recipe = format!(
            "auto-depends = \"{auto}\"\n[[files]]\nfrom = \"out/\"\nto = \"/opt/\"\n[deb]\ndepends = [{depends}]\n"
        );
        Project::new(&recipe)
            .with("out/x/package.json", r#"{"main": "x.js", "engines": {"node": ">=18"}}"#)
            .with(
                "out/x/node_modules/y/package.json",
                r#"{"main": "y", "engines": {"node": ">=99"}}"#,
            )
            .settle()
    };
    for auto in ["lint", "on"] {
        let settled = settle(auto, "");
        assert!(depends(&settled).is_empty());
        assert_eq!(rules(&settled, Output::Deb), [Rule::SuggestedRuntime]);
        let hint = settled.findings[0].hint.as_deref();
        assert_eq!(hint, Some("perhaps deb.depends = [\"nodejs (>= 18)\"]"));
        assert_eq!(
            rules(&settle(auto, "\"nodejs (>= 16)\""), Output::Deb),
            [Rule::SuggestedRuntime]
        );
        assert!(settle(auto, "\"nodejs (>= 18.2)\"").findings.is_empty());
        assert!(settle(auto, "\"nodejs\"").findings.is_empty());
    }
}

#[test]
fn what_is_kept_opens_no_file() {
    let recipe = format!("auto-depends = \"on\"\n{FILES}[deb]\nlibrary-data = [\"data\"]\n[rpm]\n");
    let project = Project::new(&recipe)
        .with_program("out/bin/x", &[])
        .with("out/bin/y", "#!/usr/bin/node\n")
        .with("data/c.symbols", "libc.so.6 c1 #MINVER#\n x@Base 1\n");
    let store = tempfile::tempdir().unwrap();
    let store = Store::open(store.path()).unwrap();
    let settled = project.settle_with(Some(&store)).unwrap();
    let found = depends(&settled);
    assert!(found.contains(&"c1 (>= 1)".to_owned()), "{found:?}");
    assert!(found.contains(&"nodejs".to_owned()), "{found:?}");
}
