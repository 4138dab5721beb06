//! Checking a disk: its container, its file system, its identities.

use super::ext4::Image;
use super::model::DiskSize;
use super::read::{Container, unpack_image};
use super::{model::Disk, qcow2};
use crate::digest::hex;
use crate::format::{Problem, ReadError, Unpacked};
use crate::input::Source;

/// Lists every rule that a disk breaks.
pub(super) fn verify(source: &Source, expected: Container) -> Result<Vec<Problem>, ReadError> {
    let file = source.file()?;
    let container = Container::of(&**file)?;
    let mut problems = Vec::new();
    if container != expected {
        let (expected, found) = (expected.word(), container.word());
        problems.push(Problem::new("vm-container", "file", expected, found));
    }
    if container == Container::Qcow2 {
        problems.extend(qcow2::check(&**file)?);
    }
    let disk = container.open(file)?;
    let size = disk.len();
    let image = Image::open(disk)?;
    problems.extend(image.check()?);
    match unpack_image(&image) {
        Ok(unpacked) => problems.extend(identities(&image, size, &unpacked)),
        // What was found so far says more than where reading stopped.
        Err(error) if problems.is_empty() => return Err(error),
        Err(_) => {}
    }
    Ok(problems)
}

fn identities(image: &Image, size: u64, unpacked: &Unpacked<Disk>) -> Vec<Problem> {
    let Unpacked { model, tree, declared } = unpacked;
    let tree_id = tree.id();
    let identity = model.identity(&tree_id);
    let label = model.label.as_deref().unwrap_or_default();
    let mut problems = Vec::new();
    let mut rule = |rule, place, expected: String, found: String| {
        if expected != found {
            problems.push(Problem::new(rule, place, expected, found));
        }
    };
    if let Some(declared) = declared {
        rule("vm-tree-id", "/.bake/tree.json", declared.to_string(), tree_id.to_string());
    }
    rule("vm-uuid", "superblock", hex(&identity.uuid), hex(&image.uuid()));
    rule("vm-hash-seed", "superblock", hex(&identity.hash_seed), hex(&image.hash_seed()));
    rule("vm-label", "superblock", hex(label.as_bytes()), hex(image.label()));
    let expected = match model.size {
        DiskSize::Minimal => image.size(),
        DiskSize::Bytes(bytes) => bytes,
    };
    rule("vm-size", "disk", expected.to_string(), size.to_string());
    if let Err(error) = model.check("vm") {
        problems.push(Problem::new(
            "vm-model",
            "/.bake/tree.json",
            "a valid model",
            error.to_string(),
        ));
    }
    problems
}
