//! A disk that others are built on, of which as little is read as possible.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::container::Opened;
use super::super::guid::Guid;
use super::super::model::Disk;
use super::super::read::{read_record, walk};
use super::super::record::Record;
use super::super::volume::Image;
use super::read::Parts;
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::tree::{FileTree, Node, TreePath};

/// The most symbolic links that are followed.
const LINKS_MAX: usize = 64;

/// A disk that others are built on.
pub struct BaseDisk {
    guid: Guid,
    slot: u64,
    record: Record,
    root: Image,
}

impl std::fmt::Debug for BaseDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BaseDisk").field("guid", &self.guid).finish_non_exhaustive()
    }
}

impl BaseDisk {
    /// Opens a disk in any container; reads its tables and the record of its root file system.
    pub fn open(file: &Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let parts = Parts::open(&Opened::of(file)?)?;
        let fail = |reason: &str| Err(ReadError::invalid("disk", reason));
        let Some(slot) = &parts.layout.slot else {
            return fail("it has no slot, as disks baked with `kind = \"base\"` have");
        };
        if parts.slot.is_some() {
            return fail("its slot is filled already: expected the disk that this one is built on");
        }
        let slot = slot.end - slot.start;
        let Some(root) = parts.root else {
            return fail("it is an overlay: expected the disk that this one is built on");
        };
        let record = read_record(&root)?;
        Ok(Self { guid: parts.table.guid, slot, record, root })
    }

    /// Returns the GUID, which is derived from what is on the disk.
    pub fn guid(&self) -> Guid {
        self.guid
    }

    /// Returns how many bytes the slot has.
    pub fn slot(&self) -> u64 {
        self.slot
    }

    /// Returns what the disk says of itself.
    pub fn model(&self) -> &Disk {
        &self.record.model
    }

    /// Returns a text, if there is a regular file of at most `limit` bytes at this path; links are
    /// not followed.
    pub fn text(&self, path: &TreePath, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.root.small_file(path, limit)
    }

    /// Returns what the system has at some paths and on the way to them, links on the way followed.
    pub fn glimpse<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a TreePath>,
    ) -> Result<FileTree, ReadError> {
        let mut wanted: BTreeSet<TreePath> = BTreeSet::new();
        for path in paths {
            add_with_parents(&mut wanted, path.clone());
        }
        for _ in 0..LINKS_MAX {
            let tree = walk(&self.root, &self.record, &|path| wanted.contains(path))?;
            let before = wanted.len();
            for path in beyond_links(&tree, &wanted)? {
                add_with_parents(&mut wanted, path);
            }
            if wanted.len() == before {
                return Ok(tree);
            }
        }
        Err(ReadError::invalid("disk", "symbolic links lead to each other"))
    }
}

fn add_with_parents(wanted: &mut BTreeSet<TreePath>, path: TreePath) {
    let mut next = Some(path);
    while let Some(path) = next.filter(|path| !path.is_root()) {
        next = path.parent();
        if !wanted.insert(path) {
            return;
        }
    }
}

/// Returns where wanted paths lead that have a symbolic link on the way.
fn beyond_links(tree: &FileTree, wanted: &BTreeSet<TreePath>) -> Result<Vec<TreePath>, ReadError> {
    let mut found = Vec::new();
    for (link, entry) in tree.iter() {
        let Node::Symlink(target) = &entry.node else { continue };
        let Some(target) = led_to(link, target) else { continue };
        for path in wanted.iter().filter(|path| path.is_below(link)) {
            let below = path.relative().get(link.relative().len() + 1..).unwrap_or_default();
            let path = target
                .join(below)
                .map_err(|error| ReadError::invalid(path.to_string(), error.to_string()))?;
            found.push(path);
        }
        found.push(target);
    }
    Ok(found)
}

/// Returns where a link leads; `None` if nowhere.
fn led_to(link: &TreePath, target: &[u8]) -> Option<TreePath> {
    let mut at = if target.starts_with(b"/") { TreePath::root() } else { link.parent()? };
    for name in target.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => at = at.parent().unwrap_or(at),
            name => at = at.join(name).ok()?,
        }
    }
    Some(at)
}
