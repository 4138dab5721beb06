//! Images with compressed clusters, images that lie on others, and maps; good and hostile.

#![expect(clippy::single_range_in_vec_init, reason = "one changed range is the usual case")]

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::blob::{BlobStore, MemoryStore};
use crate::digest::Digest;
use crate::encode::{Encoder, NoCache};
use crate::format::{Epoch, ReadError, WriteCx, WriteError};
use crate::input::ReadAt;
use crate::rope::{Extent, Rope};
use crate::vm::fixtures;

const CLUSTER: usize = 1 << 16;
/// Where the L2 table of a small image is: after header, refcounts and L1.
const L2: usize = 4 * CLUSTER;

/// Calls a function with a context of its own.
fn with_cx<T>(store: &MemoryStore, call: impl FnOnce(&WriteCx<'_>) -> T) -> T {
    let encoder = Encoder::new(store, &NoCache, 2);
    call(&WriteCx { blobs: store, encoder: &encoder, epoch: Epoch(0) })
}

/// Returns bytes that nothing compresses.
fn noise(len: usize) -> Vec<u8> {
    let blocks = (0..len.div_ceil(32)).flat_map(|n| *Digest::of(&n.to_le_bytes()).as_bytes());
    blocks.take(len).collect()
}

/// A disk with zeros that the rope does not know of, text, noise and holes, whose size is no
/// multiple of a cluster; its last cluster starts at `last`.
fn disk_until(store: &MemoryStore, last: u64) -> Rope {
    let blob = store.put(&b"0123456789 in blocks ".repeat(20_000)).unwrap();
    let mut disk = Rope::from(b"start".to_vec());
    disk.push_zeros(3 * CLUSTER as u64);
    disk.push_blob(blob);
    disk.align(CLUSTER as u64);
    disk.push_blob(store.put(&vec![0; 2 * CLUSTER]).unwrap());
    disk.push_blob(store.put(&noise(3 * CLUSTER)).unwrap());
    disk.push_zeros(last - disk.len());
    disk.push_bytes(b"in the last cluster");
    disk.push_zeros(100);
    disk.align(512);
    disk
}

fn sample(store: &MemoryStore) -> Rope {
    disk_until(store, 2 << 20)
}

fn read_all(file: Vec<u8>, lower: Option<Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let lower = lower.map(|disk| Arc::new(disk) as Arc<dyn ReadAt>);
    fixtures::read_all(Qcow2Reader::open_with(Arc::new(file), lower))
}

fn rules(file: &Vec<u8>) -> Vec<&'static str> {
    let mut rules: Vec<_> = check(file).unwrap().iter().map(|problem| problem.rule).collect();
    rules.dedup();
    rules
}

fn compress(store: &MemoryStore, disk: &Rope, compression: Compression) -> Vec<u8> {
    let file = with_cx(store, |cx| write_compressed(disk, compression, cx)).unwrap();
    file.to_vec(store).unwrap()
}

fn base() -> Backing {
    Backing::new("base.qcow2", BackingFormat::Qcow2).unwrap()
}

fn overlay(
    store: &MemoryStore,
    disk: &Rope,
    changed: &[Range<u64>],
    compression: Option<Compression>,
) -> Result<Vec<u8>, WriteError> {
    let file = with_cx(store, |cx| write_overlay(disk, changed, &base(), compression, cx))?;
    Ok(file.to_vec(store).unwrap())
}

fn entry(file: &[u8], cluster: usize) -> u64 {
    u64::from_be_bytes(file[L2 + cluster * 8..][..8].try_into().unwrap())
}

fn with_entry(file: &[u8], cluster: usize, entry: u64) -> Vec<u8> {
    let mut file = file.to_vec();
    file[L2 + cluster * 8..][..8].copy_from_slice(&entry.to_be_bytes());
    file
}

#[test]
fn what_is_compressed_comes_back() {
    let store = MemoryStore::new();
    let disk = sample(&store);
    let raw = disk.to_vec(&store).unwrap();
    for compression in [Compression::ZLIB, Compression::ZSTD] {
        let file = compress(&store, &disk, compression);
        assert_eq!(rules(&file), [""; 0], "{compression:?}");
        // Header, refcount table and block, L1, L2, three clusters of noise, one of all else.
        assert_eq!(file.len(), (4 + 1 + 3 + 1) * CLUSTER, "{compression:?}");
        assert!(read_all(file, None).unwrap() == raw, "{compression:?}");
    }
}

