//! Disks that somebody tampered with end in an error or in a problem, and soon.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::input::ReadAt;
use crate::vm::{DynamicVhd, Vhd, Vhdx, Vmdk};

/// A disk of which some bytes are others; counts what is read.
struct Patched {
    disk: Arc<Vec<u8>>,
    patches: Vec<(u64, Vec<u8>)>,
    read: AtomicU64,
}

impl Patched {
    fn new(disk: &Arc<Vec<u8>>, patches: Vec<(u64, Vec<u8>)>) -> Arc<Self> {
        Arc::new(Self { disk: disk.clone(), patches, read: AtomicU64::new(0) })
    }
}

impl ReadAt for Patched {
    fn len(&self) -> u64 {
        self.disk.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let len = ReadAt::read_at(&*self.disk, offset, buffer)?;
        self.read.fetch_add(len as u64, Ordering::Relaxed);
        for (start, bytes) in &self.patches {
            for (at, byte) in (*start..).zip(bytes) {
                let within = at.checked_sub(offset).and_then(|at| usize::try_from(at).ok());
                if let Some(slot) = within.and_then(|at| buffer[..len].get_mut(at)) {
                    *slot = *byte;
                }
            }
        }
        Ok(len)
    }
}

/// Returns why a disk is not what it should be; `None` if it is clean and reads as the other.
fn noticed<F: Format<Model = Disk>>(
    disk: &Arc<Patched>,
    whole: Option<(&Disk, &FileTree)>,
) -> Option<String> {
    let source = Source::File(disk.clone());
    let read = F::read(&source);
    let verified = F::verify(&source);
    let (limit, found) = (24 * disk.len(), disk.read.load(Ordering::Relaxed));
    assert!(found < limit, "{found} bytes were read of {}", disk.len());
    match (read, verified) {
        (_, Err(error)) => Some(error.to_string()),
        (_, Ok(problems)) if !problems.is_empty() => Some(problems[0].rule.to_owned()),
        (Err(error), Ok(_)) => panic!("it is called clean, but {error}"),
        (Ok(found), Ok(_)) => {
            let same = whole
                .is_some_and(|(model, tree)| found.model == *model && found.tree.id() == tree.id());
            if same { None } else { panic!("it is called clean, and reads as another disk") }
        }
    }
}

fn written<F: Format<Model = Disk>>(store: &MemoryStore, model: &Disk) -> Arc<Vec<u8>> {
    let rope = write::<F>(store, model, &payload(store)).unwrap();
    Arc::new(rope.to_vec(store).unwrap())
}

/// Returns where in a disk the partition is that a name names.
fn place(disk: &Arc<Vec<u8>>, name: &str) -> u64 {
    let table = gpt::read(&**disk).unwrap();
    table.partitions.iter().find(|partition| partition.name == name).unwrap().start
}

/// Returns some places of a range that do not hold zeros.
fn used(disk: &[u8], start: u64, len: usize, step: usize) -> Vec<u64> {
    let from = usize::try_from(start).unwrap();
    let places = (from..from + len).filter(|at| disk[*at] != 0).step_by(step);
    places.map(|at| at as u64).collect()
}

fn find(disk: &[u8], start: u64, wanted: &[u8]) -> u64 {
    let from = usize::try_from(start).unwrap();
    let found = disk[from..].windows(wanted.len()).position(|window| window == wanted);
    start + found.unwrap() as u64
}

