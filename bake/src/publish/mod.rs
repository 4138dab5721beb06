//! Outputs on their way to registries and back: push, pull, copy, tag, load.
//!
//! ```text
//! layout, release, registry ──Origin──► Graph: manifests, indexes, the blobs they name
//!                                         │  survey: what does the registry have? (only reads)
//!                                         ▼
//!                                       Plan: steps with their requests and bytes
//!                                         │  push: blobs in parallel, manifests, tags last
//!                                         ▼
//!                                       registry
//! ```
//!
//! A blob of a base image that is not here is mounted, or passed on from the base's registry; it
//! never lies on disk. docs/publish.md has the artifacts of a release and how they hang together.

mod node;

mod origin;

mod graph;

mod supplies;

mod plan;

mod survey;

mod push;

mod listing;

mod outputs;

mod release;

mod form;

mod trees;

mod landing;

mod pull;

mod end;

mod copy;

mod load;

mod list;

#[cfg(test)]
mod tests;

pub use copy::{Copied, CopyOptions, copy, tag};
pub use end::End;
pub use form::Form;
pub use graph::{Graph, Needed};
pub use landing::Pulled;
pub use list::{digests, referrers};
pub use load::{Engine, load};
pub use node::Node;
pub use origin::{FilesOrigin, LayoutOrigin, Origin, RemoteOrigin};
pub use plan::{Known, Parcel, Plan, Step, Target};
pub use pull::{PullOptions, pull};
pub use push::{Pushed, push};
pub use release::{Loaded, RELEASE_TYPE, of_file, of_layout, of_release};
pub use survey::survey;

use crate::error::Error;

/// Makes an error.
fn refuse(what: String, reason: String, hint: Option<String>) -> Error {
    Error::Publish { what, reason, hint }
}
