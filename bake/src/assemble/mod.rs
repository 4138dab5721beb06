//! From the rules of a recipe and a build output to one file tree for each output.

mod compose;
mod contents;
mod directories;
mod hash;
mod listing;
mod names;
mod places;
mod scan;
mod sound;
mod source_path;
mod walk;

pub use compose::{Trees, compose};
pub use contents::{ChangedFile, Contents, ScannedBytes, SourceFiles};
pub use hash::{hash_file, hash_files};
pub use listing::Listings;
pub(crate) use listing::{Listing, Looked};
pub use places::EntryPlaces;
pub use scan::{Filter, FoundFile, Item, ItemKind, Scan, scan};
pub(crate) use scan::{climbs_out, environments};
pub use sound::Sound;
pub use source_path::SourcePath;
pub(crate) use walk::{Visitor, walk};
