//! The laws of `Format` for machines, what ties their parts together, and what is refused.

use std::sync::Arc;

use super::*;
use crate::blob::{Blob, BlobStore, MemoryStore};
use crate::boot::tests::handmade;
use crate::encode::{Compression, Encoder, NoCache};
use crate::format::{Epoch, Format, WriteCx, WriteError};
use crate::input::Source;
use crate::rope::Rope;
use crate::tree::{Content, Entry, FileTree, Mode, Node, Owner, StatedTree, TreeBuilder, TreePath};
use crate::vm::qcow2::{Backing, BackingFormat};
use crate::vm::{Disk, DiskSize, Facts, Guid, Hardware, Ova, Overlay, Qcow2, Raw, gpt, ova};

mod hostile;

const MIB: u64 = 1 << 20;

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn file(store: &MemoryStore, bytes: &[u8]) -> Entry {
    store.put(bytes).unwrap();
    Entry::file(Content::of(bytes), Mode::PLAIN)
}

fn tree<'a>(entries: impl IntoIterator<Item = (&'a str, Entry)>) -> FileTree {
    let mut builder = TreeBuilder::new();
    for (name, entry) in entries {
        builder.insert(path(name), entry).unwrap();
    }
    builder.finish().unwrap()
}

/// A payload with a directory that the system has as a link, and a hard link across it.
fn payload(store: &MemoryStore) -> FileTree {
    let mut owned = file(store, b"data");
    owned.owner = Owner::new("app", 990);
    tree([
        ("/usr/bin/app", file(store, &b"program ".repeat(5000))),
        ("/lib/app/same", Entry::new(Node::HardLink(path("/usr/bin/app")), Mode::PLAIN)),
        ("/lib/app/plugin", file(store, b"plugin")),
        ("/var/lib/app/data", owned),
    ])
}

fn additions(store: &MemoryStore) -> StatedTree {
    let wants = "/etc/systemd/system/multi-user.target.wants/app.service";
    StatedTree::new(Arc::new(tree([
        (
            "/etc/passwd",
            file(store, b"root:x:0:0::/root:/bin/sh\napp:x:990:990::/:/sbin/nologin\n"),
        ),
        (wants, Entry::symlink("/usr/lib/systemd/system/app.service")),
    ])))
}

/// A system without what the payload or the additions bring.
fn system(store: &MemoryStore) -> Files {
    let kernel = handmade::bzimage(b"kernel");
    let stub = handmade::stub(0x8664);
    let blob = |bytes: &[u8]| store.put(bytes).unwrap();
    let initrd = tree([("/init", file(store, b"init"))]).explicit();
    Files {
        name: "debian".into(),
        version: "12".into(),
        tree: StatedTree::new(Arc::new(
            tree([
                ("/lib", Entry::symlink("usr/lib")),
                ("/usr/sbin/init", file(store, b"the init of the system")),
                ("/etc/hostname", file(store, b"localhost\n")),
                ("/proc", Entry::directory()),
            ])
            .explicit(),
        )),
        boot: Boot {
            firmware: Firmware::Hybrid,
            kernel: Kernel { version: "6.1.0-test".into(), image: blob(&kernel) },
            stub: Some(blob(&stub)),
            initrd: Initrd::Files {
                tree: StatedTree::new(Arc::new(initrd)),
                compression: Compression::ZSTD,
            },
            arguments: vec!["console=ttyS0".into()],
            os_release: "ID=debian\n".into(),
        },
        file_system: FileSystem::Ext4,
        slot: Some(32 * MIB),
        seed: Some(MIB),
    }
}

fn disk(store: &MemoryStore, files: Files, placement: Placement) -> Disk {
    Disk {
        name: "app".into(),
        version: "1.0".into(),
        arch: "amd64".into(),
        size: DiskSize::Minimal,
        label: Some("root".into()),
        tree_id: Some(payload(store).id()),
        machine: Some(Machine {
            system: System::Files(Box::new(files)),
            placement,
            additions: additions(store),
            redirects: [(path("/lib"), path("/usr/lib"))].into(),
        }),
        compression: None,
        hardware: None,
    }
}

