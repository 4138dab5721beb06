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

pub use call::{Answer, Body, Call, Headers, Method, Patience, Scope, Target, Wire};
pub use client::{Client, Options};
pub use clock::{Clock, SystemClock};
pub use credentials::{Credential, CredentialError, Keychain, Source};
pub use error::{Fault, RegistryError};
pub use observer::{Counts, Event, Observer, Unobserved, shown};
pub use retry::Retries;
pub use secret::Secret;
pub use settings::{RegistrySettings, Settings, SettingsError};

#[cfg(test)]
mod tests;
