//! Writing an extension: the tree, its additions and what says to whom they belong, as one image.

use std::collections::BTreeMap;

use super::model::{Extension, Protection};
use super::record::{Record, Reserved};
use super::{Sysext, container};
use crate::format::{Format, WriteCx, WriteError};
use crate::owners::Owners;
use crate::record::{Record as _, payload};
use crate::rope::Rope;
use crate::tree::{Content, Entry, FileTree, Mark, Mode, PathError, TreeBuilder, TreePath};
use crate::vm::DiskSize;
use crate::vm::erofs::Erofs;
use crate::vm::ext4::{FileSystemWriter, Identity, Volume};

/// Describes the bytes of the image.
pub(super) fn image(
    model: &Extension,
    tree: &FileTree,
    cx: &WriteCx<'_>,
) -> Result<Rope, WriteError> {
    model.check()?;
    let (payload, tree_id) = payload(Sysext::NAME, tree, model.tree_id.as_ref())?;
    let reserved = Reserved::new(&model.name, model.scope).map_err(impossible)?;
    let release = model.release.text(model.scope).into_bytes();
    let mut whole = merged(model, &payload, &reserved)?;
    whole.insert(reserved.release.clone(), file(&release))?;
    let whole = whole.finish()?;
    let record = record(model, &payload, &whole)?.to_bytes()?;
    let mut own = TreeBuilder::new();
    own.insert(reserved.folder.clone(), Entry::directory())?;
    own.insert(reserved.record.clone(), file(&record))?;
    let whole = own.finish_onto(&whole)?;
    let guid = |purpose: &str| model.guid(purpose, &tree_id, &record);
    let volume = Volume {
        format: Sysext::NAME,
        size: DiskSize::Minimal,
        identity: Identity { uuid: guid("file system").0, hash_seed: [0; 16] },
        label: model.label(),
        epoch: cx.epoch,
        inline: [release, record.clone()]
            .map(|bytes| (Content::of(&bytes).digest, bytes))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    };
    let image = Erofs.write(&whole, &volume)?;
    match model.protection {
        Protection::None => Ok(image),
        Protection::Verity => container::write(model, &image, guid, cx.blobs),
    }
}

/// Returns the payload with the additions.
fn merged(
    model: &Extension,
    payload: &FileTree,
    reserved: &Reserved,
) -> Result<TreeBuilder, WriteError> {
    let mut builder = TreeBuilder::new();
    for (path, entry) in payload.iter().chain(model.additions.iter()) {
        if entry.implied || entry.mark == Mark::Ghost {
            continue;
        }
        if reserved.holds(path) {
            let reason = "the path is reserved for what the extension itself adds";
            return Err(unsupported(path, reason));
        }
        let top = path.relative().split(|byte| *byte == b'/').next().unwrap_or_default();
        let merged = model.scope.merged();
        if !path.is_root() && !merged.iter().any(|merged| merged.as_bytes() == top) {
            return Err(unsupported(path, model.scope.elsewhere(top)));
        }
        builder.insert(path.clone(), entry.clone())?;
    }
    Ok(builder)
}

/// Returns the record of an image that holds everything but the record.
fn record(model: &Extension, payload: &FileTree, whole: &FileTree) -> Result<Record, WriteError> {
    let is_asked_for = |tree: &FileTree, path: &TreePath| {
        tree.get(path).is_some_and(|entry| !entry.implied && entry.mark != Mark::Ghost)
    };
    let (mut additions, mut parents) = (Vec::new(), Vec::new());
    for (path, entry) in whole.iter() {
        if is_asked_for(&model.additions, path) && !is_asked_for(payload, path) {
            additions.push(path.clone());
        } else if entry.implied && payload.get(path).is_none() {
            parents.push(path.clone());
        }
    }
    let owners = Owners::of(Sysext::NAME, whole)?;
    Ok(Record::new(model, owners, additions, parents))
}

fn file(bytes: &[u8]) -> Entry {
    Entry::file(Content::of(bytes), Mode::PLAIN)
}

fn unsupported(path: &TreePath, reason: &str) -> WriteError {
    WriteError::Unsupported {
        format: Sysext::NAME,
        path: path.clone(),
        what: "the entry".into(),
        reason: Some(reason.into()),
    }
}

fn impossible(error: PathError) -> WriteError {
    WriteError::Io(std::io::Error::other(error))
}
