//! From a machine's files to the disk, and from a baked disk to one with a filled slot.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::ext4::Identity;
use super::super::fat;
use super::super::gpt;
use super::super::guid::Guid;
use super::super::install::Contents;
use super::super::model::{Disk, DiskSize};
use super::super::seed;
use super::super::write::Whole;
use super::esp::{Esp, WrittenEsp};
use super::identity::Identities;
use super::layout::{Layout, Lengths, MIB};
use super::model::{Baked, FileSystem, Files, Machine, Placement, System};
use crate::boot::bios;
use crate::format::{WriteCx, WriteError};
use crate::input::Described;
use crate::rope::Rope;
use crate::tree::{FileTree, StatedTree};

/// A machine that is to be made from files.
#[derive(Clone, Copy)]
pub(in super::super) struct Given<'a> {
    pub(in super::super) model: &'a Disk,
    pub(in super::super) machine: &'a Machine,
    pub(in super::super) files: &'a Files,
    pub(in super::super) payload: &'a FileTree,
}

/// A disk whose slot is to be filled.
pub(in super::super) struct Filling<'a> {
    pub(in super::super) model: &'a Disk,
    pub(in super::super) machine: &'a Machine,
    pub(in super::super) baked: &'a Baked,
    pub(in super::super) payload: &'a FileTree,
}

/// Describes the disk of a machine.
pub(in super::super) fn write(
    format: &'static str,
    given: &Given<'_>,
    cx: &WriteCx<'_>,
) -> Result<Rope, WriteError> {
    let Given { model, machine, files, .. } = given;
    let empty = FileTree::default();
    let system = InRoot::of(given, &empty);
    let identities = Identities::new(&system.model, &system.machine, files, &system.payload.id())?;
    let esp = Esp::new(format, files, &cmdline(files, &identities), cx)?;
    let lengths = Lengths {
        has_bios: files.boot.firmware.has_bios(),
        esp: esp.len(),
        seed: files.seed,
        slot: files.slot,
    };
    let (layout, root) = system.write(format, files, &identities, lengths, cx)?;
    let serial = |part| identities.serial(part);
    let volume = fat::Volume {
        format,
        label: Some("ESP"),
        serial: serial("esp"),
        size: Some(len(&layout.esp)),
        kind: fat::Kind::Fat32,
        hidden_sectors: hidden_sectors(&layout.esp),
        epoch: cx.epoch,
        inline: BTreeMap::new(),
    };
    let esp = esp.write(&volume)?;
    let mut parts = vec![(layout.esp.clone(), esp.rope.clone()), (layout.root.clone(), root)];
    if let Some(range) = &layout.seed {
        parts.push((range.clone(), seed::seed(&BTreeMap::new(), Some(len(range)), cx.epoch)?));
    }
    if let Some(range) = layout.slot.as_ref().filter(|_| machine.placement == Placement::Slot) {
        let slot = slot(format, model, machine, identities.guid("disk"), given.payload);
        parts.push((range.clone(), slot.write(len(range), cx)?));
    }
    let mut table = layout.table(&model.arch, files.file_system, &identities);
    if let Some(range) = &layout.bios {
        let loader = loader(&layout, &esp, range, &cmdline(files, &identities))?;
        table.boot_code = Some(Box::new(loader.boot_code));
        parts.push((range.clone(), Rope::from(loader.partition)));
    }
    join(&table, layout.disk, parts)
}

/// Describes a baked disk whose slot holds the payload, and says which bytes differ from it.
pub(in super::super) fn fill(
    format: &'static str,
    filling: &Filling<'_>,
    cx: &WriteCx<'_>,
) -> Result<(Rope, Vec<Range<u64>>), WriteError> {
    let Filling { model, machine, baked, payload } = filling;
    let fail = |reason: String| WriteError::Field { format, field: "base".into(), reason };
    let table =
        gpt::read(&Described::new(&baked.disk, cx.blobs)).map_err(|e| fail(e.to_string()))?;
    let layout = Layout::find(&table, baked.disk.len()).map_err(|e| fail(e.to_string()))?;
    let Some(range) = layout.slot else {
        return Err(fail("it has no slot: bake it with `kind = \"base\"`".into()));
    };
    if table.guid != baked.guid {
        return Err(fail(format!("its GUID is {}, expected {}", table.guid, baked.guid)));
    }
    let slot = slot(format, model, machine, baked.guid, payload).write(len(&range), cx)?;
    let mut disk = baked.disk.slice(0..range.start);
    disk.push_rope(&slot);
    disk.push_rope(&baked.disk.slice(range.end..baked.disk.len()));
    // The tables are in the overlay too, so that whoever has the overlay alone can read the payload.
    let last = disk.len() - MIB..disk.len();
    Ok((disk, vec![0..MIB, range, last]))
}

