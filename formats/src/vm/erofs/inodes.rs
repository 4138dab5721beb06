//! The file system by its inodes.

use std::io::Read;

use super::super::walk::{self, Facts, Inodes};
use super::directory::is_own;
use super::image::Image;
use super::inode::{Inode, Kind, Layout};
use crate::format::ReadError;
use crate::tree::{DeviceKind, XattrName};

/// The most bytes of attributes of one entry.
const ATTRIBUTES: usize = 1 << 19;

impl Inodes for Image {
    type Inode = Inode;

    fn root(&self) -> u64 {
        self.root_slot()
    }

    fn capacity(&self) -> u64 {
        self.size()
    }

    fn inode(&self, number: u64) -> Result<Inode, ReadError> {
        self.checked_inode(number)
    }

    fn facts(&self, number: u64, inode: &Inode) -> Result<Facts, ReadError> {
        if inode.links == 0 {
            let reason = "no name, and one names it";
            return Err(ReadError::invalid(format!("inode {number}"), reason));
        }
        let device = |kind| {
            let (major, minor) = inode.device();
            walk::Kind::Device(kind, major, minor)
        };
        let kind = match inode.kind() {
            Some(Kind::Directory) => walk::Kind::Directory,
            Some(Kind::File) => walk::Kind::File,
            Some(Kind::Symlink) => walk::Kind::Symlink,
            Some(Kind::CharacterDevice) => device(DeviceKind::Character),
            Some(Kind::BlockDevice) => device(DeviceKind::Block),
            Some(Kind::Fifo) => walk::Kind::Fifo,
            Some(Kind::Socket) | None => walk::Kind::Other,
        };
        Ok(Facts {
            kind,
            mode: inode.mode.into(),
            user: inode.user,
            group: inode.group,
            links: inode.links,
            size: inode.size,
            place: (inode.layout == Layout::Plain).then_some(inode.place.into()),
        })
    }

    fn children(
        &self,
        number: u64,
        inode: &Inode,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, u64)>, ReadError> {
        // Its own entry and that of its parent are not counted among the entries.
        let entries = self.directory(number, inode, limit + 2)?;
        let others = entries.into_iter().filter(|entry| !is_own(entry));
        Ok(others.map(|entry| (entry.name, entry.slot)).collect())
    }

    fn open(&self, number: u64, inode: &Inode) -> Result<Box<dyn Read + '_>, ReadError> {
        Ok(Box::new(self.content(number, inode)?))
    }

    fn attributes(
        &self,
        number: u64,
        inode: &Inode,
    ) -> Result<Vec<(XattrName, Vec<u8>)>, ReadError> {
        self.attributes_of(number, inode, ATTRIBUTES)
    }
}
