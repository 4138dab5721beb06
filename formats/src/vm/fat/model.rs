//! What a volume is made from, and what is made of it.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::digest::Digest;
use crate::format::Epoch;
use crate::rope::Rope;
use crate::tree::TreePath;

/// What a volume is made from besides its tree.
#[derive(Debug, Clone)]
pub struct Volume<'a> {
    /// The format's name, for errors.
    pub format: &'static str,
    /// The label, at most 11 characters without lower-case letters.
    pub label: Option<&'a str>,
    /// What makes it differ from others.
    pub serial: u32,
    /// How long the rope shall be, a multiple of 512; else as short as the tree allows, in whole
    /// MiB.
    pub size: Option<u64>,
    /// Which tables it may have.
    pub kind: Kind,
    /// How many sectors of its disk come before it.
    pub hidden_sectors: u32,
    /// The time of everything.
    pub epoch: Epoch,
    /// Contents that no blob store holds; they become inline extents.
    pub inline: BTreeMap<Digest, Vec<u8>>,
}

/// Which tables a volume may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// FAT32, as the ESP of a disk should have; takes 33 MiB at least.
    Fat32,
    /// The smallest that fits.
    Smallest,
}

/// A volume, described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The bytes.
    pub rope: Rope,
    /// Where in them each file's contents are, without a gap; 0..0 for an empty file.
    pub places: BTreeMap<TreePath, Range<u64>>,
}
