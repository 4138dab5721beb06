//! Reading: the disk that a file describes, at any offset.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};

use super::header::{ENTRIES, Header, MAGIC, u32_at};
use super::{SECTOR, descriptor};
use crate::format::ReadError;
use crate::input::ReadAt;

/// How many bytes stand before a compressed grain.
pub(super) const GRAIN_MARKER: usize = 12;

/// The disk in a VMDK file, for reading.
///
/// Opening checks header and descriptor; tables and grains are read when they are needed and checked
/// then, so a damaged one is an error of the read that meets it.
pub struct VmdkReader {
    file: Arc<dyn ReadAt>,
    header: Header,
    /// The grain that was read last, by its number.
    grain: Mutex<Option<(u64, Arc<Vec<u8>>)>>,
}

impl std::fmt::Debug for VmdkReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VmdkReader").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Parses the header and refuses a disk that is not all in the file.
pub(super) fn parse(file: &dyn ReadAt) -> Result<Header, ReadError> {
    let header = Header::parse(file)?;
    let (place, sectors) = header.descriptor;
    let offset = place.saturating_mul(SECTOR);
    let mut text = vec![0; usize::try_from(sectors * SECTOR).unwrap_or(0)];
    file.read_exact_at(offset, &mut text)?;
    descriptor::check(&text, offset)?;
    Ok(header)
}

/// Returns the length of a compressed grain, which must be that of a number on the disk.
pub(super) fn grain_len(
    file: &dyn ReadAt,
    header: &Header,
    number: u64,
    at: u64,
) -> io::Result<u64> {
    let mut marker = [0; GRAIN_MARKER];
    file.read_exact_at(at, &mut marker)?;
    let first = u64::from(u32_at(&marker, 0)) | u64::from(u32_at(&marker, 4)) << 32;
    let len = u64::from(u32_at(&marker, 8));
    // A stream that makes a grain longer than this was not made by deflate.
    if first != number * header.grain || len > 2 * header.grain_len() {
        return Err(damaged("grain marker", at));
    }
    Ok(len)
}

/// Returns the entry of a grain, 0 if there is no table of it.
fn entry(file: &dyn ReadAt, header: &Header, number: u64) -> io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact_at(header.directory * SECTOR + number / ENTRIES * 4, &mut bytes)?;
    let table = u64::from(u32::from_le_bytes(bytes));
    if table == 0 {
        return Ok(0);
    }
    file.read_exact_at(table * SECTOR + number % ENTRIES * 4, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

impl VmdkReader {
    /// Returns whether a file starts as sparse VMDK images do.
    pub fn is_at_start_of(file: &dyn ReadAt) -> bool {
        let mut magic = [0; 4];
        file.read_exact_at(0, &mut magic).is_ok() && magic == MAGIC
    }

    /// Opens an image that needs no other file.
    pub fn open(file: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let header = parse(&*file)?;
        Ok(Self { file, header, grain: Mutex::default() })
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<(u64, Arc<Vec<u8>>)>> {
        self.grain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills a buffer from one grain.
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let (number, within) = (offset / self.header.grain_len(), offset % self.header.grain_len());
        if let Some((last, grain)) = &*self.last()
            && *last == number
        {
            return copy(grain, within, buffer);
        }
        let entry = entry(&*self.file, &self.header, number)?;
        let at = u64::from(entry) * SECTOR;
        if self.header.is_zeros(entry) {
            buffer.fill(0);
        } else if self.header.is_compressed() {
            let grain = Arc::new(self.inflate(number, at)?);
            copy(&grain, within, buffer)?;
            *self.last() = Some((number, grain));
        } else {
            self.file.read_exact_at(at + within, buffer)?;
        }
        Ok(())
    }

    /// Returns a compressed grain's bytes; the last one of a disk may be shorter than the others.
    fn inflate(&self, number: u64, at: u64) -> io::Result<Vec<u8>> {
        let len = grain_len(&*self.file, &self.header, number, at)?;
        let mut stream = vec![0; usize::try_from(len).unwrap_or(0)];
        self.file.read_exact_at(at + GRAIN_MARKER as u64, &mut stream)?;
        let mut grain = vec![0; usize::try_from(self.header.grain_len()).unwrap_or(0)];
        let mut inflater = Decompress::new(true);
        let status = inflater.decompress(&stream, &mut grain, FlushDecompress::Finish)?;
        if status != Status::StreamEnd || inflater.total_in() != len {
            return Err(damaged("grain", at));
        }
        grain.truncate(usize::try_from(inflater.total_out()).unwrap_or(usize::MAX));
        Ok(grain)
    }
}

impl ReadAt for VmdkReader {
    fn len(&self) -> u64 {
        self.header.capacity * SECTOR
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let grain = self.header.grain_len();
        let left = self.len().saturating_sub(offset).min(grain - offset % grain);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if count > 0 {
            self.fill(offset, &mut buffer[..count])?;
        }
        Ok(count)
    }
}

fn copy(grain: &[u8], within: u64, buffer: &mut [u8]) -> io::Result<()> {
    let from = usize::try_from(within).unwrap_or(usize::MAX);
    let part = grain.get(from..).and_then(|rest| rest.get(..buffer.len()));
    buffer.copy_from_slice(part.ok_or_else(|| damaged("grain, which is short", within))?);
    Ok(())
}

fn damaged(what: &str, at: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged {what} at offset {at}"))
}
