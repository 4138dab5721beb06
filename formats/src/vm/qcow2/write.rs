//! Writing: a rope of the disk becomes a rope of the file.

use std::ops::Range;

use super::COPIED;
use super::header::{MAGIC, V3};
use crate::format::WriteError;
use crate::rope::{Extent, Rope};

/// A cluster is 2 to this power bytes long.
const CLUSTER_BITS: u32 = 16;
/// The length of a cluster in bytes.
const CLUSTER: u64 = 1 << CLUSTER_BITS;
/// Entries of 8 bytes in a cluster.
const ENTRIES: u64 = CLUSTER / 8;
/// Refcounts of 16 bits in a cluster.
const REFCOUNTS: u64 = CLUSTER / 2;
/// A refcount is 2 to this power bits wide.
const REFCOUNT_ORDER: u32 = 4;
/// The largest disk whose L1 table QEMU opens.
const SIZE_MAX: u64 = ((32 << 20) / 8) * ENTRIES * CLUSTER;

/// Describes a qcow2 image of a disk whose size is a multiple of 512 bytes.
///
/// Takes time for the rope's extents, and memory for 10 bytes of tables a cluster that is not
/// zeros, whatever the size of the disk.
pub fn write(disk: &Rope) -> Result<Rope, WriteError> {
    let size = disk.len();
    if !size.is_multiple_of(512) {
        let reason = format!("expected a multiple of 512 bytes, found {size}");
        return Err(WriteError::Field { format: "qcow2", field: "size".into(), reason });
    }
    if size > SIZE_MAX {
        let what = "the size of the disk in bytes".into();
        return Err(WriteError::Limit { format: "qcow2", what, limit: SIZE_MAX, found: size });
    }
    let runs = allocated(disk);
    let plan = Plan::new(size, &runs);
    let mut file = Rope::new();
    plan.push_header(&mut file);
    plan.push_refcounts(&mut file);
    plan.push_l1(&mut file);
    plan.push_l2(&mut file, &runs);
    push_data(&mut file, disk, &runs);
    file.align(CLUSTER);
    Ok(file)
}

/// Returns the clusters of the disk that are not wholly holes, as runs in order.
fn allocated(disk: &Rope) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut at = 0;
    for extent in disk.extents() {
        let end = at + extent.len();
        if !matches!(extent, Extent::Zero(_)) {
            let clusters = at / CLUSTER..end.div_ceil(CLUSTER);
            match runs.last_mut() {
                Some(last) if last.end >= clusters.start => last.end = clusters.end,
                _ => runs.push(clusters),
            }
        }
        at = end;
    }
    runs
}

/// Where everything in the file is, in clusters.
struct Plan {
    size: u64,
    refcount_table: u64,
    refcount_blocks: u64,
    l1: u64,
    /// Which entries of the L1 table have an L2 table, in order.
    l2: Vec<u64>,
    data: u64,
}

impl Plan {
    fn new(size: u64, runs: &[Range<u64>]) -> Self {
        let mut l2: Vec<u64> = Vec::new();
        for run in runs {
            let first = run.start / ENTRIES;
            let fresh = l2.last().map_or(first, |last| first.max(last + 1));
            l2.extend(fresh..run.end.div_ceil(ENTRIES));
        }
        let data = runs.iter().map(|run| run.end - run.start).sum();
        let l1 = l1_entries(size).div_ceil(ENTRIES);
        let mut plan = Self { size, refcount_table: 1, refcount_blocks: 1, l1, l2, data };
        // Refcounts count the clusters of refcounts too: grow until all are counted.
        loop {
            let blocks = plan.clusters().div_ceil(REFCOUNTS);
            let table = blocks.div_ceil(ENTRIES);
            if (table, blocks) == (plan.refcount_table, plan.refcount_blocks) {
                return plan;
            }
            (plan.refcount_table, plan.refcount_blocks) = (table, blocks);
        }
    }

