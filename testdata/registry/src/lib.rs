//! A registry that misbehaves as told, and remembers what it was asked.
//!
//! [`TestRegistry::start`] serves the distribution specification 1.1 strictly, from memory, on a
//! free port of 127.0.0.1 until it is dropped. [`Rule`]s make it answer as registries in the wild
//! do, or worse; [`Trace`] says what a client asked, and [`Property`] what must hold of that.
//!
//! ```text
//! connection ──► Request ──► rules that match ──► Registry ──► Answer ──► actions on answers
//!                    └──────────────── Exchange, one line of the Trace ───────────┘
//! ```

mod auth;
mod conversation;
mod http;
mod image;
mod kind;
mod profile;
mod registry;
mod rule;
mod scenario;
mod server;
mod state;
mod trace;

pub use auth::{Auth, Right, Scopes, TokenService};
pub use http::Headers;
pub use image::Image;
pub use kind::Kind;
pub use profile::Profile;
pub use rule::{Action, Answer, Match, Place, RetryAfter, Rule, Times};
pub use scenario::{
    Before, Direction, Expected, Meets, Scenario, Source, Stage, Verdict, scenarios,
};
pub use server::{Builder, TestRegistry};
pub use state::{Manifest, Repository, State, Upload};
pub use trace::{Exchange, Host, Property, Trace, Violation};

#[cfg(test)]
mod tests;
