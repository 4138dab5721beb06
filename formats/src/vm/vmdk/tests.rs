//! Images made by hand, good and hostile.

use std::io::Write;
use std::sync::Arc;

use super::*;
use crate::blob::{BlobStore, MemoryStore};
use crate::digest::Digest;
use crate::encode::{Encoder, NoCache};
use crate::format::{Epoch, ReadError, WriteCx, WriteError};
use crate::input::ReadAt;
use crate::rope::Rope;
use crate::vm::Guid;
use crate::vm::fixtures;

const GRAIN: usize = 64 << 10;
/// Where the first grain is.
const FIRST: usize = 64 << 10;
const ID: Guid = Guid([0xff; 16]);

fn describe(disk: &Rope, store: &MemoryStore, threads: usize) -> Result<Rope, WriteError> {
    let encoder = Encoder::new(store, &NoCache, threads);
    write(disk, ID, &WriteCx { blobs: store, encoder: &encoder, epoch: Epoch(0) })
}

fn image(disk: &Rope, store: &MemoryStore) -> Vec<u8> {
    describe(disk, store, 2).unwrap().to_vec(store).unwrap()
}

/// Returns a disk with grains of two tables; zeros of a blob are zeros like holes.
fn sample(store: &MemoryStore) -> Rope {
    let blob = store.put(&b"0123456789".repeat(20_000)).unwrap();
    let zeros = store.put(&vec![0; 3 * GRAIN]).unwrap();
    let mut disk = Rope::from(b"start".to_vec());
    disk.push_zeros(3 * GRAIN as u64);
    disk.push_blob(blob);
    disk.align(GRAIN as u64);
    disk.push_blob(zeros);
    disk.push_zeros((70 << 20) - disk.len());
    disk.push_bytes(b"in the third table");
    disk.align(512);
    disk
}

fn both() -> (Vec<u8>, Vec<u8>) {
    let store = MemoryStore::new();
    let disk = sample(&store);
    (disk.to_vec(&store).unwrap(), image(&disk, &store))
}

