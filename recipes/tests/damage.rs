//! The recipe that uses every key, damaged: it resolves or says what is wrong, and never panics.

use std::path::Path;

use bake_recipes::{Look, RecipeErrors, ResolveCx, load, resolve};
use proptest::prelude::*;

const FULL: &str = include_str!("../../testdata/recipes/valid/full.toml");

fn judged(text: &str) -> Result<(), RecipeErrors> {
    let written = load::parse("bake.toml", text)?;
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/recipes/project");
    let platform = "linux/amd64".parse().expect("a platform");
    resolve(&written, ResolveCx { platform, env: &|_| None, base: &base }).map(drop)
}

/// Returns the text with the values of one line exchanged for another's or for something else.
fn damaged(line: usize, other: usize, junk: &str) -> String {
    let lines: Vec<&str> = FULL.lines().collect();
    let value = |index: usize| {
        let line = lines.get(index % lines.len()).copied().unwrap_or_default();
        line.split_once(" = ").map_or("1", |(_, value)| value)
    };
    let at = line % lines.len();
    let mut all: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    if let (Some(place), Some((key, _))) =
        (all.get_mut(at), lines.get(at).and_then(|line| line.split_once(" = ")))
    {
        let value = if junk.is_empty() { value(other).to_owned() } else { format!("{junk:?}") };
        *place = format!("{key} = {value}");
    }
    all.join("\n")
}

proptest! {
    #[test]
    fn a_damaged_recipe_is_a_recipe_or_an_error_that_can_be_shown(
        line in 0_usize..400,
        other in 0_usize..400,
        junk in "|[-@/a-z0-9 .:<>()=~|+*\\[\\]#!\\n]{0,12}|\\PC{0,8}",
    ) {
        if let Err(errors) = judged(&damaged(line, other, &junk)) {
            for error in errors.iter() {
                prop_assert!(error.place.is_some(), "{error}");
                prop_assert!(error.render(Look::Plain).starts_with("error: "));
            }
        }
    }
}
