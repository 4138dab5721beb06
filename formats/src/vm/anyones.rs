//! Disks that anybody made: their bytes without the container, and the files in them.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::container::{Container, Opened};
use super::ext4;
use super::fat::FatReader;
use super::read::window;
use super::volume::Image;
use super::{ext, gpt, walk};
use crate::format::{ReadError, Visitor};
use crate::input::{ReadAt, Section};
use crate::tree::{Node, TreePath};

/// Returns the disk in a file; `None` if the file is no container that is known.
pub fn open(file: &Arc<dyn ReadAt>) -> Result<Option<Arc<dyn ReadAt>>, ReadError> {
    match Container::of(&**file) {
        Some(_) => Opened::of(file).map(|opened| Some(opened.disk)),
        None => Ok(None),
    }
}

/// A part of a disk that may be a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name of the partition; empty if the disk has none.
    pub name: String,
    /// Where it is, in bytes.
    pub range: Range<u64>,
}

/// Returns the partitions of a disk; one without a table is one part.
pub fn parts(disk: &dyn ReadAt) -> Result<Vec<Part>, ReadError> {
    if !gpt::is_at(disk) {
        return Ok(vec![Part { name: String::new(), range: 0..disk.len() }]);
    }
    let part = |partition: gpt::Partition| Part { range: partition.range(), name: partition.name };
    Ok(gpt::read(disk)?.partitions.into_iter().map(part).collect())
}

/// Hands over all regular files of a part, each name of one; `None` if no file system that is known
/// begins there.
pub fn visit(
    disk: &Arc<dyn ReadAt>,
    part: &Part,
    visitor: &mut Visitor<'_>,
) -> Result<Option<ControlFlow<()>>, ReadError> {
    let window = window(disk, &part.range);
    let all = |path: &TreePath| Some(path.clone());
    if ext4::Image::is_at_start_of(&*window) {
        return walk::visit(&ext::Volume::open(window)?, &all, visitor).map(Some);
    }
    if Image::is_at_start_of(&*window) {
        return Image::open(window)?.visit(&all, visitor).map(Some);
    }
    if !FatReader::is_at_start_of(&*window) {
        return Ok(None);
    }
    let fat = FatReader::open(window)?;
    let tree = fat.tree()?;
    for (path, _) in tree.iter().filter(|(_, entry)| matches!(entry.node, Node::File(_))) {
        let Some(file) = fat.file(path)? else { continue };
        if visitor(path, &mut Section::whole(Arc::new(file)))?.is_break() {
            return Ok(Some(ControlFlow::Break(())));
        }
    }
    Ok(Some(ControlFlow::Continue(())))
}
