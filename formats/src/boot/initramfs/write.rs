//! Writing a segment: the tree, the additions and their record.

use super::model::Initramfs;
use super::record::Record;
use super::segment::{compress, segment};
use crate::format::{WriteCx, WriteError};
use crate::owners::Owners;
use crate::record::{FILE, FOLDER, Record as _, payload};
use crate::rope::Rope;
use crate::tree::{Content, Entry, FileTree, Mode, TreeBuilder, TreePath};

/// Describes the bytes of the segment.
pub(super) fn write(
    model: &Initramfs,
    tree: &FileTree,
    cx: &WriteCx<'_>,
) -> Result<Rope, WriteError> {
    model.check()?;
    let (payload, _) = payload(super::FORMAT, tree, model.tree_id.as_ref())?;
    let mut builder = TreeBuilder::new();
    let [folder, file] = [FOLDER, FILE].map(reserved);
    let (folder, file) = (folder?, file?);
    for (path, entry) in payload.iter().chain(model.additions.iter()) {
        if *path == folder || path.is_below(&folder) {
            return Err(WriteError::Unsupported {
                format: super::FORMAT,
                path: path.clone(),
                what: "the entry".into(),
                reason: Some("the path is reserved for what the segment itself adds".into()),
            });
        }
        if !entry.implied {
            builder.insert(path.clone(), entry.clone())?;
        }
    }
    let whole = builder.finish()?;
    let record = Record::new(model, &payload, Owners::of(super::FORMAT, &whole)?).to_bytes()?;
    cx.blobs.put(&record)?;
    let mut builder = TreeBuilder::new();
    builder.insert(folder, Entry::directory())?;
    builder.insert(file, Entry::file(Content::of(&record), Mode::PLAIN))?;
    let archive = segment(&builder.finish_onto(&whole)?, &model.prefix, cx.epoch)?;
    compress(&archive, model.compression, cx.encoder)
}

fn reserved(path: &str) -> Result<TreePath, WriteError> {
    TreePath::parse(path).map_err(|error| WriteError::Io(std::io::Error::other(error)))
}
