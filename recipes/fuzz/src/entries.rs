//! What the recipe's reader is fed with. An error is fine, a panic is a fault.

use std::path::Path;

use bake_recipes::{Look, Platform, ResolveCx, load, resolve};

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
