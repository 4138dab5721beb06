//! The base of a machine: from an image or a tar archive to the tree that a disk holds.
//!
//! ```text
//! layers of an image ──┐
//! tar archive ─────────┴─► list of members, kept ──► [`Imported`]: tree, contents as ranges
//!                                                       │
//!                  what it is: kernel, init, accounts ◄─┤ [`facts`]
//!                                                       ▼
//!                       as in a fresh image, no trace of where it was made: [`fresh`]
//!                                                       │
//! payload ──► [`Additions`]: accounts, enabled units ──►│
//!     └──────────────────────────────────────────────►  ▼
//!                      one tree, or the layer that goes over the base: [`Laid`]
//! ```
//!
//! Nothing is unpacked: an archive is one blob, a file in it is a range of that, and what is written
//! names the file by its own digest. The list of an archive is kept, so that whoever builds on it
//! again reads no byte of it. Memory grows with the number of entries, within the limits of a
//! survey, never with contents.

mod accounts;
mod additions;
mod baked;
mod error;
pub mod facts;
mod files;
pub mod fresh;
mod ground;
pub mod import;
mod index;
mod initrd;
mod kept;
mod kernel;
mod merge;
#[cfg(test)]
mod tests;
mod traces;
pub mod units;

use bake_formats::tree::Owner;

pub use accounts::{Accounts, Group, User};
pub use additions::{Additions, Needed, State};
pub use baked::Backed;
pub use error::{ImportError, MachineError};
pub use facts::{Databases, Distribution, Facts};
pub use files::Files;
pub use fresh::{Change, Effect, Fresh};
pub use ground::{Asked, Ground, prepare};
pub use import::Imported;
pub use kernel::{Kernel, Module};
pub use merge::Laid;

/// Returns an owner of whom only the number is known.
fn owner(id: u32) -> Owner {
    if id == 0 { Owner::root() } else { Owner::new(&id.to_string(), id) }
}
