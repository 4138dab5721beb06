//! File systems of the ext family that anybody made: as much of them as leads to files.
//!
//! [`ext4`](super::ext4) reads what is written here and refuses whatever else; this reads ext2, ext3
//! and ext4 of any tool, checks no checksum, and knows neither attributes nor the journal. (Kernel
//! documentation, "ext4 Data Structures and Algorithms".)

use std::cell::Cell;
use std::io::{self, Read};
use std::sync::Arc;

use super::walk::{Facts, Inodes, Kind};
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::tree::XattrName;

const SUPERBLOCK: u64 = 1024;
/// What may be there without changing where contents are: types of entries, a journal to be replayed,
/// extents, large and flexible groups, and more.
const KNOWN: u32 =
    0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000 | 0x2_0000;
const IS_64_BIT: u32 = 0x80;
const EXTENTS: u32 = 0x8_0000;
const INLINE: u32 = 0x1000_0000;
/// The most ranges of one file.
const RUNS: usize = 1 << 20;
/// The largest directory.
const DIRECTORY: u64 = 1 << 28;
/// An extent that is longer is allocated and not written.
const WRITTEN: u64 = 1 << 15;

/// An open file system.
pub(super) struct Volume {
    disk: Arc<dyn ReadAt>,
    block: u64,
    first: u64,
    inodes: u64,
    per_group: u64,
    inode_len: u64,
    descriptor_len: u64,
    /// How many bytes may still be read, so that files that share their bytes end.
    left: Cell<u64>,
}

/// The bytes of an inode.
pub(super) struct Inode(Vec<u8>);

/// Blocks of a file.
#[derive(Debug, Clone, Copy)]
struct Run {
    logical: u64,
    /// None is a hole.
    physical: Option<u64>,
    len: u64,
}

fn short(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b).into())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

fn invalid(what: &str, reason: impl Into<String>) -> ReadError {
    ReadError::invalid(format!("ext file system: {what}"), reason)
}

impl Volume {
    /// Opens a file system whose magic number is there.
    pub(super) fn open(disk: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let mut bytes = [0; 1024];
        disk.read_exact_at(SUPERBLOCK, &mut bytes)?;
        let features = word(&bytes, 0x60);
        if features & !KNOWN != 0 {
            return Err(invalid("features", format!("{:#x} is not known", features & !KNOWN)));
        }
        let log = word(&bytes, 0x18);
        let is_new = word(&bytes, 0x4c) > 0;
        let volume = Self {
            block: 1024 << log.min(6),
            first: word(&bytes, 0x14).into(),
            inodes: word(&bytes, 0).into(),
            per_group: word(&bytes, 0x28).into(),
            inode_len: if is_new { short(&bytes, 0x58) } else { 128 },
            descriptor_len: if features & IS_64_BIT == 0 { 32 } else { short(&bytes, 0xfe) },
            left: Cell::new(disk.len().saturating_mul(4)),
            disk,
        };
        let is_sound = log <= 6
            && volume.per_group > 0
            && (128..=4096).contains(&volume.inode_len)
            && (32..=1024).contains(&volume.descriptor_len);
        if is_sound { Ok(volume) } else { Err(invalid("superblock", "its sizes are impossible")) }
    }

    fn runs(&self, inode: &Inode) -> Result<Vec<Run>, ReadError> {
        let (bytes, mut runs) = (&inode.0, Vec::new());
        let blocks = inode.size().div_ceil(self.block);
        if word(bytes, 0x20) & EXTENTS != 0 {
            self.extents(&bytes[0x28..0x64], 5, &mut runs)?;
            return Ok(runs);
        }
        for number in 0..12 {
            self.push(word(bytes, 0x28 + number * 4), &mut runs)?;
        }
        for depth in 1..=3 {
            let place = word(bytes, 0x28 + (11 + depth) * 4);
            self.indirect(place, u32::try_from(depth).unwrap_or(1), blocks, &mut runs)?;
        }
        Ok(runs)
    }

