//! The client of registries (distribution-spec 1.1), and what it does not do.
//!
//! ```text
//! Repository   manifests, blobs, tags, referrers of one repository      what callers use
//!     │  Call  ─────────────────────────────────────────────┐
//!     ▼                                                      ▼
//! Wire         one request and its answer: authentication, redirects, retries, limits, mirrors
//!     │
//!     ▼
//! HTTP         one exchange over one connection, nothing more
//! ```
//!
//! Whoever calls [`Wire::call`] says what it wants of a host; the wire sees to it that no credential
//! reaches another host, that a busy registry is left alone for as long as it asks, and that a token
//! which ends in mid-upload is renewed. Nothing here knows of recipes or stores.

mod secret;

mod clock;

mod call;

mod observer;

mod error;

mod retry;

mod limit;

mod address;

mod settings;

mod trust;

mod challenge;

mod credentials;

mod realm;

mod early;

mod broken;

mod http;

mod token;

mod endpoint;

mod session;

mod login;

mod client;

mod refusal;

mod stated;

mod action;

mod progress;

mod which;

mod repository;

mod blob;

mod download;

mod shape;

mod document;

mod manifest;

mod page;

mod upload;

mod mount;

mod referrers;

mod tags;

pub use blob::Held;
pub use call::{Answer, Body, Call, Headers, Lengths, Method, Patience, Scope, Target, Wire};
pub use client::{Client, Options};
pub use clock::{Clock, SystemClock};
pub use credentials::{Credential, CredentialError, Keychain, Source};
pub use document::{Document, MAX_MANIFEST};
pub use download::{Download, RemoteBlob};
pub use error::{Fault, RegistryError};
pub use manifest::Put;
pub use mount::Mounted;
pub use observer::{Counts, Event, Observer, Unobserved, shown};
pub use progress::{Progress, Unwatched};
pub use referrers::{ListedBy, Referrers, fallback_tag};
pub use repository::{Access, Repository};
pub use retry::Retries;
pub use secret::Secret;
pub use settings::{RegistrySettings, Settings, SettingsError};
pub use upload::UploadSession;
pub use which::Which;

#[cfg(test)]
mod tests;
