//! The file system by its inodes.

use std::io::Read;

use mkext4::spec::inode::FileType;
use mkext4::spec::{self, Inode, XattrBlockView, XattrEntry};

use super::super::walk::{Facts, Inodes, Kind};
use super::BLOCK;
use super::image::{Image, foreign};
use crate::format::ReadError;
use crate::tree::{DeviceKind, XattrName};

impl Inodes for Image {
    type Inode = Inode;

    fn root(&self) -> u64 {
        spec::ROOT_INO.into()
    }

    fn capacity(&self) -> u64 {
        self.blocks * BLOCK
    }

    fn inode(&self, number: u64) -> Result<Inode, ReadError> {
        self.checked_inode(narrow(number)?)
    }

    fn facts(&self, number: u64, inode: &Inode) -> Result<Facts, ReadError> {
        if inode.links_count == 0 || inode.dtime != 0 {
            return Err(ReadError::invalid(format!("inode {number}"), "it is deleted"));
        }
        let device = |kind| {
            let (major, minor) = inode.dev_numbers().unwrap_or_default();
            Kind::Device(kind, major, minor)
        };
        let kind = match inode.file_type() {
            FileType::Dir => Kind::Directory,
            FileType::Regular => Kind::File,
            FileType::Symlink => Kind::Symlink,
            FileType::CharDev => device(DeviceKind::Character),
            FileType::BlockDev => device(DeviceKind::Block),
            FileType::Fifo => Kind::Fifo,
            FileType::Socket | FileType::Unknown => Kind::Other,
        };
        Ok(Facts {
            kind,
            mode: inode.mode.into(),
            user: inode.uid,
            group: inode.gid,
            links: inode.links_count.into(),
            size: inode.size,
            place: None,
        })
    }

    fn children(
        &self,
        number: u64,
        inode: &Inode,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, u64)>, ReadError> {
        let entries = self.directory(narrow(number)?, inode, limit)?;
        Ok(entries.into_iter().map(|entry| (entry.name, entry.inode.into())).collect())
    }

    fn open(&self, number: u64, inode: &Inode) -> Result<Box<dyn Read + '_>, ReadError> {
        if let Some(target) = inode.fast_symlink_target() {
            return Ok(Box::new(std::io::Cursor::new(target.to_vec())));
        }
        Ok(Box::new(self.content(narrow(number)?, inode)?))
    }

    fn attributes(
        &self,
        number: u64,
        inode: &Inode,
    ) -> Result<Vec<(XattrName, Vec<u8>)>, ReadError> {
        let fail = |reason: &str| Err(ReadError::invalid(format!("inode {number}"), reason));
        let raw = self.fs.inode_raw(narrow(number)?).map_err(foreign)?;
        let mut list = spec::ibody_entries(&raw, inode.extra_isize).map_err(foreign)?;
        if inode.file_acl != 0 {
            if inode.file_acl >= self.blocks {
                return fail("an attribute block outside of the file system");
            }
            let block = self.fs.read_block(inode.file_acl).map_err(foreign)?;
            list.extend(XattrBlockView::parse(&block).map_err(foreign)?.entries);
        }
        let size = |entry: &XattrEntry| entry.name.len() + entry.value.len();
        let bytes: usize = list.iter().map(size).sum();
        if bytes as u64 > 2 * BLOCK {
            return fail("more attributes than there is room for");
        }
        let mut attributes = Vec::new();
        for entry in list {
            let name = entry.full_name().and_then(|name| String::from_utf8(name).ok());
            let Some(name) = name else { return fail("an attribute with an impossible name") };
            attributes.push((name, entry.value));
        }
        Ok(attributes)
    }
}

fn narrow(number: u64) -> Result<u32, ReadError> {
    u32::try_from(number).map_err(|_| ReadError::invalid("ext4", "inode numbers beyond 32 bits"))
}
