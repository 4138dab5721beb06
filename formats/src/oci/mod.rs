//! OCI images (image-spec 1.1): a tree as layers, with how to run it.
//!
//! ```text
//! index.json ─► image index (if there are several platforms)
//!                 │  one descriptor for each platform
//!                 ▼
//!               image manifest ── annotations: dev.bake.tree, dev.bake.image
//!                 ├─► image configuration: platform, user, environment, command,
//!                 │                        one DiffID and one history entry for each layer
//!                 ├─► layers of the base, as the base lists them; often elsewhere
//!                 ├─► layers of the tree    tar, tar+gzip or tar+zstd   dev.bake.layer=payload
//!                 ├─► (if the tree needs it)                            dev.bake.layer=support
//!                 └─► (merged with the base's, if asked for)            dev.bake.layer=accounts
//! ```
//!
//! Every arrow is a descriptor: media type, digest, size (descriptor.md). Everything that an arrow
//! leads to is a blob, and [`layout`] (image-layout.md) puts blobs into files:
//!
//! ```text
//! NAME-VERSION.oci/              NAME-VERSION.oci.tar
//!   oci-layout                     the same files in one tar archive, with Docker's
//!   index.json                     manifest.json beside them (see `archive`)
//!   blobs/sha256/DIGEST ...
//! ```
//!
//! The payload layers are the tree and nothing else (layer.md): PAX tar, names without a prefix,
//! ghosts left out. What a package gets from its system and an image does not (account databases,
//! state directories, certificates) is a layer of its own, so that the payload can be read back and
//! its [`crate::tree::TreeId`] recomputed. `dev.bake.image` keeps what only the model says.
//!
//! What an image has of its own does not depend on its base, accounts apart. Writing on a base and
//! putting a finished image onto another base ([`rebase()`]) end in one function, so a rebase gives
//! the bytes of a fresh write.
//!
//! JSON documents are canonical: see [`json`].

pub mod accounts;
pub mod archive;
pub mod artifact;
mod assemble;
pub mod base;
pub mod config;
mod databases;
pub mod descriptor;
mod docker_archive;
mod documents;
mod find;
pub mod index;
pub mod json;
pub mod layer;
pub mod layering;
pub mod layout;
pub mod manifest;
mod merge;
mod model;
pub mod platform;
pub mod read;
mod reader;
pub mod rebase;
mod record;
mod reference;
mod support;
#[cfg(test)]
mod tests;
mod unpack;
mod verify;
pub mod whiteout;
pub mod write;
pub mod written;

pub use accounts::{Accounts, Group, User};
pub use archive::Archive;
pub use artifact::{Artifact, ArtifactFile, ArtifactIndex};
pub use base::{Base, Databases};
pub use databases::Known as KnownAccounts;
pub use descriptor::{Descriptor, Kind, media_type};
pub use documents::{BASE_DIGEST_KEY, BASE_NAME_KEY, BuiltOn, Documents};
pub use find::ListedImage;
pub use index::{Index, join};
pub use layering::{LayerRule, Layering, MAX_WRITTEN_LAYERS};
pub use layout::Layout;
pub use manifest::Manifest;
pub use model::{DEFAULT_PATH, Image, OWN_PREFIX, StateDirectory};
pub use platform::{Platform, select};
pub use read::{ImagesVisitor, PlatformImage, read_all, read_one, visit_all, visit_one};
pub use reader::LayoutReader;
pub use rebase::{Rebase, RebaseError, Rebased, rebase};
pub use reference::{Reference, ReferenceError};
pub use support::SupportFile;
pub use unpack::Limits;
pub use write::{TREE_KEY, write};
pub use written::{Written, WrittenImage};

/// The format's name.
const NAME: &str = "oci";
/// Raised whenever equal input would give different bytes.
const REVISION: u32 = 2;
