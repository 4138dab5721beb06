//! Where everything in a written file is.

use std::ops::Range;

use super::backing::Backing;
use super::header::{COMPRESSION, MAGIC, Method, V3, V3_COMPRESSION};
use super::{COMPRESSED, COPIED, ZERO};
use crate::rope::Rope;

/// A cluster is 2 to this power bytes long.
const CLUSTER_BITS: u32 = 16;
/// The length of a cluster in bytes.
pub(super) const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Entries of 8 bytes in a cluster.
const ENTRIES: u64 = CLUSTER / 8;
/// Refcounts of 16 bits in a cluster.
const REFCOUNTS: u64 = CLUSTER / 2;
/// A refcount is 2 to this power bits wide.
const REFCOUNT_ORDER: u32 = 4;
/// Bits of a compressed cluster's entry that say where it is; how many sectors it has follows.
const PLACE_BITS: u32 = 62 - (CLUSTER_BITS - 8);
/// The largest disk whose L1 table QEMU opens.
pub(super) const SIZE_MAX: u64 = ((32 << 20) / 8) * ENTRIES * CLUSTER;

/// Clusters of the disk that follow one another and are held in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) clusters: Range<u64>,
    pub(super) held: Held,
}

/// How a cluster is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Not at all: it is zeros.
    Zeros,
    /// In a cluster of the file.
    Plain,
    /// In this many compressed bytes.
    Packed(u32),
}

/// What a header says besides the layout.
#[derive(Clone, Copy)]
pub(super) struct Kind<'a> {
    /// How compressed clusters are compressed.
    pub(super) method: Method,
    pub(super) backing: Option<&'a Backing>,
}

/// Where everything in the file is, in clusters.
pub(super) struct Layout {
    size: u64,
    refcount_table: u64,
    refcount_blocks: u64,
    l1: u64,
    /// Which entries of the L1 table have an L2 table, in order.
    l2: Vec<u64>,
    /// How many clusters are stored as they are.
    plain: u64,
    /// How many compressed clusters touch each cluster that holds some, after all others.
    shared: Vec<u16>,
}

impl Layout {
    /// Lays out a file that has an entry for each cluster of all runs, which are in order.
    pub(super) fn new(size: u64, runs: impl Iterator<Item = Run>) -> Self {
        let (mut l2, mut shared) = (Vec::<u64>::new(), Vec::<u16>::new());
        let (mut plain, mut packed) = (0, 0);
        for Run { clusters, held } in runs {
            let first = clusters.start / ENTRIES;
            let fresh = l2.last().map_or(first, |last| first.max(last + 1));
            l2.extend(fresh..clusters.end.div_ceil(ENTRIES));
            match held {
                Held::Zeros => {}
                Held::Plain => plain += clusters.end - clusters.start,
                Held::Packed(len) => {
                    count(&mut shared, packed, len.into());
                    packed += u64::from(len);
                }
            }
        }
        let l1 = l1_entries(size).div_ceil(ENTRIES);
        let mut layout =
            Self { size, refcount_table: 1, refcount_blocks: 1, l1, l2, plain, shared };
        // Refcounts count the clusters of refcounts too: grow until all are counted.
        loop {
            let blocks = layout.clusters().div_ceil(REFCOUNTS);
            let table = blocks.div_ceil(ENTRIES);
            if (table, blocks) == (layout.refcount_table, layout.refcount_blocks) {
                return layout;
            }
            (layout.refcount_table, layout.refcount_blocks) = (table, blocks);
        }
    }

    /// Returns how many clusters the file has.
    fn clusters(&self) -> u64 {
        self.first_packed() + self.shared.len() as u64
    }

    fn first_l1(&self) -> u64 {
        1 + self.refcount_table + self.refcount_blocks
    }

    fn first_l2(&self) -> u64 {
        self.first_l1() + self.l1
    }

    fn first_plain(&self) -> u64 {
        self.first_l2() + self.l2.len() as u64
    }

    fn first_packed(&self) -> u64 {
        self.first_plain() + self.plain
    }

    /// Pushes everything that comes before the disk's clusters.
    pub(super) fn push(&self, file: &mut Rope, kind: Kind<'_>, runs: impl Iterator<Item = Run>) {
        self.push_header(file, kind);
        self.push_refcounts(file);
        self.push_l1(file);
        self.push_l2(file, runs);
    }