fn write<F: Format<Model = Disk>>(
    store: &MemoryStore,
    model: &Disk,
    tree: &FileTree,
) -> Result<Rope, WriteError> {
    let encoder = Encoder::new(store, &NoCache, 2);
    let cx = WriteCx { blobs: store, encoder: &encoder, epoch: Epoch(1_704_067_200) };
    F::write(model, tree, &cx).map(|mut artifact| artifact.files.remove(0).rope)
}

/// Writing and reading back gives the same, and the artifact is clean; returns the bytes.
fn assert_laws<F: Format<Model = Disk>>(
    store: &MemoryStore,
    model: &Disk,
    tree: &FileTree,
) -> Vec<u8> {
    let bytes = write::<F>(store, model, tree).unwrap().to_vec(store).unwrap();
    let source = Source::from_bytes(bytes.clone());
    let unpacked = F::read(&source).unwrap();
    assert_eq!(unpacked.tree.id(), tree.id());
    assert!(unpacked.model == *model, "{}", difference(&unpacked.model, model));
    assert_eq!(unpacked.declared, model.tree_id);
    crate::wanted::tests::assert_visits::<F>(&source, &unpacked.tree);
    assert_eq!(F::verify(&source).unwrap(), []);
    bytes
}

/// Returns two models as JSON, which is shorter than what is derived.
fn difference(found: &Disk, expected: &Disk) -> String {
    let text = |disk: &Disk| serde_json::to_string_pretty(disk).unwrap();
    format!("found {}\nexpected {}", text(found), text(expected))
}