/// Returns the arguments of the kernel of a disk that was described.
pub(in super::super) fn cmdline_of(
    format: &'static str,
    disk: &Rope,
    files: &Files,
    cx: &WriteCx<'_>,
) -> Result<String, WriteError> {
    let table = gpt::read(&Described::new(disk, cx.blobs)).map_err(|error| WriteError::Field {
        format,
        field: "partitions".into(),
        reason: error.to_string(),
    })?;
    let guid = |name: &str| {
        let named = table.partitions.iter().find(|partition| partition.name == name);
        named.map(|partition| partition.guid)
    };
    Ok(arguments(files, guid))
}

/// Returns the arguments of the kernel.
pub(super) fn cmdline(files: &Files, identities: &Identities) -> String {
    arguments(files, |part| Some(identities.guid(part)))
}

fn arguments(files: &Files, guid: impl Fn(&str) -> Option<Guid>) -> String {
    let mut words = files.boot.arguments.clone();
    words.extend(guid("root").map(|guid| format!("root=PARTUUID={guid}")));
    match files.file_system {
        FileSystem::Ext4 => words.push("rw".into()),
        FileSystem::Erofs => words.extend(["ro".into(), "rootfstype=erofs".into()]),
    }
    if files.slot.is_some() {
        words.extend(guid("app").map(|guid| format!("bake.app=PARTUUID={guid}")));
    }
    words.join(" ")
}

/// What the root file system holds, and says of itself.
struct InRoot<'a> {
    model: Disk,
    machine: Machine,
    payload: &'a FileTree,
}

impl<'a> InRoot<'a> {
    fn of(given: &Given<'a>, empty: &'a FileTree) -> Self {
        let Given { model, machine, files, payload } = *given;
        if machine.placement == Placement::Root {
            return Self { model: model.clone(), machine: machine.clone(), payload };
        }
        // A disk whose slot is empty, whoever fills it.
        let machine = Machine {
            system: System::Files(Box::new(files.clone())),
            placement: Placement::Root,
            additions: StatedTree::default(),
            redirects: BTreeMap::new(),
        };
        let model = Disk {
            name: files.name.clone(),
            version: files.version.clone(),
            tree_id: Some(empty.id()),
            machine: Some(machine.clone()),
            ..model.clone()
        };
        Self { model, machine, payload: empty }
    }

    /// Lays out the disk and describes the root file system.
    fn write(
        &self,
        format: &'static str,
        files: &Files,
        identities: &Identities,
        lengths: Lengths,
        cx: &WriteCx<'_>,
    ) -> Result<(Layout, Rope), WriteError> {
        let Self { model, machine, payload } = self;
        let system = Some(&**files.tree.tree());
        let contents = Contents { payload, machine: Some(machine), system };
        let whole = Whole { model, contents, epoch: cx.epoch };
        let write = |size| whole.write(format, files.file_system, size, identities.file_system());
        let start = Layout::new(lengths, 0).root.start;
        let wanted = match model.size {
            DiskSize::Bytes(bytes) => bytes,
            DiskSize::Minimal => {
                let root = write(DiskSize::Minimal)?;
                let layout = Layout::new(lengths, root.len());
                return Ok((layout.clone(), padded(root, len(&layout.root))));
            }
            DiskSize::Multiple(unit) => {
                let least = Layout::new(lengths, write(DiskSize::Minimal)?.len()).disk;
                least.next_multiple_of(unit)
            }
        };
        let room = wanted.saturating_sub(start + MIB);
        let root = write(DiskSize::Bytes(room)).map_err(|error| {
            too_small(error, "the size of the disk in bytes", wanted, |root| start + root + MIB)
        })?;
        Ok((Layout::new(lengths, room), padded(root, room)))
    }
}

