//! Where a file's bytes are: extent trees, walked with limits, and reading through them.

use std::io::{self, Read};
use std::sync::Arc;

use mkext4::csum;
use mkext4::reader::FileExtent;
use mkext4::spec::{self, Extent, ExtentHeader, ExtentIdx, Inode};

use crate::format::ReadError;
use crate::input::ReadAt;

use super::BLOCK;
use super::image::{Image, end, foreign};

/// The deepest extent tree of a file that fits into 2^32 blocks.
const DEPTH: u16 = 5;
/// The most extents of one file.
const EXTENTS: usize = 1 << 20;
/// The most blocks of one extent tree.
const NODES: usize = 1 << 14;

impl Image {
    /// Returns an inode's extents: ascending, disjoint, within the file system.
    pub(super) fn extents(&self, number: u32, inode: &Inode) -> Result<Vec<FileExtent>, ReadError> {
        let fail = |reason: &str| ReadError::invalid(format!("extents of inode {number}"), reason);
        let Some(root) = inode.extent_root() else {
            return Err(fail("there are none"));
        };
        let seed = csum::inode_seed(self.fs.fs_seed(), number, inode.generation);
        let mut extents: Vec<FileExtent> = Vec::new();
        // Nodes to visit, the first one last; with the depth that each must have.
        let mut nodes: Vec<(u64, u16)> = Vec::new();
        let mut depth = None;
        let mut visited = 0;
        let mut node = root.to_vec();
        loop {
            let header = ExtentHeader::decode(&node).map_err(foreign)?;
            let most = (node.len() - ExtentHeader::LEN) / ExtentHeader::ENTRY_LEN;
            if header.depth > DEPTH || depth.is_some_and(|depth| depth != header.depth) {
                return Err(fail("impossible depth"));
            }
            if usize::from(header.entries) > most {
                return Err(fail("more entries than a block holds"));
            }
            let entries = (0..usize::from(header.entries)).map(|i| spec::extent::entry(&node, i));
            if let Some(below) = header.depth.checked_sub(1) {
                let children = entries.map(|entry| (ExtentIdx::decode(entry).leaf, below));
                nodes.extend(children.rev());
            } else {
                for extent in entries.map(Extent::decode) {
                    extents.push(self.check_extent(extents.last(), &extent).map_err(fail)?);
                }
            }
            visited += 1;
            if visited + nodes.len() > NODES || extents.len() > EXTENTS {
                return Err(fail("too many"));
            }
            let Some((block, below)) = nodes.pop() else { return Ok(extents) };
            if block >= self.blocks {
                return Err(fail("a tree block outside of the file system"));
            }
            node = self.fs.read_block(block).map_err(foreign)?;
            let stored = node.last_chunk().map(|bytes| u32::from_le_bytes(*bytes));
            if stored != Some(csum::extent_block(seed, &node)) {
                return Err(fail("wrong checksum of a tree block"));
            }
            depth = Some(below);
        }
    }

    fn check_extent(
        &self,
        last: Option<&FileExtent>,
        extent: &Extent,
    ) -> Result<FileExtent, &'static str> {
        let extent = FileExtent {
            logical: extent.logical,
            physical: extent.start,
            len: extent.len(),
            unwritten: extent.is_unwritten(),
        };
        if extent.len == 0 {
            return Err("an empty one");
        }
        if end(&extent) > self.blocks {
            return Err("one outside of the file system");
        }
        if extent.logical.checked_add(extent.len).is_none() {
            return Err("one beyond the largest file");
        }
        if last.is_some_and(|last| last.logical + last.len > extent.logical) {
            return Err("they overlap or are not in order");
        }
        Ok(extent)
    }

    /// Opens a file's content for reading; holes are zeros.
    pub(super) fn content(&self, number: u32, inode: &Inode) -> Result<Content, ReadError> {
        let extents = self.extents(number, inode)?;
        Ok(Content { disk: self.disk.clone(), extents, next: 0, at: 0, size: inode.size })
    }
}

/// Reads a file's content.
pub(super) struct Content {
    disk: Arc<dyn ReadAt>,
    extents: Vec<FileExtent>,
    /// The first extent that does not end before `at`.
    next: usize,
    at: u64,
    size: u64,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let reach = |extent: &FileExtent| {
            let start = u64::from(extent.logical) * BLOCK;
            (start, start + u64::from(extent.len) * BLOCK)
        };
        while self.extents.get(self.next).is_some_and(|extent| reach(extent).1 <= self.at) {
            self.next += 1;
        }
        let extent = self.extents.get(self.next);
        let (start, stop) = extent.map_or((self.size, self.size), reach);
        let hole = self.at < start;
        let until = if hole { start } else { stop }.min(self.size);
        let left = usize::try_from(until.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let buffer = &mut buffer[..wanted];
        match extent {
            Some(extent) if !hole && !extent.unwritten => {
                let place = extent.physical * BLOCK + (self.at - start);
                self.disk.read_exact_at(place, buffer)?;
            }
            _ => buffer.fill(0),
        }
        self.at += wanted as u64;
        Ok(wanted)
    }
}