#[test]
fn a_second_table_is_found() {
    let store = MemoryStore::new();
    let disk = disk_until(&store, 600 << 20);
    for compression in [Compression::ZLIB, Compression::ZSTD] {
        let file = compress(&store, &disk, compression);
        assert_eq!(rules(&file), [""; 0], "{compression:?}");
        assert_eq!(file.len(), (4 + 2 + 3 + 1) * CLUSTER, "{compression:?}");
        let mut last = [0; 19];
        let reader = Qcow2Reader::open(Arc::new(file)).unwrap();
        reader.read_exact_at(600 << 20, &mut last).unwrap();
        assert_eq!(last, *b"in the last cluster");
    }
}

#[test]
fn compressed_clusters_share_one_of_the_file() {
    let store = MemoryStore::new();
    let disk = Rope::from(b"abcdefg ".repeat(5 * CLUSTER / 8));
    let file = compress(&store, &disk, Compression::ZLIB);
    // The refcount of the sixth cluster is the number of clusters in it.
    assert_eq!(file[2 * CLUSTER..][..14], [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 5, 0, 0]);
    let first = entry(&file, 0);
    assert_eq!(first, 1 << 62 | 5 << 16);
    let second = entry(&file, 1) & 0xffff_ffff;
    assert!((5 << 16..(5 << 16) + 512).contains(&second), "no padding between them");
}

#[test]
fn only_zstd_needs_a_feature() {
    let store = MemoryStore::new();
    let disk = sample(&store);
    let zlib = compress(&store, &disk, Compression::ZLIB);
    assert_eq!(
        (&zlib[72..80], &zlib[100..112]),
        (&[0; 8][..], &[0, 0, 0, 104, 0, 0, 0, 0, 0, 0, 0, 0][..])
    );
    let zstd = compress(&store, &disk, Compression::ZSTD);
    assert_eq!((zstd[79], &zstd[100..105]), (8, &[0, 0, 0, 112, 1][..]));
}

#[test]
fn a_large_sparse_disk_takes_little_room() {
    let store = MemoryStore::new();
    let mut disk = Rope::new();
    disk.push_zeros(1 << 40);
    disk.push_bytes(&[7; 512]);
    disk.push_zeros(1 << 40);
    for compression in [Compression::ZLIB, Compression::ZSTD] {
        let file = with_cx(&store, |cx| write_compressed(&disk, compression, cx)).unwrap();
        assert!(file.len() < 1 << 20, "{}", file.len());
        let inline = file.extents().filter(|extent| matches!(extent, Extent::Inline(_)));
        assert!(inline.map(|extent| extent.len()).sum::<u64>() < 1000);
    }
}

#[test]
fn refuses_levels_that_there_are_not() {
    let store = MemoryStore::new();
    let disk = Rope::from(vec![1; 512]);
    for (method, level) in [(Method::Zlib, 0), (Method::Zlib, 10), (Method::Zstd, 20)] {
        let compression = Compression { method, level };
        let outcome = with_cx(&store, |cx| write_compressed(&disk, compression, cx));
        assert!(matches!(outcome, Err(WriteError::Field { .. })), "{compression:?}");
    }
}

/// A change of these digests is a change of bytes: it raises the format's revision.
#[test]
fn golden_digests_stay() {
    let store = MemoryStore::new();
    let disk = sample(&store);
    let changed = [70_000..300_000, 2 << 20..disk.len()];
    let found = [
        compress(&store, &disk, Compression::ZLIB),
        compress(&store, &disk, Compression::ZSTD),
        overlay(&store, &disk, &changed, None).unwrap(),
        overlay(&store, &disk, &changed, Some(Compression::ZSTD)).unwrap(),
    ];
    let expected = [
        "603f78b0aec0dd5320743fb3f97c120d72e74eb25a5425cecddf53d570b38266",
        "f298059ca18c7a32b31850ac2d10e8d6c57b5e32ea4090ca04565bc423404a74",
        "7d7d929bb9cf38fe5e39dda3c9b02576a5bb6d77495d69bfb4b7b3ca2f15a625",
        "94e0899d22e6baba1bf52d5dc6189db05be50ebf93395bd0c5a61a88808a7c1b",
    ];
    assert_eq!(found.map(|file| Digest::of(&file).hex()), expected);
}

