//! From a tree to an archive, and from archives to an initrd.

use std::collections::BTreeMap;

use crate::archive::cpio::{Body, Member, Writer};
use crate::blob::Blob;
use crate::encode::{Compression, Encoder};
use crate::format::{Epoch, WriteError};
use crate::rope::Rope;
use crate::tree::{Entry, FileTree, Mark, Node, TreePath};

/// What an archive and what follows it are aligned to.
const ALIGNMENT: usize = 4;

/// Describes the archive of a tree, whose root becomes the folder `prefix`.
pub fn segment(tree: &FileTree, prefix: &TreePath, epoch: Epoch) -> Result<Rope, WriteError> {
    let mut archive = Archive::new(tree, epoch);
    for folder in folders(prefix) {
        archive.push(&folder, &TreePath::root(), &Entry::directory())?;
    }
    for (path, entry) in tree.iter().filter(|(_, entry)| entry.mark != Mark::Ghost) {
        // The root of memory is there, and so is the folder, unless the tree says more of it.
        if path.is_root() && (entry.implied || *entry == Entry::directory()) {
            continue;
        }
        let place = prefix.join(path.relative()).map_err(|error| WriteError::Unsupported {
            format: super::FORMAT,
            path: path.clone(),
            what: "the path".into(),
            reason: Some(error.to_string()),
        })?;
        archive.push(&place, path, entry)?;
    }
    Ok(archive.writer.finish())
}

/// Compresses an archive, so that another segment can follow it.
pub fn compress(
    archive: &Rope,
    compression: Compression,
    encoder: &Encoder<'_>,
) -> Result<Rope, WriteError> {
    let mut segment = encoder.compress(archive, compression)?;
    align(&mut segment);
    Ok(segment)
}

/// Returns segments one after another.
pub fn join<'a>(segments: impl IntoIterator<Item = &'a Rope>) -> Rope {
    let mut initrd = Rope::new();
    for segment in segments {
        align(&mut initrd);
        initrd.push_rope(segment);
    }
    align(&mut initrd);
    initrd
}

/// Padding is inline: a hole of three bytes is no hole.
fn align(rope: &mut Rope) {
    let beyond = rope.len() % ALIGNMENT as u64;
    let padding = (ALIGNMENT as u64 - beyond) % ALIGNMENT as u64;
    rope.push_bytes(&[0; ALIGNMENT][..usize::try_from(padding).unwrap_or(0)]);
}

/// Returns a folder and those that lead to it, the outermost first, without the root.
fn folders(folder: &TreePath) -> Vec<TreePath> {
    let mut folders = Vec::new();
    let mut next = Some(folder.clone());
    while let Some(folder) = next.filter(|folder| !folder.is_root()) {
        next = folder.parent();
        folders.push(folder);
    }
    folders.reverse();
    folders
}

/// An archive while it grows.
struct Archive<'a> {
    writer: Writer,
    tree: &'a FileTree,
    epoch: Epoch,
    /// How many names each file has that has several.
    counts: BTreeMap<TreePath, u32>,
    /// The names of such a file that were met, and its inode number.
    met: BTreeMap<TreePath, (u32, u32)>,
    inodes: u32,
}

impl<'a> Archive<'a> {
    fn new(tree: &'a FileTree, epoch: Epoch) -> Self {
        let (counts, met) = (tree.link_counts(), BTreeMap::new());
        Self { writer: Writer::new(), tree, epoch, counts, met, inodes: 0 }
    }

    /// Appends the entry that the tree has at `path` under the name of `place`.
    fn push(&mut self, place: &TreePath, path: &TreePath, entry: &Entry) -> Result<(), WriteError> {
        if let Some(name) = entry.xattrs.keys().next() {
            return Err(WriteError::Unsupported {
                format: super::FORMAT,
                path: path.clone(),
                what: format!("the extended attribute {name}"),
                reason: Some("newc archives have no place for any".into()),
            });
        }
        let first = match &entry.node {
            Node::HardLink(first) => first,
            _ => path,
        };
        let links = match &entry.node {
            Node::Directory => 2,
            _ => self.counts.get(first).copied().unwrap_or(1),
        };
        let (inode, is_last) = self.inode(first, links, entry.is_directory());
        let rdev = match entry.node {
            Node::Device { major, minor, .. } => (major, minor),
            _ => (0, 0),
        };
        let member = Member {
            name: if place.is_root() { b".".to_vec() } else { place.relative().to_vec() },
            inode,
            mode: entry.st_mode(),
            uid: entry.owner.id,
            gid: entry.group.id,
            links,
            mtime: self.epoch.0,
            device: (0, 0),
            rdev,
        };
        let body = match &entry.node {
            Node::Symlink(target) => Body::Bytes(target),
            Node::File(_) | Node::HardLink(_) if is_last => match self.tree.content(first) {
                Some(content) => Body::Blob(Blob { digest: content.digest, size: content.size }),
                None => Body::Empty,
            },
            _ => Body::Empty,
        };
        self.writer.push(&member, body)
    }

    /// Returns the inode number of a file and whether this is the last of its names.
    fn inode(&mut self, first: &TreePath, links: u32, is_directory: bool) -> (u32, bool) {
        if is_directory || links == 1 {
            self.inodes += 1;
            return (self.inodes, true);
        }
        let inodes = &mut self.inodes;
        let (inode, met) = self.met.entry(first.clone()).or_insert_with(|| {
            *inodes += 1;
            (*inodes, 0)
        });
        *met += 1;
        (*inode, *met == links)
    }
}
