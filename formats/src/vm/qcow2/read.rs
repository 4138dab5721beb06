//! Reading: the disk that a file describes, at any offset.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};

use super::backing::Backing;
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
    pub(super) file: Arc<dyn ReadAt>,
    pub(super) header: Header,
    backing: Option<Backing>,
    /// The disk of the backing file, if whoever opened the image has it.
    lower: Option<Arc<dyn ReadAt>>,
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

    /// Opens an image; what an overlay does not have is an error of the read that meets it.
    pub fn open(file: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        Self::open_with(file, None)
    }

    /// Opens an image; what an overlay does not have is read from `lower`, the disk of its backing
    /// file, and is zeros behind its end.
    pub fn open_with(
        file: Arc<dyn ReadAt>,
        lower: Option<Arc<dyn ReadAt>>,
    ) -> Result<Self, ReadError> {
        let header = Header::parse(&*file)?;
        let backing = Backing::parse(&*file, &header)?;
        if backing.is_none() && lower.is_some() {
            let reason = "one is given, but the image lies on none";
            return Err(ReadError::invalid("qcow2 backing file", reason));
        }
        Ok(Self { file, header, backing, lower, cache: Mutex::default() })
    }

    /// Returns the file that the image lies on, if it is an overlay.
    pub fn backing(&self) -> Option<&Backing> {
        self.backing.as_ref()
    }

    /// Returns how clusters are compressed; `None` if none is.
    pub fn compression(&self) -> io::Result<Option<Method>> {
        for index in 0..u64::from(self.header.l1_entries) {
            let Some(table) = self.table(index)? else { continue };
            let entries = table.as_chunks::<8>().0.iter();
            if entries.map(|entry| u64::from_be_bytes(*entry)).any(|entry| entry & COMPRESSED != 0)
            {
                return Ok(Some(self.header.method));
            }
        }
        Ok(None)
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
                let decoder = zstd::stream::read::Decoder::with_buffer(input.as_slice())?;
                let mut decoder = decoder.single_frame();
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                decoder.read_exact(&mut cluster)?;
                if decoder.read(&mut [0])? > 0 {
                    return Err(damaged("compressed cluster", entry));
                }
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
        if entry & ZERO != 0 {
            buffer.fill(0);
            return Ok(());
        }
        if entry & OFFSET == 0 {
            return self.below(offset, buffer);
        }
        self.standard(entry, within, buffer)
    }

    /// Fills a buffer from what the image lies on.
    fn below(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let left = match (&self.backing, &self.lower) {
            (None, _) => 0,
            (Some(_), Some(lower)) => lower.len().saturating_sub(offset),
            (Some(backing), None) => {
                let message = format!(
                    "offset {offset} of the disk is only in the backing file `{}`",
                    backing.name()
                );
                return Err(io::Error::new(io::ErrorKind::NotFound, message));
            }
        };
        let there = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let (stored, rest) = buffer.split_at_mut(there);
        rest.fill(0);
        match &self.lower {
            Some(lower) => lower.read_exact_at(offset, stored),
            None => Ok(()),
        }
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

/// Inflates a raw deflate stream, which must fill the cluster and end there.
fn inflate(input: &[u8], cluster: &mut [u8]) -> io::Result<()> {
    let mut inflater = Decompress::new(false);
    let status = inflater.decompress(input, cluster, FlushDecompress::Finish)?;
    if status == Status::StreamEnd && inflater.total_out() == cluster.len() as u64 {
        return Ok(());
    }
    Err(damaged("compressed cluster", inflater.total_out()))
}

fn damaged(what: &str, found: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged {what}: found {found:#x}"))
}
