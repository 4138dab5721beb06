//! The Debian binary package format (deb(5), deb-control(5)).
//!
//! ```text
//! ar archive
//! ├── debian-binary            "2.0\n"
//! ├── control.tar[.gz|.xz|.zst]
//! │   ├── ./
//! │   ├── ./conffiles          paths whose local edits survive upgrades (deb-conffiles(5))
//! │   ├── ./control            the fields (deb-control(5))
//! │   ├── ./md5sums            one line per file that is no conffile (deb-md5sums(5))
//! │   └── ./postinst ...       maintainer scripts and other control files
//! └── data.tar[.gz|.xz|.zst]
//!     ├── ./                   every directory that leads to an entry has one of its own
//!     ├── ./usr/
//!     ├── ./usr/bin/
//!     ├── ./usr/bin/hello
//!     └── ./usr/bin/hi         symbolic links last
//! ```
//!
//! Both archives are in the GNU dialect of tar, because dpkg refuses PAX headers while it unpacks
//! (and `dpkg-deb --contents` does not tell). Both are compressed in the same way, as `dpkg-deb`
//! does it. Extended attributes have no place in the format; an entry that has some is an error.
//!
//! # What a flipped byte breaks
//!
//! File contents are covered by `md5sums` and, with conffiles and everything else about the tree,
//! by the tree identity in the field `Bake-Tree`; tar headers by their checksums. Nothing covers
//! the text of the control files or the modification times in the ar headers: such a flip goes
//! unnoticed if the result is valid and the compression has no checksum of its own. That is what
//! signatures are for.

mod capabilities;
mod control;
mod documents;
mod fields;
mod index;
mod listing;
mod model;
mod read;
mod relation;
mod seal;
#[cfg(test)]
mod tests;
mod verify;
mod version;
mod write;

pub use control::{ControlError, Paragraph};
pub use index::{Listing, list};
pub use model::{ControlFile, MultiArch, Package, RelationField};
pub use relation::{Alternatives, Operator, Relation, RelationError, Relations};
pub use seal::{Role, Seal, Signature};
pub use version::{Version, VersionError};

use std::ops::ControlFlow;

use crate::encode::Codec;
use crate::format::{Artifact, Format, Problem, ReadError, Unpacked, Visitor, WriteCx, WriteError};
use crate::input::Source;
use crate::tree::FileTree;

/// The name of the format, in artifacts and errors.
const NAME: &str = "deb";
/// What the first member holds.
const FORMAT_VERSION: &[u8] = b"2.0\n";
/// The codecs that members may have, with what follows their name.
const CODECS: [(Codec, &str); 4] =
    [(Codec::None, ""), (Codec::Gzip, ".gz"), (Codec::Xz, ".xz"), (Codec::Zstd, ".zst")];

/// The Debian binary package format.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deb;

impl Format for Deb {
    type Model = Package;
    const NAME: &'static str = NAME;
    const REVISION: u32 = 1;

    fn file_name(model: &Package) -> String {
        let Package { name, version, architecture, .. } = model;
        format!("{name}_{}_{architecture}.deb", version.without_epoch())
    }

    fn write(model: &Package, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        write::write(model, tree, cx)
    }

    fn read(source: &Source) -> Result<Unpacked<Package>, ReadError> {
        read::read(source)
    }

    fn visit(source: &Source, visitor: &mut Visitor<'_>) -> Result<ControlFlow<()>, ReadError> {
        read::visit(source, visitor)
    }

    fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
        verify::verify(source)
    }
}
