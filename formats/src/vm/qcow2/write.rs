//! Writing: a rope of the disk becomes a rope of the file.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::backing::Backing;
use super::header::Method;
use super::layout::{CLUSTER, Held, Kind, Layout, Run, SIZE_MAX};
use crate::encode::{BlockCodec, BlockSettings, EncodedBlock, EncodedBlocks};
use crate::format::{WriteCx, WriteError};
use crate::rope::{Extent, Rope};

/// How clusters are compressed, and how well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Compression {
    /// How.
    pub method: Method,
    /// The level, in the method's own numbers: up to 9 for zlib, up to 19 for zstd.
    pub level: u8,
}

impl Compression {
    /// zlib at its default level.
    pub const ZLIB: Self = Self { method: Method::Zlib, level: 6 };
    /// zstd at its default level.
    pub const ZSTD: Self = Self { method: Method::Zstd, level: 3 };

    /// Returns how clusters are compressed as blocks; its revision is part of every key.
    pub const fn codec(self) -> BlockCodec {
        match self.method {
            Method::Zlib => BlockCodec::Deflate,
            Method::Zstd => BlockCodec::Zstd,
        }
    }

    fn settings(self) -> Result<BlockSettings, WriteError> {
        let (codec, level) = (self.codec(), self.level);
        let (_, highest) = codec.levels();
        if (1..=highest).contains(&level) {
            return Ok(BlockSettings { block: CLUSTER, codec, level, plain: true });
        }
        let reason = format!("expected a level from 1 to {highest}, found {level}");
        Err(WriteError::Field { format: "qcow2", field: "compression".into(), reason })
    }
}

/// Describes a qcow2 image of a disk whose size is a multiple of 512 bytes.
///
/// Takes time for the rope's extents, and memory for 10 bytes of tables a cluster that is not
/// zeros, whatever the size of the disk.
pub fn write(disk: &Rope) -> Result<Rope, WriteError> {
    let ranges = whole(disk)?;
    Ok(Image::plain(disk, ranges).describe(disk.len(), None))
}

/// Describes a qcow2 image whose clusters are compressed.
///
/// Clusters of zeros take no room even where the rope does not say that they are zeros; those that
/// do not shrink are stored as they are. Takes memory for some 50 bytes a cluster that is not
/// zeros.
pub fn write_compressed(
    disk: &Rope,
    compression: Compression,
    cx: &WriteCx<'_>,
) -> Result<Rope, WriteError> {
    let ranges = whole(disk)?;
    Ok(Image::packed(disk, ranges, compression, cx)?.describe(disk.len(), None))
}

/// Describes a qcow2 image that holds ranges of a disk, in whole clusters, and lies on a file that
/// has the rest.
///
/// Nothing else of the disk is read, and what is zeros in the ranges hides what the backing file
/// has there. The ranges may touch, overlap and be in any order.
pub fn write_overlay(
    disk: &Rope,
    changed: &[Range<u64>],
    backing: &Backing,
    compression: Option<Compression>,
    cx: &WriteCx<'_>,
) -> Result<Rope, WriteError> {
    check_size(disk)?;
    let ranges = clusters(disk, changed)?;
    let mut part = Rope::new();
    let mut cursor = disk.cursor();
    for range in &ranges {
        cursor.skip(range.start * CLUSTER - cursor.position());
        cursor.push_to(&mut part, (range.end - range.start) * CLUSTER);
    }
    let image = match compression {
        None => Image::plain(&part, ranges),
        Some(compression) => Image::packed(&part, ranges, compression, cx)?,
    };
    Ok(image.describe(disk.len(), Some(backing)))
}

fn check_size(disk: &Rope) -> Result<(), WriteError> {
    let size = disk.len();
    if !size.is_multiple_of(512) {
        let reason = format!("expected a multiple of 512 bytes, found {size}");
        return Err(WriteError::Field { format: "qcow2", field: "size".into(), reason });
    }
    if size > SIZE_MAX {
        let what = "the size of the disk in bytes".into();
        return Err(WriteError::Limit { format: "qcow2", what, limit: SIZE_MAX, found: size });
    }
    Ok(())
}

/// Returns all clusters of a disk as one range.
fn whole(disk: &Rope) -> Result<Vec<Range<u64>>, WriteError> {
    check_size(disk)?;
    Ok(std::iter::once(0..disk.len().div_ceil(CLUSTER)).collect())
}

