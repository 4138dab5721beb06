//! One environment's configuration of one artifact as what hosts and machines take: packages, volumes, extensions.
//!
//! ```text
//! Deployment ──target `systemd`──► Install: files below / that everybody may read, and those with secrets
//!     Install ──► deb, rpm       NAME-config-ENVIRONMENT: the open files; secrets come by another way
//!     Install ──► confext        the open files, merged into /etc
//!     Install ──► nocloud        user-data, files for bake's own init, the volume of both
//!          each with deployment.json ──► Rendered ──► a folder, whole or not at all
//! ```
//!
//! Everything is made in memory first: configuration is small, and nothing of it may enter the store, which is shared.

mod cloud_config;
mod confext;
mod credential;
mod deb;
mod failure;
mod folder;
mod install;
mod no_cloud;
mod package;
mod record;
mod request;
mod rpm;
mod scripts;
mod secrets;
mod target;
#[cfg(test)]
mod tests;
mod version;

use bake_config::OutputFile;

pub use failure::Failure;
pub use folder::write;
pub use request::{ConfiguredArtifact, HostName, Request};
pub use secrets::SecretPlace;
pub use target::Target;
pub use version::ConfigVersion;

/// Everything that a target gives for one deployment, in the order of the paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The files, `deployment.json` among them.
    pub files: Vec<OutputFile>,
}

/// Renders a deployment for a target: every file, or everything that the target cannot say.
///
/// Equal requests give equal bytes.
pub fn render(request: &Request<'_>) -> Result<Rendered, Failure> {
    let mut files = match request.target {
        Target::Text(target) => target.render(request.deployment)?,
        Target::Deb => deb::render(request)?,
        Target::Rpm => rpm::render(request)?,
        Target::NoCloud => no_cloud::render(request)?,
        Target::Confext => confext::render(request)?,
    };
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let record = record::text(request, &files)?;
    let at = files.partition_point(|file| file.path.as_str() < record::FILE);
    files.insert(at, OutputFile::open(record::FILE, record));
    Ok(Rendered { files })
}
