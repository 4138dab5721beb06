//! Reading: the disk that a file describes, at any offset.

use std::io;
use std::sync::Arc;

use super::MIB;
use super::header::{FILE_TYPE, Header};
use super::metadata::Metadata;
use super::region::{Region, Regions};
use super::table::{Block, ENTRY, index};
use crate::format::ReadError;
use crate::input::ReadAt;

/// The disk in a VHDX file, for reading.
///
/// Opening checks headers, regions and metadata; entries of the table are read when they are needed,
/// so a damaged one is an error of the read that meets it.
pub struct VhdxReader {
    file: Arc<dyn ReadAt>,
    image: Image,
}

/// What a file says of the disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Image {
    pub(super) header: Header,
    pub(super) regions: Regions,
    pub(super) metadata: Metadata,
}

impl Image {
    /// Parses everything but the table and refuses what cannot be read from this one file.
    pub(super) fn parse(file: &dyn ReadAt) -> Result<Self, ReadError> {
        let header = Header::current(file)?;
        let regions = Regions::find(file)?;
        let metadata = Metadata::parse(file, regions.metadata)?;
        let Region { offset, len } = regions.table;
        let needed = metadata.entries() * ENTRY;
        if u64::from(len) < needed {
            let what = "VHDX block allocation table";
            let expected = format!("at least {needed} bytes");
            return Err(ReadError::malformed(what, offset, expected, len.to_string()));
        }
        Ok(Self { header, regions, metadata })
    }
}

impl std::fmt::Debug for VhdxReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VhdxReader").field("image", &self.image).finish_non_exhaustive()
    }
}

impl VhdxReader {
    /// Returns whether a file starts as VHDX images do.
    pub fn is_at_start_of(file: &dyn ReadAt) -> bool {
        let mut magic = [0; 8];
        file.read_exact_at(0, &mut magic).is_ok() && magic == FILE_TYPE
    }

    /// Opens an image that needs no other file and was closed.
    pub fn open(file: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let image = Image::parse(&*file)?;
        Ok(Self { file, image })
    }

    /// Fills a buffer from one block of the disk.
    fn fill(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let Image { regions, metadata, .. } = &self.image;
        let block = u64::from(metadata.block);
        let mut entry = [0; 8];
        let at = index(offset / block, metadata.chunk()) * ENTRY;
        self.file.read_exact_at(regions.table.offset + at, &mut entry)?;
        match Block::parse(u64::from_le_bytes(entry)) {
            Block::Absent => buffer.fill(0),
            Block::At(place) if place >= MIB => {
                self.file.read_exact_at(place.saturating_add(offset % block), buffer)?;
            }
            Block::At(found) | Block::Unreadable(found) => {
                let message = format!("damaged entry of block {}: found {found}", offset / block);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        Ok(())
    }
}

impl ReadAt for VhdxReader {
    fn len(&self) -> u64 {
        self.image.metadata.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let block = u64::from(self.image.metadata.block);
        let left = self.len().saturating_sub(offset).min(block - offset % block);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if count > 0 {
            self.fill(offset, &mut buffer[..count])?;
        }
        Ok(count)
    }
}
