//! Reading: the disk that a file describes, at any offset.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::dynamic::{Header, UNUSED};
use super::footer::{COOKIE, Footer};
use super::{Kind, SECTOR};
use crate::format::ReadError;
use crate::input::ReadAt;

/// The disk in a VHD file, for reading.
///
/// Opening checks footer and header; the table and the bitmaps of blocks are read when they are
/// needed, so a damaged entry is an error of the read that meets it.
pub struct VhdReader {
    file: Arc<dyn ReadAt>,
    footer: Footer,
    header: Option<Header>,
    /// The bitmap that was read last, by its place.
    bitmap: Mutex<Option<(u64, Arc<Vec<u8>>)>>,
}

impl std::fmt::Debug for VhdReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { footer, header, .. } = self;
        f.debug_struct("VhdReader")
            .field("footer", footer)
            .field("header", header)
            .finish_non_exhaustive()
    }
}

impl VhdReader {
    /// Returns whether a file starts as dynamic VHD images do; a fixed one starts as its disk does.
    pub fn is_at_start_of(file: &dyn ReadAt) -> bool {
        let mut cookie = [0; 8];
        file.read_exact_at(0, &mut cookie).is_ok() && cookie == COOKIE
    }

    /// Returns whether a file ends as VHD images do, fixed or dynamic.
    pub fn is_at_end_of(file: &dyn ReadAt) -> bool {
        let mut cookie = [0; 8];
        let at = file.len().checked_sub(SECTOR);
        at.is_some_and(|at| file.read_exact_at(at, &mut cookie).is_ok()) && cookie == COOKIE
    }

    /// Opens an image that needs no other file.
    pub fn open(file: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let footer = Footer::parse(&*file)?;
        let header = match footer.kind {
            Kind::Fixed => None,
            Kind::Dynamic => Some(Header::parse(&*file, &footer)?),
        };
        Ok(Self { file, footer, header, bitmap: Mutex::default() })
    }

    /// Returns which kind the image is.
    pub fn kind(&self) -> Kind {
        self.footer.kind
    }

    /// Returns the bitmap at a place.
    fn bitmap(&self, place: u64, len: u64) -> io::Result<Arc<Vec<u8>>> {
        let mut last = self.bitmap.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, bitmap)) = &*last
            && *at == place
        {
            return Ok(bitmap.clone());
        }
        let mut bitmap = vec![0; usize::try_from(len).unwrap_or(0)];
        self.file.read_exact_at(place, &mut bitmap)?;
        let bitmap = Arc::new(bitmap);
        *last = Some((place, bitmap.clone()));
        Ok(bitmap)
    }

    /// Reads some bytes of one block, as many as are all there or all not.
    fn read_block(&self, header: &Header, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let block = u64::from(header.block);
        let mut entry = [0; 4];
        self.file.read_exact_at(header.table + offset / block * 4, &mut entry)?;
        let entry = u32::from_be_bytes(entry);
        if entry == UNUSED {
            buffer.fill(0);
            return Ok(buffer.len());
        }
        let place = u64::from(entry) * SECTOR;
        let bitmap = self.bitmap(place, header.bitmap())?;
        let within = offset % block;
        let has = |sector: u64| {
            let byte = usize::try_from(sector / 8).ok().and_then(|index| bitmap.get(index));
            byte.is_some_and(|byte| byte & (0x80 >> (sector % 8)) != 0)
        };
        let end = (within + buffer.len() as u64).div_ceil(SECTOR);
        let first = within / SECTOR;
        let is_there = has(first);
        let change = (first..end).find(|sector| has(*sector) != is_there);
        let count = change.map_or(buffer.len(), |sector| {
            usize::try_from(sector * SECTOR - within).unwrap_or(usize::MAX)
        });
        let part = &mut buffer[..count];
        if is_there {
            self.file.read_exact_at(place + header.bitmap() + within, part)?;
        } else {
            part.fill(0);
        }
        Ok(count)
    }
}

impl ReadAt for VhdReader {
    fn len(&self) -> u64 {
        self.footer.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut left = self.footer.size.saturating_sub(offset);
        if let Some(header) = &self.header {
            let block = u64::from(header.block);
            left = left.min(block - offset % block);
        }
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..count];
        match &self.header {
            _ if count == 0 => Ok(0),
            None => self.file.read_at(offset, buffer),
            Some(header) => self.read_block(header, offset, buffer),
        }
    }
}
