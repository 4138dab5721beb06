//! A repository for apt.
//!
//! ```text
//! DIR/
//!   key.asc                                    whoever signs
//!   pool/COMPONENT/h/hello/hello_1.0-1_amd64.deb
//!   dists/SUITE/
//!     InRelease  Release  Release.gpg          digests of all indices, signed
//!     bake.json                                settings, and which older indices are kept
//!     COMPONENT/
//!       binary-ARCH/{Packages,Packages.gz,Packages.xz,Packages.zst,Release}
//!       binary-ARCH/by-hash/SHA256/…           the same by digest, also of updates before
//!       Contents-ARCH.gz  by-hash/SHA256/…     which package brings which file
//!       bake-contents.zst                      the same, by version, for the next update
//! ```
//!
//! The format is that of <https://wiki.debian.org/DebianRepository/Format>. SHA-256 is the only
//! digest: apt takes it since 0.7, and by-hash names follow the strongest one that is listed.
//!
//! Packages of architecture `all` stand in `binary-all`, for machines of architectures that the
//! suite has nothing else for, and in every other index too, for readers that know nothing of
//! `binary-all`. Descriptions are whole in `Packages`, so that there are no `i18n` files.

mod check;
mod contents;
mod packages;
mod publish;
mod release;
mod settings;
mod stage;
mod suite;
mod update;

pub use check::check;
pub use settings::{Settings, SettingsChange};
pub use update::update;

use super::Request;

/// What an update of a suite is told.
#[derive(Debug)]
pub struct AptRequest<'a> {
    /// What every update is told.
    pub common: Request<'a>,
    /// The suite, e.g. `stable`.
    pub suite: &'a str,
    /// The component that packages are added to, e.g. `main`.
    pub component: &'a str,
    /// Settings that are to be other than they were.
    pub settings: SettingsChange,
}
