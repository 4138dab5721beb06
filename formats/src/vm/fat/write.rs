//! Writing: a tree becomes a rope of a volume.

use std::collections::BTreeMap;

use super::allocate::{Allocation, Chain};
use super::boot::{self, BACKUP_SECTOR, Boot};
use super::directory::{Namespace, Number};
use super::entry::{ARCHIVE, DIRECTORY, Stamp, Target, push, push_dots, push_label};
use super::geometry::{Geometry, Width};
use super::model::{Volume, Written};
use super::{ENTRY, SECTOR};
use crate::format::WriteError;
use crate::rope::Rope;
use crate::tree::FileTree;

/// Returns the length in bytes of the shortest volume that holds a tree.
///
/// Every longer one that is a multiple of 512 holds it too.
pub fn needed(tree: &FileTree, volume: &Volume<'_>) -> Result<u64, WriteError> {
    Geometry::least(volume, &Namespace::of(tree, volume)?.need())
}

/// Describes a volume whose root is a tree; contents are extents of blobs and are not read.
///
/// Takes memory for the names, and for 3 to 8 bytes of tables a cluster that is used.
pub fn write(tree: &FileTree, volume: &Volume<'_>) -> Result<Written, WriteError> {
    let namespace = Namespace::of(tree, volume)?;
    let need = namespace.need();
    let (geometry, size) = Geometry::choose(volume, &need)?;
    let boot = Boot::of(volume, geometry, namespace.label);
    let allocation = Allocation::of(&geometry, &need);
    let (directories, files) = allocation.chains.split_at(namespace.directories.len());
    let mut rope = Rope::new();
    push_reserved(&mut rope, &boot, &allocation);
    push_tables(&mut rope, &boot, &allocation);
    push_directories(&mut rope, &namespace, &geometry, directories, files, volume);
    let mut places = BTreeMap::new();
    for ((path, content), chain) in namespace.files.iter().zip(files) {
        let start = if chain.clusters == 0 { 0 } else { geometry.place(chain.first) };
        places.insert((*path).clone(), start..start + content.size);
        match volume.inline.get(&content.digest) {
            Some(bytes) => rope.push_bytes(bytes),
            None => rope.push_range(content.digest, 0, content.size),
        }
        fill(&mut rope, &geometry, geometry.cluster);
    }
    rope.push_zeros(size.saturating_sub(rope.len()));
    Ok(Written { rope, places })
}

/// Appends zeros until what follows the start of the clusters is a multiple of something.
fn fill(rope: &mut Rope, geometry: &Geometry, multiple: u64) {
    let within = rope.len() - geometry.data();
    rope.push_zeros(within.next_multiple_of(multiple) - within);
}

fn push_reserved(rope: &mut Rope, boot: &Boot, allocation: &Allocation) {
    let Geometry { width, clusters, .. } = boot.geometry;
    rope.push_bytes(&boot.to_sector());
    if width == Width::Fat32 {
        let used = allocation.free - super::FIRST_CLUSTER;
        let free = u32::try_from(clusters).unwrap_or(u32::MAX).saturating_sub(used);
        let next = if free == 0 { u32::MAX } else { allocation.free };
        let info = boot::info(free, next);
        rope.push_bytes(&info);
        rope.push_zeros(u64::from(BACKUP_SECTOR) * SECTOR - rope.len());
        rope.push_bytes(&boot.to_sector());
        rope.push_bytes(&info);
    }
    rope.push_zeros(boot.geometry.table(0) - rope.len());
}

fn push_tables(rope: &mut Rope, boot: &Boot, allocation: &Allocation) {
    let table = allocation.table(boot);
    for number in 1..=boot.geometry.tables {
        rope.push_bytes(&table);
        rope.push_zeros(boot.geometry.table(number) - rope.len());
    }
}

fn push_directories(
    rope: &mut Rope,
    namespace: &Namespace<'_>,
    geometry: &Geometry,
    directories: &[Chain],
    files: &[Chain],
    volume: &Volume<'_>,
) {
    let stamp = Stamp::of(volume.epoch);
    for (number, directory) in namespace.directories.iter().enumerate() {
        let mut bytes = Vec::new();
        if number > 0 {
            // The root has the number 0 for those in it, wherever it is.
            let parent =
                if directory.parent == 0 { 0 } else { directories[directory.parent].first };
            push_dots(&mut bytes, directories[number].first, parent, stamp);
        } else if let Some(label) = namespace.label {
            push_label(&mut bytes, label, stamp);
        }
        for (child, name) in directory.children.iter().zip(&directory.names) {
            let target = match child.node {
                Number::Directory(number) => {
                    Target { attributes: DIRECTORY, cluster: directories[number].first, size: 0 }
                }
                Number::File(number) => Target {
                    attributes: ARCHIVE,
                    cluster: files[number].first,
                    size: u32::try_from(namespace.files[number].1.size).unwrap_or(u32::MAX),
                },
            };
            push(&mut bytes, name, target, stamp);
        }
        let own_place = number == 0 && geometry.width != Width::Fat32;
        let len = if own_place {
            geometry.root_entries * ENTRY as u64
        } else {
            u64::from(directories[number].clusters) * geometry.cluster
        };
        rope.push_bytes(&bytes);
        rope.push_zeros(len - bytes.len() as u64);
    }
}
