//! Extensions: an image that systemd lays over `/usr` and `/opt` of a running machine (a system extension), or over
//! `/etc` (a configuration extension).
//!
//! `NAME.raw` is a file system alone ([`crate::vm::erofs`]), or, if its blocks are to be checked as
//! they are read, a disk with a partition table, the file system and its hashes
//! ([`crate::vm::verity`]):
//!
//! ```text
//! 0                        1 MiB                                              last 33 sectors
//! ├ protective MBR, table ─┼ EROFS ┄ zeros to a MiB ┼ superblock, hashes ┄ to a MiB ┼ table ┤
//! ```
//!
//! The GUID of the file system's partition is the first half of the root hash, that of the hashes'
//! partition the second (UAPI Group, "Discoverable Partitions Specification"), so who has the root
//! hash finds both.
//!
//! An extension holds nothing outside of what is merged (systemd-sysext(8)), and says to which systems it may be
//! added in `/usr/lib/extension-release.d/extension-release.NAME` (os-release(5)); a configuration extension in
//! `/etc/extension-release.d`:
//!
//! ```text
//! ID=debian          or `_any`, for every system
//! VERSION_ID=12      the system's own, or SYSEXT_LEVEL, in its place
//! ARCHITECTURE=x86-64
//! EXTENSION_RELOAD_MANAGER=1   if there are units in it
//! ```
//!
//! Besides the tree there may be additions, files that a machine needs and a package would bring by
//! other means. What of the image is an addition stands in `/.bake/tree.json`, which is merged
//! nowhere, with the tree's identity, the model and the names of the accounts.

mod container;
mod model;
mod read;
mod record;
mod release;
mod scope;
mod verify;
mod write;

#[cfg(test)]
mod tests;

pub use model::{Extension, Protection};
pub use release::{Release, Reload};
pub use scope::Scope;

use std::ops::ControlFlow;

use crate::format::{Artifact, Format, Problem, ReadError, Unpacked, Visitor, WriteCx, WriteError};
use crate::input::Source;
use crate::tree::FileTree;
use crate::vm::erofs;

/// An image that systemd-sysext or systemd-confext merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sysext;

impl Sysext {
    /// Returns whether a file is an extension in either form, by what is at its beginning.
    pub fn is_at_start_of(file: &std::sync::Arc<dyn crate::input::ReadAt>) -> bool {
        container::Container::open(file).is_ok()
    }
}

impl Format for Sysext {
    type Model = Extension;
    const NAME: &'static str = "sysext";
    /// The high bits are the file system writer's revision.
    const REVISION: u32 = erofs::REVISION << 8 | 1;

    fn file_name(model: &Extension) -> String {
        format!("{}.raw", model.name)
    }

    fn write(model: &Extension, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        Ok(Artifact::file(Self::NAME, write::image(model, tree, cx)?))
    }

    fn read(source: &Source) -> Result<Unpacked<Extension>, ReadError> {
        read::unpack(source)
    }

    fn visit(source: &Source, visitor: &mut Visitor<'_>) -> Result<ControlFlow<()>, ReadError> {
        read::visit(source, visitor)
    }

    fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
        verify::verify(source)
    }
}

/// Returns whether a field has the value that models and records do not mention.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