/// What is not in the ranges is the backing file's, and what is in them hides it.
#[test]
fn an_overlay_has_its_ranges_and_nothing_else() {
    let store = MemoryStore::new();
    let disk = sample(&store);
    let raw = disk.to_vec(&store).unwrap();
    let below = vec![0xee; raw.len()];
    // Zeros, text, two clusters that touch, one byte, and the end within a cluster.
    let end = disk.len();
    let changed = [100_000..131_072, 300_000..300_001, end - 1..end, 131_072..200_000, 5..5];
    let clusters = [1..4, 4..5, raw.len() / CLUSTER..raw.len().div_ceil(CLUSTER)];
    let mut expected = below.clone();
    for range in clusters {
        let bytes = range.start * CLUSTER..(range.end * CLUSTER).min(raw.len());
        expected[bytes.clone()].copy_from_slice(&raw[bytes]);
    }
    for compression in COMPRESSIONS {
        let file = overlay(&store, &disk, &changed, compression).unwrap();
        assert_eq!(rules(&file), [""; 0], "{compression:?}");
        let reader = Qcow2Reader::open(Arc::new(file.clone())).unwrap();
        assert_eq!(reader.backing(), Some(&base()));
        assert!(read_all(file.clone(), Some(below.clone())).unwrap() == expected);
        // A backing file that is shorter goes on with zeros.
        let short = read_all(file, Some(below[..1000].to_vec())).unwrap();
        assert_eq!((short[999], short[1000]), (0xee, 0));
    }
}

#[test]
fn zeros_of_an_overlay_are_marked() {
    let store = MemoryStore::new();
    let mut disk = Rope::new();
    disk.push_blob(store.put(&vec![0; CLUSTER]).unwrap());
    disk.push_zeros(2 * CLUSTER as u64);
    let file = overlay(&store, &disk, &[CLUSTER as u64..disk.len()], None).unwrap();
    assert_eq!([0, 1, 2].map(|cluster| entry(&file, cluster)), [0, ZERO, ZERO]);
    let all = overlay(&store, &disk, &[0..disk.len()], Some(Compression::ZLIB)).unwrap();
    assert_eq!([0, 1, 2].map(|cluster| entry(&all, cluster)), [ZERO; 3]);
    assert_eq!(all.len(), L2 + CLUSTER);
}

#[test]
fn an_overlay_costs_what_its_ranges_do() {
    let store = MemoryStore::new();
    let mut disk = Rope::new();
    // Not in the store, so reading it is an error.
    disk.push_range(Digest::of(b"base"), 0, 1 << 40);
    disk.push_bytes(&[1; 4096]);
    disk.push_zeros(1 << 30);
    let changed = [1 << 40..(1 << 40) + 4096];
    let file = overlay(&store, &disk, &changed, Some(Compression::ZSTD)).unwrap();
    assert!(file.len() < 1 << 20, "{}", file.len());
}

#[test]
fn refuses_ranges_that_are_not_of_the_disk() {
    let store = MemoryStore::new();
    let disk = Rope::from(vec![1; 512]);
    #[expect(clippy::reversed_empty_ranges, reason = "it is what must be refused")]
    for range in [0..513, 512..u64::MAX, 3..2] {
        assert!(overlay(&store, &disk, &[range], None).is_err());
    }
}

#[test]
fn what_is_only_in_the_backing_file_is_an_error_that_names_it() {
    let store = MemoryStore::new();
    let mut disk = Rope::from(vec![1; CLUSTER]);
    disk.push_zeros(CLUSTER as u64);
    let file = overlay(&store, &disk, &[0..5], None).unwrap();
    let error = read_all(file.clone(), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "offset 65536 of the disk is only in the backing file `base.qcow2`"
    );
    let reader = Qcow2Reader::open(Arc::new(file)).unwrap();
    reader.read_exact_at(0, &mut vec![0; CLUSTER]).unwrap();
    // An image that lies on nothing takes no backing file.
    let plain = write(&disk).unwrap().to_vec(&store).unwrap();
    assert!(read_all(plain, Some(vec![1])).is_err());
}

const TRICKS: [&str; 14] = [
    "",
    "/etc/passwd",
    "../base.qcow2",
    "a/../../b",
    "./base.qcow2",
    "a//b",
    "folder/",
    "json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}",
    "nbd:localhost:10809",
    "nbd://localhost",
    "fat:rw:folder",
    "C:\\base.qcow2",
    "a\\b",
    "a\nb",
];

