//! Whether a repository is what its own indices say.

use std::path::Path;

use bake_formats::format::Problem;

use super::records;
use super::update::load;
use crate::error::Error;
use crate::repository::compare;

/// Lists what is not as the indices say: indices and packages by their digests.
///
/// Signatures are for those who have a key to check them against.
pub fn check(root: &Path) -> Result<Vec<Problem>, Error> {
    let Some(published) = load(root)? else { return Ok(Vec::new()) };
    let scratch = tempfile::tempdir()?;
    let records = records::read(root, &published.repomd, scratch.path())?;
    let mut problems = Vec::new();
    for data in published.repomd.data.values() {
        compare(&root.join(&data.path), data.packed, "dnf-index", &mut problems);
    }
    for record in &records {
        compare(&root.join(&record.path), record.blob, "dnf-package", &mut problems);
    }
    Ok(problems)
}
