//! Volumes good and hostile.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use proptest::prelude::*;

use super::geometry::{Geometry, Need, Width};
use super::*;
use crate::blob::{BlobStore, MemoryStore};
use crate::digest::Digest;
use crate::format::{Epoch, ReadError, WriteError};
use crate::input::Section;
use crate::rope::Extent;
use crate::tree::{Content, Entry, FileTree, Mode, Node, TreeBuilder, TreePath};

const MIB: u64 = 1 << 20;

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn volume(kind: Kind, size: Option<u64>) -> Volume<'static> {
    Volume {
        format: "test",
        label: Some("A LABEL"),
        serial: 0x1234_abcd,
        size,
        kind,
        hidden_sectors: 2048,
        epoch: Epoch(1_600_000_000),
        inline: BTreeMap::new(),
    }
}

fn tree(store: &MemoryStore, files: &[(&str, &[u8])]) -> FileTree {
    let mut builder = TreeBuilder::new();
    for (name, bytes) in files {
        store.put(bytes).unwrap();
        builder.insert(path(name), Entry::file(Content::of(bytes), Mode::PLAIN)).unwrap();
    }
    builder.finish().unwrap()
}

/// A tree with what makes a difference: long names, an empty file, directories in directories, and
/// one that takes several clusters.
fn sample(store: &MemoryStore) -> FileTree {
    let many: Vec<String> = (0..40).map(|number| format!("/EFI/many/file {number}")).collect();
    let mut files: Vec<(&str, &[u8])> =
        many.iter().map(|name| (name.as_str(), b"of many".as_slice())).collect();
    files.extend([
        ("/EFI/BOOT/BOOTX64.EFI", [7; 9000].as_slice()),
        ("/EFI/Linux/app_1.2.3.efi", [8; 512].as_slice()),
        ("/empty", b""),
        ("/loader/loader.conf", b"timeout 0\n"),
        ("/a/b/c/d/e/näme 𝄞", b"deep"),
    ]);
    let mut builder = TreeBuilder::from(tree(store, &files));
    builder.insert(path("/nothing"), Entry::directory()).unwrap();
    builder.finish().unwrap()
}

fn image(tree: &FileTree, volume: &Volume<'_>, store: &MemoryStore) -> Vec<u8> {
    write(tree, volume).unwrap().rope.to_vec(store).unwrap()
}

fn open(image: &[u8]) -> FatReader {
    FatReader::open(Arc::new(image.to_vec())).unwrap()
}

fn rules(image: &[u8]) -> Vec<&'static str> {
    let mut rules: Vec<_> =
        open(image).check().unwrap().iter().map(|problem| problem.rule).collect();
    rules.dedup();
    rules
}

/// One volume of each width.
const VOLUMES: [(Kind, u64, &[u8; 5]); 3] = [
    (Kind::Smallest, MIB, b"FAT12"),
    (Kind::Smallest, 40 * MIB, b"FAT16"),
    (Kind::Fat32, 40 * MIB, b"FAT32"),
];

#[test]
fn reading_undoes_writing_whatever_the_width() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    for (kind, size, name) in VOLUMES {
        let image = image(&tree, &volume(kind, Some(size)), &store);
        let stated = [&image[54..59], &image[82..87]];
        assert!(stated.contains(&name.as_slice()), "{stated:?}");
        assert!(FatReader::is_at_start_of(&image));
        let volume = open(&image);
        assert_eq!(volume.check().unwrap(), []);
        assert_eq!(volume.tree().unwrap().id(), tree.id());
        assert_eq!(volume.label().unwrap().as_deref(), Some("A LABEL"));
        assert_eq!(volume.serial(), 0x1234_abcd);
    }
}

#[test]
fn the_bytes_stay_the_same() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let digests = VOLUMES.map(|(kind, size, _)| {
        write(&tree, &volume(kind, Some(size))).unwrap().rope.blob(&store).unwrap().digest.hex()
    });
    assert_eq!(
        digests,
        [
            "2893c32267b9c5744513eff62e156678324da2163b72e4e8ff1e52cecf2e34f4",
            "8752548a9a7863bb574c5bc5f35b6842afac62b8fefd43a40609a6d836c93c92",
            "e3673272d379705a10bc0a2de7d508355db3f14c8452fe5f07fc4546c8ed284c"
        ]
    );
}