#[test]
fn names_lead_nowhere_but_below_the_folder() {
    for name in TRICKS {
        assert!(Backing::new(name, BackingFormat::Raw).is_err(), "{name}");
    }
    assert!(Backing::new(&"a".repeat(1024), BackingFormat::Raw).is_err());
    for name in ["base.raw", "bases/sha256-00.qcow2", "..base", "a b", "größe"] {
        assert_eq!(Backing::new(name, BackingFormat::Raw).unwrap().name(), name);
    }
    let error = Backing::new("/etc/passwd", BackingFormat::Raw).unwrap_err();
    let expected = "expected a path below the folder of the overlay, found `/etc/passwd`";
    assert_eq!(error.to_string(), expected);
    let long = Backing::new(&"\u{7}".repeat(1 << 20), BackingFormat::Raw).unwrap_err();
    assert!(long.to_string().len() < 1000);
}

/// Returns an overlay whose header says another name.
fn renamed(file: &[u8], name: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file[16..20].copy_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
    file[128..128 + name.len()].copy_from_slice(name);
    file
}

#[test]
fn hostile_backing_files_are_errors() {
    let store = MemoryStore::new();
    let disk = Rope::from(vec![1; CLUSTER]);
    let file = overlay(&store, &disk, &[0..5], None).unwrap();
    assert_eq!(file[8..20], [0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 10]);
    let refused = |file: Vec<u8>| {
        assert!(check(&file).is_err());
        Qcow2Reader::open(Arc::new(file)).unwrap_err().to_string()
    };
    for name in TRICKS {
        assert!(refused(renamed(&file, name.as_bytes())).contains("expected"), "{name}");
    }
    refused(renamed(&file, &[b'a'; 1024]));
    refused(renamed(&file, b"not \xff UTF-8\0"));
    let cases: [(&str, usize, &[u8]); 9] = [
        ("name in the header", 8, &[0, 0, 0, 0, 0, 0, 0, 16]),
        ("name outside", 8, &[0, 0, 0, 0, 0, 0, 0xff, 0xff]),
        ("name at the end of numbers", 8, &[0xff; 8]),
        ("endless name", 16, &[0xff; 4]),
        ("other format", 112, b"vmdk\0"),
        ("empty format", 108, &[0, 0, 0, 0]),
        ("endless extension", 108, &[0xff; 4]),
        ("long format", 108, &[0, 0, 0, 16]),
        ("no format", 104, &[0; 4]),
    ];
    for (what, at, bytes) in cases {
        let mut file = file.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        refused(file);
        assert!(!what.is_empty());
    }
    // An extension that nobody knows is passed over; then the format is missing.
    let mut unknown = file;
    unknown[104..108].copy_from_slice(&[1, 2, 3, 4]);
    assert!(refused(unknown).contains("format is not named"));
}

#[test]
fn hostile_compressed_clusters_are_errors_and_never_more() {
    let store = MemoryStore::new();
    let disk = Rope::from(b"abcdefg ".repeat(3 * CLUSTER / 8));
    let (file, long) = (compress(&store, &disk, Compression::ZLIB), Rope::from(noise(CLUSTER)));
    let good = entry(&file, 0);
    let second = entry(&file, 1);
    let cases = [
        ("beyond the end", 1 << 62 | 0x00ff_ffff_ffff, "qcow2-offset"),
        ("at the end of numbers", 1 << 62 | ((1 << 54) - 1), "qcow2-offset"),
        ("every bit", u64::MAX, "qcow2-offset"),
        ("the header", 1 << 62, "qcow2-refcount"),
        ("its own table", 1 << 62 | L2 as u64, "qcow2-refcount"),
        ("no refcount of one", good | 1 << 63, "qcow2-copied"),
        ("the middle of a stream", second + 9, ""),
    ];
    for (what, entry, rule) in cases {
        let file = with_entry(&file, 0, entry);
        let rules = rules(&file);
        assert!(rules.contains(&rule) || rule.is_empty(), "{what}: {rules:?}");
        let mut byte = [0; 512];
        let reader = Qcow2Reader::open(Arc::new(file)).unwrap();
        let outcome = reader.read_exact_at(0, &mut byte);
        assert_eq!(outcome.is_ok(), rule == "qcow2-copied", "{what}");
        reader.read_exact_at(CLUSTER as u64, &mut byte).unwrap();
    }
    assert!(entry(&compress(&store, &long, Compression::ZLIB), 0) & COMPRESSED == 0);
}

