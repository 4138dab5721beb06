//! Images made by hand, good and hostile.

use std::io::Write;
use std::sync::Arc;

use super::*;
use crate::blob::{BlobStore, MemoryStore};
use crate::digest::Digest;
use crate::input::ReadAt;
use crate::rope::{Extent, Rope};
use crate::vm::fixtures;

const CLUSTER: usize = 1 << 16;

/// Returns a disk of three kinds of clusters and its image.
fn sample(store: &MemoryStore) -> (Vec<u8>, Vec<u8>) {
    let blob = store.put(&b"0123456789".repeat(20_000)).unwrap();
    let mut disk = Rope::from(b"start".to_vec());
    disk.push_zeros(3 * CLUSTER as u64);
    disk.push_blob(blob);
    disk.push_zeros((600 << 20) - disk.len());
    disk.push_bytes(b"in the second table");
    disk.push_zeros(100);
    disk.align(512);
    let file = write(&disk).unwrap();
    (disk.to_vec(store).unwrap(), file.to_vec(store).unwrap())
}

fn open(file: Vec<u8>) -> Result<Qcow2Reader, crate::format::ReadError> {
    Qcow2Reader::open(Arc::new(file))
}

fn read_all(file: Vec<u8>) -> std::io::Result<Vec<u8>> {
    fixtures::read_all(open(file))
}

/// Returns an image with some bytes replaced.
fn with(file: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

fn rules(file: &Vec<u8>) -> Vec<&'static str> {
    let mut rules: Vec<_> = check(file).unwrap().iter().map(|problem| problem.rule).collect();
    rules.dedup();
    rules
}

#[test]
fn reading_undoes_writing() {
    let store = MemoryStore::new();
    let (disk, file) = sample(&store);
    assert_eq!(rules(&file), [""; 0]);
    // Header, refcount table and block, L1, two L2, and the data: one, four, one.
    assert_eq!(file.len(), (4 + 2 + 1 + 4 + 1) * CLUSTER);
    assert!(read_all(file).unwrap() == disk);
}

#[test]
fn an_empty_disk_has_no_clusters() {
    for size in [0, 512, 1 << 30] {
        let mut disk = Rope::new();
        disk.push_zeros(size);
        let file = write(&disk).unwrap().to_vec(&MemoryStore::new()).unwrap();
        assert_eq!(rules(&file), [""; 0]);
        assert_eq!(open(file).unwrap().len(), size);
    }
}

#[test]
fn large_disks_take_room_for_what_they_hold() {
    let digest = Digest::of(b"");
    let tib = 1_u64 << 40;
    let mut disk = Rope::from(vec![1; 512]);
    disk.push_zeros(8 * tib - 1024);
    disk.push_bytes(&[2; 512]);
    let file = write(&disk).unwrap();
    assert!(file.len() < 1 << 20, "{}", file.len());
    // 3 GiB of data need more than one block of refcounts.
    let mut disk = Rope::new();
    disk.push_zeros(5 << 30);
    disk.push_range(digest, 0, 3 << 30);
    let file = write(&disk).unwrap();
    let clusters = file.len() / CLUSTER as u64;
    let header = file.slice(0..104).to_vec(&MemoryStore::new()).unwrap();
    assert_eq!(header[56..60], [0, 0, 0, 1]);
    let refcounts = file.slice(2 << 16..4 << 16).to_vec(&MemoryStore::new()).unwrap();
    let counted = refcounts.chunks(2).filter(|count| *count == [0, 1]).count();
    assert_eq!(counted as u64, clusters);
    let described: u64 = file
        .extents()
        .filter(|extent| matches!(extent, Extent::Blob { .. }))
        .map(|extent| extent.len())
        .sum();
    assert_eq!(described, 3 << 30);
}

#[test]
fn refuses_a_disk_that_qcow2_cannot_say() {
    for size in [1, 513, (2_u64 << 50) + 512] {
        let mut disk = Rope::new();
        disk.push_zeros(size);
        assert!(write(&disk).is_err(), "{size}");
    }
}

#[test]
fn refuses_headers_it_cannot_trust() {
    let store = MemoryStore::new();
    let (_, file) = sample(&store);
    let cases: [(&str, usize, &[u8]); 17] = [
        ("magic", 0, b"QFI\0"),
        ("version", 7, &[4]),
        ("backing file", 8, &[0, 0, 0, 0, 0, 0, 2, 0]),
        ("small clusters", 23, &[8]),
        ("large clusters", 23, &[22]),
        ("absurd clusters", 20, &[0xff; 4]),
        ("absurd size", 24, &[0xff; 8]),
        ("encryption", 35, &[1]),
        ("too few L1 entries", 39, &[1]),
        ("too many L1 entries", 36, &[0xff; 4]),
        ("L1 table outside", 40, &[0, 0, 1, 0, 0, 0, 0, 0]),
        ("L1 table beside", 46, &[2]),
        ("L1 table at the end of numbers", 40, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]),
        ("huge refcount table", 56, &[0xff; 4]),
        ("external data file", 79, &[4]),
        ("extended L2 entries", 79, &[16]),
        ("wide refcounts", 99, &[7]),
    ];
    for (what, at, bytes) in cases {
        assert!(open(with(&file, at, bytes)).is_err(), "{what}");
    }
    assert!(open(with(&file, 79, &[2])).is_err(), "corrupt");
    assert!(open(with(&file, 103, &[96])).is_err(), "short header");
    assert!(open(file[..100].to_vec()).is_err(), "cut header");
}

