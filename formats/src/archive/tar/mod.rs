//! The tar archive format (POSIX.1-2024 `pax`, and the GNU extensions that dpkg reads).
//!
//! ```text
//! ┌──────────────┬────────────────┬─────────┬──────────────┬─────┬──────────────────┐
//! │ header (512) │ contents       │ padding │ header (512) │ ... │ 2 × 512 zeros    │
//! └──────────────┴────────────────┴─────────┴──────────────┴─────┴──────────────────┘
//!
//! header  offset  size  field
//!              0   100  name, NUL-padded
//!            100     8  mode       octal text, NUL at the end
//!            108     8  uid        octal, or base-256 (GNU)
//!            116     8  gid        octal, or base-256 (GNU)
//!            124    12  size       octal, or base-256 (GNU)
//!            136    12  mtime      octal, seconds since 1970
//!            148     8  checksum   sum of all header bytes, this field as spaces
//!            156     1  type       0 file, 1 hard link, 2 symlink, 3 char, 4 block,
//!                                  5 directory, 6 fifo, x g PAX records, L K GNU long name
//!            157   100  linkname
//!            257     8  magic      "ustar" NUL "00" (POSIX) or "ustar" SP SP NUL (GNU)
//!            265    32  uname
//!            297    32  gname
//!            329     8  devmajor
//!            337     8  devminor
//!            345   155  prefix     (POSIX only) put before the name with a slash
//! ```
//!
//! What does not fit a header goes before it: with [`Dialect::Gnu`] into an `L` (name) or `K`
//! (link name) member and base-256 numbers, with [`Dialect::Pax`] into an `x` member of
//! `LENGTH KEY=VALUE` records, which can carry extended attributes too. A file with holes may be a
//! member of type `S` with a map of what is stored (GNU, [`SparseFile`]). The writer never splits
//! a name over `prefix`, and every modification time is the epoch.

mod header;
mod pax;
mod read;
mod sparse;
#[cfg(test)]
mod sparse_tests;
#[cfg(test)]
mod tests;
mod write;

pub use read::{Contents, Kind, Member, TarReader, read};
pub use sparse::SparseFile;
pub use write::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter, write};

/// The size of a header, and what contents are padded to.
pub(crate) const BLOCK: usize = 512;