#[test]
fn contents_are_where_the_places_say() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    for (kind, size, _) in VOLUMES {
        let written = write(&tree, &volume(kind, Some(size))).unwrap();
        let files = tree.iter().filter(|(_, entry)| !entry.is_directory());
        assert_eq!(written.places.len(), files.clone().count());
        for (path, _) in files {
            let place = written.places[path].clone();
            let there = written.rope.slice(place).blob(&store).unwrap();
            let content = tree.content(path).unwrap();
            assert_eq!((there.digest, there.size), (content.digest, content.size), "{path}");
        }
        // Nothing that is a file's was copied.
        let blobs = written.rope.extents().filter(|extent| matches!(extent, Extent::Blob { .. }));
        assert_eq!(blobs.count(), written.places.len() - 1);
    }
}

#[test]
fn inline_contents_need_no_store() {
    let bytes = b"inline".to_vec();
    let tree = tree(&MemoryStore::new(), &[("/a", &bytes)]);
    let inline = BTreeMap::from([(Digest::of(&bytes), bytes)]);
    let volume = Volume { inline, ..volume(Kind::Smallest, None) };
    let image = image(&tree, &volume, &MemoryStore::new());
    assert_eq!(open(&image).tree().unwrap().id(), tree.id());
}

#[test]
fn a_file_is_found_whatever_the_case() {
    let store = MemoryStore::new();
    let image = image(&sample(&store), &volume(Kind::Fat32, None), &store);
    let volume = open(&image);
    let read = |name: &str| {
        let mut bytes = Vec::new();
        let file = Arc::new(volume.file(&path(name)).unwrap()?);
        Section::whole(file).read_to_end(&mut bytes).unwrap();
        Some(bytes)
    };
    assert_eq!(read("/efi/boot/bootx64.efi"), Some(vec![7; 9000]));
    assert_eq!(read("/Loader/LOADER.conf"), Some(b"timeout 0\n".to_vec()));
    assert_eq!(read("/empty"), Some(Vec::new()));
    for missing in ["/", "/efi", "/efi/boot/none", "/empty/x", "/none/x"] {
        assert_eq!(read(missing), None, "{missing}");
    }
}

#[test]
fn whatever_is_needed_is_enough() {
    let store = MemoryStore::new();
    let sizes = [0, 3000, 2_500_000];
    for size in sizes {
        let tree = tree(&store, &[("/file", &vec![1; size]), ("/b/c", b"")]);
        for kind in [Kind::Smallest, Kind::Fat32] {
            let least = needed(&tree, &volume(kind, None)).unwrap();
            assert!(least >= size as u64);
            let short = write(&tree, &volume(kind, Some(least - 512))).unwrap_err().to_string();
            assert!(short.contains(&format!("at least {least} bytes")), "{short}");
            for more in [0, 512, 65_536 + 512, 5 * MIB + 1024] {
                let image = image(&tree, &volume(kind, Some(least + more)), &store);
                assert_eq!(image.len() as u64, least + more);
                assert_eq!(rules(&image), [""; 0], "{size} {kind:?} {more}");
                assert_eq!(open(&image).tree().unwrap().id(), tree.id());
            }
            let rope = write(&tree, &volume(kind, None)).unwrap().rope;
            assert_eq!(rope.len(), least.next_multiple_of(MIB));
        }
    }
}

#[test]
fn widths_are_far_from_where_they_divide() {
    for sectors in (100..300_000).step_by(97) {
        let volume = volume(Kind::Smallest, Some(sectors * 512));
        let (geometry, len) = Geometry::choose(&volume, &Need::default()).unwrap();
        assert_eq!(len, sectors * 512);
        for divide in [4085, 65_525] {
            assert!(geometry.clusters.abs_diff(divide) >= 16, "{sectors}: {}", geometry.clusters);
        }
        assert_eq!(Width::of_clusters(geometry.clusters), geometry.width);
        // Little is left over.
        assert!(sectors - geometry.sectors < 16, "{sectors}: {}", geometry.sectors);
    }
}

