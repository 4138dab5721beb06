//! Writing a disk: one file system, or a machine's partitions.

use std::collections::BTreeMap;
use std::ops::Range;

use super::ext4::{Identity, Volume};
use super::guid::Guid;
use super::install::Contents;
use super::machine::{self, FileSystem, System};
use super::model::{Disk, DiskSize};
use super::record::{Record, Reserved};
use crate::format::{Epoch, WriteCx, WriteError};
use crate::owners::Owners;
use crate::record::{Record as _, payload};
use crate::rope::Rope;
use crate::tree::{Content, Entry, FileTree, Mode, TreeBuilder, TreeId};

/// A disk, described.
#[derive(Debug)]
pub(super) struct Laid {
    /// Its bytes.
    pub(super) disk: Rope,
    /// Derived from everything that is on it.
    pub(super) id: Guid,
    /// Which of them differ from those of the disk that it is built on, if it is built on one.
    pub(super) changed: Option<Vec<Range<u64>>>,
}

/// Describes the bytes of the disk.
pub(super) fn lay(
    format: &'static str,
    model: &Disk,
    tree: &FileTree,
    cx: &WriteCx<'_>,
) -> Result<Laid, WriteError> {
    model.check(format)?;
    let (payload, tree_id) = payload(format, tree, model.tree_id.as_ref())?;
    let id = identity(model, &tree_id, cx.epoch)?;
    match model.machine.as_ref().map(|machine| (machine, &machine.system)) {
        None => {
            let contents = Contents { payload: &payload, machine: None, system: None };
            let whole = Whole { model, contents, epoch: cx.epoch };
            let disk =
                whole.write(format, FileSystem::Ext4, model.size, model.identity(&tree_id))?;
            Ok(Laid { disk, id, changed: None })
        }
        Some((machine, System::Files(files))) => {
            let disk = machine::write(
                format,
                &machine::Given { model, machine, files, payload: &payload },
                cx,
            )?;
            Ok(Laid { disk, id, changed: None })
        }
        Some((machine, System::Baked(baked))) => {
            let filling = machine::Filling { model, machine, baked, payload: &payload };
            let (disk, changed) = machine::fill(format, &filling, cx)?;
            Ok(Laid { disk, id, changed: Some(changed) })
        }
    }
}

/// Derives what makes one disk differ from another, for containers that have a field for it.
fn identity(model: &Disk, payload: &TreeId, epoch: Epoch) -> Result<Guid, WriteError> {
    let model = Disk { compression: None, hardware: None, ..model.clone() };
    let text = serde_json::to_string(&model).map_err(|error| WriteError::Io(error.into()))?;
    let fields = [&*text, &*payload.to_string(), &*epoch.0.to_string()];
    Ok(Guid::derive("bake disk 1", &fields))
}

/// A file system with everything that is in it.
pub(super) struct Whole<'a> {
    pub(super) model: &'a Disk,
    pub(super) contents: Contents<'a>,
    pub(super) epoch: Epoch,
}

impl Whole<'_> {
    /// Describes the file system's bytes.
    pub(super) fn write(
        &self,
        format: &'static str,
        kind: FileSystem,
        size: DiskSize,
        identity: Identity,
    ) -> Result<Rope, WriteError> {
        let whole = self.contents.tree(format)?;
        let owners = Owners::of(format, &whole)?;
        let record = Record::new(self.model, &self.contents, &whole, owners).to_bytes()?;
        let content = Content::of(&record);
        let tree = with_record(format, &whole, content)?;
        let volume = Volume {
            format,
            size,
            identity,
            label: self.model.label.as_deref(),
            epoch: self.epoch,
            inline: BTreeMap::from([(content.digest, record)]),
        };
        kind.write(&tree, &volume)
    }
}

/// Returns the tree and, at its reserved place, the record.
fn with_record(
    format: &'static str,
    tree: &FileTree,
    record: Content,
) -> Result<FileTree, WriteError> {
    let reserved = Reserved::new()
        .map_err(|error| WriteError::Io(std::io::Error::other(error.to_string())))?;
    if let Some((path, _)) = tree.iter().find(|(path, _)| reserved.holds(path)) {
        return Err(WriteError::Unsupported {
            format,
            path: path.clone(),
            what: "the entry".into(),
            reason: Some("the path is reserved for what the disk itself adds".into()),
        });
    }
    let mut builder = TreeBuilder::new();
    builder.insert(reserved.folder, Entry::directory())?;
    builder.insert(reserved.file, Entry::file(record, Mode::PLAIN))?;
    Ok(builder.finish_onto(tree)?)
}
