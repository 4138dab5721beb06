//! The adapter around mkext4: declares a tree, seals it, and places contents where they belong.

use std::collections::BTreeMap;

use mkext4::{FsBuilder, InodeCount, InodeHandle, Meta, Options, ROOT, SpecialKind};

use crate::format::{Epoch, WriteError};
use crate::rope::Rope;
use crate::tree::{Content, DeviceKind, Entry, FileTree, Mode, Node, TreePath};

use super::regions::Regions;
use super::size::{Geometry, Need};
use super::{FileSystemWriter, Volume};

/// The most names that a file can have.
const LINKS_MAX: u32 = 65_000;
/// The largest major device number.
const MAJOR_MAX: u32 = 0xfff;
/// The largest minor device number.
const MINOR_MAX: u32 = 0xf_ffff;

/// Writes ext4 with a journal and metadata checksums.
///
/// Takes memory for the metadata alone: about 600 bytes an entry, and 100 MiB for each TiB of the
/// disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ext4;

impl FileSystemWriter for Ext4 {
    fn write(&self, tree: &FileTree, volume: &Volume<'_>) -> Result<Rope, WriteError> {
        let format = volume.format;
        let need = Need::of(format, tree)?;
        let geometry = Geometry::choose(format, volume.size, need)?;
        let refused = |error: mkext4::Error| WriteError::Field {
            format,
            field: "the file system".into(),
            reason: error.to_string(),
        };
        let builder = FsBuilder::new(options(volume, &geometry)).map_err(refused)?;
        let mut namespace = Namespace::new(volume, builder, tree);
        for (path, entry) in tree.iter() {
            namespace.declare(path, entry)?;
        }
        let Namespace { builder, contents, .. } = namespace;
        let layout = builder.seal().map_err(refused)?;
        let mut regions = Regions::default();
        layout.writer(&mut regions).map(drop).map_err(refused)?;
        for (handle, content) in contents {
            let mut offset = 0;
            for (place, len) in layout.extents(handle) {
                regions.blob(place, content.digest, offset, len);
                offset += len;
            }
        }
        drop(layout);
        Ok(regions.into_rope(geometry.disk, &volume.inline)?)
    }
}

