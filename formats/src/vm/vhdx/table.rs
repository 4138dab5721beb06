//! The block allocation table: where the blocks are.

use super::MIB;

/// The length of an entry in bytes.
pub(super) const ENTRY: u64 = 8;
/// The bits of an entry that say where in the file the block is, in MiB.
const PLACE_SHIFT: u32 = 20;
/// The bits of an entry that say how the block is.
const STATE: u64 = 7;
/// The bits of an entry that mean nothing.
pub(super) const RESERVED: u64 = (1 << PLACE_SHIFT) - 1 - STATE;

/// What an entry says of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// It reads as zeros, whatever place the entry has.
    Absent,
    /// It is at this offset in the file.
    At(u64),
    /// Some of it is in a parent, or the state is unknown.
    Unreadable(u64),
}

impl Block {
    /// Returns what an entry says.
    pub(super) fn parse(entry: u64) -> Self {
        match entry & STATE {
            // Not present, undefined, zero, unmapped.
            0..=3 => Self::Absent,
            6 => Self::At((entry >> PLACE_SHIFT) * MIB),
            other => Self::Unreadable(other),
        }
    }

    /// Returns the entry of a block that is fully there, at an offset of whole MiB.
    pub(super) fn entry(offset: u64) -> u64 {
        (offset / MIB) << PLACE_SHIFT | 6
    }
}

/// Returns which entry is that of a block, if bitmaps' entries stand behind those of each chunk.
pub(super) fn index(block: u64, chunk: u64) -> u64 {
    block + block / chunk
}
