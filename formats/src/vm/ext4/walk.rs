//! Reading a file system back into a tree, with limits on what a hostile one can ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use mkext4::spec::inode::FileType;
use mkext4::spec::{self, Inode, XattrBlockView, XattrEntry};

use crate::format::ReadError;
use crate::tree::{
    Content, DeviceKind, Entry, FileTree, Mode, Node, Owner, TreeBuilder, TreePath, XattrName,
    escape,
};

use super::BLOCK;
use super::image::{Image, foreign};

/// The most entries of one tree.
const ENTRIES: usize = 1 << 22;
/// The most bytes of names, link targets and attributes of one tree.
const BYTES: usize = 1 << 28;
/// The longest target of a symbolic link.
const TARGET_MAX: u64 = 4095;

/// Returns everything in a file system as a tree; `owners` gives names to numbers of users and of
/// groups.
pub(in super::super) fn walk(
    image: &Image,
    owners: impl Fn(u32, u32) -> (Owner, Owner),
) -> Result<FileTree, ReadError> {
    let mut walk = Walk::new(image, owners);
    while let Some((path, number)) = walk.open.pop() {
        walk.directory(&path, number)?;
    }
    Ok(walk.builder.finish()?)
}

impl Image {
    /// Reads a small file, if there is one at this path; links are not followed.
    pub(in super::super) fn small_file(
        &self,
        path: &TreePath,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let mut number = spec::ROOT_INO;
        for name in path.relative().split(|byte| *byte == b'/') {
            let inode = self.inode(number)?;
            let entries = self.directory(number, &inode, ENTRIES)?;
            match entries.into_iter().find(|entry| entry.name == name) {
                Some(entry) => number = entry.inode,
                None => return Ok(None),
            }
        }
        let inode = self.inode(number)?;
        if inode.file_type() != FileType::Regular || inode.size > limit {
            let reason = format!("expected a regular file of at most {limit} bytes");
            return Err(ReadError::invalid(path.to_string(), reason));
        }
        let mut bytes = Vec::new();
        self.content(number, &inode)?.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

struct Walk<'a, F> {
    image: &'a Image,
    owners: F,
    builder: TreeBuilder,
    /// Directories that are still to be listed.
    open: Vec<(TreePath, u32)>,
    /// Directories that were met: a second name for one would make a cycle possible.
    directories: BTreeSet<u32>,
    /// The first name of each file that says it has several.
    files: BTreeMap<u32, TreePath>,
    entries: usize,
    bytes: usize,
    /// Bytes of content that may still be read: as many as the file system could hold.
    content: u64,
}

impl<'a, F: Fn(u32, u32) -> (Owner, Owner)> Walk<'a, F> {
    fn new(image: &'a Image, owners: F) -> Self {
        Self {
            image,
            owners,
            builder: TreeBuilder::new(),
            open: vec![(TreePath::root(), spec::ROOT_INO)],
            directories: BTreeSet::new(),
            files: BTreeMap::new(),
            entries: 0,
            bytes: 0,
            content: image.blocks * BLOCK,
        }
    }

    fn directory(&mut self, path: &TreePath, number: u32) -> Result<(), ReadError> {
        let fail = |reason: &str| Err(ReadError::invalid(path.to_string(), reason));
        if !self.directories.insert(number) {
            return fail("a directory with two names");
        }
        let inode = self.image.inode(number)?;
        let mut entry = self.entry(number, &inode, Node::Directory)?;
        entry.xattrs = self.attributes(path, number, &inode)?;
        self.builder.insert(path.clone(), entry)?;
        for child in self.image.directory(number, &inode, ENTRIES - self.entries)? {
            self.entries += 1;
            self.spend(path, child.name.len() + path.relative().len())?;
            if child.name.is_empty() || child.name.contains(&b'/') {
                return fail(&format!("impossible name `{}` in it", escape(&child.name)));
            }
            let name = path
                .join(&child.name)
                .map_err(|error| ReadError::invalid(path.to_string(), error.to_string()))?;
            let inode = self.image.inode(child.inode)?;
            if inode.file_type() == FileType::Dir {
                self.open.push((name, child.inode));
            } else {
                self.leaf(name, child.inode, &inode)?;
            }
        }
        Ok(())
    }

