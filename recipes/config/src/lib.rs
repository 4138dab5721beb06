//! What differs between environments: the schema that an artifact carries, and what one environment gives it.
//!
//! ```text
//! recipe ──► Schema ──► record (JSON, a file in every artifact)
//!                │
//! environment ──► Given ──settle──► Settings ──► Deliveries: variables and files of one value each
//!                                          └──► RenderedFile: templates and documents
//!
//! Settings, name, digest = Deployment ──target──► OutputFile: what systemd, Kubernetes … read
//! ```
//!
//! A schema holds no value of any environment. Everything here is a pure function: what renders on the machine that
//! runs a service (`bake-init`) and what renders beside an artifact (`bake config render`) is the same code.
//!
//! Modules stand in dependency order: each uses only those above it.

pub mod name;

mod suggestion;

pub mod secret;

pub mod value;

pub mod kind;

mod duplicate;

pub mod schema;

pub mod settings;

pub mod delivery;

mod quote;

pub mod template;

mod document;

pub mod syntax;

pub mod render;

pub mod record;

#[cfg(feature = "targets")]
pub mod deployment;

#[cfg(feature = "targets")]
pub mod target;

pub mod compat;

pub mod json_schema;

pub use delivery::{Carrier, Delivered};
#[cfg(feature = "targets")]
pub use deployment::{ConfigDigest, Deployment, DigestKey, OutputFile, Refusal};
pub use kind::Kind;
pub use name::Name;
pub use render::{RenderError, RenderedFile, render};
pub use schema::{Entrypoint, Schema};
pub use secret::Secret;
pub use settings::{Fault, FaultKind, Given, Origin, Reference, Setting, Settings, Settled};
#[cfg(feature = "targets")]
pub use target::Target;
pub use value::{Scalar, Value};
