//! A suite as it is published.

use std::path::Path;

use super::packages::{self, Record};
use super::release::Release;
use super::settings::State;
use crate::error::Error;
use crate::repository::{refuse, refuse_with};

/// A suite as it is published, checked against its own digests.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) state: State,
    pub(super) release: Release,
    /// The text of `Release`.
    pub(super) text: String,
    /// All packages, in no order.
    pub(super) records: Vec<Record>,
}

/// Returns the folder of a suite below the repository's.
pub(super) fn folder(suite: &str) -> String {
    format!("dists/{suite}")
}

/// Returns the folder of an index below the suite's.
pub(super) fn index_folder(component: &str, architecture: &str) -> String {
    format!("{component}/binary-{architecture}")
}

/// Reads a suite; `None` if there is none.
pub(super) fn load(root: &Path, suite: &str) -> Result<Option<Suite>, Error> {
    let folder = root.join(folder(suite));
    if !folder.exists() {
        return Ok(None);
    }
    let state = folder.join(State::NAME);
    if !state.exists() {
        let hint = "make a new repository from its packages: `bake repo apt NEW PACKAGE...`";
        let reason = "bake did not make this suite, and does not change what others made";
        return Err(refuse_with(format!("`{}`", folder.display()), reason, hint));
    }
    let state = State::parse(&state.display().to_string(), &fs_err::read(&state)?)?;
    let path = folder.join("Release");
    let text = fs_err::read_to_string(&path)?;
    let release = Release::parse(&path.display().to_string(), &text)?;
    let mut records = Vec::new();
    for component in &release.components {
        for architecture in &release.architectures {
            let name = format!("{}/Packages", index_folder(component, architecture));
            let file = folder.join(&name);
            let Some(expected) = release.files.get(&name) else {
                let reason = format!("it does not list {name}");
                return Err(refuse(path.display().to_string(), reason));
            };
            let found = packages::read(&file, component, *expected)?;
            // The others stand in the index of their own.
            let own = |record: &Record| record.architecture == *architecture;
            records.extend(found.into_iter().filter(own));
        }
    }
    Ok(Some(Suite { state, release, text, records }))
}

/// Returns the names of all suites that there are.
pub(super) fn names(root: &Path) -> Result<Vec<String>, Error> {
    let dists = root.join("dists");
    if !dists.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs_err::read_dir(&dists)? {
        let entry = entry?;
        if entry.path().join("Release").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
