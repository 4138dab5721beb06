//! Whether a value of an environment, or a secret of any kind, is inside an artifact.
//!
//! ```text
//! needles ──forms──► Anchors ─┐
//! rules ───────────► automaton ┴─► Scanner
//!                                     │ searches
//! artifact ──► tasks ──► Opener ──► Tap: a stream that is searched as it is read
//!                          ▲           │ tar, ar, cpio, zip, rpm, gzip, xz, zstd
//!                          └───────────┘ what is in it is a stream again
//! hits ──► told once, in the words of the format ──► Report
//! ```
//!
//! Everything is searched: the bytes of the artifact as they are and, opened as far as limits
//! allow, what is in them; of images every blob of the layout, of disks every sector. What could not
//! be opened is listed. Memory is bounded by the number of threads and the depth, whatever the size.
//! No value is ever told, only whose it is.
//!
//! [`scan`] reads one artifact; what it looks for is a [`Scanner`], made of [`Needles`].

mod needle;

mod given;

mod encoding;

mod anchors;

mod rules;

mod secrets;

mod names;

mod scanner;

mod place;

mod report;

mod limits;

mod kind;

mod tap;

mod open;

mod archives;

mod disk;

mod image;

mod artifact;

pub use artifact::scan;
pub use encoding::Encoding;
pub use given::needles;
pub use limits::Limits;
pub use names::{NameRule, name_rules};
pub use needle::{Needle, Needles, Origin, Reason, Unscannable};
pub use report::{Finding, Report, Unopened, What};
pub use rules::{Rule, rules};
pub use scanner::Scanner;

#[cfg(test)]
mod tests;
