//! Checking an extension: its disk, its hashes, its file system, its identities.

use super::container::Container;
use super::model::Extension;
use super::read::unpack_image;
use crate::digest::hex;
use crate::format::{Problem, ReadError, Unpacked};
use crate::input::Source;
use crate::vm::Guid;
use crate::vm::erofs::Image;

/// Lists every rule that an extension breaks.
pub(super) fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
    let file = source.file()?;
    let container = Container::open(file)?;
    let mut problems = container.check(&**file)?;
    let image = Image::open(container.data.clone())?;
    problems.extend(image.check()?);
    match unpack_image(&image) {
        Ok((unpacked, record)) => {
            problems.extend(identities(&container, &image, &unpacked, &record));
        }
        // What was found so far says more than where reading stopped.
        Err(error) if problems.is_empty() => return Err(error),
        Err(_) => {}
    }
    Ok(problems)
}

fn identities(
    container: &Container,
    image: &Image,
    unpacked: &Unpacked<Extension>,
    record: &[u8],
) -> Vec<Problem> {
    let Unpacked { model, tree, declared } = unpacked;
    let tree_id = tree.id();
    let guid = |purpose: &str| model.guid(purpose, &tree_id, record).to_string();
    let mut problems = Vec::new();
    let mut rule = |rule, place: &str, expected: String, found: String| {
        if expected != found {
            problems.push(Problem::new(rule, place, expected, found));
        }
    };
    if let Some(declared) = declared {
        rule("sysext-tree-id", crate::record::FILE, declared.to_string(), tree_id.to_string());
    }
    rule("sysext-uuid", "superblock", guid("file system"), Guid(image.uuid()).to_string());
    let label = model.label().unwrap_or_default().as_bytes();
    rule("sysext-label", "superblock", hex(label), hex(image.label()));
    let (says, found) = (model.protection, container.protection());
    rule("sysext-protection", "file", format!("{says:?}"), format!("{found:?}"));
    if let Some(disk) = &container.disk {
        rule("sysext-uuid", "partition table", guid("disk"), disk.guid.to_string());
        let says = model.release.architecture.clone().unwrap_or_default();
        rule("sysext-architecture", "partition table", says, disk.architecture.into());
    }
    let size = (image.size(), container.data.len());
    rule("sysext-size", "file system", size.0.to_string(), size.1.to_string());
    if let Err(error) = model.check() {
        let (place, expected) = (crate::record::FILE, "a valid model");
        problems.push(Problem::new("sysext-model", place, expected, error.to_string()));
    }
    problems
}