#[test]
fn large_volumes_take_memory_for_what_they_hold() {
    let mut builder = TreeBuilder::new();
    for number in 0..4 {
        let content = Content { size: (4 << 30) - 1, ..Content::of(&[number]) };
        builder.insert(path(&format!("/{number}")), Entry::file(content, Mode::PLAIN)).unwrap();
    }
    let tree = builder.finish().unwrap();
    let written = write(&tree, &volume(Kind::Smallest, Some(1 << 40))).unwrap();
    assert_eq!(written.rope.len(), 1 << 40);
    let inline = written.rope.extents().filter(|extent| matches!(extent, Extent::Inline(_)));
    assert!(inline.map(|extent| extent.len()).sum::<u64>() < 8 * MIB);
    let huge = volume(Kind::Smallest, Some(1 << 42));
    assert_eq!(write(&tree, &huge).unwrap().rope.len(), 1 << 42);
}

fn refusal(entries: Vec<(TreePath, Entry)>) -> String {
    let mut builder = TreeBuilder::new();
    for (path, entry) in entries {
        builder.insert(path, entry).unwrap();
    }
    let tree = builder.finish().unwrap();
    write(&tree, &volume(Kind::Fat32, None)).unwrap_err().to_string()
}

#[test]
fn refuses_what_fat_cannot_carry() {
    let file = || Entry::file(Content::of(b""), Mode::PLAIN);
    let named = |name: &[u8]| refusal(vec![(TreePath::parse(name).unwrap(), file())]);
    let node = |node| refusal(vec![(path("/x"), Entry::new(node, Mode::PLAIN))]);
    assert!(node(Node::Symlink(b"y".to_vec())).contains("it is a symbolic link"));
    assert!(node(Node::Fifo).contains("it is a named pipe"));
    let link = Entry::new(Node::HardLink(path("/a")), Mode::PLAIN);
    let linked = refusal(vec![(path("/a"), file()), (path("/b"), link)]);
    assert!(linked.contains("cannot carry the entry of `/b`: it is a hard link"), "{linked}");
    let mut attributed = file();
    attributed.xattrs.insert("user.x".into(), Vec::new());
    assert!(refusal(vec![(path("/x"), attributed)]).contains("the attribute user.x of `/x`"));
    assert!(named(b"a:b").contains("FAT forbids ':'"));
    assert!(named(b"a/b.").contains("dots at its end"));
    assert!(named(b"\xff").contains("not UTF-8"));
    let clash = refusal(vec![(path("/ä/Name"), file()), (path("/Ä"), file())]);
    assert!(clash.contains("differs from `/"), "{clash}");
    let large = Entry::file(Content { size: 1 << 32, ..Content::of(b"") }, Mode::PLAIN);
    assert!(
        refusal(vec![(path("/x"), large)]).contains("at most 4294967295 for the bytes of `/x`")
    );
    let many = (0..21_900).map(|number| (path(&format!("/a long name {number}")), file()));
    assert!(refusal(many.collect()).contains("the entries of the directory `/`"));
}

#[test]
fn refuses_labels_that_some_would_not_read() {
    let tree = TreeBuilder::new().finish().unwrap();
    for label in ["", "twelve chars", "lower", "TWELVE CHARS", "A.B", " A", "A ", "Ä"] {
        let volume = Volume { label: Some(label), ..volume(Kind::Smallest, None) };
        let error = write(&tree, &volume);
        assert!(matches!(error, Err(WriteError::Field { .. })), "{label}");
    }
    let bare = Volume { label: None, ..volume(Kind::Smallest, None) };
    assert_eq!(open(&image(&tree, &bare, &MemoryStore::new())).label().unwrap(), None);
}

/// Returns an image with some bytes replaced.
fn with(image: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut image = image.to_vec();
    image[at..at + bytes.len()].copy_from_slice(bytes);
    image
}

