//! Environments against a schema: what one gives, what is wrong with it, what differs between two, what never does.
//!
//! ```text
//! Schema (of an artifact or a recipe) + Environment ──join──► Joined: settings, findings
//!                                    several Joined ──survey──► findings about all of them
//!                                        two Joined ──compare──► Difference, key by key
//! ```
//!
//! No finding and no difference holds a value of a secret.

mod difference;
mod joined;
mod survey;

pub use difference::{Difference, Sign, compare};
pub use joined::{Access, Joined, Sealed, join};
pub use survey::survey;

#[cfg(test)]
mod tests;
