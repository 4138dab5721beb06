//! Where configuration goes: each target has its own syntax, its own place for secrets and its own way to say that
//! something changed.
//!
//! A target is a pure function from a [`Deployment`] to files. What it has no way to say is a [`Refusal`] that names the
//! key and what to do, never a file that says something else.

mod parts;

mod beside;

mod compose;
mod docker;
mod dotenv;
mod json;
mod kubernetes;
mod systemd;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::deployment::{Deployment, OutputFile, Refusal};

/// A target that is text alone. Packages and volumes are made of these by those who know the formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Variables and files for a service of Compose.
    Compose,
    /// Variables and files for `docker run`.
    Docker,
    /// A file of variables for development.
    Dotenv,
    /// One JSON object of all values.
    Json,
    /// Manifests, and a patch for a Deployment.
    Kubernetes,
    /// Files and a drop-in for a service of systemd, relative to `/`.
    Systemd,
}

impl Target {
    /// All targets.
    pub const ALL: [Self; 6] =
        [Self::Compose, Self::Docker, Self::Dotenv, Self::Json, Self::Kubernetes, Self::Systemd];

    /// Returns the word that the command line uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Compose => "compose",
            Self::Docker => "docker",
            Self::Dotenv => "dotenv",
            Self::Json => "json",
            Self::Kubernetes => "kubernetes",
            Self::Systemd => "systemd",
        }
    }

    /// Renders a deployment: files in the order of their paths, or everything that cannot be said.
    pub fn render(self, deployment: &Deployment<'_>) -> Result<Vec<OutputFile>, Vec<Refusal>> {
        let mut files = match self {
            Self::Compose => compose::render(deployment),
            Self::Docker => docker::render(deployment),
            Self::Dotenv => dotenv::render(deployment),
            Self::Json => json::render(deployment),
            Self::Kubernetes => kubernetes::render(deployment),
            Self::Systemd => systemd::render(deployment),
        }?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let refusals = refused_places(&files);
        if refusals.is_empty() { Ok(files) } else { Err(refusals) }
    }
}

/// Finds files, in the order of their paths, that stand at one place or within another.
fn refused_places(files: &[OutputFile]) -> Vec<Refusal> {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut refusals = Vec::new();
    let hint = "choose another path in the recipe";
    for pair in files.windows(2) {
        if let [one, other] = pair
            && one.path == other.path
        {
            let reason = "two files of this target have this path";
            refusals.push(Refusal::new(one.path.escape_debug(), reason, hint));
        }
    }
    for path in &paths {
        let mut folders = path.match_indices('/').map(|(at, _)| path.split_at(at).0);
        if let Some(folder) = folders.find(|folder| paths.contains(folder)) {
            let reason = format!("`{}` is a file of this target too", folder.escape_debug());
            refusals.push(Refusal::new(path.escape_debug(), reason, hint));
        }
    }
    refusals
}