fn options(volume: &Volume<'_>, geometry: &Geometry) -> Options {
    let mut options =
        Options::new(geometry.file_system, volume.identity.uuid, i64::from(volume.epoch.0));
    let mut seed = [0; 4];
    for (word, bytes) in seed.iter_mut().zip(volume.identity.hash_seed.chunks_exact(4)) {
        *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    options.hash_seed = seed;
    options.label = volume.label.map(str::to_owned);
    options.inodes = InodeCount::Exact(geometry.inodes);
    options.journal_blocks = Some(geometry.journal);
    options.reserved_percent = 0;
    options
}

/// A tree while it is declared.
struct Namespace<'a> {
    format: &'static str,
    epoch: Epoch,
    builder: FsBuilder,
    /// The directories that lead to the last entry.
    open: Vec<(TreePath, InodeHandle)>,
    /// How many names the files with several names have.
    links: BTreeMap<TreePath, u32>,
    /// The files with several names.
    files: BTreeMap<TreePath, InodeHandle>,
    contents: Vec<(InodeHandle, &'a Content)>,
}

impl<'a> Namespace<'a> {
    fn new(volume: &Volume<'_>, builder: FsBuilder, tree: &'a FileTree) -> Self {
        Self {
            format: volume.format,
            epoch: volume.epoch,
            builder,
            open: Vec::new(),
            links: tree.link_counts(),
            files: BTreeMap::new(),
            contents: Vec::new(),
        }
    }

    fn declare(&mut self, path: &TreePath, entry: &'a Entry) -> Result<(), WriteError> {
        while self.open.last().is_some_and(|(directory, _)| !path.is_below(directory)) {
            self.open.pop();
        }
        let handle = if let Some((_, parent)) = self.open.last() {
            self.add(*parent, path, entry)?
        } else {
            let meta = self.meta(entry);
            self.builder.set_meta(ROOT, meta).map_err(|error| self.refused(path, &error))?;
            ROOT
        };
        if entry.is_directory() {
            self.open.push((path.clone(), handle));
        }
        if !matches!(entry.node, Node::HardLink(_)) {
            self.attributes(handle, path, entry)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        parent: InodeHandle,
        path: &TreePath,
        entry: &'a Entry,
    ) -> Result<InodeHandle, WriteError> {
        let name = self.text(path, "the name", path.name())?;
        let meta = self.meta(entry);
        let added = match &entry.node {
            Node::Directory => self.builder.mkdir(parent, name, meta),
            Node::File(content) => self.file(parent, name, path, meta, content)?,
            Node::Symlink(target) => {
                self.limit("the bytes of the target of", path, 4095, target.len() as u64)?;
                let target = self.text(path, "the target", target)?;
                self.builder.symlink(parent, name, target, meta)
            }
            Node::HardLink(target) => {
                // The first name comes first in the order of the tree.
                let Some(file) = self.files.get(target).copied() else {
                    let (path, target) = (path.clone(), target.clone());
                    return Err(crate::tree::TreeError::DanglingHardLink { path, target }.into());
                };
                self.builder.hardlink(parent, name, file).map(|()| file)
            }
            Node::Device { kind, major, minor } => {
                self.limit("the major number of", path, MAJOR_MAX.into(), (*major).into())?;
                self.limit("the minor number of", path, MINOR_MAX.into(), (*minor).into())?;
                let (major, minor) = (*major, *minor);
                let kind = match kind {
                    DeviceKind::Character => SpecialKind::Char { major, minor },
                    DeviceKind::Block => SpecialKind::Block { major, minor },
                };
                self.builder.mknod(parent, name, meta, kind)
            }
            Node::Fifo => self.builder.mknod(parent, name, meta, SpecialKind::Fifo),
        };
        added.map_err(|error| self.refused(path, &error))
    }

    fn file(
        &mut self,
        parent: InodeHandle,
        name: &str,
        path: &TreePath,
        meta: Meta,
        content: &'a Content,
    ) -> Result<mkext4::Result<InodeHandle>, WriteError> {
        let names = self.links.get(path).copied().unwrap_or(1);
        self.limit("the names of the file", path, LINKS_MAX.into(), names.into())?;
        let added = self.builder.file(parent, name, meta, content.size);
        if let Ok(handle) = &added {
            self.contents.push((*handle, content));
            if names > 1 {
                self.files.insert(path.clone(), *handle);
            }
        }
        Ok(added)
    }

    fn attributes(
        &mut self,
        handle: InodeHandle,
        path: &TreePath,
        entry: &Entry,
    ) -> Result<(), WriteError> {
        for (name, value) in &entry.xattrs {
            let short = ["user.", "trusted.", "security."]
                .into_iter()
                .find_map(|space| name.strip_prefix(space))
                .filter(|short| !short.is_empty());
            let Some(short) = short else {
                let reason = "only names in user., trusted. and security. can be written";
                return Err(self.unsupported(path, &format!("the attribute {name}"), reason));
            };
            self.limit("the bytes of an attribute's name of", path, 255, short.len() as u64)?;
            self.builder
                .set_xattr(handle, name, value)
                .map_err(|error| self.refused(path, &error))?;
        }
        Ok(())
    }

    fn meta(&self, entry: &Entry) -> Meta {
        let mode = Mode::from_st_mode(entry.st_mode()).bits();
        Meta::new(mode, entry.owner.id, entry.group.id, (i64::from(self.epoch.0), 0))
    }

    fn text<'b>(
        &self,
        path: &TreePath,
        what: &str,
        bytes: &'b [u8],
    ) -> Result<&'b str, WriteError> {
        std::str::from_utf8(bytes).map_err(|_| self.unsupported(path, what, "it is not UTF-8"))
    }

    fn limit(&self, what: &str, path: &TreePath, limit: u64, found: u64) -> Result<(), WriteError> {
        if found <= limit {
            return Ok(());
        }
        Err(WriteError::Limit {
            format: self.format,
            what: format!("{what} `{path}`"),
            limit,
            found,
        })
    }

    fn unsupported(&self, path: &TreePath, what: &str, reason: &str) -> WriteError {
        WriteError::Unsupported {
            format: self.format,
            path: path.clone(),
            what: what.into(),
            reason: Some(reason.into()),
        }
    }

    fn refused(&self, path: &TreePath, error: &mkext4::Error) -> WriteError {
        self.unsupported(path, "the entry", &error.to_string())
    }
}
