//! A repository for dnf, yum and zypper.
//!
//! ```text
//! DIR/
//!   key.asc                              whoever signs
//!   Packages/h/hello-1.0-1.x86_64.rpm
//!   repodata/
//!     repomd.xml  repomd.xml.asc         digests of all indices, and their signature
//!     repomd.xml.key                     key.asc again, where zypper looks for it
//!     DIGEST-primary.xml.gz              what a solver needs of each package
//!     DIGEST-filelists.xml.gz            all files of each package
//!     DIGEST-other.xml.gz                the last changes of each package
//!     DIGEST-updateinfo.xml.gz …         advisories, groups: whatever else is listed
//!     bake.json                          settings, and which older indices are kept
//! ```
//!
//! The format is what `createrepo_c` writes; nothing else specifies it. An index is text in which a
//! package is a run of lines, so that an update copies the lines of known packages as they are. It
//! reads repositories that `createrepo_c` made as well.

mod check;
mod package;
mod records;
mod repomd;
mod settings;
mod stage;
mod update;
mod xml;

pub use check::check;
pub use settings::{Settings, SettingsChange};
pub use update::update;

use std::path::Path;

use super::Request;

/// What an update is told.
#[derive(Debug)]
pub struct DnfRequest<'a> {
    /// What every update is told.
    pub common: Request<'a>,
    /// Advisories to publish, in createrepo's `updateinfo.xml`; without, those before stay.
    pub updateinfo: Option<&'a Path>,
    /// Settings that are to be other than they were.
    pub settings: SettingsChange,
}