/// Returns the part of a disk that a partition's name names.
fn part<'a>(disk: &'a [u8], name: &str) -> &'a [u8] {
    let table = gpt::read(&disk.to_vec()).unwrap();
    let found = table.partitions.iter().find(|partition| partition.name == name).unwrap();
    let range = found.range();
    &disk[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

#[test]
fn obeys_the_laws_wherever_the_payload_is() {
    let store = MemoryStore::new();
    let payload = payload(&store);
    for placement in [Placement::Root, Placement::Slot] {
        assert_laws::<Raw>(&store, &disk(&store, system(&store), placement), &payload);
        let packed = Disk {
            compression: Some(Compression::ZSTD),
            ..disk(&store, system(&store), placement)
        };
        assert_laws::<Qcow2>(&store, &packed, &payload);
    }
}

#[test]
fn obeys_the_laws_with_every_firmware_and_file_system() {
    let store = MemoryStore::new();
    let payload = payload(&store);
    for firmware in [Firmware::Uefi, Firmware::Bios] {
        let mut files = system(&store);
        files.boot.firmware = firmware;
        files.boot.stub = files.boot.stub.filter(|_| firmware.has_uefi());
        (files.slot, files.seed) = (None, None);
        assert_laws::<Raw>(&store, &disk(&store, files, Placement::Root), &payload);
    }
    let mut files = system(&store);
    files.file_system = FileSystem::Erofs;
    files.boot.initrd = Initrd::Image(store.put(b"an initrd of the base").unwrap());
    assert_laws::<Raw>(&store, &disk(&store, files, Placement::Slot), &payload);
}

#[test]
fn sizes_are_kept_and_too_small_ones_say_how_much_is_needed() {
    let store = MemoryStore::new();
    let payload = payload(&store);
    let sized = |size| Disk { size, ..disk(&store, system(&store), Placement::Root) };
    let bytes = assert_laws::<Raw>(&store, &sized(DiskSize::Bytes(256 * MIB)), &payload);
    assert_eq!(bytes.len() as u64, 256 * MIB);
    let bytes = assert_laws::<Raw>(&store, &sized(DiskSize::Multiple(96 * MIB)), &payload);
    assert_eq!(bytes.len() as u64 % (96 * MIB), 0);
    let error = write::<Raw>(&store, &sized(DiskSize::Bytes(100 * MIB)), &payload).unwrap_err();
    let WriteError::Limit { what, limit, found, .. } = error else { panic!("{error}") };
    assert_eq!(what, "the size of the disk in bytes that the files need");
    assert_eq!(limit, 100 * MIB);
    // What is asked for is enough.
    assert_laws::<Raw>(&store, &sized(DiskSize::Bytes(found)), &payload);

    let mut files = system(&store);
    files.slot = Some(2 * MIB);
    let model = disk(&store, files, Placement::Slot);
    let error = write::<Raw>(&store, &model, &payload).unwrap_err();
    let WriteError::Limit { what, limit, found, .. } = error else { panic!("{error}") };
    assert_eq!(what, "the size of the slot in bytes that the files need");
    assert_eq!(limit, 2 * MIB);
    let mut files = system(&store);
    files.slot = Some(found);
    assert_laws::<Raw>(&store, &disk(&store, files, Placement::Slot), &payload);
}

/// A base whose slot is empty, and what is known of it.
fn base(store: &MemoryStore) -> (Vec<u8>, Baked) {
    let mut model = disk(store, system(store), Placement::Root);
    (model.name, model.version) = ("debian".into(), "12".into());
    let empty = FileTree::default();
    model.tree_id = Some(empty.id());
    if let Some(machine) = &mut model.machine {
        (machine.additions, machine.redirects) = (StatedTree::default(), [].into());
    }
    let bytes = assert_laws::<Raw>(store, &model, &empty);
    let guid = gpt::read(&bytes).unwrap().guid;
    let rope = Rope::from(store.put(&bytes).unwrap());
    let file = Backing::new("debian.raw", BackingFormat::Raw).unwrap();
    (bytes, Baked { guid, file: Some(file), disk: Arc::new(rope) })
}

fn on_base(store: &MemoryStore, baked: &Baked) -> Disk {
    let mut model = disk(store, system(store), Placement::Slot);
    model.label = None;
    if let Some(machine) = &mut model.machine {
        machine.system = System::Baked(baked.clone());
    }
    model
}

#[test]
fn a_filled_slot_is_what_a_full_bake_gives() {
    let store = MemoryStore::new();
    let payload = payload(&store);
    let (empty, baked) = base(&store);
    let full = assert_laws::<Raw>(&store, &disk(&store, system(&store), Placement::Slot), &payload);
    let filled = write::<Raw>(&store, &on_base(&store, &baked), &payload).unwrap();
    assert!(filled.to_vec(&store).unwrap() == full, "the same bytes");
    // Nothing but the slot differs from the base.
    for name in ["bios", "esp", "cidata", "root"] {
        assert!(part(&empty, name) == part(&full, name), "{name}");
    }
    assert!(part(&empty, "app").iter().all(|byte| *byte == 0));
    assert_ne!(part(&empty, "app"), part(&full, "app"));
}

#[test]
fn an_overlay_alone_tells_its_payload() {
    let store = MemoryStore::new();
    let payload = payload(&store);
    let (_, baked) = base(&store);
    let bytes = assert_laws::<Overlay>(&store, &on_base(&store, &baked), &payload);
    assert!(bytes.len() < 40 << 20, "{} bytes", bytes.len());
    let mut unnamed = baked.clone();
    unnamed.file = None;
    assert!(write::<Overlay>(&store, &on_base(&store, &unnamed), &payload).is_err());
    let whole = disk(&store, system(&store), Placement::Slot);
    let error = write::<Overlay>(&store, &whole, &payload).unwrap_err().to_string();
    assert!(error.contains("baked before"), "{error}");
}

#[test]
fn a_slot_is_for_one_disk_only() {
    let store = MemoryStore::new();
    let payload = payload(&store);
    let (empty, baked) = base(&store);
    let mut other = baked.clone();
    other.guid = Guid::from_u128(7);
    let error = write::<Raw>(&store, &on_base(&store, &other), &payload).unwrap_err().to_string();
    assert!(error.contains("its GUID is"), "{error}");
    let mut unslotted = system(&store);
    unslotted.slot = None;
    let model = disk(&store, unslotted, Placement::Root);
    let bytes = write::<Raw>(&store, &model, &payload).unwrap().to_vec(&store).unwrap();
    let guid = gpt::read(&bytes).unwrap().guid;
    let rope = Arc::new(Rope::from(store.put(&bytes).unwrap()));
    let without = Baked { guid, file: None, disk: rope };
    let error = write::<Raw>(&store, &on_base(&store, &without), &payload).unwrap_err().to_string();
    assert!(error.contains("it has no slot"), "{error}");
    drop(empty);
}

#[test]
fn verify_notices_what_does_not_belong() {
    let store = MemoryStore::new();
    let model = disk(&store, system(&store), Placement::Slot);
    let good = write::<Raw>(&store, &model, &payload(&store)).unwrap().to_vec(&store).unwrap();
    let place = |name: &str| {
        let table = gpt::read(&good).unwrap();
        let found = table.partitions.iter().find(|found| found.name == name).unwrap().clone();
        usize::try_from(found.start).unwrap()
    };
    // The boot code, the loader's table, the kernel, the name of the slot, a file, the last header.
    let kernel = good.windows(6).position(|window| window == b"kernel").unwrap();
    let root = place("root");
    let hostname = good[root..].windows(10).position(|window| window == b"localhost\n").unwrap();
    let places = [
        16,
        place("bios") + 1536,
        kernel,
        place("app") + 1024 + 0x78,
        root + hostname,
        good.len() - 500,
    ];
    for at in places {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let found = Raw::verify(&Source::from_bytes(bad));
        assert!(found.is_err() || found.is_ok_and(|found| !found.is_empty()), "{at}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let store = MemoryStore::new();
    let payload = payload(&store);
    let mut files = system(&store);
    let twice = tree([("/usr/bin/app", file(&store, b"another"))]);
    files.tree = StatedTree::new(Arc::new(twice));
    let error = write::<Raw>(&store, &disk(&store, files, Placement::Root), &payload).unwrap_err();
    assert!(error.to_string().contains("two entries for `/usr/bin/app`"), "{error}");
    let mut files = system(&store);
    files.boot.stub = None;
    let error = write::<Raw>(&store, &disk(&store, files, Placement::Root), &payload).unwrap_err();
    assert!(error.to_string().contains("UEFI needs systemd's stub"), "{error}");
    let mut files = system(&store);
    files.boot.kernel.image = Blob::of(b"not a kernel");
    store.put(b"not a kernel").unwrap();
    let error = write::<Raw>(&store, &disk(&store, files, Placement::Root), &payload).unwrap_err();
    assert!(error.to_string().contains("kernel"), "{error}");
}

#[test]
fn bundles_say_what_starts_the_disk_and_what_runs_on_it() {
    let store = MemoryStore::new();
    let payload = payload(&store);
    let hardware = Some(Hardware { cpus: 2, memory: 512 });
    for (firmware, expected) in
        [(Firmware::Hybrid, "bios"), (Firmware::Bios, "bios"), (Firmware::Uefi, "efi")]
    {
        let mut files = system(&store);
        files.boot.firmware = firmware;
        files.boot.stub = files.boot.stub.filter(|_| firmware.has_uefi());
        let model = Disk { hardware, ..disk(&store, files, Placement::Slot) };
        let bytes = assert_laws::<Ova>(&store, &model, &payload);
        let source = Source::from_bytes(bytes);
        let appliance = ova::OvaReader::open(source.file().unwrap()).unwrap();
        let firmware_is = format!("vmw:key=\"firmware\" vmw:value=\"{expected}\"");
        assert!(appliance.ovf().contains(&firmware_is), "{firmware:?}");
        assert!(appliance.ovf().contains("debian10_64Guest"));
        let facts = Facts::read(&source).unwrap();
        assert_eq!((facts.name.as_str(), facts.arch.as_str()), ("app", "amd64"));
        assert_eq!(facts.firmware, firmware);
    }
}
