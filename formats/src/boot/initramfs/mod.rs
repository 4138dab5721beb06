//! Initial file systems: cpio archives one after another, which the kernel unpacks into memory.
//!
//! ```text
//! ├ archive, plain ─┼ zeros ┼ archive, compressed ─┼ zeros ┼ archive … ┤
//!                           4                               4
//! ```
//!
//! Each is a *segment*: a newc archive, plain or compressed as a whole. A plain one starts at a
//! multiple of four bytes, zeros between them are skipped, and what a later one has replaces what
//! an earlier one had, so that a segment is added by appending it (Linux, `Documentation/
//! driver-api/early-userspace/buffer-format.rst`). Hard links are by inode number within an
//! archive; the last name of a file has its body.
//!
//! [`Cpio`] is the format of one segment that holds an application: the tree and what a machine
//! needs besides, at the root or below a folder. What newc has no field for is in a record at
//! `.bake/tree.json` in the same folder: the tree's identity, the model, the names of the accounts
//! whose numbers the members have, and which paths are additions. That path is reserved; a tree
//! that has it is refused.
//!
//! What newc cannot carry, and what is therefore refused: extended attributes, file capabilities
//! among them, files of 4 GiB or more, and two accounts that share a name or a number. Directories
//! are listed with all that lead to them, because the kernel makes none by itself; their modes
//! count, where an earlier segment has the same directory.

mod base;

mod segment;

mod record;

mod model;

mod unpack;

mod read;

mod write;

mod verify;

#[cfg(test)]
mod tests;

pub use base::{Driver, base_tree};
pub use model::Initramfs;
pub use read::{Initrd, Segment, read};
pub use segment::{compress, join, segment};

use std::ops::ControlFlow;

use crate::format::{Artifact, Format, Problem, ReadError, Unpacked, Visitor, WriteCx, WriteError};
use crate::input::Source;
use crate::tree::FileTree;

/// Raised whenever an equal tree would give a different archive; part of every key.
pub const REVISION: u32 = 1;

/// The format's name, for errors.
const FORMAT: &str = "cpio";

/// One segment with an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpio;

impl Format for Cpio {
    type Model = Initramfs;
    const NAME: &'static str = FORMAT;
    const REVISION: u32 = REVISION;

    fn file_name(model: &Initramfs) -> String {
        model.file_name()
    }

    fn write(model: &Initramfs, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        Ok(Artifact::file(Self::NAME, write::write(model, tree, cx)?))
    }

    fn read(source: &Source) -> Result<Unpacked<Initramfs>, ReadError> {
        read::unpack(source)
    }

    fn visit(source: &Source, visitor: &mut Visitor<'_>) -> Result<ControlFlow<()>, ReadError> {
        read::visit(source, visitor)
    }

    fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
        verify::verify(source)
    }
}
