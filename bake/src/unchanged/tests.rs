use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::base::Locking;
use crate::plan::{PlanCx, Platforms, plan};
use crate::report::Silent;
use crate::run::{self, RunCx};

use super::*;

const RULES: Rules = Rules { network: Network::Offline, locking: Locking::Extend };

const RECIPE: &str = r#"
name = "tree"
version = { env = "VERSION" }
summary = "a tree"
license = "MIT"
maintainer = "A <a@example.com>"
architecture = "native"
[[files]]
from = "build/"
to = "/opt/tree/"
exclude = ["*.log"]
[[files]]
from = "more/*.txt"
to = "/opt/more/"
[deb]
scripts.postinst = { file = "postinst" }
[oci]
"#;

/// What moves, and what moves it.
type Move<'a> = (&'a str, &'a dyn Fn(&mut Bakery));

/// A recipe with its build output, and where it is baked.
struct Bakery {
    folder: tempfile::TempDir,
    store: Store,
    version: String,
}

impl Bakery {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let bakery = Self { folder, store, version: "1.0".into() };
        for (name, text) in [
            ("bake.toml", RECIPE),
            ("postinst", "#!/bin/sh\ntrue\n"),
            ("build/a", "one"),
            ("build/b", "two"),
            ("build/deep/c", "three"),
            ("build/x.log", "left out"),
            ("more/d.txt", "four"),
            ("more/e.bin", "unwanted"),
        ] {
            bakery.write(name, text);
        }
        symlink("a", bakery.path("build/link")).unwrap();
        bakery
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, text).unwrap();
    }

    /// Waits until what was written can be known by its stamps.
    fn settle() {
        std::thread::sleep(Duration::from_millis(25));
    }

    fn ask<T>(&self, act: impl FnOnce(&Request<'_>) -> T) -> T {
        let (recipe, version) = (self.path("bake.toml"), self.version.clone());
        let variable = move |name: &str| (name == "VERSION").then(|| version.clone());
        act(&Request {
            recipe: &recipe,
            text: None,
            platforms: Platforms::OfRecipe { host: "linux/amd64".parse().unwrap() },
            only: &[],
            epoch: None,
            variable: &variable,
            threads: 2,
        })
    }

    fn look(&self) -> Inputs {
        self.ask(|request| Inputs::look(request, &self.store, RULES, None)).unwrap()
    }

    /// Returns what is known without planning.
    fn remains(&self) -> Option<Remains> {
        self.look().remains(&self.store, &self.path("dist"))
    }

    /// Bakes as the command does, and returns whether planning was necessary.
    fn bake(&self) -> bool {
        let mut inputs = self.look();
        if inputs.remains(&self.store, &self.path("dist")).is_some() {
            return false;
        }
        self.ask(|request| {
            let (folder, store) = (self.folder.path(), &self.store);
            let images = Places::nearby(folder);
            let cx = PlanCx {
                store,
                images: &images,
                rules: RULES,
                reporter: &Silent,
                walked: inputs.take_walked(),
            };
            let plan = plan(request, cx).unwrap();
            let cx = RunCx { threads: 2, signer: None, images: &images, reporter: &Silent };
            let (release, written) = run::run(&plan, store, &self.path("dist"), cx).unwrap();
            inputs.keep(store, &plan, (&release, &written), Vec::new()).unwrap();
        });
        true
    }

    /// Bakes until nothing is left to be done.
    fn baked() -> Self {
        let bakery = Self::new();
        Self::settle();
        assert!(bakery.bake());
        // The first bake wrote the lock file, which the second knows.
        bakery.bake();
        assert!(bakery.remains().is_some(), "nothing moved");
        bakery
    }
}

#[test]
fn what_did_not_move_is_not_baked_again_and_no_file_is_opened() {
    let bakery = Bakery::baked();
    let before: Vec<_> = ["build/a", "build/deep/c", "more/d.txt"]
        .map(|name| (name, fs_err::metadata(bakery.path(name)).unwrap()))
        .into();
    // A reader would fail on files that nobody may read, unless it is root, whom nothing stops.
    let remains = bakery.remains().unwrap();
    assert!(remains.release.artifacts.iter().all(|artifact| artifact.cached));
    assert_eq!(remains.release.artifacts.len(), 2);
    for (name, metadata) in before {
        let now = fs_err::metadata(bakery.path(name)).unwrap();
        assert_eq!(
            (now.mtime_nsec(), now.ctime_nsec()),
            (metadata.mtime_nsec(), metadata.ctime_nsec())
        );
    }
}

