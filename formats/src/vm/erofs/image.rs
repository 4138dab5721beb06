//! A file system as its bytes say it is: single structures, checked before they are used.

use std::io::Read;
use std::sync::Arc;

use super::SLOT;
use super::attributes::{self, Attributes};
use super::directory::{self, DirectoryEntry};
use super::inode::{EXTENDED, Inode, Kind, Layout};
use super::superblock::{LEN, MAGIC, SUPERBLOCK, Superblock};
use crate::format::ReadError;
use crate::input::{ReadAt, Section};
use crate::tree::XattrName;

/// An open file system without compression.
pub(crate) struct Image {
    pub(super) disk: Arc<dyn ReadAt>,
    pub(super) superblock: Superblock,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("superblock", &self.superblock).finish_non_exhaustive()
    }
}

impl Image {
    /// Returns whether bytes at the superblock's place have its magic number.
    pub(crate) fn is_at_start_of(disk: &dyn ReadAt) -> bool {
        let mut magic = [0; 4];
        let found = disk.read_exact_at(SUPERBLOCK, &mut magic);
        found.is_ok() && u32::from_le_bytes(magic) == MAGIC
    }

    /// Opens a file system; one with features that cannot be read here is an error.
    pub(crate) fn open(disk: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let mut bytes = [0; LEN];
        disk.read_exact_at(SUPERBLOCK, &mut bytes)?;
        let superblock = Superblock::parse(&bytes)?;
        let image = Self { disk, superblock };
        let (size, disk) = (image.size(), image.disk.len());
        if size < SUPERBLOCK + LEN as u64 || size > disk {
            let reason = format!("expected at most {disk} bytes, which are there, found {size}");
            return Err(ReadError::invalid("EROFS superblock", reason));
        }
        Ok(image)
    }

    /// Returns the length of the file system in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.at(self.superblock.blocks)
    }

    /// Returns the UUID.
    pub(crate) fn uuid(&self) -> [u8; 16] {
        self.superblock.uuid
    }

    /// Returns the label's bytes.
    pub(crate) fn label(&self) -> &[u8] {
        self.superblock.label()
    }

    /// Returns the number of the root's inode.
    pub(super) fn root_slot(&self) -> u64 {
        self.superblock.root.into()
    }

    /// Returns the length of a block.
    pub(super) fn block(&self) -> u64 {
        1 << self.superblock.block_bits
    }

    fn at(&self, block: u32) -> u64 {
        u64::from(block) << self.superblock.block_bits
    }

    /// Returns where an inode begins; one outside of the file system is an error.
    fn start(&self, slot: u64) -> Result<u64, ReadError> {
        let start = slot.checked_mul(SLOT);
        let start = start.and_then(|start| start.checked_add(self.at(self.superblock.metadata)));
        match start {
            Some(start) if start < self.size() => Ok(start),
            _ => Err(ReadError::invalid(format!("inode {slot}"), "outside of the file system")),
        }
    }

    /// Returns where a range ends; one that leaves the file system is an error.
    fn end(&self, slot: u64, start: u64, len: u64) -> Result<u64, ReadError> {
        match start.checked_add(len) {
            Some(end) if end <= self.size() => Ok(end),
            _ => {
                let reason = "it has bytes outside of the file system";
                Err(ReadError::invalid(format!("inode {slot}"), reason))
            }
        }
    }

    /// Returns an inode.
    pub(super) fn checked_inode(&self, slot: u64) -> Result<Inode, ReadError> {
        let start = self.start(slot)?;
        let mut bytes = [0; EXTENDED];
        let there = usize::try_from(self.size() - start).unwrap_or(EXTENDED).min(EXTENDED);
        self.disk.read_exact_at(start, &mut bytes[..there])?;
        let inode = Inode::parse(slot, &bytes[..there])?;
        self.end(slot, start, (inode.len + inode.attributes) as u64)?;
        Ok(inode)
    }

    /// Returns the bytes of a file, a directory or a link.
    pub(super) fn content(&self, slot: u64, inode: &Inode) -> Result<impl Read + use<>, ReadError> {
        let tail = match inode.layout {
            Layout::Plain => 0,
            Layout::Inline => inode.size % self.block(),
        };
        let body = if inode.size == tail { 0 } else { self.at(inode.place) };
        self.end(slot, body, inode.size - tail)?;
        let behind = self.start(slot)? + (inode.len + inode.attributes) as u64;
        self.end(slot, behind, tail)?;
        if behind % self.block() + tail > self.block() {
            let reason = "what stands behind it goes on in another block";
            return Err(ReadError::invalid(format!("inode {slot}"), reason));
        }
        let body = Section::new(self.disk.clone(), body, inode.size - tail);
        Ok(body.chain(Section::new(self.disk.clone(), behind, tail)))
    }

    /// Returns the entries of a directory, `.` and `..` among them, at most `limit` of them.
    pub(super) fn directory(
        &self,
        slot: u64,
        inode: &Inode,
        limit: usize,
    ) -> Result<Vec<DirectoryEntry<Vec<u8>>>, ReadError> {
        let what = format!("directory inode {slot}");
        if inode.kind() != Some(Kind::Directory) {
            return Err(ReadError::invalid(what, "not a directory"));
        }
        let mut content = self.content(slot, inode)?;
        let mut block = vec![0; usize::try_from(self.block()).unwrap_or(0)];
        let mut left = inode.size;
        let mut entries = Vec::new();
        while left > 0 {
            let count = left.min(self.block());
            let bytes = &mut block[..usize::try_from(count).unwrap_or(0)];
            content.read_exact(bytes)?;
            directory::parse(&what, bytes, &mut entries, limit)?;
            left -= count;
        }
        Ok(entries)
    }

    /// Returns the attributes of an inode, at most `limit` bytes of them.
    pub(super) fn attributes_of(
        &self,
        slot: u64,
        inode: &Inode,
        limit: usize,
    ) -> Result<Vec<(XattrName, Vec<u8>)>, ReadError> {
        let what = format!("inode {slot}");
        let mut bytes = vec![0; inode.attributes];
        self.disk.read_exact_at(self.start(slot)? + inode.len as u64, &mut bytes)?;
        let Attributes { shared, mut own } = attributes::parse(&what, &bytes)?;
        let mut taken = bytes.len();
        for number in shared {
            let one = self.shared(&what, slot, number)?;
            taken += one.len();
            if taken > limit {
                return Err(ReadError::invalid(what, "more attributes than a tree may have"));
            }
            own.push(attributes::parse_one(&what, &one)?);
        }
        Ok(own)
    }

    fn shared(&self, what: &str, slot: u64, number: u32) -> Result<Vec<u8>, ReadError> {
        let start = self.at(self.superblock.attributes) + 4 * u64::from(number);
        let mut head = [0; attributes::ATTRIBUTE];
        if start + 4 > self.size() {
            return Err(ReadError::invalid(what, "a shared attribute outside of the file system"));
        }
        self.disk.read_exact_at(start, &mut head)?;
        let mut bytes = vec![0; attributes::len(&head)];
        self.end(slot, start, bytes.len() as u64)?;
        self.disk.read_exact_at(start, &mut bytes)?;
        Ok(bytes)
    }
}
