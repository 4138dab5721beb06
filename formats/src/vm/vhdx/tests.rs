//! Images made by hand, good and hostile.

use std::sync::Arc;

use super::*;
use crate::blob::MemoryStore;
use crate::digest::Digest;
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::rope::{Extent, Rope};
use crate::vm::fixtures;

const BLOCK: usize = 2 << 20;
/// Where the parts of a small image are.
const HEADERS: [usize; 2] = [64 << 10, 128 << 10];
const REGIONS: [usize; 2] = [192 << 10, 256 << 10];
const METADATA: usize = 2 << 20;
const ITEMS: usize = METADATA + (64 << 10);
const TABLE: usize = 3 << 20;

fn identity() -> Identity {
    let [file_write, data_write, disk] = [1, 2, 3].map(|n| Guid::from_u128(n << 96 | n));
    Identity { file_write, data_write, disk }
}

fn image() -> (Vec<u8>, Vec<u8>) {
    let store = MemoryStore::new();
    let disk = fixtures::five_blocks(&store);
    let file = write(&disk, &identity()).unwrap();
    (disk.to_vec(&store).unwrap(), file.to_vec(&store).unwrap())
}

fn open(file: Vec<u8>) -> Result<VhdxReader, ReadError> {
    VhdxReader::open(Arc::new(file))
}

fn read_all(file: Vec<u8>) -> std::io::Result<Vec<u8>> {
    fixtures::read_all(open(file))
}

fn rules(file: &Vec<u8>) -> Vec<&'static str> {
    check(file).unwrap().iter().map(|problem| problem.rule).collect()
}