    /// Adds one block behind those that are there.
    fn push(&self, place: u32, runs: &mut Vec<Run>) -> Result<(), ReadError> {
        let logical = runs.last().map_or(0, |last| last.logical + last.len);
        let physical = (place != 0).then_some(u64::from(place));
        if runs.len() == RUNS {
            return Err(invalid("file", "too many ranges"));
        }
        match runs.last_mut() {
            Some(last) if last.physical.map(|at| at + last.len) == physical && place != 0 => {
                last.len += 1;
            }
            _ => runs.push(Run { logical, physical, len: 1 }),
        }
        Ok(())
    }

    /// Adds the blocks that a block of places leads to, as far as the file reaches.
    fn indirect(
        &self,
        place: u32,
        depth: u32,
        blocks: u64,
        runs: &mut Vec<Run>,
    ) -> Result<(), ReadError> {
        let there = runs.last().map_or(0, |last| last.logical + last.len);
        if there >= blocks {
            return Ok(());
        }
        let places = self.block / 4;
        if place == 0 {
            runs.push(Run { logical: there, physical: None, len: places.saturating_pow(depth) });
            return Ok(());
        }
        let bytes = self.read_block(place.into())?;
        for number in 0..usize::try_from(places).unwrap_or(0) {
            let place = word(&bytes, number * 4);
            match depth {
                1 => self.push(place, runs)?,
                _ => self.indirect(place, depth - 1, blocks, runs)?,
            }
        }
        Ok(())
    }

    fn extents(&self, node: &[u8], depth: u64, runs: &mut Vec<Run>) -> Result<(), ReadError> {
        if short(node, 0) != 0xf30a || short(node, 6) > depth {
            return Err(invalid("extents", "not a node of their tree"));
        }
        let count = usize::try_from(short(node, 2)).unwrap_or(0);
        for entry in node.chunks_exact(12).skip(1).take(count) {
            if runs.len() >= RUNS {
                return Err(invalid("file", "too many ranges"));
            }
            if short(node, 6) > 0 {
                let place = u64::from(word(entry, 4)) | short(entry, 8) << 32;
                self.extents(&self.read_block(place)?, short(node, 6) - 1, runs)?;
                continue;
            }
            let (len, place) = (short(entry, 4), u64::from(word(entry, 8)) | short(entry, 6) << 32);
            let logical = word(entry, 0).into();
            runs.push(if len > WRITTEN {
                Run { logical, physical: None, len: len - WRITTEN }
            } else {
                Run { logical, physical: Some(place), len }
            });
        }
        Ok(())
    }

    fn spend(&self, bytes: u64) -> Result<(), ReadError> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.ok_or_else(|| invalid("files", "larger than the file system"))?);
        Ok(())
    }

    fn read_block(&self, number: u64) -> Result<Vec<u8>, ReadError> {
        self.spend(self.block)?;
        let mut bytes = vec![0; usize::try_from(self.block).unwrap_or(0)];
        self.disk.read_exact_at(number.saturating_mul(self.block), &mut bytes)?;
        Ok(bytes)
    }
}

impl Inode {
    fn size(&self) -> u64 {
        u64::from(word(&self.0, 4)) | u64::from(word(&self.0, 0x6c)) << 32
    }
}

impl Inodes for Volume {
    type Inode = Inode;

    fn root(&self) -> u64 {
        2
    }

    fn capacity(&self) -> u64 {
        self.disk.len()
    }

