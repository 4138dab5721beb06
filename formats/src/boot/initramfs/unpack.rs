//! Unpacking as the kernel does it: members one by one, each replacing what was there.
//!
//! What the kernel does with a member (Linux, `init/initramfs.c`): something of another kind at the
//! same path is removed, a directory only if it is empty; a file or a directory of the same kind
//! takes on the new attributes and contents, under all its names; a member of a file with several
//! names that was met in the same archive becomes another name of it.

use std::collections::BTreeMap;

use crate::archive::cpio::Member;
use crate::format::ReadError;
use crate::tree::{Content, DeviceKind, Entry, FileTree, Mode, Node, Owner, TreeBuilder, TreePath};

/// The bits of a mode that say what a member is.
const S_IFMT: u32 = 0o170_000;
/// How many symbolic links are followed on the way to a path, as in the kernel.
const LINKS_MAX: usize = 40;
/// How many members without a directory are noted.
const ORPHANS_MAX: usize = 16;

/// The body of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// A file's content; only of members that are files.
    Content(Content),
    /// Where a symbolic link points.
    Target(Vec<u8>),
    /// None.
    Empty,
}

/// What was unpacked so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Unpacker {
    /// The index of the inode at each path.
    names: BTreeMap<TreePath, usize>,
    inodes: Vec<Inode>,
    /// The inodes of this archive that say they have several names.
    linked: BTreeMap<(u32, (u32, u32)), usize>,
    /// Members whose directory was not there, which the kernel leaves out; the first few.
    pub(super) orphans: Vec<TreePath>,
}

#[derive(Debug, Clone)]
struct Inode {
    node: Node,
    mode: Mode,
    ids: (u32, u32),
}

impl Unpacker {
    /// Takes in a member.
    pub(super) fn apply(&mut self, member: &Member, body: Body) -> Result<(), ReadError> {
        let path = TreePath::parse(&member.name)
            .map_err(|error| ReadError::invalid("cpio member", error.to_string()))?;
        let path = self.resolve(&path)?;
        self.note_orphan(&path);
        let is_file = matches!(body, Body::Content(_));
        let node = node(&path, member, body)?;
        let inode =
            Inode { node, mode: Mode::from_st_mode(member.mode), ids: (member.uid, member.gid) };
        let key = (member.inode, member.device);
        if is_file && member.links > 1 {
            if let Some(index) = self.linked.get(&key).copied() {
                self.remove(&path)?;
                self.names.insert(path, index);
                self.update(index, inode, false);
                return Ok(());
            }
            self.linked.insert(key, self.inodes.len());
        }
        match self.names.get(&path).copied() {
            Some(index) if is_same_kind(&self.inodes[index].node, &inode.node) => {
                if is_file && member.links > 1 {
                    self.linked.insert(key, index);
                }
                self.update(index, inode, true);
            }
            _ => {
                self.remove(&path)?;
                self.names.insert(path, self.inodes.len());
                self.inodes.push(inode);
            }
        }
        Ok(())
    }

    /// Forgets inode numbers, which count within one archive only.
    pub(super) fn end_archive(&mut self) {
        self.linked.clear();
    }

    /// Gives an inode other attributes; an empty body leaves the content if it does not replace it.
    fn update(&mut self, index: usize, mut inode: Inode, replace: bool) {
        let old = &mut self.inodes[index];
        if let (Node::File(_), Node::File(new)) = (&old.node, &inode.node)
            && new.size == 0
            && !replace
        {
            inode.node = old.node.clone();
        }
        *old = inode;
    }

    fn remove(&mut self, path: &TreePath) -> Result<(), ReadError> {
        use std::ops::Bound::{Excluded, Unbounded};
        let Some(index) = self.names.get(path) else { return Ok(()) };
        let mut after = self.names.range((Excluded(path), Unbounded));
        if matches!(self.inodes[*index].node, Node::Directory)
            && after.next().is_some_and(|(next, _)| next.is_below(path))
        {
            let reason = "it replaces a directory that is not empty";
            return Err(ReadError::invalid(path.to_string(), reason));
        }
        self.names.remove(path);
        Ok(())
    }