/// Returns an image with some bytes replaced.
fn with(file: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

/// Returns an image with bytes of the same place in two structures replaced, and both sums right.
fn resealed(file: &[u8], starts: [usize; 2], len: usize, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    for start in starts {
        file[start + at..start + at + bytes.len()].copy_from_slice(bytes);
        let sum = crc32c::without(&file[start..start + len], 4);
        file[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    }
    file
}

#[test]
fn reading_undoes_writing() {
    let (disk, file) = image();
    assert_eq!(rules(&file), [""; 0]);
    assert!(VhdxReader::is_at_start_of(&file));
    // Headers, log, metadata, table, three blocks.
    assert_eq!(file.len(), (4 << 20) + 3 * BLOCK);
    assert!(read_all(file).unwrap() == disk);
}

#[test]
fn bytes_are_pinned() {
    let digest = Digest::of(&image().1).hex();
    assert_eq!(digest, "eefacac175ac9076856ac4781c61aa204d15eb93ec8fd36495bf59647904e1e0");
}

#[test]
fn a_disk_of_holes_has_no_blocks() {
    for size in [512, 1 << 30, 1 << 40] {
        let mut disk = Rope::new();
        disk.push_zeros(size);
        let file = write(&disk, &identity()).unwrap().to_vec(&MemoryStore::new()).unwrap();
        assert_eq!(rules(&file), [""; 0]);
        assert_eq!(open(file).unwrap().len(), size);
    }
}

#[test]
fn the_largest_disk_takes_room_for_what_it_holds() {
    let mut disk = Rope::from(vec![1; 512]);
    disk.push_zeros((64 << 40) - 1024);
    disk.push_bytes(&[2; 512]);
    let file = write(&disk, &identity()).unwrap();
    let holds = |extent: &Extent<'_>| !matches!(extent, Extent::Zero(_));
    let held: u64 = file.extents().filter(holds).map(|extent| extent.len()).sum();
    assert!(held < 1 << 20, "{held}");
}

#[test]
fn entries_of_bitmaps_stand_behind_those_of_each_chunk() {
    // 2048 blocks make a chunk: the first block of the second one has entry 2049.
    let mut disk = Rope::new();
    disk.push_zeros(4 << 30);
    disk.push_bytes(&[9; 512]);
    let file = write(&disk, &identity()).unwrap().to_vec(&MemoryStore::new()).unwrap();
    assert_eq!(file[TABLE + 2049 * 8..][..8], (4_u64 << 20 | 6).to_le_bytes());
    assert_eq!(rules(&file), [""; 0]);
    let mut sector = [0; 512];
    open(file).unwrap().read_exact_at(4 << 30, &mut sector).unwrap();
    assert_eq!(sector, [9; 512]);
}

#[test]
fn refuses_a_disk_that_vhdx_cannot_say() {
    for size in [0, 1, 513, (64 << 40) + 512] {
        let mut disk = Rope::new();
        disk.push_zeros(size);
        assert!(write(&disk, &identity()).is_err(), "{size}");
    }
}

#[test]
fn one_damaged_copy_is_a_problem_and_not_the_end() {
    let (disk, file) = image();
    for (at, rule) in [
        (HEADERS[0] + 100, "vhdx-header"),
        (HEADERS[1] + 100, "vhdx-header"),
        (REGIONS[0] + 60_000, "vhdx-region-table"),
        (REGIONS[1] + 60_000, "vhdx-region-table"),
    ] {
        let damaged = with(&file, at, &[1]);
        assert_eq!(rules(&damaged), [rule]);
        assert!(read_all(damaged).unwrap() == disk);
    }
    let other = resealed(&file, [REGIONS[0]; 2], 1 << 16, 60_000, &[1]);
    assert_eq!(rules(&other), ["vhdx-region-table"]);
    let equal = resealed(&file, HEADERS, 4096, 8, &[7, 0]);
    assert_eq!(rules(&equal), ["vhdx-sequence"]);
    for pair in [HEADERS, REGIONS] {
        let both = with(&with(&file, pair[0], b"x"), pair[1], b"x");
        assert!(open(both).is_err());
    }
}

#[test]
fn refuses_headers_it_cannot_trust() {
    let (_, file) = image();
    let cases: [(&str, usize, &[u8]); 3] =
        [("log entries", 48, &[1]), ("log version", 64, &[1]), ("version", 66, &[2])];
    for (what, at, bytes) in cases {
        assert!(open(resealed(&file, HEADERS, 4096, at, bytes)).is_err(), "{what}");
    }
    assert!(open(with(&file, 0, b"vhdxfilf")).is_err());
}

#[test]
fn refuses_regions_it_cannot_trust() {
    let (_, file) = image();
    let cases: [(&str, usize, &[u8]); 8] = [
        ("many entries", 8, &[0xff; 4]),
        ("one entry", 8, &[1, 0, 0, 0]),
        ("a region twice", 48, &file[REGIONS[0] + 16..][..16]),
        ("unknown and required", 48, &[0]),
        ("table in the headers", 32, &[0; 8]),
        ("table beside", 32, &[1]),
        ("table at the end of numbers", 32, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("table of no length", 40, &[0; 4]),
    ];
    for (what, at, bytes) in cases {
        assert!(open(resealed(&file, REGIONS, 1 << 16, at, bytes)).is_err(), "{what}");
    }
}

#[test]
fn refuses_metadata_it_cannot_trust() {
    let (_, file) = image();
    let cases: [(&str, usize, &[u8]); 14] = [
        ("signature", METADATA, b"metadatb"),
        ("many entries", METADATA + 10, &[0xff, 0xff]),
        ("few entries", METADATA + 10, &[4, 0]),
        ("an item twice", METADATA + 64, &file[METADATA + 32..][..16]),
        ("unknown and required", METADATA + 32, &[0]),
        ("an item in the table", METADATA + 48, &[0; 4]),
        ("an item outside", METADATA + 48, &[0xff; 4]),
        ("an item's length", METADATA + 52, &[4]),
        ("small blocks", ITEMS, &[0, 0, 8, 0]),
        ("large blocks", ITEMS, &[0, 0, 0, 0x20]),
        ("odd blocks", ITEMS, &[1]),
        ("a parent", ITEMS + 4, &[2]),
        ("size", ITEMS + 16, &[1]),
        ("size at the end of numbers", ITEMS + 16, &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ];
    for (what, at, bytes) in cases {
        assert!(open(with(&file, at, bytes)).is_err(), "{what}");
    }
    for (what, at) in [("logical", 48), ("physical", 64)] {
        assert!(open(with(&file, ITEMS + at, &[0, 4])).is_err(), "{what}");
    }
    // A disk of 1 TiB needs a longer table.
    assert!(open(with(&file, ITEMS + 16, &[0, 0, 0, 0, 0, 1])).is_err());
}

#[test]
fn hostile_tables_are_errors_and_never_more() {
    let (_, file) = image();
    let entry = |mib: u64, state: u64| (mib << 20 | state).to_le_bytes();
    let cases: [(&str, [u8; 8], &[&str], bool); 7] = [
        ("outside", entry(1 << 43, 6), &["vhdx-offset"], false),
        ("the headers", entry(0, 6), &["vhdx-overlap", "vhdx-overlap"], false),
        ("the table", entry(3, 6), &["vhdx-overlap"], true),
        ("another block", entry(6, 6), &["vhdx-overlap"], true),
        ("a parent's", entry(4, 7), &["vhdx-state"], false),
        ("unknown", entry(4, 5), &["vhdx-state"], false),
        ("reserved", entry(4, 6 | 8), &["vhdx-reserved-bits"], true),
    ];
    for (what, entry, expected, is_read) in cases {
        let file = with(&file, TABLE, &entry);
        let mut found = rules(&file);
        found.sort_unstable();
        assert_eq!(found, expected, "{what}");
        let read = open(file).unwrap().read_exact_at(0, &mut [0; 512]);
        assert_eq!(read.is_ok(), is_read, "{what}: {read:?}");
    }
    for state in 0..4 {
        let file = with(&file, TABLE, &entry(4, state));
        let mut sector = [1; 512];
        open(file).unwrap().read_exact_at(0, &mut sector).unwrap();
        assert_eq!(sector, [0; 512]);
    }
    let log = resealed(&file, HEADERS, 4096, 72, &[0, 0, 0x20, 0]);
    assert_eq!(rules(&log), ["vhdx-overlap"]);
}

#[test]
fn every_truncation_is_an_error() {
    let (_, file) = image();
    // The last block holds one sector of the disk.
    let end = file.len() - BLOCK + 512;
    for len in (0..end).step_by(256 << 10).chain([7, 8, end - 1]) {
        assert!(read_all(file[..len].to_vec()).is_err(), "{len}");
    }
}
