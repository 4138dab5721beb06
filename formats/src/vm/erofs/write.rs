//! Writing a file system: a tree becomes inodes, these get their places, and then their bytes.

use super::directory::DirectoryEntry;
use super::inode::{Inode, Kind, Layout};
use super::layout::{Place, Plan};
use super::namespace::{Named, Namespace};
use super::superblock::{SUPERBLOCK, Superblock};
use super::{BLOCK, SLOT, directory};
use crate::format::{Epoch, WriteError};
use crate::rope::Rope;
use crate::tree::{FileTree, Node};

use super::super::DiskSize;
use super::super::ext4::{FileSystemWriter, NEEDED, Volume};

/// What sizes of disks are multiples of.
const MIB: u64 = 1 << 20;

/// Writes EROFS without compression.
///
/// The smallest size is that of the file system itself, in whole blocks: nothing is ever added to
/// it. Takes memory for the metadata alone, about 300 bytes an entry. The seed of the directory hash
/// is not used, because directories are in order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Erofs;

impl FileSystemWriter for Erofs {
    fn write(&self, tree: &FileTree, volume: &Volume<'_>) -> Result<Rope, WriteError> {
        let namespace = Namespace::of(volume.format, tree)?;
        let plan = Plan::of(&namespace);
        let len = length(volume, plan.blocks)?;
        let mut metadata = metadata(&namespace, &plan, volume.epoch)?;
        seal(&mut metadata, &namespace, &plan, volume)?;
        let mut rope = Rope::from(metadata);
        for (_, content) in &plan.files {
            match volume.inline.get(&content.digest) {
                Some(bytes) => rope.push_bytes(bytes),
                None => rope.push_range(content.digest, 0, content.size),
            }
            rope.align(BLOCK);
        }
        if rope.len() != plan.blocks * BLOCK {
            let message = "the contents do not have the sizes that the tree gives them";
            return Err(WriteError::Io(std::io::Error::other(message)));
        }
        rope.push_zeros(len - rope.len());
        Ok(rope)
    }
}

/// Returns how long the rope shall be.
fn length(volume: &Volume<'_>, blocks: u64) -> Result<u64, WriteError> {
    let limit = |limit, found| {
        Err(WriteError::Limit { format: volume.format, what: NEEDED.into(), limit, found })
    };
    let most = u64::from(u32::MAX) - 1;
    if blocks > most {
        return limit(most * BLOCK, blocks.saturating_mul(BLOCK));
    }
    match volume.size {
        DiskSize::Minimal => Ok(blocks * BLOCK),
        DiskSize::Multiple(unit) => Ok((blocks * BLOCK).next_multiple_of(unit)),
        DiskSize::Bytes(bytes) if bytes < blocks * BLOCK => {
            limit(bytes, (blocks * BLOCK).next_multiple_of(MIB))
        }
        DiskSize::Bytes(bytes) => Ok(bytes),
    }
}

/// Returns the blocks before the contents of files, still without a superblock.
fn metadata(namespace: &Namespace<'_>, plan: &Plan, epoch: Epoch) -> Result<Vec<u8>, WriteError> {
    let mut metadata = vec![0; in_memory(plan.contents * BLOCK)?];
    let numbered = namespace.inodes.iter().zip(&plan.places).zip(1_u32..);
    for ((named, place), number) in numbered {
        let inode = inode(named, place, number);
        let mut at = in_memory(place.slot * SLOT)?;
        for bytes in [inode.encode(epoch), named.attributes.clone()] {
            put(&mut metadata, at, &bytes)?;
            at += bytes.len();
        }
        let content = match &named.entry.node {
            Node::Directory => listing(named, plan, namespace),
            Node::Symlink(target) => target.clone(),
            Node::File(_) | Node::HardLink(_) | Node::Device { .. } | Node::Fifo => continue,
        };
        let behind = match place.layout {
            Layout::Plain => 0,
            Layout::Inline => in_memory(place.size % BLOCK)?,
        };
        let (body, tail) = content.split_at(content.len() - behind);
        put(&mut metadata, in_memory(place.block * BLOCK)?, body)?;
        put(&mut metadata, at, tail)?;
    }
    Ok(metadata)
}

fn inode(named: &Named<'_>, place: &Place, number: u32) -> Inode {
    let entry = named.entry;
    let block = u32::try_from(place.block).unwrap_or(u32::MAX);
    Inode {
        layout: place.layout,
        attributes: named.attributes.len(),
        mode: u16::try_from(entry.st_mode()).unwrap_or_default(),
        links: named.links,
        size: place.size,
        place: if matches!(entry.node, Node::Device { .. }) { named.device } else { block },
        number,
        user: entry.owner.id,
        group: entry.group.id,
        len: place.len,
    }
}

/// Returns the contents of a directory.
fn listing(named: &Named<'_>, plan: &Plan, namespace: &Namespace<'_>) -> Vec<u8> {
    let entry = |(name, index): &(_, usize)| {
        let mode = u16::try_from(namespace.inodes[*index].entry.st_mode()).unwrap_or_default();
        let code = Kind::of_mode(mode).map_or(0, Kind::code);
        DirectoryEntry { name: *name, slot: plan.places[*index].slot, code }
    };
    directory::encode(&named.names.iter().map(entry).collect::<Vec<_>>())
}

/// Puts the superblock into the first block.
fn seal(
    metadata: &mut [u8],
    namespace: &Namespace<'_>,
    plan: &Plan,
    volume: &Volume<'_>,
) -> Result<(), WriteError> {
    // The root is the first inode, at most one block behind the superblock.
    let root = plan.places.first().and_then(|place| u16::try_from(place.slot).ok());
    let inodes = namespace.inodes.len() as u64;
    let blocks = u32::try_from(plan.blocks).unwrap_or(u32::MAX);
    let mut superblock = Superblock::new(root.unwrap_or_default(), inodes, blocks, volume.epoch.0);
    superblock.uuid = volume.identity.uuid;
    let label = volume.label.unwrap_or_default().as_bytes();
    for (to, from) in superblock.name.iter_mut().zip(label) {
        *to = *from;
    }
    let at = in_memory(SUPERBLOCK)?;
    put(metadata, at, &superblock.encode())?;
    superblock.checksum = Superblock::checksum_of(&metadata[..in_memory(BLOCK)?]);
    put(metadata, at, &superblock.encode())
}

/// Puts bytes to their place, which the plan made.
fn put(metadata: &mut [u8], at: usize, bytes: &[u8]) -> Result<(), WriteError> {
    let place = at.checked_add(bytes.len()).and_then(|end| metadata.get_mut(at..end));
    let Some(place) = place else {
        let message = format!("metadata at {at} lies outside of the file system");
        return Err(WriteError::Io(std::io::Error::other(message)));
    };
    place.copy_from_slice(bytes);
    Ok(())
}

fn in_memory(len: u64) -> Result<usize, WriteError> {
    usize::try_from(len).map_err(|error| WriteError::Io(std::io::Error::other(error)))
}