    fn inode(&self, number: u64) -> Result<Inode, ReadError> {
        if number == 0 || number > self.inodes {
            return Err(invalid("inode", format!("there is no number {number}")));
        }
        let (group, index) = ((number - 1) / self.per_group, (number - 1) % self.per_group);
        let descriptors = (self.first + 1).saturating_mul(self.block);
        let mut descriptor = vec![0; usize::try_from(self.descriptor_len).unwrap_or(0)];
        let place = descriptors.saturating_add(group.saturating_mul(self.descriptor_len));
        self.disk.read_exact_at(place, &mut descriptor)?;
        let table = u64::from(word(&descriptor, 8)) | u64::from(word(&descriptor, 0x28)) << 32;
        let mut bytes = vec![0; usize::try_from(self.inode_len).unwrap_or(0)];
        let place = table.saturating_mul(self.block);
        self.disk.read_exact_at(place.saturating_add(index * self.inode_len), &mut bytes)?;
        Ok(Inode(bytes))
    }

    fn facts(&self, _: u64, inode: &Inode) -> Result<Facts, ReadError> {
        let mode = u32::try_from(short(&inode.0, 0)).unwrap_or(0);
        let kind = match mode & 0o170_000 {
            0o040_000 => Kind::Directory,
            0o100_000 => Kind::File,
            0o120_000 => Kind::Symlink,
            _ => Kind::Other,
        };
        let (size, links) = (inode.size(), 1);
        Ok(Facts { kind, mode, user: 0, group: 0, links, size, place: None })
    }

    fn children(
        &self,
        number: u64,
        inode: &Inode,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, u64)>, ReadError> {
        let mut bytes = Vec::new();
        self.open(number, inode)?.take(DIRECTORY).read_to_end(&mut bytes)?;
        let (mut children, mut rest) = (Vec::new(), bytes.as_slice());
        while rest.len() >= 8 {
            let (child, len) = (word(rest, 0), usize::try_from(short(rest, 4)).unwrap_or(0));
            let name = rest.get(8..8 + usize::from(rest[6]));
            if let Some(name) = name.filter(|name| child != 0 && !matches!(*name, b"." | b"..")) {
                if children.len() == limit {
                    return Err(invalid("directory", "too many entries"));
                }
                children.push((name.to_vec(), child.into()));
            }
            rest = rest.get(len.max(8)..).unwrap_or_default();
        }
        Ok(children)
    }

    fn open(&self, _: u64, inode: &Inode) -> Result<Box<dyn Read + '_>, ReadError> {
        let size = inode.size();
        if word(&inode.0, 0x20) & INLINE != 0 {
            let there = usize::try_from(size).unwrap_or(usize::MAX).min(60);
            return Ok(Box::new(io::Cursor::new(inode.0[0x28..0x28 + there].to_vec())));
        }
        self.spend(size)?;
        Ok(Box::new(Content { volume: self, runs: self.runs(inode)?, next: 0, at: 0, size }))
    }

    fn attributes(&self, _: u64, _: &Inode) -> Result<Vec<(XattrName, Vec<u8>)>, ReadError> {
        Ok(Vec::new())
    }
}

/// What a file holds, holes as zeros.
struct Content<'a> {
    volume: &'a Volume,
    runs: Vec<Run>,
    /// The range that the next byte is in or before.
    next: usize,
    at: u64,
    size: u64,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let block = self.volume.block;
        let end = |run: &Run| run.logical.saturating_add(run.len).saturating_mul(block);
        while self.runs.get(self.next).is_some_and(|run| end(run) <= self.at) {
            self.next += 1;
        }
        let run = self.runs.get(self.next);
        let start = run.map_or(u64::MAX, |run| run.logical.saturating_mul(block));
        let until = if self.at < start { start } else { run.map_or(u64::MAX, end) }.min(self.size);
        let left = usize::try_from(until.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let len = left.min(buffer.len());
        let physical = run.filter(|_| self.at >= start).and_then(|run| run.physical);
        match physical {
            Some(place) => {
                let offset = place.saturating_mul(block).saturating_add(self.at - start);
                self.volume.disk.read_exact_at(offset, &mut buffer[..len])?;
            }
            None => buffer[..len].fill(0),
        }
        self.at += len as u64;
        Ok(len)
    }
}