    /// Follows the symbolic links on the way to a path.
    fn resolve(&self, path: &TreePath) -> Result<TreePath, ReadError> {
        let invalid = |reason: &str| ReadError::invalid(path.to_string(), reason);
        match path.parent() {
            Some(parent) if !self.is_directory(&parent) => {}
            _ => return Ok(path.clone()),
        }
        let parts = |bytes: &[u8]| -> Vec<Vec<u8>> {
            bytes.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect()
        };
        let mut left = parts(path.relative());
        let mut at = TreePath::root();
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == b".." {
                at = at.parent().unwrap_or(at);
                continue;
            }
            let next = at.join(&part).map_err(|error| invalid(&error.to_string()))?;
            let target = self.names.get(&next).map(|index| &self.inodes[*index].node);
            let Some(Node::Symlink(target)) = target.filter(|_| !left.is_empty()) else {
                at = next;
                continue;
            };
            links += 1;
            if links > LINKS_MAX {
                return Err(invalid("too many symbolic links lead to it"));
            }
            if target.starts_with(b"/") {
                at = TreePath::root();
            }
            left.extend(parts(target));
        }
        Ok(at)
    }

    fn is_directory(&self, path: &TreePath) -> bool {
        let node = self.names.get(path).map(|index| &self.inodes[*index].node);
        path.is_root() || matches!(node, Some(Node::Directory))
    }

    fn note_orphan(&mut self, path: &TreePath) {
        if self.orphans.len() < ORPHANS_MAX
            && path.parent().is_some_and(|parent| !self.is_directory(&parent))
        {
            self.orphans.push(path.clone());
        }
    }

    /// Returns what was unpacked; `owners` gives names to numbers of users and of groups.
    pub(super) fn tree(
        &self,
        owners: impl Fn(u32, u32) -> (Owner, Owner),
    ) -> Result<FileTree, ReadError> {
        let mut builder = TreeBuilder::new();
        let mut first: BTreeMap<usize, &TreePath> = BTreeMap::new();
        for (path, index) in &self.names {
            let Inode { node, mode, ids } = &self.inodes[*index];
            let node = match first.get(index) {
                Some(first) => Node::HardLink((*first).clone()),
                None => node.clone(),
            };
            first.entry(*index).or_insert(path);
            let mode =
                if matches!(node, Node::Symlink(_)) { Mode::from_st_mode(0o777) } else { *mode };
            let (owner, group) = owners(ids.0, ids.1);
            builder.insert(path.clone(), Entry { owner, group, ..Entry::new(node, mode) })?;
        }
        Ok(builder.finish()?)
    }
}

fn node(path: &TreePath, member: &Member, body: Body) -> Result<Node, ReadError> {
    let (major, minor) = member.rdev;
    Ok(match (member.mode & S_IFMT, body) {
        (0o040_000, Body::Empty) => Node::Directory,
        (0o100_000, Body::Content(content)) => Node::File(content),
        (0o120_000, Body::Target(target)) => Node::Symlink(target),
        (0o020_000, Body::Empty) => Node::Device { kind: DeviceKind::Character, major, minor },
        (0o060_000, Body::Empty) => Node::Device { kind: DeviceKind::Block, major, minor },
        (0o010_000, Body::Empty) => Node::Fifo,
        (kind, _) => {
            let reason = format!("a member of type {kind:o} with this body is not known");
            return Err(ReadError::invalid(path.to_string(), reason));
        }
    })
}

/// Returns whether the kernel writes over the old one rather than removing it.
fn is_same_kind(old: &Node, new: &Node) -> bool {
    matches!((old, new), (Node::File(_), Node::File(_)) | (Node::Directory, Node::Directory))
}