#[test]
fn everything_that_moves_an_output_is_noticed() {
    let touch = |path: PathBuf| {
        // Same size, same time of modification: only the time of the change tells.
        let time = fs_err::metadata(&path).unwrap().modified().unwrap();
        fs_err::write(&path, "ONE").unwrap();
        fs_err::OpenOptions::new().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    let moves: [Move<'_>; 16] = [
        ("contents", &|bakery| bakery.write("build/a", "other")),
        ("contents of the same size and time", &|bakery| touch(bakery.path("build/a"))),
        ("another file", &|bakery| bakery.write("build/deep/new", "")),
        ("a file less", &|bakery| fs_err::remove_file(bakery.path("build/b")).unwrap()),
        ("a name", &|bakery| {
            fs_err::rename(bakery.path("build/b"), bakery.path("build/bb")).unwrap();
        }),
        ("an empty directory", &|bakery| fs_err::create_dir(bakery.path("build/empty")).unwrap()),
        ("a link", &|bakery| {
            fs_err::remove_file(bakery.path("build/link")).unwrap();
            symlink("b", bakery.path("build/link")).unwrap();
        }),
        ("a mode", &|bakery| {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(bakery.path("build/a"), mode).unwrap();
        }),
        ("another name of a file", &|bakery| {
            fs_err::hard_link(bakery.path("build/a"), bakery.path("build/again")).unwrap();
        }),
        ("a file of a pattern", &|bakery| bakery.write("more/new.txt", "five")),
        ("the recipe", &|bakery| {
            bakery.write("bake.toml", &RECIPE.replace("a tree", "another tree"));
        }),
        ("a variable", &|bakery| bakery.version = "1.1".into()),
        ("a script", &|bakery| bakery.write("postinst", "#!/bin/sh\nfalse\n")),
        ("an output", &|bakery| {
            let deb = bakery.path("dist/tree_1.0-1_amd64.deb");
            fs_err::write(deb, "torn").unwrap();
        }),
        ("a file beside those of an image", &|bakery| bakery.write("dist/tree-1.0.oci/x", "")),
        ("an environment that is a file of the payload", &|bakery| {
            fs_err::create_dir(bakery.path("environments")).unwrap();
            symlink("../build/a", bakery.path("environments/prod.toml")).unwrap();
        }),
    ];
    for (what, act) in moves {
        let mut bakery = Bakery::baked();
        act(&mut bakery);
        assert!(bakery.remains().is_none(), "{what} moved, and nobody noticed");
    }
}

#[test]
fn what_is_no_input_moves_nothing() {
    let bakery = Bakery::baked();
    bakery.write("build/x.log", "left out, and longer");
    bakery.write("build/y.log", "left out");
    bakery.write("more/f.bin", "unwanted");
    bakery.write("other", "not named");
    assert!(bakery.remains().is_some());
}

#[test]
fn a_file_as_new_as_the_look_is_not_trusted() {
    let bakery = Bakery::new();
    Bakery::settle();
    // Written in the same tick as the look, it could change again and keep its times.
    bakery.write("build/a", "new");
    assert!(bakery.bake());
    assert!(bakery.remains().is_none());
    let later = UNIX_EPOCH + Duration::from_secs(1 << 33);
    fs_err::OpenOptions::new()
        .write(true)
        .open(bakery.path("build/b"))
        .unwrap()
        .set_modified(later)
        .unwrap();
    Bakery::settle();
    assert!(bakery.bake() && bakery.remains().is_none(), "a file of the future is never settled");
}

#[test]
fn a_result_that_was_collected_is_made_again() {
    let bakery = Bakery::baked();
    for entry in walkdir::WalkDir::new(bakery.path("store/actions")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            fs_err::remove_file(entry.path()).unwrap();
        }
    }
    assert!(bakery.remains().is_none());
    assert!(bakery.bake());
}

#[test]
fn a_torn_or_foreign_record_counts_as_none() {
    let bakery = Bakery::baked();
    let name = bakery.look().name(&fs_err::canonicalize(bakery.path("dist")).unwrap());
    let path = bakery.path("store/index").join(name.hex());
    let whole = fs_err::read(&path).unwrap();
    for len in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs_err::write(&path, &whole[..len]).unwrap();
        assert!(bakery.remains().is_none(), "cut at {len}");
    }
    fs_err::write(&path, &whole).unwrap();
    assert!(bakery.remains().is_some());
    let elsewhere = bakery.path("elsewhere");
    fs_err::create_dir(&elsewhere).unwrap();
    assert!(bakery.look().remains(&bakery.store, Path::new(&elsewhere)).is_none());
}

#[test]
fn what_the_look_met_is_what_a_walk_of_its_own_finds() {
    let bakery = Bakery::new();
    fs_err::hard_link(bakery.path("build/a"), bakery.path("build/again")).unwrap();
    let walked = bakery.look().take_walked();
    let recipes = bakery.ask(|request| load(request).unwrap().recipes);
    let scan = |walked: &Listings| {
        let scans = recipes.iter().map(|recipe| {
            crate::assemble::scan(bakery.folder.path(), &recipe.files, walked, 2).unwrap()
        });
        format!("{:?}", scans.collect::<Vec<_>>())
    };
    let found = scan(&Listings::default());
    assert_eq!(scan(&walked), found);
    // It is kept, and not looked for again.
    fs_err::remove_dir_all(bakery.path("build/deep")).unwrap();
    assert_eq!(scan(&walked), found);
    assert_ne!(scan(&Listings::default()), found);
}
