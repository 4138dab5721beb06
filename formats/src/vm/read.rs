//! Reading a disk back into its model and its tree.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::container::Opened;
use super::install::{Found, places};
use super::model::Disk;
use super::record::{Record, Reserved};
use super::volume::Image;
use super::{gpt, machine};
use crate::format::{ReadError, Unpacked, Visitor};
use crate::input::{ReadAt, Source};
use crate::record::Record as _;
use crate::tree::{Content, Entry, FileTree, Mode, Node, TreePath};

/// The largest record that is read.
const RECORD_MAX: u64 = 1 << 26;

/// Parses a disk in any container.
pub(super) fn unpack(source: &Source) -> Result<Unpacked<Disk>, ReadError> {
    let opened = Opened::of(source.file()?)?;
    let mut unpacked = unpack_disk(&opened)?;
    unpacked.model.compression = opened.compression;
    unpacked.model.hardware = opened.hardware;
    Ok(unpacked)
}

/// Parses an open disk.
pub(super) fn unpack_disk(opened: &Opened) -> Result<Unpacked<Disk>, ReadError> {
    if gpt::is_at(&*opened.disk) {
        return machine::Parts::open(opened)?.unpack();
    }
    unpack_image(&Image::open(opened.disk.clone())?)
}

/// Hands over the files of the payload of an open disk.
pub(super) fn visit(
    opened: &Opened,
    visitor: &mut Visitor<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let Unpacked { model, tree, .. } = unpack_disk(opened)?;
    let places = places(&tree, model.machine.as_ref())?;
    let wanted = |place: &TreePath| places.get(place).map(|path| (*path).clone());
    if !gpt::is_at(&*opened.disk) {
        return Image::open(opened.disk.clone())?.visit(&wanted, visitor);
    }
    let machine::Parts { root, slot, .. } = machine::Parts::open(opened)?;
    match slot.or(root) {
        Some(image) => image.visit(&wanted, visitor),
        None => Ok(ControlFlow::Continue(())),
    }
}

/// Parses an open file system that is a disk of its own.
pub(super) fn unpack_image(image: &Image) -> Result<Unpacked<Disk>, ReadError> {
    let (record, found) = read_image(image)?;
    let declared = record.model.tree_id;
    Ok(Unpacked { model: record.model, tree: found.payload, declared })
}

/// Reads a file system: its record, and what it holds.
pub(super) fn read_image(image: &Image) -> Result<(Record, Found), ReadError> {
    let reserved = reserved()?;
    let bytes = record_bytes(image, &reserved)?;
    let record = Record::parse(&bytes)?;
    let whole = walk(image, &record, &|_| true)?;
    check_additions(&whole, &reserved, &bytes, image)?;
    let rest = whole.filter(|path, _| !reserved.holds(path))?;
    let found = Found::of(rest, &record)?;
    Ok((record, found))
}

fn reserved() -> Result<Reserved, ReadError> {
    Reserved::new().map_err(|error| ReadError::invalid("reserved paths", error.to_string()))
}

fn record_bytes(image: &Image, reserved: &Reserved) -> Result<Vec<u8>, ReadError> {
    image.small_file(&reserved.file, RECORD_MAX)?.ok_or_else(|| {
        let reason = "not there, so the model and the names of the owners are not known";
        ReadError::invalid(reserved.file.to_string(), reason)
    })
}

/// Reads the record of a file system.
pub(super) fn read_record(image: &Image) -> Result<Record, ReadError> {
    Record::parse(&record_bytes(image, &reserved()?)?)
}

/// Returns what is wanted of a file system, with the names that its record gives to owners.
pub(super) fn walk(
    image: &Image,
    record: &Record,
    wanted: &dyn Fn(&TreePath) -> bool,
) -> Result<FileTree, ReadError> {
    let owners = &record.owners;
    image.walk(&|user, group| owners.names(user, group), wanted)
}

/// Makes sure that what is left out of the tree is what the format added and nothing else.
fn check_additions(
    tree: &FileTree,
    reserved: &Reserved,
    record: &[u8],
    image: &Image,
) -> Result<(), ReadError> {
    let mut lost_and_found = Entry::directory();
    lost_and_found.mode = Mode::from_st_mode(0o700);
    let mut expected = vec![
        (&reserved.folder, Entry::directory()),
        (&reserved.file, Entry::file(Content::of(record), Mode::PLAIN)),
    ];
    if image.has_lost_and_found() {
        expected.push((&reserved.lost_and_found, lost_and_found));
    }
    for (path, entry) in tree.iter().filter(|(path, _)| reserved.holds(path)) {
        if !expected.iter().any(|(place, expected)| *place == path && expected == entry) {
            let reason = "not what a disk has at a reserved path";
            return Err(ReadError::invalid(path.to_string(), reason));
        }
    }
    for (path, _) in &expected {
        if tree.get(path).is_none() {
            return Err(ReadError::invalid(path.to_string(), "not there"));
        }
    }
    for (path, entry) in tree.iter() {
        if let Node::HardLink(target) = &entry.node
            && reserved.holds(target)
        {
            return Err(ReadError::invalid(path.to_string(), "another name of the record"));
        }
    }
    Ok(())
}

/// Returns a part of a disk.
pub(super) fn window(disk: &Arc<dyn ReadAt>, range: &std::ops::Range<u64>) -> Arc<dyn ReadAt> {
    let len = range.end.saturating_sub(range.start);
    Arc::new(crate::input::Window::new(disk.clone(), range.start, len))
}
