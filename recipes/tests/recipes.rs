//! Every recipe in `testdata/recipes`: the valid ones resolve, the invalid ones say why not.

use std::path::{Path, PathBuf};

use bake_recipes::resolved::Recipe;
use bake_recipes::{Look, RecipeErrors, ResolveCx, load, resolve};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/recipes").join(name)
}

/// Returns the recipes of a folder in the order of their names.
fn recipes(name: &str) -> Vec<PathBuf> {
    let files = fs_err::read_dir(folder(name)).unwrap().map(|file| file.unwrap().path());
    let mut all: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    all.sort();
    all
}

fn resolved(path: &Path) -> Result<Recipe, RecipeErrors> {
    let text = fs_err::read_to_string(path).unwrap();
    let written = load::parse("bake.toml", &text)?;
    let env = |name: &str| (name == "BUILD_VERSION").then(|| "v2.0.0".to_owned());
    let base = folder("project");
    let cx = ResolveCx { platform: "linux/amd64".parse().unwrap(), env: &env, base: &base };
    resolve(&written, cx)
}

#[test]
fn valid_recipes_resolve() {
    let all = recipes("valid");
    assert!(all.len() >= 5, "found only {}", all.len());
    for path in all {
        if let Err(errors) = resolved(&path) {
            panic!("{}\n{}", path.display(), errors.render(Look::Plain));
        }
    }
}

/// With `BAKE_BLESS=1` the messages are written instead of compared.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test that rewrites its expectations on demand")]
fn invalid_recipes_say_what_is_wrong() {
    let bless = std::env::var("BAKE_BLESS").is_ok_and(|value| value == "1");
    let all = recipes("invalid");
    assert!(all.len() >= 60, "found only {}", all.len());
    let mut wrong = Vec::new();
    for path in all {
        let found = match resolved(&path) {
            Ok(_) => "it is accepted\n".to_owned(),
            Err(errors) => errors.render(Look::Plain) + "\n",
        };
        let message = path.with_extension("txt");
        if bless {
            fs_err::write(&message, &found).unwrap();
        }
        let expected = fs_err::read_to_string(&message).unwrap_or_else(|error| error.to_string());
        if expected != found || found == "it is accepted\n" {
            let name = path.display();
            wrong.push(format!("{name}\nexpected:\n{expected}\nfound:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_message_has_its_recipe() {
    for file in fs_err::read_dir(folder("invalid")).unwrap() {
        let path = file.unwrap().path();
        assert!(path.with_extension("toml").exists(), "{} is alone", path.display());
    }
}
