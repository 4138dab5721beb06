//! Checking a file's structure: each cluster is used as often as its refcount says, which is once.

use std::fmt::Display;

use super::backing::Backing;
use super::header::Header;
use super::{COMPRESSED, COPIED, OFFSET, TABLES_MAX, ZERO};
use crate::format::{Problem, ReadError};
use crate::input::ReadAt;

/// The most clusters of a file whose use is counted.
const CLUSTERS: u64 = 1 << 27;

/// Lists every rule of the container that a file breaks.
pub fn check(file: &dyn ReadAt) -> Result<Vec<Problem>, ReadError> {
    let header = Header::parse(file)?;
    Backing::parse(file, &header)?;
    let clusters = file.len().div_ceil(header.cluster());
    if clusters > CLUSTERS {
        let reason = format!("{clusters} clusters, more than are checked");
        return Err(ReadError::invalid("qcow2 file", reason));
    }
    let uses = vec![Uses::default(); usize::try_from(clusters).unwrap_or(0)];
    let mut check = Check { file, header, uses, problems: Vec::new() };
    if header.dirty {
        check.problem("qcow2-dirty", "header", "an image that was closed", "the dirty bit");
    }
    if header.snapshots > 0 {
        check.problem("qcow2-snapshots", "header", "no snapshots", header.snapshots);
        return Ok(check.problems);
    }
    check.count_tables()?;
    check.count_disk()?;
    check.compare()?;
    Ok(check.problems)
}

/// How a cluster of the file is used, in 16 bits because there are as many as clusters.
#[derive(Debug, Clone, Copy, Default)]
struct Uses(u16);

impl Uses {
    /// Set if one of the uses forbids others; compressed clusters may share one of the file's.
    const EXCLUSIVE: u16 = 1 << 15;

    /// Counts one more use.
    fn add(&mut self, exclusive: bool) {
        let count = (self.count() + 1).min(Self::EXCLUSIVE - 1);
        self.0 = count | if exclusive || self.exclusive() { Self::EXCLUSIVE } else { 0 };
    }

    /// Returns how often the cluster is used, up to 32 767 times.
    fn count(self) -> u16 {
        self.0 & !Self::EXCLUSIVE
    }

    fn exclusive(self) -> bool {
        self.0 & Self::EXCLUSIVE != 0
    }
}