fn open(file: Vec<u8>) -> Result<VmdkReader, ReadError> {
    VmdkReader::open(Arc::new(file))
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

/// Returns where the directory of a stream is.
fn directory(file: &[u8]) -> usize {
    let footer = &file[file.len() - 1024..];
    usize::try_from(header::u32_at(footer, 56)).unwrap() * 512
}

#[test]
fn reading_undoes_writing() {
    let (disk, file) = both();
    assert_eq!(rules(&file), [""; 0]);
    assert!(VmdkReader::is_at_start_of(&file));
    assert!(read_all(file).unwrap() == disk);
}

#[test]
fn bytes_are_pinned_whatever_the_threads() {
    for threads in [1, 3] {
        let store = MemoryStore::new();
        let file = describe(&sample(&store), &store, threads).unwrap().to_vec(&store).unwrap();
        assert_eq!(
            Digest::of(&file).hex(),
            "612233cb8f4e6031792b2f29dfdd647ebb959ce5f00a020b31b5be0ef206556f"
        );
    }
}

/// Passes over a grain of this number; returns where it ends.
fn grain_end(file: &[u8], at: usize, number: u64) -> usize {
    assert_eq!(file[at..at + 8], (number * 128).to_le_bytes());
    (at + 12 + header::u32_at(file, at + 8) as usize).next_multiple_of(512)
}

#[test]
fn the_stream_is_in_the_order_of_the_specification() {
    let (_, file) = both();
    let marker = |at: usize| (file[at], file[at + 12]);
    // The grains of a table, then its marker and the table; a table of zeros is not there.
    let first = [0, 3, 4, 5, 6].into_iter().fold(FIRST, |at, number| grain_end(&file, at, number));
    assert_eq!(marker(first), (4, 1));
    let third = grain_end(&file, first + 512 + 2048, 1120);
    assert_eq!(marker(third), (4, 1));
    let end = third + 512 + 2048;
    assert_eq!(marker(end), (1, 2));
    assert_eq!(directory(&file), end + 512);
    let places = [0, 4, 8, 12].map(|at| header::u32_at(&file, end + 512 + at) as usize * 512);
    assert_eq!(places, [first + 512, 0, third + 512, 0]);
    assert_eq!(marker(end + 1024), (1, 3));
    assert_eq!(file[end + 1536..][..4], *b"KDMV");
    assert_eq!(file[end + 2048..], [0; 512]);
}

#[test]
fn the_descriptor_names_no_file_and_no_parent() {
    let (_, file) = both();
    let text: Vec<u8> = file[512..].iter().copied().take_while(|byte| *byte != 0).collect();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("# Disk DescriptorFile\nversion=1\n"), "{text}");
    for line in [
        "CID=7fffffff",
        "parentCID=ffffffff",
        "createType=\"streamOptimized\"",
        "RDONLY 143361 SPARSE \"disk.vmdk\"",
        "ddb.adapterType = \"lsilogic\"",
        "ddb.geometry.cylinders = \"8\"",
        "ddb.longContentID = \"ffffffffffffffffffffffff7fffffff\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

#[test]
fn a_disk_of_zeros_has_no_grains() {
    let store = MemoryStore::new();
    for size in [512, 1 << 30, 2040 << 30] {
        let mut disk = Rope::new();
        disk.push_zeros(size);
        let file = image(&disk, &store);
        assert_eq!(rules(&file), [""; 0]);
        assert_eq!(open(file).unwrap().len(), size);
    }
}

#[test]
fn refuses_a_disk_that_vmdk_cannot_say() {
    let store = MemoryStore::new();
    for size in [0, 1, 513, (2040 << 30) + 512] {
        let mut disk = Rope::new();
        disk.push_zeros(size);
        assert!(describe(&disk, &store, 1).is_err(), "{size}");
    }
}

#[test]
fn refuses_headers_it_cannot_trust() {
    let (_, file) = both();
    let cases: [(&str, usize, &[u8]); 14] = [
        ("magic", 0, b"COWD"),
        ("version", 4, &[4]),
        ("compression without markers", 10, &[1]),
        ("capacity", 12, &[0xff; 8]),
        ("odd grain", 20, &[127]),
        ("small grain", 20, &[4]),
        ("large grain", 20, &[0, 0x20]),
        ("descriptor elsewhere", 28, &[0]),
        ("descriptor at the end of numbers", 28, &[0xff; 8]),
        ("long descriptor", 36, &[129]),
        ("no descriptor", 36, &[0]),
        ("short tables", 44, &[0, 1]),
        ("newlines", 73, b"\n \n\n"),
        ("compression", 77, &[2]),
    ];
    for (what, at, bytes) in cases {
        assert!(open(with(&file, at, bytes)).is_err(), "{what}");
    }
    let footer = file.len() - 1024;
    let cases: [(&str, usize, &[u8]); 5] = [
        ("magic", 0, b"COWD"),
        ("another capacity", 12, &[0]),
        ("a footer again", 56, &[0xff; 8]),
        ("directory outside", 58, &[0xff]),
        ("no directory", 56, &[0; 8]),
    ];
    for (what, at, bytes) in cases {
        assert!(open(with(&file, footer + at, bytes)).is_err(), "{what}");
    }
}

#[test]
fn refuses_disks_in_several_files() {
    let (_, file) = both();
    let text = std::str::from_utf8(&file[512..2048]).unwrap();
    for (from, to) in [
        ("# Disk Desc", "# Risk Desc"),
        ("parentCID=ffffffff", "parentCID=12345678"),
        ("parentCID", "parentcid=\"x\"\nX"),
        ("streamOptimized", "twoGbMaxExtent1"),
    ] {
        let at = 512 + text.find(from).unwrap();
        assert!(open(with(&file, at, to.as_bytes())).is_err(), "{to}");
    }
}

#[test]
fn hostile_tables_are_errors_and_never_more() {
    let (_, file) = both();
    let directory = directory(&file);
    let table = usize::try_from(header::u32_at(&file, directory)).unwrap() * 512;
    let own = u32::try_from(directory / 512).unwrap().to_le_bytes();
    let third = file[table + 12..table + 16].to_vec();
    let cases: [(&str, usize, &[u8], &[&str]); 6] = [
        ("table outside", directory, &[0xff; 4], &["vmdk-offset"]),
        ("table is the directory", directory, &own, &["vmdk-overlap"]),
        ("grain outside", table, &[0xff; 4], &["vmdk-grain-marker"]),
        ("grain of another place", table, &third, &["vmdk-grain-marker"]),
        ("grain's sector", FIRST, &[1], &["vmdk-grain-marker"]),
        ("grain's length", FIRST + 8, &[0xff; 4], &["vmdk-grain-marker"]),
    ];
    for (what, at, bytes, expected) in cases {
        let file = with(&file, at, bytes);
        assert!(rules(&file).contains(&expected[0]), "{what}: {:?}", rules(&file));
        let read = open(file).unwrap().read_exact_at(0, &mut [0; 512]);
        assert!(read.is_err(), "{what}");
    }
    // The third table's place is the first's: all of its grains are elsewhere.
    let place = file[directory..directory + 4].to_vec();
    let twice = with(&file, directory + 8, &place);
    assert!(rules(&twice).contains(&"vmdk-overlap"));
    assert_eq!(rules(&with(&file, file.len() - 1, &[1])), ["vmdk-end-of-stream"]);
}

#[test]
fn a_flipped_byte_of_a_grain_is_an_error() {
    let (_, file) = both();
    let len = 12 + header::u32_at(&file, FIRST + 8) as usize;
    for at in FIRST..FIRST + len {
        let mut file = file.clone();
        file[at] ^= 0x10;
        assert!(open(file).unwrap().read_exact_at(0, &mut [0; 512]).is_err(), "{at}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    let (_, file) = both();
    for len in (0..file.len()).step_by(512).chain(file.len() - 1100..file.len()) {
        assert!(open(file[..len].to_vec()).is_err(), "{len}");
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn only_the_last_grain_may_be_short() {
    let store = MemoryStore::new();
    let mut disk = Rope::from(vec![1; GRAIN]);
    disk.push_bytes(&[2; 512]);
    let file = image(&disk, &store);
    let second = FIRST + 512;
    assert_eq!(file[second..second + 8], 128_u64.to_le_bytes());
    for (at, content, is_read) in [
        (second, vec![3; 512], true),
        (second, vec![3; 511], false),
        (FIRST, vec![3; GRAIN - 1], false),
    ] {
        let stream = zlib(&content);
        let len = u32::try_from(stream.len()).unwrap();
        let file = with(&with(&file, at + 8, &len.to_le_bytes()), at + 12, &stream);
        assert_eq!(read_all(file).is_ok(), is_read, "{at}");
    }
    let long = zlib(&vec![3; GRAIN + 1]);
    let len = u32::try_from(long.len()).unwrap();
    let file = with(&with(&file, FIRST + 8, &len.to_le_bytes()), FIRST + 12, &long);
    assert!(read_all(file).is_err());
}

#[test]
fn reads_grains_that_are_not_compressed() {
    // Header, descriptor, directory, table, grains; flags for newlines and for grains of zeros.
    let mut file = image(&Rope::from(vec![1; 512]), &MemoryStore::new());
    file.truncate(2048);
    let text =
        std::str::from_utf8(&file[512..]).unwrap().replace("streamOptimized", "monolithicSparse");
    file.truncate(512);
    file.extend(text.as_bytes());
    file.resize(21 * 512, 0);
    file[8..12].copy_from_slice(&5_u32.to_le_bytes());
    file[12..20].copy_from_slice(&(128_u64 * 3).to_le_bytes());
    file[56..64].copy_from_slice(&21_u64.to_le_bytes());
    file.extend(22_u32.to_le_bytes());
    file.resize(22 * 512, 0);
    for entry in [1_u32, 26, 0] {
        file.extend(entry.to_le_bytes());
    }
    file.resize(26 * 512, 0);
    file.extend(vec![7; GRAIN]);
    assert_eq!(rules(&file), [""; 0]);
    let expected = [vec![0; GRAIN], vec![7; GRAIN], vec![0; GRAIN]].concat();
    assert!(read_all(file.clone()).unwrap() == expected);
    // Without the flag an entry of 1 is the place of a grain, which overlaps the descriptor.
    assert!(rules(&with(&file, 8, &[1])).contains(&"vmdk-overlap"));
}