#[test]
fn a_flipped_byte_is_noticed_or_changes_nothing() {
    let store = MemoryStore::new();
    let model = disk(&store, system(&store), Placement::Slot);
    let good = written::<Raw>(&store, &model);
    let len = good.len() as u64;
    let [bios, esp, app, root] = ["bios", "esp", "app", "root"].map(|name| place(&good, name));
    let loader = find(&good, esp, b"BOOTX64 EFI");
    let image = find(&good, loader, b"MZ");
    let [record_of_app, record_of_root] =
        [app, root].map(|start| find(&good, start, br#"{"schema":2"#));
    let places = [
        used(&good, 0, 440, 60),
        used(&good, 446, 66, 5),
        used(&good, 512, 92, 7),
        used(&good, 1024, 640, 41),
        used(&good, len - 512, 92, 9),
        used(&good, bios, 4096, 97),
        used(&good, esp, 1024, 23),
        used(&good, loader, 32, 3),
        used(&good, image, 2048, 61),
        used(&good, app + 1024, 1024, 29),
        used(&good, root + 4096, 4096, 7),
        used(&good, record_of_app, 2000, 83),
        used(&good, record_of_root, 2000, 89),
    ];
    let places = places.concat();
    let mut passed = Vec::new();
    for (number, at) in places.iter().copied().enumerate() {
        let flipped = good[usize::try_from(at).unwrap()] ^ 1 << (number % 8);
        let bad = Patched::new(&good, vec![(at, vec![flipped])]);
        if noticed::<Raw>(&bad, Some((&model, &payload(&store)))).is_none() {
            passed.push(at);
        }
    }
    // Nothing on the disk says what the code of the stub should be.
    let stub = image..image + 2048;
    passed.retain(|at| !stub.contains(at));
    // Dates and small letters of names in the ESP, and fields of the slot's record of which the
    // root's record counts.
    assert!(passed.len() < places.len() / 15, "{} of {}: {passed:?}", passed.len(), places.len());
}

/// The start of a disk: its first header and the entries of its table.
struct Start(Vec<u8>);

impl Start {
    const HEADER: usize = 512;
    const ENTRIES: usize = 1024;

    fn of(disk: &[u8]) -> Self {
        Self(disk[..Self::ENTRIES + 128 * 128].to_vec())
    }

    fn set(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Lets a partition be from one sector to another, both included.
    fn lie(&mut self, number: usize, first: u64, last: u64) {
        let at = Self::ENTRIES + number * 128;
        self.set(at + 32, &first.to_le_bytes());
        self.set(at + 40, &last.to_le_bytes());
    }

    fn sectors(&self, number: usize) -> (u64, u64) {
        let at = Self::ENTRIES + number * 128;
        let number = |at: usize| u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap());
        (number(at + 32), number(at + 40))
    }

    /// Corrects both checksums.
    fn sealed(mut self) -> Vec<u8> {
        let entries = crc32fast::hash(&self.0[Self::ENTRIES..]);
        self.set(Self::HEADER + 88, &entries.to_le_bytes());
        self.set(Self::HEADER + 16, &[0; 4]);
        let header = crc32fast::hash(&self.0[Self::HEADER..Self::HEADER + 92]);
        self.set(Self::HEADER + 16, &header.to_le_bytes());
        self.0
    }
}

#[test]
fn tables_that_lie_are_refused() {
    type Change = fn(&mut Start);
    const ESP: usize = 1;
    const SLOT: usize = 3;
    const ROOT: usize = 4;
    let header: [(&str, Change); 5] = [
        ("last usable sector", |start| start.set(Start::HEADER + 48, &[0xff; 8])),
        ("place of the entries", |start| start.set(Start::HEADER + 72, &[0xff; 8])),
        ("number of entries", |start| start.set(Start::HEADER + 80, &[0xff; 4])),
        ("length of entries", |start| start.set(Start::HEADER + 84, &[0xff; 4])),
        ("guid", |start| start.set(Start::HEADER + 56, &[7; 16])),
    ];
    let entries: [(&str, Change); 10] = [
        ("the last sectors there can be", |start| start.lie(ESP, u64::MAX - 1, u64::MAX)),
        ("no end", |start| start.lie(ROOT, start.sectors(ROOT).0, u64::MAX)),
        ("the end before the start", |start| start.lie(ROOT, 9000, 8000)),
        ("nothing", |start| start.lie(ESP, 4096, 4095)),
        ("over another", |start| start.lie(ROOT, start.sectors(ESP).0, start.sectors(ESP).1)),
        ("over the table", |start| start.lie(ESP, 0, 4095)),
        ("one sector of the root", |start| {
            start.lie(ROOT, start.sectors(ROOT).0, start.sectors(ROOT).0);
        }),
        ("one sector of the slot", |start| {
            start.lie(SLOT, start.sectors(SLOT).0, start.sectors(SLOT).0);
        }),
        ("one sector of the ESP", |start| {
            start.lie(ESP, start.sectors(ESP).0, start.sectors(ESP).0);
        }),
        ("each in the place of the other", |start| {
            let (esp, slot) = (start.sectors(ESP), start.sectors(SLOT));
            start.lie(ESP, slot.0, slot.1);
            start.lie(SLOT, esp.0, esp.1);
        }),
    ];
    let store = MemoryStore::new();
    let good = written::<Raw>(&store, &disk(&store, system(&store), Placement::Slot));
    for (what, change) in header.into_iter().chain(entries) {
        let mut start = Start::of(&good);
        change(&mut start);
        let bad = Patched::new(&good, vec![(0, start.sealed())]);
        assert!(noticed::<Raw>(&bad, None).is_some(), "{what}");
    }
    // Sealing itself is right.
    let same = Patched::new(&good, vec![(0, Start::of(&good).sealed())]);
    assert_eq!(Raw::verify(&Source::File(same)).unwrap(), []);
}

#[test]
fn records_that_lie_are_refused() {
    let store = MemoryStore::new();
    let good = written::<Raw>(&store, &disk(&store, system(&store), Placement::Slot));
    let [app, root] = ["app", "root"].map(|name| place(&good, name));
    let forged = |start: u64, from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let record = find(&good, start, br#"{"schema":2"#);
        let at = find(&good, record, from.as_bytes());
        let bad = Patched::new(&good, vec![(at, to.as_bytes().to_vec())]);
        noticed::<Raw>(&bad, None).unwrap_or_else(|| panic!("{from} as {to}"))
    };
    for (from, to, reason) in [
        (r#"],"payload":["/"#, r#"],"payload":["."#, "tree.json"),
        (r#""/lib/app/same""#, r#""/lib/app/else""#, "not there"),
        (r#""/lib/app/same""#, r#""/lib/app/plug""#, "not there"),
        (r#""schema":2"#, r#""schema":1"#, "schema"),
        (r#"{"/lib":"/usr/lib"}"#, r#"{"/lib":"/usr/bin"}"#, "not there"),
        (r#"{"/lib":"/usr/lib"}"#, r#"{"/lib":"/lib/usr"}"#, "not there"),
    ] {
        let found = forged(app, from, to);
        assert!(found.contains(reason), "{to}: {found}");
    }
    for (from, to) in [
        (r#""additions":["/etc"#, r#""additions":["/etd"#),
        (r#""version":"12""#, r#""version":"13""#),
        (r#""name":"debian""#, r#""name":"debiam""#),
        (r#""console=ttyS0""#, r#""console=ttyS1""#),
        (r#""6.1.0-test""#, r#""6.1.0-best""#),
    ] {
        let start = if from.contains("additions") { app } else { root };
        forged(start, from, to);
    }
}

/// Flips bytes at the start and the end of a file that holds a disk.
fn assert_containers<F: Format<Model = Disk>>(store: &MemoryStore, model: &Disk) {
    let good = written::<F>(store, model);
    let len = good.len() as u64;
    let mut places = used(&good, 0, 1024, 19);
    places.extend(used(&good, len - 1024, 1024, 41));
    for (number, at) in places.into_iter().enumerate() {
        let flipped = good[usize::try_from(at).unwrap()] ^ 1 << (number % 8);
        for bytes in [vec![flipped], vec![0xff; 8]] {
            let bad = Patched::new(&good, vec![(at.min(len - 8), bytes)]);
            // A name that only programs of the maker show may be another.
            let source = Source::File(bad.clone());
            if F::verify(&source).is_ok_and(|problems| problems.is_empty()) {
                let found = F::read(&source).unwrap();
                assert_eq!(found.tree.id(), payload(store).id(), "{} at {at}", F::NAME);
            }
            let (limit, found) =
                (64 * MIB + 64 * good.len() as u64, bad.read.load(Ordering::Relaxed));
            assert!(found < limit, "{}: {found} bytes were read of {len}", F::NAME);
        }
    }
    for len in [0, 511, 512, 4096, good.len() / 2, good.len() - 1] {
        // What is missing may be padding.
        let source = Source::from_bytes(good[..len].to_vec());
        if F::verify(&source).is_ok_and(|problems| problems.is_empty()) {
            assert_eq!(F::read(&source).unwrap().tree.id(), payload(store).id(), "{}", F::NAME);
            assert!(len + 65536 > good.len(), "{} of {len} bytes", F::NAME);
        }
    }
}

#[test]
fn containers_of_machines_hold_what_was_written_or_are_refused() {
    let store = MemoryStore::new();
    let mut files = system(&store);
    (files.slot, files.seed) = (None, None);
    let model = disk(&store, files, Placement::Root);
    assert_containers::<Qcow2>(&store, &model);
    assert_containers::<Vmdk>(&store, &model);
    assert_containers::<Vhd>(&store, &model);
    assert_containers::<DynamicVhd>(&store, &model);
    assert_containers::<Vhdx>(&store, &model);
    let (_, baked) = base(&store);
    assert_containers::<Overlay>(&store, &on_base(&store, &baked));
}

/// A base whose system has more, and how many bytes of it have been read.
fn base_with(store: &MemoryStore, more: &[(String, Entry)]) -> Arc<Patched> {
    let mut files = system(store);
    let own = files.tree.tree().iter().map(|(path, entry)| (path.to_string(), entry.clone()));
    let entries: Vec<(String, Entry)> = own.chain(more.iter().cloned()).collect();
    let whole = tree(entries.iter().map(|(name, entry)| (name.as_str(), entry.clone())));
    files.tree = StatedTree::new(Arc::new(whole.explicit()));
    let mut model = disk(store, files, Placement::Root);
    model.tree_id = None;
    if let Some(machine) = &mut model.machine {
        (machine.additions, machine.redirects) = (StatedTree::default(), [].into());
    }
    let rope = write::<Raw>(store, &model, &FileTree::default()).unwrap();
    Patched::new(&Arc::new(rope.to_vec(store).unwrap()), Vec::new())
}

fn open(disk: &Arc<Patched>) -> BaseDisk {
    let file: Arc<dyn ReadAt> = disk.clone();
    BaseDisk::open(&file).unwrap()
}

#[test]
fn links_that_lead_nowhere_end() {
    let store = MemoryStore::new();
    let deep = format!("/{}", "deep/".repeat(700));
    let links = [
        ("/one", "two"),
        ("/two", "/one"),
        ("/self", "self"),
        ("/inside", "inside/x"),
        ("/apart", "/apart/b/../../apart"),
        ("/up", "../../../.."),
        ("/long", &*deep),
        ("/deep", "long"),
    ];
    let links = links.map(|(name, target)| (name.to_owned(), Entry::symlink(target)));
    let disk = base_with(&store, &links);
    let base = open(&disk);
    let before = disk.read.load(Ordering::Relaxed);
    for (name, ends) in [
        ("/one/x", true),
        ("/self/x", true),
        ("/inside/x", false),
        ("/apart/x", true),
        ("/up/etc/hostname", true),
        ("/long/x", false),
    ] {
        let found = base.glimpse([&path(name)]);
        assert_eq!(found.is_ok(), ends, "{name}: {:?}", found.err().map(|error| error.to_string()));
    }
    let read = disk.read.load(Ordering::Relaxed) - before;
    assert!(read < 16 * MIB, "{read} bytes were read");
    let up = base.glimpse([&path("/up/etc/hostname")]).unwrap();
    assert!(up.get(&path("/etc/hostname")).is_some());
}

#[test]
fn what_lies_beside_is_not_read() {
    let store = MemoryStore::new();
    let many: Vec<(String, Entry)> = (0..8000)
        .map(|number| (format!("/usr/share/many/entry-{number}"), file(&store, b"one of many")))
        .collect();
    let disk = base_with(&store, &many);
    let base = open(&disk);
    let read = |paths: &[&str]| {
        let before = disk.read.load(Ordering::Relaxed);
        let paths: Vec<TreePath> = paths.iter().map(|text| path(text)).collect();
        let tree = base.glimpse(&paths).unwrap();
        (tree, disk.read.load(Ordering::Relaxed) - before)
    };
    let (tree, beside) = read(&["/etc/hostname", "/usr/share"]);
    assert!(tree.get(&path("/etc/hostname")).is_some() && tree.len() < 8, "{}", tree.len());
    assert!(beside < 64 << 10, "{beside} bytes were read");
    // A directory is read when something in it is wanted, but not what else is there.
    let (tree, within) = read(&["/usr/share/many/entry-7"]);
    assert!(tree.get(&path("/usr/share/many/entry-7")).is_some() && tree.len() < 8);
    assert!(within < 1 << 20, "{within} bytes were read");
}