struct Check<'a> {
    file: &'a dyn ReadAt,
    header: Header,
    uses: Vec<Uses>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn problem(
        &mut self,
        rule: &'static str,
        place: impl Into<String>,
        expected: &str,
        found: impl Display + Copy,
    ) {
        if self.problems.len() < Problem::MOST {
            self.problems.push(Problem::new(rule, place, expected, found.to_string()));
        }
    }

    /// Counts an exclusive use of all clusters that a range of the file touches.
    fn count(&mut self, place: &str, offset: u64, len: u64) {
        self.count_as(true, place, offset, len);
    }

    fn count_as(&mut self, exclusive: bool, place: &str, offset: u64, len: u64) {
        let first = offset >> self.header.cluster_bits;
        let last = offset.saturating_add(len.max(1) - 1) >> self.header.cluster_bits;
        if last >= self.uses.len() as u64 {
            self.problem("qcow2-offset", place, "an offset within the file", offset);
            return;
        }
        for index in first..=last {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            if let Some(uses) = self.uses.get_mut(index) {
                uses.add(exclusive);
            }
        }
    }

    /// Reads the entry of a table.
    fn read(&self, table: u64, index: u64) -> Result<u64, ReadError> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(table + index * 8, &mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    /// Counts the header, the refcount table and its blocks, and the L1 table.
    fn count_tables(&mut self) -> Result<(), ReadError> {
        let header = self.header;
        self.count("header", 0, 1);
        let bytes = u64::from(header.refcount_clusters) << header.cluster_bits;
        if bytes > 0 {
            self.count("refcount table", header.refcount_offset, bytes);
        }
        for index in 0..bytes / 8 {
            let block = self.read(header.refcount_offset, index)?;
            let place = format!("refcount table entry {index}");
            if block != 0 && self.is_aligned(&place, block) {
                self.count(&place, block, header.cluster());
            }
        }
        if header.l1_entries > 0 {
            self.count("L1 table", header.l1_offset, u64::from(header.l1_entries) * 8);
        }
        Ok(())
    }

    /// Returns whether a cluster has been counted more than once.
    fn is_shared(&self, offset: u64) -> bool {
        let index = usize::try_from(offset >> self.header.cluster_bits).unwrap_or(usize::MAX);
        self.uses.get(index).is_some_and(|uses| uses.count() > 1)
    }

    fn is_aligned(&mut self, place: &str, offset: u64) -> bool {
        let aligned = offset.is_multiple_of(self.header.cluster());
        if !aligned {
            self.problem("qcow2-alignment", place, "the start of a cluster", offset);
        }
        aligned
    }

    /// Counts the L2 tables and the clusters of the disk.
    fn count_disk(&mut self) -> Result<(), ReadError> {
        let header = self.header;
        let mut table = vec![0; 1 << header.cluster_bits];
        let mut read = 0;
        for index in 0..u64::from(header.l1_entries) {
            let entry = self.read(header.l1_offset, index)?;
            let place = format!("L1 entry {index}");
            let offset = entry & OFFSET;
            if entry & !(OFFSET | COPIED) != 0 {
                self.problem("qcow2-reserved-bits", &place, "zeros", format_args!("{entry:#x}"));
            }
            if offset == 0 || !self.is_aligned(&place, offset) {
                continue;
            }
            self.count(&place, offset, header.cluster());
            self.expect_copied(&place, entry);
            // A table that is met again has been counted, or is none.
            let inside = offset.saturating_add(header.cluster()) <= self.file.len();
            if !inside || self.is_shared(offset) {
                continue;
            }
            read += header.cluster();
            if read > TABLES_MAX {
                let reason =
                    format!("more than {TABLES_MAX} bytes of tables, which are not checked");
                return Err(ReadError::invalid("qcow2 file", reason));
            }
            self.file.read_exact_at(offset, &mut table)?;
            let (entries, _) = table.as_chunks::<8>();
            for (number, bytes) in entries.iter().enumerate() {
                let entry = u64::from_be_bytes(*bytes);
                if entry != 0 {
                    self.count_cluster(&format!("L2 entry {number} of table {index}"), entry);
                }
            }
        }
        Ok(())
    }

    fn count_cluster(&mut self, place: &str, entry: u64) {
        if entry & COMPRESSED != 0 {
            let (offset, len) = self.header.compressed(entry);
            let end = offset.saturating_add(len).min(self.file.len());
            self.count_as(false, place, offset, end.saturating_sub(offset));
            if entry & COPIED != 0 {
                self.problem("qcow2-copied", place, "no bit 63 for a compressed cluster", "it set");
            }
            return;
        }
        if entry & !(OFFSET | COPIED | ZERO) != 0 {
            self.problem("qcow2-reserved-bits", place, "zeros", format_args!("{entry:#x}"));
        }
        let offset = entry & OFFSET;
        if offset != 0 && self.is_aligned(place, offset) {
            self.count(place, offset, 1);
            self.expect_copied(place, entry);
        }
    }

    fn expect_copied(&mut self, place: &str, entry: u64) {
        if entry & COPIED == 0 {
            self.problem("qcow2-copied", place, "bit 63 set for a refcount of 1", "not set");
        }
    }

    /// Compares uses with refcounts.
    fn compare(&mut self) -> Result<(), ReadError> {
        let header = self.header;
        let per_block = (header.cluster() * 8) >> header.refcount_order;
        let blocks = (u64::from(header.refcount_clusters) << header.cluster_bits) / 8;
        let mut block = vec![0; 1 << header.cluster_bits];
        let uses = std::mem::take(&mut self.uses);
        let per_chunk = usize::try_from(per_block).unwrap_or(usize::MAX);
        for (index, uses) in (0..).zip(uses.chunks(per_chunk)) {
            let offset = if index < blocks { self.read(header.refcount_offset, index)? } else { 0 };
            let inside =
                offset.checked_add(header.cluster()).is_some_and(|end| end <= self.file.len());
            if offset == 0 || !inside {
                block.fill(0);
            } else {
                self.file.read_exact_at(offset, &mut block)?;
            }
            for (within, uses) in uses.iter().enumerate() {
                let stored = refcount(&block, within, header.refcount_order);
                let place = || format!("cluster {}", index * per_block + within as u64);
                if stored != u64::from(uses.count()) {
                    let expected = format!("a refcount of {}, its uses", uses.count());
                    self.problem("qcow2-refcount", place(), &expected, stored);
                }
                if uses.exclusive() && uses.count() > 1 {
                    self.problem("qcow2-overlap", place(), "one use", uses.count());
                }
            }
        }
        Ok(())
    }
}

/// Returns one refcount of a block: big-endian, or for widths below a byte from the low bits up.
fn refcount(block: &[u8], index: usize, order: u32) -> u64 {
    let width = 1_usize << order;
    if width < 8 {
        let byte = block.get(index * width / 8).copied().unwrap_or_default();
        let shift = index * width % 8;
        return u64::from(byte >> shift) & ((1 << width) - 1);
    }
    let bytes = width / 8;
    let stored = block.get(index * bytes..(index + 1) * bytes).unwrap_or_default();
    stored.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