    /// Returns how many clusters the file has.
    fn clusters(&self) -> u64 {
        self.first_l2() + self.l2.len() as u64 + self.data
    }

    fn first_l1(&self) -> u64 {
        1 + self.refcount_table + self.refcount_blocks
    }

    fn first_l2(&self) -> u64 {
        self.first_l1() + self.l1
    }

    fn push_header(&self, file: &mut Rope) {
        let mut header = Vec::with_capacity(V3 as usize);
        let u32 = |header: &mut Vec<u8>, value: u32| header.extend(value.to_be_bytes());
        let u64 = |header: &mut Vec<u8>, value: u64| header.extend(value.to_be_bytes());
        header.extend(MAGIC);
        u32(&mut header, 3);
        u64(&mut header, 0); // no backing file
        u32(&mut header, 0);
        u32(&mut header, CLUSTER_BITS);
        u64(&mut header, self.size);
        u32(&mut header, 0); // no encryption
        u32(&mut header, narrow(l1_entries(self.size)));
        u64(&mut header, self.first_l1() * CLUSTER);
        u64(&mut header, CLUSTER); // the refcount table comes first
        u32(&mut header, narrow(self.refcount_table));
        u32(&mut header, 0); // no snapshots
        u64(&mut header, 0);
        u64(&mut header, 0); // no features: incompatible, compatible, autoclear
        u64(&mut header, 0);
        u64(&mut header, 0);
        u32(&mut header, REFCOUNT_ORDER);
        u32(&mut header, V3);
        file.push_bytes(&header);
        file.align(CLUSTER);
    }

    fn push_refcounts(&self, file: &mut Rope) {
        let first = 1 + self.refcount_table;
        for block in first..first + self.refcount_blocks {
            file.push_bytes(&(block * CLUSTER).to_be_bytes());
        }
        file.align(CLUSTER);
        let clusters = usize::try_from(self.clusters()).unwrap_or(usize::MAX);
        file.push_bytes(&[0, 1].repeat(clusters));
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

    fn push_l2(&self, file: &mut Rope, runs: &[Range<u64>]) {
        let start = file.len();
        let mut place = self.first_l2() + self.l2.len() as u64;
        // The tables that exist follow one another, so an entry's place is its table's number
        // among them and its own number in the table.
        for (table, index) in (0..).zip(&self.l2) {
            let reach = index * ENTRIES..(index + 1) * ENTRIES;
            let from = runs.partition_point(|run| run.end <= reach.start);
            for run in runs.iter().skip(from).take_while(|run| run.start < reach.end) {
                let clusters = run.start.max(reach.start)..run.end.min(reach.end);
                let entry = table * ENTRIES + (clusters.start - reach.start);
                file.push_zeros(start + entry * 8 - file.len());
                for _ in clusters {
                    file.push_bytes(&((place * CLUSTER) | COPIED).to_be_bytes());
                    place += 1;
                }
            }
        }
        file.align(CLUSTER);
    }
}

/// Pushes the clusters of all runs, one after another.
fn push_data(file: &mut Rope, disk: &Rope, runs: &[Range<u64>]) {
    let mut runs = runs.iter().map(|run| run.start * CLUSTER..run.end * CLUSTER).peekable();
    let mut at = 0;
    for extent in disk.extents() {
        let end = at + extent.len();
        if matches!(extent, Extent::Zero(_)) {
            // A hole may lie in several runs and reach beyond any of them.
            while let Some(run) = runs.peek() {
                let (from, to) = (run.start.max(at), run.end.min(end));
                file.push_zeros(to.saturating_sub(from));
                if run.end > end {
                    break;
                }
                runs.next();
            }
        } else {
            file.push_extent(extent);
            while runs.next_if(|run| run.end <= end).is_some() {}
        }
        at = end;
    }
}

fn l1_entries(size: u64) -> u64 {
    size.div_ceil(ENTRIES * CLUSTER)
}

/// Narrows a number that the largest size keeps below 2^32.
fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
