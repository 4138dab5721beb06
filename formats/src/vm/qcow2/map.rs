//! Where the disk's bytes are in the file, for those who describe them rather than read them.

use super::header::Header;
use super::read::Qcow2Reader;
use super::{COMPRESSED, OFFSET, TABLES_MAX, ZERO};
use crate::format::ReadError;

/// The most stretches of a map.
const STRETCHES: usize = 1 << 20;

/// A stretch of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// Where it starts on the disk.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
    /// Where its bytes are.
    pub place: Place,
}

/// Where the bytes of a stretch are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: they are zeros.
    Zeros,
    /// In the file, from this offset on.
    File(u64),
    /// In the backing file, at the disk's own offset.
    Backing,
}

impl Qcow2Reader {
    /// Returns where all bytes of the disk are, in order, without reading any of them.
    ///
    /// # Errors
    ///
    /// If a cluster is compressed, so that its bytes are nowhere; if tables are damaged; or if the
    /// file is so scattered that the answer would be no short one.
    pub fn map(&self) -> Result<Vec<Mapped>, ReadError> {
        let header = self.header;
        let tables = self.tables()?;
        let mut map = Map { stretches: Vec::new(), end: header.size, at: 0 };
        let unallocated = if self.backing().is_some() { Place::Backing } else { Place::Zeros };
        let mut table = vec![0; 1 << header.cluster_bits];
        for place in tables {
            if place == 0 {
                map.push(header.l2_reach(), unallocated)?;
                continue;
            }
            self.file.read_exact_at(place, &mut table)?;
            for entry in table.as_chunks().0 {
                if map.at == map.end {
                    break;
                }
                self.push_cluster(&mut map, u64::from_be_bytes(*entry), unallocated)?;
            }
        }
        Ok(map.stretches)
    }

    /// Returns where the L2 tables are, 0 for those that are not; none is there twice.
    fn tables(&self) -> Result<Vec<u64>, ReadError> {
        let Header { size, l1_offset, .. } = self.header;
        let count = size.div_ceil(self.header.l2_reach());
        // No more than the entries that the header was checked to have.
        let mut bytes = vec![0; usize::try_from(count * 8).unwrap_or(0)];
        self.file.read_exact_at(l1_offset, &mut bytes)?;
        let place = |entry: &[u8; 8]| u64::from_be_bytes(*entry) & OFFSET;
        let tables: Vec<u64> = bytes.as_chunks().0.iter().map(place).collect();
        let mut sorted: Vec<u64> = tables.iter().copied().filter(|place| *place != 0).collect();
        if sorted.len() as u64 > TABLES_MAX >> self.header.cluster_bits {
            let reason = format!("more than {TABLES_MAX} bytes of tables");
            return Err(ReadError::invalid("qcow2 file", reason));
        }
        sorted.sort_unstable();
        let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        let beside = sorted.iter().find(|place| !place.is_multiple_of(self.header.cluster()));
        let reason = match (twice, beside) {
            (None, None) => return Ok(tables),
            (Some(place), _) => format!("an L2 table twice, at {place:#x}"),
            (None, Some(place)) => format!("an L2 table beside a cluster, at {place:#x}"),
        };
        Err(ReadError::invalid("qcow2 L1 table", reason))
    }

    fn push_cluster(&self, map: &mut Map, entry: u64, unallocated: Place) -> Result<(), ReadError> {
        let cluster = self.header.cluster();
        if entry & COMPRESSED != 0 {
            let reason = format!("compressed at offset {} of the disk, so it has no place", map.at);
            return Err(ReadError::invalid("qcow2 cluster", reason));
        }
        let place = entry & OFFSET;
        if entry & ZERO != 0 {
            return map.push(cluster, Place::Zeros);
        }
        if place == 0 {
            return map.push(cluster, unallocated);
        }
        if !place.is_multiple_of(cluster) || place >= self.file.len() {
            let reason = format!("a place outside of the file or beside a cluster, {entry:#x}");
            return Err(ReadError::invalid("qcow2 L2 entry", reason));
        }
        // The file may end within its last cluster; the rest reads as zeros.
        let there = cluster.min(self.file.len() - place);
        map.push(there, Place::File(place))?;
        map.push(cluster - there, Place::Zeros)
    }
}

/// A map that is being made.
struct Map {
    stretches: Vec<Mapped>,
    /// The size of the disk.
    end: u64,
    at: u64,
}

impl Map {
    /// Appends a stretch, at most to the end of the disk, joined with what it goes on.
    fn push(&mut self, len: u64, place: Place) -> Result<(), ReadError> {
        let (offset, len) = (self.at, len.min(self.end - self.at));
        self.at += len;
        if let Some(last) = self.stretches.last_mut() {
            let goes_on = match (last.place, place) {
                (Place::File(start), Place::File(next)) => start + last.len == next,
                (last, next) => last == next,
            };
            if goes_on {
                last.len += len;
                return Ok(());
            }
        }
        if self.stretches.len() == STRETCHES {
            let reason = format!("more than {STRETCHES} stretches of the disk in other order");
            return Err(ReadError::invalid("qcow2 file", reason));
        }
        if len > 0 {
            self.stretches.push(Mapped { offset, len, place });
        }
        Ok(())
    }
}
