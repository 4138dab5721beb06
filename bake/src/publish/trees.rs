//! Trees of what was pulled, compared with what manifests say.

use std::path::Path;

use super::refuse;
use crate::error::Error;
use crate::opened::Opened;

/// Fails unless a package or a disk holds the tree that its manifest names.
pub(super) fn expect_tree(path: &Path, title: &str, expected: &str) -> Result<(), Error> {
    let found = Opened::open(path)?.inspect(None)?.tree.id().to_string();
    compare(title, expected, &found)
}

/// Fails unless every image of a layout or an archive holds the tree that its manifest names.
/// Images that name none are not compared.
pub(super) fn expect_trees(path: &Path, title: &str) -> Result<(), Error> {
    for image in Opened::open(path)?.inspect_all()? {
        let Some(declared) = image.declared else { continue };
        let title = match &image.platform {
            Some(platform) => format!("{title} for {platform}"),
            None => title.to_owned(),
        };
        compare(&title, &declared.to_string(), &image.tree.id().to_string())?;
    }
    Ok(())
}

fn compare(title: &str, expected: &str, found: &str) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    let reason = format!("expected the tree {expected} as its manifest says, found {found}");
    let hint = "do not use it: whoever pushed it did not push what it says".to_owned();
    Err(refuse(format!("`{}`", title.escape_debug()), reason, Some(hint)))
}