    fn push_header(&self, file: &mut Rope, kind: Kind<'_>) {
        let (length, features, compression): (_, _, &[u8]) = match kind.method {
            Method::Zlib => (V3, 0, &[]),
            Method::Zstd => (V3_COMPRESSION, COMPRESSION, &[1, 0, 0, 0, 0, 0, 0, 0]),
        };
        let mut tail = Vec::new();
        let (mut place, mut len) = (0, 0);
        if let Some(backing) = kind.backing {
            (place, len) = backing.push_to(&mut tail);
            place += u64::from(length);
        }
        let mut header = Vec::with_capacity(V3 as usize);
        let u32 = |header: &mut Vec<u8>, value: u32| header.extend(value.to_be_bytes());
        let u64 = |header: &mut Vec<u8>, value: u64| header.extend(value.to_be_bytes());
        header.extend(MAGIC);
        u32(&mut header, 3);
        u64(&mut header, place); // of the backing file's name
        u32(&mut header, len);
        u32(&mut header, CLUSTER_BITS);
        u64(&mut header, self.size);
        u32(&mut header, 0); // no encryption
        u32(&mut header, narrow(l1_entries(self.size)));
        u64(&mut header, self.first_l1() * CLUSTER);
        u64(&mut header, CLUSTER); // the refcount table comes first
        u32(&mut header, narrow(self.refcount_table));
        u32(&mut header, 0); // no snapshots
        u64(&mut header, 0);
        u64(&mut header, features);
        u64(&mut header, 0); // no compatible or autoclear features
        u64(&mut header, 0);
        u32(&mut header, REFCOUNT_ORDER);
        u32(&mut header, length);
        header.extend(compression);
        header.extend(tail);
        file.push_bytes(&header);
        file.align(CLUSTER);
    }

    fn push_refcounts(&self, file: &mut Rope) {
        let first = 1 + self.refcount_table;
        for block in first..first + self.refcount_blocks {
            file.push_bytes(&(block * CLUSTER).to_be_bytes());
        }
        file.align(CLUSTER);
        let once = usize::try_from(self.first_packed()).unwrap_or(usize::MAX);
        file.push_bytes(&[0, 1].repeat(once));
        let shared: Vec<u8> = self.shared.iter().flat_map(|count| count.to_be_bytes()).collect();
        file.push_bytes(&shared);
        file.align(CLUSTER);
    }

    fn push_l1(&self, file: &mut Rope) {
        let mut next = 0;
        for (place, index) in (self.first_l2()..).zip(&self.l2) {
            file.push_zeros((index - next) * 8);
            file.push_bytes(&((place * CLUSTER) | COPIED).to_be_bytes());
            next = index + 1;
        }
        file.push_zeros((self.l1 * ENTRIES - next) * 8);
    }

    fn push_l2(&self, file: &mut Rope, runs: impl Iterator<Item = Run>) {
        let start = file.len();
        let mut plain = self.first_plain() * CLUSTER;
        let mut packed = self.first_packed() * CLUSTER;
        // The tables that exist follow one another, so an entry's place is its table's number
        // among them and its own number in the table.
        let mut tables = (0..).zip(&self.l2).peekable();
        for Run { clusters, held } in runs {
            for cluster in clusters {
                while tables.next_if(|(_, index)| **index < cluster / ENTRIES).is_some() {}
                let table = tables.peek().map_or(0, |(number, _)| *number);
                let at = start + (table * ENTRIES + cluster % ENTRIES) * 8;
                file.push_zeros(at - file.len());
                let entry = match held {
                    Held::Zeros => ZERO,
                    Held::Plain => {
                        plain += CLUSTER;
                        (plain - CLUSTER) | COPIED
                    }
                    Held::Packed(len) => {
                        packed += u64::from(len);
                        packed_entry(packed - u64::from(len), packed)
                    }
                };
                file.push_bytes(&entry.to_be_bytes());
            }
        }
        file.align(CLUSTER);
    }
}

/// Returns the entry of a compressed cluster whose bytes are in this range of the file.
fn packed_entry(start: u64, end: u64) -> u64 {
    let more_sectors = (end - 1) / 512 - start / 512;
    COMPRESSED | more_sectors << PLACE_BITS | start
}

/// Counts a use of all clusters that a range touches.
fn count(shared: &mut Vec<u16>, start: u64, len: u64) {
    let index = |at: u64| usize::try_from(at / CLUSTER).unwrap_or(usize::MAX);
    let last = index(start + len - 1);
    shared.resize(shared.len().max(last + 1), 0);
    for uses in &mut shared[index(start)..=last] {
        // A compressed cluster has more than a byte, so 16 bits are enough.
        *uses += 1;
    }
}

fn l1_entries(size: u64) -> u64 {
    size.div_ceil(ENTRIES * CLUSTER)
}

/// Narrows a number that the largest size keeps below 2^32.
fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
