//! Reading a disk back into its model and its tree.

use std::sync::Arc;

use super::ext4::{Image, walk};
use super::model::Disk;
use super::qcow2::Qcow2Reader;
use super::record::{Record, Reserved};
use crate::format::{ReadError, Unpacked};
use crate::input::{ReadAt, Source};
use crate::tree::{Content, Entry, FileTree, Mode, Node};

/// The largest record that is read.
const RECORD_MAX: u64 = 1 << 24;

/// How a file holds a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// Byte by byte.
    Raw,
    /// In clusters.
    Qcow2,
}

impl Container {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }

    /// Tells from the first bytes how a file holds a disk.
    pub(super) fn of(file: &dyn ReadAt) -> Result<Self, ReadError> {
        if Qcow2Reader::is_at_start_of(file) {
            Ok(Self::Qcow2)
        } else if Image::is_at_start_of(file) {
            Ok(Self::Raw)
        } else {
            Err(ReadError::malformed(
                "disk image",
                0,
                "a qcow2 header or an ext4 superblock",
                "neither",
            ))
        }
    }

    /// Opens the disk.
    pub(super) fn open(self, file: &Arc<dyn ReadAt>) -> Result<Arc<dyn ReadAt>, ReadError> {
        match self {
            Self::Raw => Ok(file.clone()),
            Self::Qcow2 => Ok(Arc::new(Qcow2Reader::open(file.clone())?)),
        }
    }
}

/// Parses a disk in either container.
pub(super) fn unpack(source: &Source) -> Result<Unpacked<Disk>, ReadError> {
    let file = source.file()?;
    let disk = Container::of(&**file)?.open(file)?;
    unpack_image(&Image::open(disk)?)
}

/// Parses an open file system.
pub(super) fn unpack_image(image: &Image) -> Result<Unpacked<Disk>, ReadError> {
    let reserved =
        Reserved::new().map_err(|error| ReadError::invalid("reserved paths", error.to_string()))?;
    let Some(bytes) = image.small_file(&reserved.file, RECORD_MAX)? else {
        return Err(ReadError::invalid(
            reserved.file.to_string(),
            "not there, so the model and the names of the owners are not known",
        ));
    };
    let record = Record::parse(&bytes)?;
    let owners = &record.owners;
    let whole = walk(image, |user, group| (owners.user(user), owners.group(group)))?;
    check_additions(&whole, &reserved, &bytes)?;
    let tree = whole.filter(|path, _| !reserved.holds(path))?;
    let declared = record.model.tree_id;
    Ok(Unpacked { model: record.model, tree, declared })
}

/// Makes sure that what is left out of the tree is what the format added and nothing else.
fn check_additions(tree: &FileTree, reserved: &Reserved, record: &[u8]) -> Result<(), ReadError> {
    let mut lost_and_found = Entry::directory();
    lost_and_found.mode = Mode::from_st_mode(0o700);
    let expected = [
        (&reserved.folder, Entry::directory()),
        (&reserved.file, Entry::file(Content::of(record), Mode::PLAIN)),
        (&reserved.lost_and_found, lost_and_found),
    ];
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
