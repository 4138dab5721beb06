//! From the recipe to a disk, and to what else runs on a machine.

use bake_formats::boot::initramfs::Initramfs;
use bake_formats::encode::{Codec, Compression};
use bake_formats::sysext::Extension;
use bake_formats::tree::{FileTree, TreeId, TreePath};
use bake_formats::vm::{Disk, DiskSize, Hardware};
use bake_recipes::resolved::{self, DiskFormat, Recipe, Vm};

use super::Product;
use crate::error::Error;
use crate::machine::{Ground, MachineError};

/// Where bake's initrd has an application that is laid over the root file system.
const IN_INITRD: &str = "/bake/app";
/// The units of disks that Google Compute Engine takes.
const GIB: u64 = 1 << 30;

/// Returns what is to be made of a recipe's machine or disk.
pub(super) fn products(
    recipe: &Recipe,
    table: &Vm,
    tree_id: TreeId,
    ground: Option<&Ground>,
) -> Result<Vec<Product>, Error> {
    let disk = Box::new(disk(recipe, table, tree_id, ground));
    let mut products = Vec::new();
    for format in &table.formats {
        products.push(match format {
            DiskFormat::Raw => Product::Raw(disk.clone()),
            DiskFormat::Qcow2 => Product::Qcow2(packed(&disk, table)),
            DiskFormat::Overlay => Product::Overlay(packed(&disk, table)),
            DiskFormat::Vmdk => Product::Vmdk(disk.clone()),
            DiskFormat::Vhd => Product::Vhd(disk.clone()),
            DiskFormat::VhdDynamic => Product::DynamicVhd(disk.clone()),
            DiskFormat::Vhdx => Product::Vhdx(disk.clone()),
            DiskFormat::Direct => Product::Direct(equipped(&disk, table)),
            DiskFormat::Cpio => Product::Cpio(Box::new(segment(recipe, table, tree_id, ground)?)),
            DiskFormat::Sysext => Product::Sysext(Box::new(extension(recipe, tree_id, ground))),
            DiskFormat::Ova => Product::Ova(equipped(&disk, table)),
            DiskFormat::VagrantLibvirt => Product::LibvirtBox(equipped(&disk, table)),
            DiskFormat::VagrantVirtualbox => Product::VirtualBoxBox(equipped(&disk, table)),
            DiskFormat::Gce => Product::Gce(disk.clone()),
        });
    }
    Ok(products)
}

/// Returns the description of a recipe's disk.
fn disk(recipe: &Recipe, table: &Vm, tree_id: TreeId, ground: Option<&Ground>) -> Disk {
    // All containers of a machine hold one disk, so it has a size that each of them takes.
    let whole_gib = table.formats.contains(&DiskFormat::Gce);
    Disk {
        name: recipe.name.to_string(),
        version: recipe.version.to_string(),
        arch: recipe.platform.architecture().to_owned(),
        size: match table.size {
            resolved::DiskSize::Minimal if whole_gib => DiskSize::Multiple(GIB),
            resolved::DiskSize::Minimal => DiskSize::Minimal,
            resolved::DiskSize::Bytes(bytes) => DiskSize::Bytes(bytes),
        },
        label: Some(table.label.clone()).filter(|label| !label.is_empty()),
        tree_id: Some(tree_id),
        machine: ground.map(|ground| ground.machine.clone()),
        compression: None,
        hardware: None,
    }
}

fn packed(disk: &Disk, table: &Vm) -> Box<Disk> {
    let compression = Some(table.compression).filter(|found| found.codec != Codec::None);
    Box::new(Disk { compression, ..disk.clone() })
}

fn equipped(disk: &Disk, table: &Vm) -> Box<Disk> {
    let resolved::Hardware { cpus, memory } = table.hardware;
    Box::new(Disk { hardware: Some(Hardware { cpus, memory }), ..disk.clone() })
}

/// Returns the description of the files as a segment of an initramfs.
fn segment(
    recipe: &Recipe,
    table: &Vm,
    tree_id: TreeId,
    ground: Option<&Ground>,
) -> Result<Initramfs, Error> {
    let machine = ground.map(|ground| &ground.machine);
    if let Some((from, to)) = machine.and_then(|machine| machine.redirects.first_key_value()) {
        let reason = format!("`{from}` is `{to}` on this base, where an initramfs knows no links");
        let hint = format!("write `{to}` in the recipe");
        return Err(MachineError::new(reason).hint(hint).into());
    }
    let prefix = if machine.is_some() { IN_INITRD } else { "/" };
    let prefix = TreePath::parse(prefix).map_err(|error| MachineError::new(error.to_string()))?;
    let compression = match table.compression.codec {
        Codec::None => Compression::ZSTD,
        _ => table.compression,
    };
    Ok(Initramfs {
        name: recipe.name.to_string(),
        version: recipe.version.to_string(),
        arch: recipe.platform.architecture().to_owned(),
        compression,
        prefix,
        tree_id: Some(tree_id),
        additions: machine
            .map_or_else(FileTree::default, |machine| (**machine.additions.tree()).clone()),
    })
}

/// Returns the description of the files as a system extension.
fn extension(recipe: &Recipe, tree_id: TreeId, ground: Option<&Ground>) -> Extension {
    let mut extension = Extension::new(recipe.name.as_str(), &recipe.version.to_string());
    extension.tree_id = Some(tree_id);
    if let Some(ground) = ground {
        extension.release.id.clone_from(&ground.distribution.id);
        extension.release.version_id.clone_from(&ground.distribution.version);
    }
    extension
}