/// A slot that is to be filled.
struct Slot<'a> {
    format: &'static str,
    model: Disk,
    machine: Machine,
    payload: &'a FileTree,
}

/// Returns the slot of a disk: it depends on the payload and on the disk's GUID, not on how that disk
/// was made.
fn slot<'a>(
    format: &'static str,
    model: &Disk,
    machine: &Machine,
    guid: Guid,
    payload: &'a FileTree,
) -> Slot<'a> {
    let baked = Baked { guid, file: None, disk: std::sync::Arc::default() };
    let machine = Machine { system: System::Baked(baked), ..machine.clone() };
    let model = Disk {
        size: DiskSize::Minimal,
        label: None,
        tree_id: Some(payload.id()),
        machine: Some(machine.clone()),
        ..model.clone()
    };
    Slot { format, model, machine, payload }
}

impl Slot<'_> {
    fn write(&self, len: u64, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
        let Self { format, model, machine, payload } = self;
        let contents = Contents { payload, machine: Some(machine), system: None };
        let whole = Whole { model, contents, epoch: cx.epoch };
        let identity = slot_identity(model, machine, &payload.id());
        whole
            .write(format, FileSystem::Ext4, DiskSize::Bytes(len), identity)
            .map_err(|error| too_small(error, "the size of the slot in bytes", len, |need| need))
    }
}

/// Derives what makes one slot differ from another.
pub(in super::super) fn slot_identity(
    model: &Disk,
    machine: &Machine,
    payload: &crate::tree::TreeId,
) -> Identity {
    let additions = machine.additions.digest().to_string();
    let payload = payload.to_string();
    let system = match &machine.system {
        System::Baked(baked) => baked.guid.to_string(),
        System::Files(_) => String::new(),
    };
    let fields = [&*model.name, &*model.version, &*model.arch, &*additions, &*payload, &*system];
    let Guid(uuid) = Guid::derive("bake slot 1", &fields);
    Identity { uuid, hash_seed: model.hash_seed() }
}

/// Says how much room is needed, in the words of whoever set the limit.
fn too_small(
    error: WriteError,
    what: &str,
    limit: u64,
    needed: impl FnOnce(u64) -> u64,
) -> WriteError {
    match error {
        WriteError::Limit { format, what: of, found, .. } if of == super::super::ext4::NEEDED => {
            let what = format!("{what} that the files need");
            WriteError::Limit { format, what, limit, found: needed(found) }
        }
        other => other,
    }
}

/// Describes the loader, which knows where kernel and initrd are.
fn loader(
    layout: &Layout,
    esp: &WrittenEsp,
    place: &Range<u64>,
    cmdline: &str,
) -> Result<bios::Written, WriteError> {
    let start = layout.esp.start;
    let on_disk = |range: &Range<u64>| start + range.start..start + range.end;
    bios::write(&bios::Loader {
        kernel: on_disk(&esp.kernel),
        initrd: Some(on_disk(&esp.initrd)),
        command_line: cmdline.into(),
        partition_start: place.start,
    })
}

/// Puts a disk together.
fn join(
    table: &gpt::Table,
    disk: u64,
    mut parts: Vec<(Range<u64>, Rope)>,
) -> Result<Rope, WriteError> {
    let (head, tail) = gpt::write(table, disk)?;
    let mut rope = Rope::from(head);
    parts.sort_by_key(|(range, _)| range.start);
    for (range, part) in parts {
        rope.push_zeros(range.start - rope.len());
        rope.push_rope(&part);
    }
    rope.push_zeros(disk - tail.len() as u64 - rope.len());
    rope.push_bytes(&tail);
    Ok(rope)
}

fn len(range: &Range<u64>) -> u64 {
    range.end - range.start
}

fn padded(mut rope: Rope, len: u64) -> Rope {
    rope.push_zeros(len.saturating_sub(rope.len()));
    rope
}

fn hidden_sectors(range: &Range<u64>) -> u32 {
    u32::try_from(range.start / 512).unwrap_or(u32::MAX)
}