#[test]
fn hostile_tables_are_errors_and_never_more() {
    let store = MemoryStore::new();
    let (_, file) = sample(&store);
    let (l1, l2) = (3 * CLUSTER, 4 * CLUSTER);
    let cases: [(&str, usize, [u8; 8], &str); 6] = [
        ("L1 outside", l1, [0x80, 0xff, 0, 0, 0, 0, 0, 0], "qcow2-offset"),
        ("L1 beside", l1, [0x80, 0, 0, 0, 0, 4, 2, 0], "qcow2-alignment"),
        ("L2 outside", l2, [0x80, 0xff, 0, 0, 0, 0, 0, 0], "qcow2-offset"),
        ("L2 beside", l2, [0x80, 0, 0, 0, 0, 4, 2, 0], "qcow2-alignment"),
        // A table that is its own child, and data that is a table.
        ("L1 is L2", l1, [0x80, 0, 0, 0, 0, 3, 0, 0], "qcow2-refcount"),
        ("data is L1", l2, [0x80, 0, 0, 0, 0, 3, 0, 0], "qcow2-refcount"),
    ];
    for (what, at, entry, rule) in cases {
        let file = with(&file, at, &entry);
        assert!(rules(&file).contains(&rule), "{what}: {:?}", rules(&file));
        let read = open(file).unwrap().read_exact_at(0, &mut [0; 512]);
        assert_eq!(read.is_ok(), what.contains(" is "), "{what}: {read:?}");
    }
}

#[test]
fn checks_what_the_tables_say_of_themselves() {
    let store = MemoryStore::new();
    let (_, file) = sample(&store);
    let last = file.len() / CLUSTER - 1;
    let cases: [(usize, &[u8], &[&str]); 6] = [
        (2 * CLUSTER + 1, &[2], &["qcow2-refcount"]),
        (2 * CLUSTER + 2 * last + 1, &[0], &["qcow2-refcount"]),
        (4 * CLUSTER, &[0], &["qcow2-copied"]),
        (3 * CLUSTER, &[0xa0], &["qcow2-reserved-bits"]),
        (79, &[1], &["qcow2-dirty"]),
        (63, &[1], &["qcow2-snapshots"]),
    ];
    for (at, bytes, expected) in cases {
        assert_eq!(rules(&with(&file, at, bytes)), expected, "{at}");
    }
    // The first two clusters of data are one, and what was the second is in nobody's use.
    let place = file[4 * CLUSTER..][..8].to_vec();
    let twice = with(&file, 4 * CLUSTER + 3 * 8, &place);
    assert_eq!(rules(&twice), ["qcow2-refcount", "qcow2-overlap", "qcow2-refcount"]);
}

/// Returns an image of one cluster, compressed.
fn compressed(version: u8, kind: u8, stream: &[u8]) -> Vec<u8> {
    let mut disk = Rope::from(vec![1; CLUSTER]);
    disk.align(512);
    let mut file = write(&disk).unwrap().to_vec(&MemoryStore::new()).unwrap();
    file[7] = version;
    if kind > 0 {
        file[79] = 8;
        file[103] = 112;
        file[104] = kind;
    }
    // The data starts 100 bytes into its cluster and runs over some sectors.
    let place = 5 * CLUSTER + 100;
    let sectors = (100 + stream.len()).div_ceil(512) - 1;
    let entry = 1 << 62 | (sectors as u64) << 54 | place as u64;
    file[4 * CLUSTER..][..8].copy_from_slice(&entry.to_be_bytes());
    file[place..][..stream.len()].copy_from_slice(stream);
    file
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn reads_compressed_clusters() {
    let cluster: Vec<u8> = (0..=255).cycle().flat_map(|n| [n; 7]).take(CLUSTER).collect();
    let zlib = deflate(&cluster);
    let zstd = zstd::bulk::compress(&cluster, 1).unwrap();
    for (version, kind, stream) in [(2, 0, &zlib), (3, 0, &zlib), (3, 1, &zstd)] {
        let file = compressed(version, kind, stream);
        assert!(read_all(file.clone()).unwrap() == cluster, "{version} {kind}");
        assert_eq!(rules(&file), [""; 0]);
    }
}

#[test]
fn compressed_clusters_must_fill_a_cluster() {
    let short = vec![3; CLUSTER - 1];
    let files = [
        compressed(3, 0, &deflate(&short)),
        compressed(3, 1, &zstd::bulk::compress(&short, 1).unwrap()),
        compressed(3, 0, &[0xff; 64]),
        compressed(3, 1, &[0xff; 64]),
    ];
    for file in files {
        assert!(read_all(file).is_err());
    }
}

#[test]
fn a_file_may_end_within_its_last_cluster() {
    let mut disk = Rope::from(vec![7; 1000]);
    disk.align(1 << 16);
    let file = write(&disk).unwrap().to_vec(&MemoryStore::new()).unwrap();
    let cut = file[..5 * CLUSTER + 1000].to_vec();
    assert!(read_all(cut).unwrap() == read_all(file).unwrap());
}
