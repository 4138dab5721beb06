//! Base images: from what a recipe calls one to what an image is built on.
//!
//! ```text
//! BaseImage + Platform ──► bake.lock ──► manifest's digest ──► documents ──► oci::Base
//!                            │ not locked                        │ not in the store
//!                            ▼                                   ▼
//!                        Images: registries, layouts, archives of this machine
//! ```
//!
//! A base is its manifest and its configuration, a few kilobytes that stay in the store: a bake that
//! knows them asks nobody. Layers are bytes that only a complete output, an archive or an account
//! database needs; then they are brought into the store, once.

mod accounts;
mod documents;
mod error;
mod find;
mod images;
mod layers;
mod local;
mod lock_file;
mod outdated;
mod places;
mod registry;
mod rules;
#[cfg(test)]
mod tests;

pub use error::BaseError;
pub use find::{Bases, Found, in_oci, public_name};
pub use images::{Document, ImageSource, Images, name};
pub use lock_file::LockFile;
pub use outdated::{About, Standing};
pub use places::Places;
pub use rules::{Locking, Network, Rules};
