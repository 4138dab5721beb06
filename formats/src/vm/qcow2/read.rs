//! Reading: the disk that a file describes, at any offset.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress};

use super::header::{Header, MAGIC, Method};
use super::{COMPRESSED, OFFSET, ZERO};
use crate::format::ReadError;
use crate::input::ReadAt;

/// How many L2 tables are kept.
const TABLES: usize = 8;
/// The largest window that a compressed cluster may ask for: that of the largest cluster.
const ZSTD_WINDOW_LOG: u32 = 22;

/// The disk in a qcow2 file, for reading.
///
/// Opening checks the header; tables are read when they are needed and checked then, so a damaged
/// table is an error of the read that meets it.
pub struct Qcow2Reader {
    file: Arc<dyn ReadAt>,
    header: Header,
    cache: Mutex<Cache>,
}

impl std::fmt::Debug for Qcow2Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qcow2Reader").field("header", &self.header).finish_non_exhaustive()
    }
}

/// What was read last.
#[derive(Default)]
struct Cache {
    /// L2 tables by their number in the L1 table, the last used one last.
    tables: Vec<(u64, Arc<Vec<u8>>)>,
    /// One cluster after decompression, by its entry.
    cluster: Option<(u64, Arc<Vec<u8>>)>,
}

impl Qcow2Reader {
    /// Returns whether a file starts as qcow2 images do.
    pub fn is_at_start_of(file: &dyn ReadAt) -> bool {
        let mut magic = [0; 4];
        file.read_exact_at(0, &mut magic).is_ok() && magic == MAGIC
    }

    /// Opens an image that needs no other file.
    pub fn open(file: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let header = Header::parse(&*file)?;
        Ok(Self { file, header, cache: Mutex::default() })
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the L2 entry of a cluster of the disk; 0 if there is none.
    fn entry(&self, offset: u64) -> io::Result<u64> {
        let index = offset / self.header.l2_reach();
        let Some(table) = self.table(index)? else { return Ok(0) };
        let at = (offset % self.header.l2_reach()) >> self.header.cluster_bits << 3;
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = table.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(|| damaged("L2 table", offset))
    }

    fn table(&self, index: u64) -> io::Result<Option<Arc<Vec<u8>>>> {
        let mut cache = self.cache();
        if let Some(found) = cache.tables.iter().position(|(number, _)| *number == index) {
            let hit = cache.tables.remove(found);
            let table = hit.1.clone();
            cache.tables.push(hit);
            return Ok(Some(table));
        }
        let mut entry = [0; 8];
        self.file.read_exact_at(self.header.l1_offset + index * 8, &mut entry)?;
        let place = u64::from_be_bytes(entry) & OFFSET;
        if place == 0 {
            return Ok(None);
        }
        if !place.is_multiple_of(self.header.cluster()) {
            return Err(damaged("L1 entry", place));
        }
        let mut table = vec![0; 1 << self.header.cluster_bits];
        self.file.read_exact_at(place, &mut table)?;
        let table = Arc::new(table);
        if cache.tables.len() == TABLES {
            cache.tables.remove(0);
        }
        cache.tables.push((index, table.clone()));
        Ok(Some(table))
    }

    /// Reads within one standard cluster.
    fn standard(&self, entry: u64, within: u64, buffer: &mut [u8]) -> io::Result<()> {
        let place = entry & OFFSET;
        if !place.is_multiple_of(self.header.cluster()) || place >= self.file.len() {
            return Err(damaged("L2 entry", entry));
        }
        // The file may end within its last cluster; the rest reads as zeros.
        let left = self.file.len().saturating_sub(place + within);
        let there = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let (stored, rest) = buffer.split_at_mut(there);
        self.file.read_exact_at(place + within, stored)?;
        rest.fill(0);
        Ok(())
    }

    /// Returns a compressed cluster's bytes.
    fn decompressed(&self, entry: u64) -> io::Result<Arc<Vec<u8>>> {
        if let Some((last, cluster)) = &self.cache().cluster
            && *last == entry
        {
            return Ok(cluster.clone());
        }
        let (place, len) = self.header.compressed(entry);
        let left = self.file.len().saturating_sub(place);
        let mut input = vec![0; usize::try_from(len.min(left)).unwrap_or(0)];
        self.file.read_exact_at(place, &mut input)?;
        let mut cluster = vec![0; 1 << self.header.cluster_bits];
        match self.header.method {
            Method::Zlib => inflate(&input, &mut cluster)?,
            Method::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input.as_slice())?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                decoder.read_exact(&mut cluster)?;
            }
        }
        let cluster = Arc::new(cluster);
        self.cache().cluster = Some((entry, cluster.clone()));
        Ok(cluster)
    }

    /// Fills a buffer from one cluster of the disk.
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let within = offset % self.header.cluster();
        let entry = self.entry(offset)?;
        if entry & COMPRESSED != 0 {
            let cluster = self.decompressed(entry)?;
            let from = usize::try_from(within).unwrap_or(usize::MAX);
            let part = cluster.get(from..).and_then(|rest| rest.get(..buffer.len()));
            buffer.copy_from_slice(part.ok_or_else(|| damaged("compressed cluster", offset))?);
            return Ok(());
        }
        if entry & OFFSET == 0 || entry & ZERO != 0 {
            buffer.fill(0);
            return Ok(());
        }
        self.standard(entry, within, buffer)
    }
}

impl ReadAt for Qcow2Reader {
    fn len(&self) -> u64 {
        self.header.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let cluster = self.header.cluster();
        let left = self.header.size.saturating_sub(offset).min(cluster - offset % cluster);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if count > 0 {
            self.fill(offset, &mut buffer[..count])?;
        }
        Ok(count)
    }
}

/// Inflates a raw deflate stream, which must fill the cluster.
fn inflate(input: &[u8], cluster: &mut [u8]) -> io::Result<()> {
    let mut inflater = Decompress::new(false);
    inflater.decompress(input, cluster, FlushDecompress::Finish)?;
    if inflater.total_out() == cluster.len() as u64 {
        return Ok(());
    }
    Err(damaged("compressed cluster", inflater.total_out()))
}

fn damaged(what: &str, found: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged {what}: found {found:#x}"))
}