#[test]
fn refuses_boot_sectors_it_cannot_trust() {
    let store = MemoryStore::new();
    let tree = sample(&store);
    let wide = image(&tree, &volume(Kind::Fat32, None), &store);
    let narrow = image(&tree, &volume(Kind::Smallest, None), &store);
    let cases: [(&str, &Vec<u8>, usize, &[u8]); 15] = [
        ("55 aa", &wide, 510, &[0]),
        ("a jump", &wide, 0, &[0]),
        ("sectors of 512", &wide, 11, &[0, 0]),
        ("sectors of 512", &wide, 11, &[0, 3]),
        ("sectors of 512", &wide, 11, &[0, 0x20]),
        ("clusters of 1", &wide, 13, &[3]),
        ("clusters of 1", &wide, 13, &[0]),
        ("one reserved", &wide, 14, &[0, 0]),
        ("one or two tables", &wide, 16, &[0]),
        ("one or two tables", &wide, 16, &[3]),
        ("more sectors than", &wide, 32, &[1, 0, 0, 0]),
        ("no more clusters than", &wide, 36, &[1, 0, 0, 0]),
        ("a cluster of the volume", &wide, 44, &[1]),
        ("a root directory that is one", &wide, 17, &[16]),
        ("entries in the root", &narrow, 17, &[0, 0]),
    ];
    for (reason, image, at, bytes) in cases {
        let image = with(image, at, bytes);
        assert!(!FatReader::is_at_start_of(&image), "{reason}");
        let error = FatReader::open(Arc::new(image)).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
    for len in [0, 1, 511, 512, 4096, wide.len() - 1] {
        assert!(FatReader::open(Arc::new(wide[..len].to_vec())).is_err(), "{len}");
    }
}

/// A small volume whose table and directory are at known places.
struct Known {
    image: Vec<u8>,
    table: usize,
    root: usize,
    data: usize,
}

/// Returns a FAT16 volume: cluster 2 is a directory, 3 to 5 the file in it, 6 another file.
fn known() -> Known {
    let store = MemoryStore::new();
    let tree = tree(&store, &[("/D/FILE", &[1; 10_000]), ("/OTHER", &[2; 10])]);
    let volume = Volume { label: None, ..volume(Kind::Smallest, Some(20 * MIB)) };
    let image = image(&tree, &volume, &store);
    let boot = boot::Boot::parse(&image).unwrap();
    let place = |at: u64| usize::try_from(at).unwrap();
    assert_eq!((boot.geometry.width, boot.geometry.cluster), (Width::Fat16, 4096));
    let (table, root) = (place(boot.geometry.table(0)), place(boot.geometry.root()));
    Known { table, root, data: place(boot.geometry.data()), image }
}

impl Known {
    /// Returns the image with numbers of the table replaced, in both tables.
    fn linked(&self, links: &[(usize, u16)]) -> Vec<u8> {
        let mut image = self.image.clone();
        let len = (self.root - self.table) / 2;
        for (cluster, next) in links {
            for table in [self.table, self.table + len] {
                image[table + cluster * 2..][..2].copy_from_slice(&next.to_le_bytes());
            }
        }
        image
    }
}

fn reason(image: &[u8]) -> String {
    open(image).tree().unwrap_err().to_string()
}

#[test]
fn chains_that_are_none_are_errors() {
    let known = known();
    let cases: [(&str, &[(usize, u16)]); 8] = [
        ("/D/FILE: it goes on with cluster 3, which is taken", &[(4, 3)]),
        ("/D: it goes on with cluster 2, which is taken", &[(2, 2)]),
        ("/D/FILE: it leads to cluster 4, which is free", &[(4, 0)]),
        ("/D/FILE: it leads to cluster 4, which is bad", &[(4, 0xfff7)]),
        ("/D/FILE: it ends after 8192 bytes of 10000", &[(4, 0xffff)]),
        ("/D/FILE: it goes on with cluster 1, which there is not", &[(4, 1)]),
        ("/D/FILE: it goes on with cluster 60000, which there is not", &[(4, 60_000)]),
        ("/D/FILE: it goes on with cluster 6, which is taken", &[(4, 6)]),
    ];
    for (expected, links) in cases {
        let image = known.linked(links);
        assert_eq!(reason(&image), expected);
        assert!(rules(&image).contains(&"fat-chain"), "{expected}: {:?}", rules(&image));
    }
    // A chain that is longer than its file is read, and reported.
    let longer = known.linked(&[(5, 7), (7, 0xffff)]);
    assert!(open(&longer).tree().is_ok());
    assert_eq!(rules(&longer), ["fat-chain", "fat-lost-clusters"]);
    assert_eq!(rules(&known.linked(&[(7, 8), (8, 0xffff)])), ["fat-lost-clusters"]);
}

#[test]
fn directories_that_lead_back_are_errors() {
    let known = known();
    // The file in the directory becomes the directory itself.
    let entry = known.data + 64;
    let mut image = with(&known.image, entry + 11, &[0x10]);
    image[entry + 26] = 2;
    assert_eq!(reason(&image), "/D/FILE: it goes on with cluster 2, which is taken");
    image[entry + 26] = 0;
    assert_eq!(reason(&image), "/D/FILE: it has no clusters");
    // A size that no chain has.
    let image = with(&known.image, entry + 28, &[0xff; 4]);
    assert_eq!(reason(&image), "/D/FILE: it ends after 12288 bytes of 4294967295");
    // Two files with one name.
    let image = with(&known.image, known.root + 32, b"D          ");
    assert!(matches!(open(&image).tree(), Err(ReadError::Tree(_))));
}

#[test]
fn notices_what_stands_twice_and_differs() {
    let store = MemoryStore::new();
    let wide = image(&sample(&store), &volume(Kind::Fat32, None), &store);
    let boot = boot::Boot::parse(&wide).unwrap();
    let second = usize::try_from(boot.geometry.table(1)).unwrap();
    let first = usize::try_from(boot.geometry.table(0)).unwrap();
    assert_eq!(rules(&with(&wide, 6 * 512 + 3, b"X")), ["fat-backup-boot"]);
    assert_eq!(rules(&with(&wide, second + 40, &[0xee])), ["fat-copies"]);
    assert_eq!(rules(&with(&wide, 512, &[0])), ["fat-fsinfo"]);
    assert_eq!(rules(&with(&wide, 512 + 488, &[0])), ["fat-fsinfo"]);
    assert_eq!(rules(&with(&wide, 512 + 488, &[0xff; 4])), [""; 0]);
    assert_eq!(rules(&with(&with(&wide, first, &[0]), second, &[0])), ["fat-media"]);
    let known = known();
    let dots = known.data + 26;
    assert_eq!(rules(&with(&known.image, dots, &[9])), ["fat-dots"]);
    assert_eq!(rules(&with(&known.image, dots + 32, &[9])), ["fat-dots"]);
    // The first byte of a long name's piece.
    let tree = tree(&store, &[("/long name", b"")]);
    let image = image(&tree, &volume(Kind::Smallest, None), &store);
    let root = usize::try_from(boot::Boot::parse(&image).unwrap().geometry.root()).unwrap();
    assert_eq!(rules(&with(&image, root + 32 + 13, &[0])), ["fat-long-name"]);
}

#[test]
fn a_cut_volume_is_an_error() {
    let known = known();
    for len in (0..known.image.len()).step_by(99_991) {
        assert!(FatReader::open(Arc::new(known.image[..len].to_vec())).is_err(), "{len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_tree_can_be_read_back(
        files in prop::collection::btree_map("[a-zA-Z0-9 .ä𝄞_+]{0,20}[a-z0-9]", 0_usize..9000, 0..30),
        fat32 in any::<bool>(),
    ) {
        let store = MemoryStore::new();
        let mut builder = TreeBuilder::new();
        let mut taken = std::collections::BTreeSet::new();
        for (index, (name, size)) in files.into_iter().enumerate() {
            if name.starts_with(' ') || !taken.insert(name::folded(&name)) {
                continue;
            }
            let above = ["", "/dir", "/dir/below", "/Other Directory"][index % 4];
            let blob = vec![u8::try_from(index).unwrap(); size];
            store.put(&blob).unwrap();
            let file = Entry::file(Content::of(&blob), Mode::PLAIN);
            builder.insert(path(&format!("{above}/{name}.x")), file).unwrap();
        }
        let tree = builder.finish().unwrap();
        let kind = if fat32 { Kind::Fat32 } else { Kind::Smallest };
        let image = image(&tree, &volume(kind, None), &store);
        prop_assert_eq!(open(&image).check().unwrap(), []);
        prop_assert_eq!(open(&image).tree().unwrap().id(), tree.id());
    }

    #[test]
    fn damage_never_panics(at in 0_usize..40_000, bytes in prop::collection::vec(any::<u8>(), 1..8)) {
        let known = known();
        // The sectors that are not zeros are few: the boot sector, a table, the directories.
        let at = match at % 4 {
            0 => at % 64,
            1 => known.table + at % 16,
            2 => known.root + at % 96,
            _ => known.data + at % 128,
        };
        let image = with(&known.image, at, &bytes);
        if let Ok(volume) = FatReader::open(Arc::new(image)) {
            volume.tree().map_or_else(drop, drop);
            volume.check().map_or_else(drop, drop);
            volume.label().map_or_else(drop, drop);
            volume.file(&path("/D/FILE")).map_or_else(drop, drop);
        }
    }
}
