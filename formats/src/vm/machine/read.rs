//! A machine's disk, taken apart.

use std::sync::Arc;

use super::super::container::Opened;
use super::super::gpt::{self, Table};
use super::super::install::Found;
use super::super::model::Disk;
use super::super::qcow2::Backing;
use super::super::read::{read_image, window};
use super::super::record::Record;
use super::super::volume::Image;
use super::layout::Layout;
use super::model::{Placement, System};
use crate::format::{ReadError, Unpacked};
use crate::input::ReadAt;
use crate::tree::{FileTree, StatedTree};

/// The parts of a disk that were found.
pub(in super::super) struct Parts {
    pub(in super::super) disk: Arc<dyn ReadAt>,
    pub(in super::super) table: Table,
    pub(in super::super) layout: Layout,
    /// The root file system; of an overlay it is in another file.
    pub(in super::super) root: Option<Image>,
    /// The slot, if it is filled.
    pub(in super::super) slot: Option<Image>,
    /// The file under an overlay.
    pub(in super::super) backing: Option<Backing>,
}

/// What is on a disk.
pub(in super::super) struct OnDisk {
    pub(in super::super) model: Disk,
    pub(in super::super) payload: FileTree,
    /// The payload of the system itself, if there is another in the slot.
    pub(in super::super) under: Option<(Disk, FileTree)>,
}

impl Parts {
    /// Finds the parts of an open disk.
    pub(in super::super) fn open(opened: &Opened) -> Result<Self, ReadError> {
        let disk = opened.disk.clone();
        let table = gpt::read(&*disk)?;
        let layout = Layout::find(&table, disk.len())?;
        let image = |range| {
            let window = window(&disk, range);
            Image::is_at_start_of(&*window).then(|| Image::open(window)).transpose()
        };
        let slot = match &layout.slot {
            Some(range) => image(range)?,
            None => None,
        };
        let root = match &opened.backing {
            Some(_) => None,
            None => Some(Image::open(window(&disk, &layout.root))?),
        };
        let backing = opened.backing.clone();
        Ok(Self { disk, table, layout, root, slot, backing })
    }

    /// Reads the disk back into its model and its tree.
    pub(in super::super) fn unpack(&self) -> Result<Unpacked<Disk>, ReadError> {
        let OnDisk { model, payload, .. } = self.read()?;
        let declared = model.tree_id;
        Ok(Unpacked { model, tree: payload, declared })
    }

    /// Reads everything that is on the disk.
    pub(in super::super) fn read(&self) -> Result<OnDisk, ReadError> {
        let read = |image: &Option<Image>| image.as_ref().map(read_image).transpose();
        match (read(&self.root)?, read(&self.slot)?) {
            (Some(root), None) => alone(root),
            (Some(root), Some(slot)) => self.over(root, slot),
            (None, Some(slot)) => self.overlay(slot),
            (None, None) => {
                let reason = "neither a root file system nor a filled slot is in this file";
                Err(ReadError::invalid("disk", reason))
            }
        }
    }

    /// The payload is in the slot, and the system under it is here too.
    fn over(
        &self,
        root: (Record, Found),
        (record, found): (Record, Found),
    ) -> Result<OnDisk, ReadError> {
        let under = alone(root)?;
        let mut model = record.model;
        model.size = under.model.size;
        model.label.clone_from(&under.model.label);
        self.check_system(&model)?;
        if let (Some(machine), Some(below)) = (&mut model.machine, &under.model.machine) {
            machine.system = below.system.clone();
            machine.placement = Placement::Slot;
            machine.additions = StatedTree::new(Arc::new(found.additions));
        }
        let under = Some((under.model, under.payload));
        Ok(OnDisk { model, payload: found.payload, under })
    }

    /// The payload is in the slot, and the system is in another file.
    fn overlay(&self, (record, found): (Record, Found)) -> Result<OnDisk, ReadError> {
        let mut model = record.model;
        self.check_system(&model)?;
        if let Some(machine) = &mut model.machine {
            machine.additions = StatedTree::new(Arc::new(found.additions));
            if let System::Baked(baked) = &mut machine.system {
                baked.file.clone_from(&self.backing);
            }
        }
        Ok(OnDisk { model, payload: found.payload, under: None })
    }

    /// The slot must have been filled for this disk.
    fn check_system(&self, slot: &Disk) -> Result<(), ReadError> {
        let found = match slot.machine.as_ref().map(|machine| &machine.system) {
            Some(System::Baked(baked)) if baked.guid == self.table.guid => return Ok(()),
            Some(System::Baked(baked)) => baked.guid.to_string(),
            _ => "no disk".into(),
        };
        let reason = format!("it was filled for {found}, and this is disk {}", self.table.guid);
        Err(ReadError::invalid("slot", reason))
    }
}

/// The payload is in the root file system.
fn alone((record, found): (Record, Found)) -> Result<OnDisk, ReadError> {
    let mut model = record.model;
    let Some(machine) = &mut model.machine else {
        return Err(ReadError::invalid(crate::record::FILE, "it is not a machine's"));
    };
    machine.additions = StatedTree::new(Arc::new(found.additions));
    if let System::Files(files) = &mut machine.system {
        files.tree = StatedTree::new(Arc::new(found.system));
    }
    Ok(OnDisk { model, payload: found.payload, under: None })
}
