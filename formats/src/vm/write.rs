//! Writing a disk: the payload and its record, handed to the file system.

use std::collections::BTreeMap;

use super::ext4::{Ext4, FileSystemWriter, Volume};
use super::model::Disk;
use super::record::{Owners, Record, Reserved};
use crate::format::{Epoch, WriteError};
use crate::rope::Rope;
use crate::tree::{Content, Entry, FileTree, Mark, Mode, TreeBuilder};

/// Describes the bytes of the disk.
pub(super) fn raw(
    format: &'static str,
    model: &Disk,
    tree: &FileTree,
    epoch: Epoch,
) -> Result<Rope, WriteError> {
    model.check(format)?;
    let payload = tree.filter(|_, entry| entry.mark != Mark::Ghost)?;
    let tree_id = payload.id();
    if let Some(stated) = &model.tree_id
        && *stated != tree_id
    {
        let reason = format!("expected the identity of the payload, {tree_id}, found {stated}");
        return Err(WriteError::Field { format, field: "tree_id".into(), reason });
    }
    let record = Record::new(model.clone(), Owners::of(format, &payload)?).to_bytes()?;
    let content = Content::of(&record);
    let tree = with_record(format, &payload, content)?;
    let volume = Volume {
        format,
        size: model.size,
        identity: model.identity(&tree_id),
        label: model.label.as_deref(),
        epoch,
        inline: BTreeMap::from([(content.digest, record)]),
    };
    Ext4.write(&tree, &volume)
}

/// Returns the payload and, at its reserved place, the record.
fn with_record(
    format: &'static str,
    payload: &FileTree,
    record: Content,
) -> Result<FileTree, WriteError> {
    let reserved = Reserved::new()
        .map_err(|error| WriteError::Io(std::io::Error::other(error.to_string())))?;
    let mut builder = TreeBuilder::new();
    for (path, entry) in payload.iter() {
        if reserved.holds(path) {
            return Err(WriteError::Unsupported {
                format,
                path: path.clone(),
                what: "the entry".into(),
                reason: Some("the path is reserved for what the disk itself adds".into()),
            });
        }
        builder.insert(path.clone(), entry.clone())?;
    }
    builder.insert(reserved.folder, Entry::directory())?;
    builder.insert(reserved.file, Entry::file(record, Mode::PLAIN))?;
    Ok(builder.finish()?)
}
