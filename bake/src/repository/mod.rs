//! Static, signed package repositories: folders that any web server or object store can serve.
//!
//! An update goes through three phases, the same for every kind of repository:
//!
//! 1. *Plan.* The published indices are read and checked against their digests; the packages given
//!    are read, hashed, and copied into a staging folder. What the repository will hold is decided,
//!    and every reason to refuse is found here, before anything that readers see has changed.
//! 2. *Stage.* New indices are written beside the published ones: what is known of a package is
//!    copied from the old index, never read from the package again.
//! 3. *Publish.* Packages are moved to their places, then the folder of indices is exchanged for
//!    the staged one in a single step, then what nothing refers to any more is removed. Whoever
//!    ends the program in between leaves the old or the new state.
//!
//! There is no database: the published indices are the state. What they have no place for stands
//! in a file `bake.json` beside them, so that it changes together with them.
//!
//! Memory grows with the number of packages, by what identifies one; never with the size of
//! packages or indices.

pub mod apt;
mod changes;
mod date;
pub mod dnf;
mod folder;
mod index;
mod intake;
mod selector;
mod state;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::format::{Epoch, Problem};

pub use changes::{Changed, Changes};
pub use selector::Selector;

use crate::error::Error;
use crate::sign::Signer;

/// What every update of a repository is told.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The repository's folder; made if it is not there.
    pub root: &'a Path,
    /// The packages to add; a folder stands for all packages in it.
    pub artifacts: &'a [PathBuf],
    /// What to remove, before anything is added.
    pub remove: &'a [Selector],
    /// How many versions of a name and architecture to keep, the newest ones; without, all.
    pub keep: Option<usize>,
    /// The time of the update; without, that of the newest package.
    pub epoch: Option<Epoch>,
    /// Who signs; without, nobody.
    pub signer: Option<&'a dyn Signer>,
    /// Whether to stop after the plan.
    pub dry_run: bool,
    /// How many threads may compress.
    pub threads: usize,
}

/// The time of an update that nothing says: the first of January 2020, as in all bakes.
const DEFAULT_TIME: u32 = 1_577_836_800;

/// Lists what is not as a repository's own indices say, whatever its kinds.
pub fn check(root: &Path) -> Result<Vec<Problem>, Error> {
    let (has_apt, has_dnf) = (root.join("dists").is_dir(), root.join("repodata").is_dir());
    if !has_apt && !has_dnf {
        let reason = "it is no repository: there is neither `dists` nor `repodata` in it";
        return Err(refuse(format!("`{}`", root.display()), reason));
    }
    let mut problems = apt::check(root)?;
    problems.extend(dnf::check(root)?);
    Ok(problems)
}

/// Compares a file with what an index says of it.
fn compare(path: &Path, expected: Blob, rule: &'static str, problems: &mut Vec<Problem>) {
    let file = fs_err::File::open(path).map_err(|_| "no file".to_owned());
    let found = file.and_then(|file| Digest::of_reader(file).map_err(|error| error.to_string()));
    let Blob { digest, size } = expected;
    if found != Ok((digest, size)) {
        let found =
            found.map_or_else(|why| why, |(digest, size)| format!("{digest}, {size} bytes"));
        let expected = format!("{digest}, {size} bytes");
        problems.push(Problem::new(rule, path.display().to_string(), expected, found));
    }
}

/// Returns an error about a file, a package or an option.
fn refuse(place: impl Into<String>, reason: impl Into<String>) -> Error {
    Error::Repository { place: place.into(), reason: reason.into(), hint: None }
}

/// Returns an error that says what to do about it.
fn refuse_with(place: impl Into<String>, reason: impl Into<String>, hint: &'static str) -> Error {
    Error::Repository { place: place.into(), reason: reason.into(), hint: Some(hint) }
}

/// Returns what a folder stands for: the packages in it, in order of their names.
fn expand(artifacts: &[PathBuf], extension: &str) -> Result<Vec<PathBuf>, Error> {
    let mut all = Vec::new();
    for artifact in artifacts {
        let metadata = match fs_err::metadata(artifact) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let place = format!("`{}`", artifact.display());
                return Err(refuse(place, "there is no such file or folder"));
            }
            metadata => metadata?,
        };
        if !metadata.is_dir() {
            all.push(artifact.clone());
            continue;
        }
        let before = all.len();
        for entry in fs_err::read_dir(artifact)? {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == extension) {
                all.push(path);
            }
        }
        all[before..].sort();
        if all.len() == before {
            let reason = format!("no file in it ends in `.{extension}`");
            return Err(refuse(format!("`{}`", artifact.display()), reason));
        }
    }
    Ok(all)
}
