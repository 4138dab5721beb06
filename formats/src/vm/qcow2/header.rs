//! The header: what a file says about itself, checked.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::format::ReadError;
use crate::input::ReadAt;

/// The first bytes of every image.
pub(super) const MAGIC: [u8; 4] = *b"QFI\xfb";
/// The length of a version 2 header.
const V2: usize = 72;
/// The length of a version 3 header without later additions.
pub(super) const V3: u32 = 104;
/// The length of a header that names the compression.
pub(super) const V3_COMPRESSION: u32 = 112;
/// The largest L1 table that QEMU opens, in entries.
const L1_MAX: u32 = (32 << 20) / 8;
/// The largest refcount table that QEMU opens, in bytes.
const REFCOUNT_TABLE_MAX: u64 = 8 << 20;

/// Incompatible feature bit 0: refcounts may be wrong.
const DIRTY: u64 = 1;
/// Incompatible feature bit 3: the header names the compression.
pub(super) const COMPRESSION: u64 = 8;

/// How a compressed cluster is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A deflate stream without a header, which QEMU calls zlib.
    Zlib,
    /// A zstd frame, which QEMU reads from version 5.1 on.
    Zstd,
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// A cluster is 2 to this power bytes long.
    pub(super) cluster_bits: u32,
    /// The size of the disk in bytes.
    pub(super) size: u64,
    pub(super) l1_entries: u32,
    pub(super) l1_offset: u64,
    pub(super) refcount_offset: u64,
    pub(super) refcount_clusters: u32,
    /// A refcount is 2 to this power bits wide.
    pub(super) refcount_order: u32,
    pub(super) snapshots: u32,
    /// Whether the image was not closed properly.
    pub(super) dirty: bool,
    pub(super) method: Method,
    /// Where the backing file's name is and how long; all zeros if there is none.
    pub(super) backing: (u64, u32),
    /// Where the header extensions start.
    pub(super) extensions: u64,
}

/// Reads numbers at places of a header that has been checked to be long enough.
struct Fields([u8; V3 as usize]);

impl Fields {
    fn u32(&self, at: usize) -> u32 {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from(self.u32(at)) << 32 | u64::from(self.u32(at + 4))
    }
}

impl Header {
    /// Parses the header and refuses what cannot be read, whatever other files there are.
    pub(super) fn parse(file: &dyn ReadAt) -> Result<Self, ReadError> {
        let mut fields = Fields([0; V3 as usize]);
        file.read_exact_at(0, &mut fields.0[..V2])?;
        if fields.0[..4] != MAGIC {
            return Err(malformed(0, "QFI\\xfb", format_args!("{:02x?}", &fields.0[..4])));
        }
        let version = fields.u32(4);
        let mut length = V3;
        match version {
            2 => {}
            3 => {
                file.read_exact_at(0, &mut fields.0)?;
                length = fields.u32(100);
            }
            _ => return Err(malformed(4, "version 2 or 3", version)),
        }
        let modern = version == 3;
        let features = if modern { fields.u64(72) } else { 0 };
        if features & !(DIRTY | COMPRESSION) != 0 {
            return Err(malformed(72, "no other files and no unknown features", features));
        }
        let header = Self {
            cluster_bits: fields.u32(20),
            size: fields.u64(24),
            l1_entries: fields.u32(36),
            l1_offset: fields.u64(40),
            refcount_offset: fields.u64(48),
            refcount_clusters: fields.u32(56),
            refcount_order: if modern { fields.u32(96) } else { 4 },
            snapshots: fields.u32(60),
            dirty: features & DIRTY != 0,
            method: method(file, features, length)?,
            backing: (fields.u64(8), fields.u32(16)),
            extensions: if modern { length.into() } else { V2 as u64 },
        };
        if fields.u32(32) != 0 {
            return Err(malformed(32, "no encryption", fields.u32(32)));
        }
        header.check(length, file.len())?;
        Ok(header)
    }

    fn check(&self, length: u32, file: u64) -> Result<(), ReadError> {
        if length < V3
            || !length.is_multiple_of(8)
            || u64::from(length) > 1 << self.cluster_bits.min(16)
        {
            return Err(malformed(100, "a header of 104 bytes or a little more", length));
        }
        if !(9..=21).contains(&self.cluster_bits) {
            return Err(malformed(20, "9 to 21 cluster bits", self.cluster_bits));
        }
        if self.size >= 1 << 56 {
            return Err(malformed(24, "a size below 2^56", self.size));
        }
        if self.refcount_order > 6 {
            return Err(malformed(96, "a refcount order up to 6", self.refcount_order));
        }
        let needed = self.size.div_ceil(self.l2_reach());
        if self.l1_entries > L1_MAX || u64::from(self.l1_entries) < needed {
            let expected = format!("{needed} to {L1_MAX} L1 entries");
            return Err(malformed(36, expected, self.l1_entries));
        }
        self.check_table(40, self.l1_offset, u64::from(self.l1_entries) * 8, file)?;
        let bytes = u64::from(self.refcount_clusters) << self.cluster_bits;
        if bytes > REFCOUNT_TABLE_MAX {
            return Err(malformed(56, "a refcount table up to 8 MiB", bytes));
        }
        self.check_table(48, self.refcount_offset, bytes, file)
    }

    fn check_table(&self, at: u64, offset: u64, bytes: u64, file: u64) -> Result<(), ReadError> {
        let end = offset.checked_add(bytes);
        if offset.is_multiple_of(self.cluster()) && end.is_some_and(|end| end <= file) {
            return Ok(());
        }
        Err(malformed(at, "a table within the file, at the start of a cluster", offset))
    }

    /// Returns the length of a cluster in bytes.
    pub(super) fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// Returns how many bytes of the disk one L2 table covers.
    pub(super) fn l2_reach(&self) -> u64 {
        1 << (2 * self.cluster_bits - 3)
    }

    /// Splits a compressed cluster's entry into the place of its bytes and how many there are at
    /// most.
    pub(super) fn compressed(&self, entry: u64) -> (u64, u64) {
        let bits = 62 - (self.cluster_bits - 8);
        let offset = entry & ((1 << bits) - 1);
        let sectors = (entry & (super::COMPRESSED - 1)) >> bits;
        (offset, (sectors + 1) * 512 - offset % 512)
    }
}

fn method(file: &dyn ReadAt, features: u64, length: u32) -> Result<Method, ReadError> {
    if features & COMPRESSION == 0 {
        return Ok(Method::Zlib);
    }
    let mut kind = [0];
    if length > V3 {
        file.read_exact_at(V3.into(), &mut kind)?;
    }
    match kind {
        [0] => Ok(Method::Zlib),
        [1] => Ok(Method::Zstd),
        _ => Err(malformed(V3.into(), "compression zlib or zstd", format_args!("{kind:?}"))),
    }
}

fn malformed(offset: u64, expected: impl Into<String>, found: impl Display + Copy) -> ReadError {
    ReadError::malformed("qcow2 header", offset, expected, found.to_string())
}
