//! What the readers of the recipe, of its lock file and of environments are fed with. An error is fine, a panic is a fault.

use std::path::Path;

use bake_recipes::{Look, Platform, ResolveCx, environment, load, lock, resolve};

/// Reads a recipe, resolves it, and prints what is wrong with it.
pub fn recipe(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(platform) = "linux/amd64".parse::<Platform>() else { return };
    let env = |name: &str| (name == "BUILD_VERSION").then(|| "v2.0.0".to_owned());
    // Nothing is there, so that a recipe cannot name what is on this machine.
    let base = Path::new("/nowhere");
    let outcome = load::parse("bake.toml", text)
        .and_then(|written| resolve(&written, ResolveCx { platform, env: &env, base }));
    if let Err(errors) = outcome {
        assert!(!errors.render(Look::Plain).is_empty(), "a fault is told");
    }
}

/// Reads a lock file; what is printed of it is read again as the same.
pub fn lock(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match lock::parse("bake.lock", text) {
        Ok(lock) => assert_eq!(lock::parse("bake.lock", &lock.to_string()), Ok(lock)),
        Err(errors) => assert!(!errors.render(Look::Plain).is_empty(), "a fault is told"),
    }
}

/// Reads a file of an environment and prints what is wrong with it.
pub fn environment(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(name) = "prod".parse() else { return };
    if let Err(errors) = environment::own_sources("prod.toml", text, &name) {
        assert!(!errors.render(Look::Plain).is_empty(), "a fault is told");
    }
}
