//! Whether a repository is what its own indices say.

use std::path::Path;

use bake_formats::digest::Digest;
use bake_formats::format::Problem;

use super::stage::is_published;
use super::suite::{self, Suite};
use crate::error::Error;
use crate::repository::compare;

/// Lists what is not as the indices of all suites say: indices and packages by their digests.
///
/// Signatures are for those who have a key to check them against.
pub fn check(root: &Path) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    for name in suite::names(root)? {
        let Some(suite) = suite::load(root, &name)? else { continue };
        let folder = root.join(suite::folder(&name));
        let files = suite.release.files.iter();
        for (path, blob) in files.filter(|(path, _)| is_published(path)) {
            compare(&folder.join(path), *blob, "apt-index", &mut problems);
        }
        check_by_hash(&folder, &suite, &mut problems);
        check_cleartext(&folder, &suite, &mut problems);
        for record in &suite.records {
            compare(&root.join(&record.path), record.blob, "apt-package", &mut problems);
        }
    }
    Ok(problems)
}

/// Every file of a generation must have the digest that is its name.
fn check_by_hash(folder: &Path, suite: &Suite, problems: &mut Vec<Problem>) {
    for name in suite.state.generations.iter().flatten() {
        let path = folder.join(name);
        let hex = name.rsplit('/').next().unwrap_or_default();
        let file = fs_err::File::open(&path).ok();
        let found = file.and_then(|file| Digest::of_reader(file).ok());
        if found.is_none_or(|(digest, _)| digest.hex() != hex) {
            let found = found.map_or("no file".into(), |(digest, _)| digest.hex());
            problems.push(Problem::new("apt-by-hash", path.display().to_string(), hex, found));
        }
    }
}

/// `InRelease` must have the text of `Release`.
fn check_cleartext(folder: &Path, suite: &Suite, problems: &mut Vec<Problem>) {
    if !has_same_cleartext(folder, suite) {
        let place = folder.join("InRelease").display().to_string();
        problems.push(Problem::new("apt-inrelease", place, "the text of Release", "another text"));
    }
}

/// Whether `InRelease` has the text of `Release`, or need not be there.
pub(super) fn has_same_cleartext(folder: &Path, suite: &Suite) -> bool {
    if suite.state.signed_by.is_none() {
        return true;
    }
    let text = fs_err::read_to_string(folder.join("InRelease")).unwrap_or_default();
    // The text stands between an empty line and the signature; no line of ours starts with a dash.
    let body = text.split_once("\n\n").and_then(|(_, rest)| rest.split_once("-----BEGIN PGP SIG"));
    body.is_some_and(|(body, _)| body.trim_end() == suite.text.trim_end())
}