#[test]
fn a_stream_ends_where_its_cluster_does() {
    let place = 5 * CLUSTER;
    let image = |zstd: bool, stream: &[u8]| {
        let disk = Rope::from(vec![1; 2 * CLUSTER]);
        let mut file = write(&disk).unwrap().to_vec(&MemoryStore::new()).unwrap();
        if zstd {
            file[79] = 8;
            file[103] = 112;
            file[104] = 1;
        }
        file[place..][..stream.len()].copy_from_slice(stream);
        with_entry(&file, 0, 1 << 62 | 255 << 54 | place as u64)
    };
    let deflate = |len| {
        let level = flate2::Compression::fast();
        let mut bytes = Vec::new();
        let zeros = vec![5; len];
        flate2::read::DeflateEncoder::new(&zeros[..], level).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let zstd = |len| zstd::bulk::compress(&vec![5; len], 1).unwrap();
    for (len, good) in
        [(CLUSTER - 1, false), (CLUSTER, true), (CLUSTER + 1, false), (8 * CLUSTER, false)]
    {
        for file in [image(false, &deflate(len)), image(true, &zstd(len))] {
            let reader = Qcow2Reader::open(Arc::new(file)).unwrap();
            let outcome = reader.read_exact_at(0, &mut vec![0; CLUSTER]);
            assert_eq!(outcome.is_ok(), good, "{len}: {outcome:?}");
        }
    }
}

#[test]
fn every_truncation_is_an_error_or_the_same_disk() {
    let store = MemoryStore::new();
    let mut disk = Rope::from(b"abcdefg ".repeat(2 * CLUSTER / 8));
    disk.push_bytes(&noise(CLUSTER));
    let raw = disk.to_vec(&store).unwrap();
    let files = [
        compress(&store, &disk, Compression::ZLIB),
        compress(&store, &disk, Compression::ZSTD),
        overlay(&store, &disk, &[0..disk.len()], Some(Compression::ZSTD)).unwrap(),
    ];
    for file in files {
        // Near the start, and in each of the clusters.
        let lens = (0..300).chain((0..file.len()).step_by(4099)).chain([file.len() - 1]);
        for len in lens {
            let lower = (file[8..16] != [0; 8]).then(Vec::new);
            if let Ok(read) = read_all(file[..len].to_vec(), lower) {
                assert_eq!(read.len(), raw.len());
                assert!(len > L2, "{len}");
            }
            let _checked: Result<_, ReadError> = check(&file[..len].to_vec());
        }
    }
}

/// Returns an image with clusters of 2 MiB whose L1 entries all are one L2 table, which is full.
fn one_table_everywhere(entries: u32) -> Vec<u8> {
    let cluster = 2 << 20;
    let l1_bytes = entries as usize * 8;
    let l2 = cluster + l1_bytes.next_multiple_of(cluster);
    let mut file = vec![0; l2 + cluster];
    file[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    file[23] = 21;
    file[24..32].copy_from_slice(&((u64::from(entries) << 39) - 512).to_be_bytes());
    file[36..40].copy_from_slice(&entries.to_be_bytes());
    file[40..48].copy_from_slice(&(cluster as u64).to_be_bytes());
    file[99] = 4;
    file[103] = 104;
    let entry = (l2 as u64 | COPIED).to_be_bytes();
    file[cluster..][..l1_bytes].copy_from_slice(&entry.repeat(entries as usize));
    // Every other cluster of the disk is the header.
    let pair = [(COPIED | 2 << 20).to_be_bytes(), ZERO.to_be_bytes()].concat();
    file[l2..].copy_from_slice(&pair.repeat(cluster / 16));
    file
}

/// Walking the table for each of 131 072 entries would take hours.
#[test]
fn a_table_that_is_everywhere_is_walked_once() {
    for (entries, reason) in [(2, "an L2 table twice"), (1 << 17, "bytes of tables")] {
        let file = one_table_everywhere(entries);
        assert!(rules(&file).contains(&"qcow2-overlap"));
        let error = map(&file).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

fn map(file: &[u8]) -> Result<Vec<Mapped>, ReadError> {
    Qcow2Reader::open(Arc::new(file.to_vec())).unwrap().map()
}

/// Reads a disk through its map.
fn read_mapped(file: &[u8], lower: &[u8]) -> Vec<u8> {
    let mut disk = Vec::new();
    for Mapped { offset, len, place } in map(file).unwrap() {
        assert_eq!(offset, disk.len() as u64);
        let len = usize::try_from(len).unwrap();
        let at = disk.len();
        match place {
            Place::Zeros => disk.resize(at + len, 0),
            Place::File(start) => {
                disk.extend_from_slice(&file[usize::try_from(start).unwrap()..][..len]);
            }
            Place::Backing => disk.extend_from_slice(&lower[at..at + len]),
        }
    }
    disk
}

#[test]
fn a_map_leads_to_the_same_bytes() {
    let store = MemoryStore::new();
    let disk = sample(&store);
    let raw = disk.to_vec(&store).unwrap();
    let file = write(&disk).unwrap().to_vec(&store).unwrap();
    assert!(read_mapped(&file, &[]) == raw);
    assert_eq!(map(&file).unwrap().len(), 5);
    let below = vec![0xee; raw.len()];
    let over = overlay(&store, &disk, &[0..1, 300_000..500_000], None).unwrap();
    assert!(read_mapped(&over, &below) == read_all(over, Some(below.clone())).unwrap());
    // A file may end within its last cluster.
    let small = write(&Rope::from(vec![7; 1024])).unwrap().to_vec(&store).unwrap();
    assert_eq!(read_mapped(&small[..5 * CLUSTER + 10], &[])[8..12], [7, 7, 0, 0]);
    assert_eq!(map(&write(&Rope::new()).unwrap().to_vec(&store).unwrap()).unwrap(), []);
}

#[test]
fn a_map_of_what_has_no_place_is_an_error() {
    let store = MemoryStore::new();
    let disk = Rope::from(b"abcdefg ".repeat(3 * CLUSTER / 8));
    let packed = compress(&store, &disk, Compression::ZLIB);
    let error = map(&packed).unwrap_err().to_string();
    assert_eq!(error, "qcow2 cluster: compressed at offset 0 of the disk, so it has no place");
    let plain = write(&disk).unwrap().to_vec(&store).unwrap();
    for entry in [512, 1 << 40, OFFSET] {
        assert!(map(&with_entry(&plain, 1, entry)).is_err(), "{entry:#x}");
    }
    let mut beside = plain;
    beside[3 * CLUSTER + 6] = 2;
    assert!(map(&beside).is_err());
}

const COMPRESSIONS: [Option<Compression>; 3] =
    [None, Some(Compression::ZLIB), Some(Compression::ZSTD)];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_ranges_of_any_disk_come_back(
        parts in prop::collection::vec((0..4_u8, 1..150_000_usize), 1..8),
        cuts in prop::collection::vec((0..400_000_u64, 0..200_000_u64), 0..4),
        compression in prop::sample::select(&COMPRESSIONS[..]),
    ) {
        let store = MemoryStore::new();
        let mut disk = Rope::new();
        for (kind, len) in parts {
            match kind {
                0 => disk.push_zeros(len as u64),
                1 => disk.push_blob(store.put(&vec![0; len]).unwrap()),
                2 => disk.push_blob(store.put(&noise(len)).unwrap()),
                _ => disk.push_blob(store.put(&b"text ".repeat(len / 5 + 1)).unwrap()),
            }
        }
        disk.align(512);
        let size = disk.len();
        let changed: Vec<_> =
            cuts.iter().map(|(start, len)| *start.min(&size)..(start + len).min(size)).collect();
        let raw = disk.to_vec(&store).unwrap();
        let mut expected = vec![0xee; raw.len()];
        for range in changed.iter().filter(|range| !range.is_empty()) {
            let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
            let end = end.next_multiple_of(CLUSTER).min(raw.len());
            let start = start / CLUSTER * CLUSTER;
            expected[start..end].copy_from_slice(&raw[start..end]);
        }
        let file = overlay(&store, &disk, &changed, compression).unwrap();
        prop_assert_eq!(rules(&file), [""; 0]);
        prop_assert!(read_all(file, Some(vec![0xee; raw.len()])).unwrap() == expected);
        let whole = match compression {
            None => write(&disk).unwrap().to_vec(&store).unwrap(),
            Some(compression) => compress(&store, &disk, compression),
        };
        prop_assert_eq!(rules(&whole), [""; 0]);
        prop_assert!(read_all(whole, None).unwrap() == raw);
    }
}