/// Returns the clusters that ranges of a disk touch, in order and joined.
fn clusters(disk: &Rope, changed: &[Range<u64>]) -> Result<Vec<Range<u64>>, WriteError> {
    let mut changed: Vec<_> = changed.iter().filter(|range| range.start != range.end).collect();
    changed.sort_unstable_by_key(|range| range.start);
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for range in changed {
        if range.start > range.end || range.end > disk.len() {
            let reason = format!(
                "expected ranges of a disk of {} bytes, found {} to {}",
                disk.len(),
                range.start,
                range.end
            );
            return Err(WriteError::Field { format: "qcow2", field: "overlay".into(), reason });
        }
        let found = range.start / CLUSTER..range.end.div_ceil(CLUSTER);
        match ranges.last_mut() {
            Some(last) if last.end >= found.start => last.end = last.end.max(found.end),
            _ => ranges.push(found),
        }
    }
    Ok(ranges)
}

/// What is to be stored.
struct Image<'a> {
    /// The bytes of all clusters of `ranges`.
    part: &'a Rope,
    /// Clusters of the disk, in order.
    ranges: Vec<Range<u64>>,
    /// How the clusters of `part` are held, in order, and how many of each there are.
    stretches: Vec<(Held, u64)>,
    /// The compressed ones.
    blocks: EncodedBlocks,
    method: Method,
}

impl<'a> Image<'a> {
    fn plain(part: &'a Rope, ranges: Vec<Range<u64>>) -> Self {
        let (stretches, blocks) = (stretches(part), EncodedBlocks::default());
        Self { part, ranges, stretches, blocks, method: Method::Zlib }
    }

    fn packed(
        part: &'a Rope,
        ranges: Vec<Range<u64>>,
        compression: Compression,
        cx: &WriteCx<'_>,
    ) -> Result<Self, WriteError> {
        let blocks = cx.encoder.encode_blocks(part, compression.settings()?)?;
        let stretch = |block| match block {
            EncodedBlock::Zeros(count) => (Held::Zeros, count),
            EncodedBlock::Plain(count) => (Held::Plain, count),
            EncodedBlock::Packed { len, .. } => (Held::Packed(len), 1),
        };
        let stretches = blocks.iter().map(stretch).collect();
        Ok(Self { part, ranges, stretches, blocks, method: compression.method })
    }

    fn describe(&self, size: u64, backing: Option<&Backing>) -> Rope {
        // Without a backing file a cluster that is not there is zeros.
        let runs = || self.runs().filter(|run| backing.is_some() || run.held != Held::Zeros);
        let mut file = Rope::new();
        let kind = Kind { method: self.method, backing };
        Layout::new(size, runs()).push(&mut file, kind, runs());
        let mut cursor = self.part.cursor();
        for (held, count) in &self.stretches {
            match held {
                Held::Plain => cursor.push_to(&mut file, count * CLUSTER),
                Held::Zeros | Held::Packed(_) => cursor.skip(count * CLUSTER),
            }
        }
        file.align(CLUSTER);
        for block in &self.blocks {
            if let EncodedBlock::Packed { digest, offset, len } = block {
                file.push_range(digest, offset, len.into());
            }
        }
        file.align(CLUSTER);
        file
    }

    /// Returns how the clusters of the disk are held, in order.
    fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        let mut ranges = self.ranges.iter().cloned();
        let mut stretches = self.stretches.iter().copied();
        let (mut range, mut stretch) = (0..0, (Held::Zeros, 0));
        std::iter::from_fn(move || {
            if range.is_empty() {
                range = ranges.next()?;
            }
            if stretch.1 == 0 {
                stretch = stretches.next()?;
            }
            let count = stretch.1.min(range.end - range.start);
            let clusters = range.start..range.start + count;
            range.start += count;
            stretch.1 -= count;
            Some(Run { clusters, held: stretch.0 })
        })
    }
}

/// Returns which clusters of a part of a disk are wholly holes and which are not, in turn.
fn stretches(part: &Rope) -> Vec<(Held, u64)> {
    let mut stretches = Vec::new();
    let (mut at, mut done) = (0, 0);
    for extent in part.extents() {
        let end = at + extent.len();
        if !matches!(extent, Extent::Zero(_)) {
            let first = done.max(at / CLUSTER);
            push(&mut stretches, Held::Zeros, first - done);
            done = end.div_ceil(CLUSTER);
            push(&mut stretches, Held::Plain, done - first);
        }
        at = end;
    }
    push(&mut stretches, Held::Zeros, part.len().div_ceil(CLUSTER) - done);
    stretches
}

fn push(stretches: &mut Vec<(Held, u64)>, held: Held, count: u64) {
    match stretches.last_mut() {
        _ if count == 0 => {}
        Some((last, sum)) if *last == held => *sum += count,
        _ => stretches.push((held, count)),
    }
}
