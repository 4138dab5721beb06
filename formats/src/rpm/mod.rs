//! The rpm format, versions 4 and 6: binary packages.
//!
//! ```text
//! offset
//!      0  lead, 96 bytes                                                          [`lead`]
//!     96  signature header: digests and sizes of what follows, reserved space     [`signature`]
//!         zeros up to a multiple of 8
//!         header: name, dependencies, scripts, the file table                     [`header`]
//!         payload: a cpio archive as one gzip, zstd or xz stream                  [`payload`]
//! ```
//!
//! Implements rpm's `docs/manual/format_v4.md`, `format_v6.md`, `format_lead.md`,
//! `format_header.md` and `tags.md`.
//! What a package holds is bound from the front: the signature header has the digests of the
//! header, the header has those of the payload and of every file.
//!
//! The tree's identity is kept in the tag `COOKIE`, as `bake tree sha256:…`. Directories that
//! belong to the distribution are not listed. A package is written unsigned; [`Seal`] puts
//! signatures into the reserved space of the signature header.

mod architecture;
mod automatic;
mod checksum;
mod columns;
mod contents;
mod dependency;
mod directories;
mod files;
mod header;
#[cfg(test)]
mod hostile_tests;
mod index;
mod lead;
mod model;
mod order;
mod payload;
mod read;
mod relations;
mod scripts;
mod seal;
mod sections;
mod signature;
mod strong;
mod tags;
#[cfg(test)]
mod tests;
mod triggers;
mod value;
mod verify;
mod write;

pub use dependency::{Dependency, DependencyError, Operator};
pub use index::{FileKind, Listing, Sense, list};
pub use model::{Change, Package, RpmFormat};
pub use order::compare_versions;
pub use relations::{Moment, Relations};
pub use scripts::{Script, ScriptFlags, Scripts};
pub use seal::{Patch, Seal, Signature, SignatureTag};
pub use triggers::{DEFAULT_PRIORITY, FileTrigger, Trigger, TriggerMoment, Triggers};

use std::ops::ControlFlow;

use crate::format::{Artifact, Format, Problem, ReadError, Unpacked, Visitor, WriteCx, WriteError};
use crate::input::Source;
use crate::tree::FileTree;

/// The rpm format.
#[derive(Debug, Clone, Copy)]
pub struct Rpm;

impl Format for Rpm {
    type Model = Package;
    const NAME: &'static str = "rpm";
    const REVISION: u32 = 2;

    fn file_name(package: &Package) -> String {
        let Package { name, version, release, arch, .. } = package;
        format!("{name}-{version}-{release}.{arch}.rpm")
    }

    fn write(package: &Package, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        write::write(package, tree, cx)
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