    fn leaf(&mut self, path: TreePath, number: u32, inode: &Inode) -> Result<(), ReadError> {
        let fail = |reason: &str| Err(ReadError::invalid(path.to_string(), reason));
        let kind = inode.file_type();
        let node = match kind {
            FileType::Regular => match self.files.get(&number) {
                Some(first) => Node::HardLink(first.clone()),
                None => Node::File(self.content(&path, number, inode)?),
            },
            FileType::Symlink => Node::Symlink(self.target(&path, number, inode)?),
            FileType::CharDev | FileType::BlockDev => {
                let kind = match kind {
                    FileType::CharDev => DeviceKind::Character,
                    _ => DeviceKind::Block,
                };
                let (major, minor) = inode.dev_numbers().unwrap_or_default();
                Node::Device { kind, major, minor }
            }
            FileType::Fifo => Node::Fifo,
            FileType::Dir | FileType::Socket | FileType::Unknown => {
                return fail("a kind of file that a tree cannot have");
            }
        };
        if matches!(node, Node::File(_)) && inode.links_count > 1 {
            self.files.insert(number, path.clone());
        }
        let linked = matches!(node, Node::HardLink(_));
        let mut entry = self.entry(number, inode, node)?;
        if !linked {
            entry.xattrs = self.attributes(&path, number, inode)?;
        }
        Ok(self.builder.insert(path, entry)?)
    }

    fn entry(&self, number: u32, inode: &Inode, node: Node) -> Result<Entry, ReadError> {
        if inode.links_count == 0 || inode.dtime != 0 {
            return Err(ReadError::invalid(format!("inode {number}"), "it is deleted"));
        }
        let mut entry = Entry::new(node, Mode::from_st_mode(inode.mode.into()));
        (entry.owner, entry.group) = (self.owners)(inode.uid, inode.gid);
        Ok(entry)
    }

    fn content(
        &mut self,
        path: &TreePath,
        number: u32,
        inode: &Inode,
    ) -> Result<Content, ReadError> {
        let Some(left) = self.content.checked_sub(inode.size) else {
            let reason = "the files are larger than the file system";
            return Err(ReadError::invalid(path.to_string(), reason));
        };
        self.content = left;
        Ok(Content::of_reader(self.image.content(number, inode)?)?)
    }

    fn target(
        &mut self,
        path: &TreePath,
        number: u32,
        inode: &Inode,
    ) -> Result<Vec<u8>, ReadError> {
        if let Some(target) = inode.fast_symlink_target() {
            self.spend(path, target.len())?;
            return Ok(target.to_vec());
        }
        if inode.size > TARGET_MAX {
            let reason = format!("a target of {} bytes", inode.size);
            return Err(ReadError::invalid(path.to_string(), reason));
        }
        let mut target = Vec::new();
        self.image.content(number, inode)?.read_to_end(&mut target)?;
        self.spend(path, target.len())?;
        Ok(target)
    }

    fn attributes(
        &mut self,
        path: &TreePath,
        number: u32,
        inode: &Inode,
    ) -> Result<BTreeMap<XattrName, Vec<u8>>, ReadError> {
        let fail = |reason: &str| Err(ReadError::invalid(path.to_string(), reason));
        let raw = self.image.fs.inode_raw(number).map_err(foreign)?;
        let mut list = spec::ibody_entries(&raw, inode.extra_isize).map_err(foreign)?;
        if inode.file_acl != 0 {
            if inode.file_acl >= self.image.blocks {
                return fail("an attribute block outside of the file system");
            }
            let block = self.image.fs.read_block(inode.file_acl).map_err(foreign)?;
            list.extend(XattrBlockView::parse(&block).map_err(foreign)?.entries);
        }
        let size = |entry: &XattrEntry| entry.name.len() + entry.value.len();
        let bytes: usize = list.iter().map(size).sum();
        if bytes as u64 > 2 * BLOCK {
            return fail("more attributes than there is room for");
        }
        self.spend(path, bytes)?;
        let mut attributes = BTreeMap::new();
        for entry in list {
            let name = entry.full_name().and_then(|name| String::from_utf8(name).ok());
            let Some(name) = name else { return fail("an attribute with an impossible name") };
            if attributes.insert(name, entry.value).is_some() {
                return fail("two attributes with one name");
            }
        }
        Ok(attributes)
    }

    /// Counts bytes that the tree keeps in memory.
    fn spend(&mut self, path: &TreePath, bytes: usize) -> Result<(), ReadError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES {
            let reason = "the tree takes more memory than is given to it";
            return Err(ReadError::invalid(path.to_string(), reason));
        }
        Ok(())
    }
}
