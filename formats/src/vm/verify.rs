//! Checking a disk: its file systems, its identities.

use super::container::Opened;
use super::model::{Disk, DiskSize};
use super::read::unpack_image;
use super::volume::Image;
use super::{gpt, machine};
use crate::digest::hex;
use crate::format::{Problem, ReadError, Unpacked};

/// Lists every rule that an open disk breaks, after those that its file breaks.
pub(super) fn verify(
    opened: &Opened,
    mut problems: Vec<Problem>,
) -> Result<Vec<Problem>, ReadError> {
    if gpt::is_at(&*opened.disk) {
        problems.extend(gpt::check(&*opened.disk)?);
        let parts = machine::Parts::open(opened)?;
        problems.extend(parts.check()?);
        return Ok(problems);
    }
    let size = opened.disk.len();
    let image = Image::open(opened.disk.clone())?;
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
    let mut problems = Rules::default();
    if let Some(declared) = declared {
        problems.equal("vm-tree-id", crate::record::FILE, declared, &tree_id);
    }
    problems.file_system(image, "superblock", &model.identity(&tree_id), model.label.as_deref());
    let expected = match model.size {
        DiskSize::Minimal => image.size(),
        DiskSize::Bytes(bytes) => bytes,
        DiskSize::Multiple(unit) => image.size().next_multiple_of(unit.max(1)),
    };
    problems.equal("vm-size", "disk", &expected, &size);
    problems.model(model);
    problems.list
}

/// Rules, and the problems of those that are broken.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) list: Vec<Problem>,
}

impl Rules {
    /// Two things must be the same.
    pub(super) fn equal<T: std::fmt::Display + PartialEq>(
        &mut self,
        rule: &'static str,
        place: &str,
        expected: &T,
        found: &T,
    ) {
        if expected != found {
            let (expected, found) = (expected.to_string(), found.to_string());
            self.list.push(Problem::new(rule, place, expected, found));
        }
    }

    /// A file system must be the one that follows from the model.
    pub(super) fn file_system(
        &mut self,
        image: &Image,
        place: &str,
        identity: &super::ext4::Identity,
        label: Option<&str>,
    ) {
        self.equal("vm-uuid", place, &hex(&identity.uuid), &hex(&image.uuid()));
        if let Some(seed) = image.hash_seed() {
            self.equal("vm-hash-seed", place, &hex(&identity.hash_seed), &hex(&seed));
        }
        let label = label.unwrap_or_default();
        self.equal("vm-label", place, &hex(label.as_bytes()), &hex(image.label()));
    }

    /// The model must be one that can be written.
    pub(super) fn model(&mut self, model: &Disk) {
        if let Err(error) = model.check("vm") {
            let (place, expected) = (crate::record::FILE, "a valid model");
            self.list.push(Problem::new("vm-model", place, expected, error.to_string()));
        }
    }
}
