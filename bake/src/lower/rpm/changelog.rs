//! The changelog as rpm has it.

use bake_formats::rpm;
use bake_recipes::resolved::{Change, Recipe};

/// Returns the changelog, the newest entry first; `evr` is the package's own version.
pub(super) fn changelog(recipe: &Recipe, evr: &str) -> Vec<rpm::Change> {
    let own = recipe.version.to_string();
    let change = |change: &Change| {
        // The package's own entry has the version as rpm spells it, which tools compare.
        let version = if change.version == own { evr } else { &change.version };
        let items: Vec<String> = change.items.iter().map(|item| item_text(item)).collect();
        rpm::Change {
            time: change.date.0,
            author: format!("{} - {version}", change.author),
            text: items.join("\n"),
        }
    };
    recipe.changelog.iter().map(change).collect()
}

/// Returns an item with its mark; further lines stand below its text.
fn item_text(item: &str) -> String {
    let lines: Vec<&str> = item.lines().map(str::trim_end).collect();
    format!("- {}", lines.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_marked_and_indented() {
        assert_eq!(item_text("one"), "- one");
        assert_eq!(item_text("one\ntwo \nthree"), "- one\n  two\n  three");
    }
}
