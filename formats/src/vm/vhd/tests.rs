//! Images made by hand, good and hostile.

use std::sync::Arc;

use super::*;
use crate::blob::MemoryStore;
use crate::digest::Digest;
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::rope::Rope;
use crate::vm::fixtures;

const BLOCK: usize = 2 << 20;

fn identity() -> Identity {
    let id = Guid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    Identity { id, created: Epoch(1_577_836_800) }
}

fn image(kind: Kind) -> (Vec<u8>, Vec<u8>) {
    let store = MemoryStore::new();
    let disk = fixtures::five_blocks(&store);
    let file = write(&disk, kind, &identity()).unwrap();
    (disk.to_vec(&store).unwrap(), file.to_vec(&store).unwrap())
}

fn open(file: Vec<u8>) -> Result<VhdReader, ReadError> {
    VhdReader::open(Arc::new(file))
}

fn read_all(file: Vec<u8>) -> std::io::Result<Vec<u8>> {
    fixtures::read_all(open(file))
}

fn rules(file: &Vec<u8>) -> Vec<&'static str> {
    check(file).unwrap().iter().map(|problem| problem.rule).collect()
}

/// Returns an image with some bytes replaced and the checksum of what starts at `sealed` made right.
fn with(file: &[u8], at: usize, bytes: &[u8], sealed: (usize, usize, usize)) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    let (start, len, skipped) = sealed;
    let sum = footer::checksum(&file[start..start + len], skipped);
    file[start + skipped..start + skipped + 4].copy_from_slice(&sum.to_be_bytes());
    file
}

#[test]
fn reading_undoes_writing() {
    for kind in [Kind::Fixed, Kind::Dynamic] {
        let (disk, file) = image(kind);
        assert_eq!(rules(&file), [""; 0]);
        assert!(VhdReader::is_at_end_of(&file));
        assert_eq!(VhdReader::is_at_start_of(&file), kind == Kind::Dynamic);
        assert_eq!(open(file.clone()).unwrap().kind(), kind);
        let expected = match kind {
            Kind::Fixed => disk.len() + 512,
            // Footer, header, table, three blocks with their bitmaps, footer.
            Kind::Dynamic => 512 + 1024 + 512 + 3 * (512 + BLOCK) + 512,
        };
        assert_eq!(file.len(), expected);
        assert!(read_all(file).unwrap() == disk);
    }
}

#[test]
fn bytes_are_pinned() {
    let digests = [Kind::Fixed, Kind::Dynamic].map(|kind| Digest::of(&image(kind).1).hex());
    assert_eq!(
        digests,
        [
            "6ab9d51778e5e7fab06d3ffb803ec78c5120e1cefbdb8d9d2d4e2ca602b117db",
            "f310f4e1e4a467757d9c32177e27585c0ef876cb0aef8497051fe81c462ead67",
        ]
    );
}

#[test]
fn the_footer_says_what_importers_ask_for() {
    let (_, file) = image(Kind::Fixed);
    let footer = &file[file.len() - 512..];
    assert_eq!(footer[..8], *b"conectix");
    assert_eq!(footer[16..24], [0xff; 8]);
    // 2020-01-01 is 7305 days after 2000-01-01.
    assert_eq!(footer[24..28], (7305_u32 * 86_400).to_be_bytes());
    assert_eq!(footer[28..32], *b"win ");
    assert_eq!(footer[36..40], *b"Wi2k");
    assert_eq!(footer[48..56], (8_u64 * 1024 * 1024 + 512).to_be_bytes());
    assert_eq!(footer[68..72], [0, 0x11, 0x22, 0x33]);
    let early = Identity { created: Epoch(1), ..identity() };
    let file = write(&Rope::new(), Kind::Fixed, &early).unwrap();
    let bytes = file.to_vec(&MemoryStore::new()).unwrap();
    assert_eq!(bytes[24..28], [0; 4]);
}

#[test]
fn a_disk_of_holes_has_no_blocks() {
    for size in [0, 512, 1 << 30, 2040 << 30] {
        let mut disk = Rope::new();
        disk.push_zeros(size);
        let file = write(&disk, Kind::Dynamic, &identity()).unwrap();
        let file = file.to_vec(&MemoryStore::new()).unwrap();
        assert_eq!(rules(&file), [""; 0]);
        assert_eq!(open(file).unwrap().len(), size);
    }
}

#[test]
fn refuses_a_disk_that_vhd_cannot_say() {
    for size in [1, 513, (2040 << 30) + 512] {
        let mut disk = Rope::new();
        disk.push_zeros(size);
        for kind in [Kind::Fixed, Kind::Dynamic] {
            assert!(write(&disk, kind, &identity()).is_err(), "{size}");
        }
    }
    assert_eq!([0, 1, 1 << 20, (1 << 20) + 1].map(round), [0, 1 << 20, 1 << 20, 2 << 20]);
}

#[test]
fn sectors_whose_bit_is_not_set_are_zeros() {
    let (mut disk, mut file) = image(Kind::Dynamic);
    // The second block that is there: sectors 1 and 8 of it are said to be absent.
    let bitmap = 2048 + 512 + BLOCK;
    file[bitmap] = 0b1011_1111;
    file[bitmap + 1] = 0b0111_1111;
    for sector in [1, 8] {
        disk[2 * BLOCK + sector * 512..][..512].fill(0);
    }
    assert!(read_all(file).unwrap() == disk);
}

#[test]
fn refuses_footers_it_cannot_trust() {
    let (_, file) = image(Kind::Dynamic);
    let footer = file.len() - 512;
    let seal = (footer, 512, 64);
    let cases: [(&str, usize, &[u8]); 8] = [
        ("cookie", 0, b"connectix"),
        ("version", 12, &[0, 2]),
        ("header outside", 16, &[0, 0, 1]),
        ("header at the end of numbers", 16, &[0xff; 8]),
        ("header elsewhere", 16, &[0, 0, 0, 0, 0, 0, 0, 0]),
        ("size", 48, &[0, 0, 0, 0, 0, 0, 0, 1]),
        ("differencing", 60, &[0, 0, 0, 4]),
        ("type", 60, &[0, 0, 0, 9]),
    ];
    for (what, at, bytes) in cases {
        assert!(open(with(&file, footer + at, bytes, seal)).is_err(), "{what}");
    }
    let (_, fixed) = image(Kind::Fixed);
    let footer = fixed.len() - 512;
    assert!(open(with(&fixed, footer + 48, &[0, 1], (footer, 512, 64))).is_err(), "large");
    assert!(open(file[..511].to_vec()).is_err());
    let mut flipped = file.clone();
    flipped[file.len() - 100] ^= 1;
    assert!(open(flipped).is_err());
}

#[test]
fn refuses_headers_it_cannot_trust() {
    let (_, file) = image(Kind::Dynamic);
    let cases: [(&str, usize, &[u8]); 8] = [
        ("cookie", 0, b"cxsparsf"),
        ("table outside", 16, &[0, 0, 1]),
        ("table at the end of numbers", 16, &[0xff; 8]),
        ("version", 24, &[0, 2]),
        ("few entries", 28, &[0, 0, 0, 4]),
        ("many entries", 28, &[0xff; 4]),
        ("odd blocks", 32, &[0, 0x20, 0, 1]),
        ("no blocks", 32, &[0; 4]),
    ];
    for (what, at, bytes) in cases {
        assert!(open(with(&file, 512 + at, bytes, (512, 1024, 36))).is_err(), "{what}");
    }
    let mut flipped = file.clone();
    flipped[512 + 900] ^= 1;
    assert!(open(flipped).is_err());
}

#[test]
fn hostile_tables_are_errors_and_never_more() {
    let (_, file) = image(Kind::Dynamic);
    let none = (0, 512, 64);
    let cases: [(&str, [u8; 4], &[&str]); 4] = [
        ("outside", [0x7f, 0xff, 0xff, 0xff], &["vhd-offset"]),
        ("the end", [0xff, 0xff, 0xff, 0xfe], &["vhd-offset"]),
        ("the table", [0, 0, 0, 3], &["vhd-overlap"]),
        ("another block", [0, 0, 0x10, 5], &["vhd-overlap"]),
    ];
    for (what, entry, expected) in cases {
        let file = with(&file, 1536, &entry, none);
        assert_eq!(rules(&file), expected, "{what}");
        let read = open(file).unwrap().read_exact_at(0, &mut [0; 512]);
        assert_eq!(read.is_err(), expected == ["vhd-offset"], "{what}: {read:?}");
    }
    let mut copy = file.clone();
    copy[3] ^= 1;
    assert_eq!(rules(&copy), ["vhd-footer-copy"]);
    let (_, mut longer) = image(Kind::Fixed);
    longer.splice(0..0, [0; 512]);
    assert_eq!(rules(&longer), ["vhd-size"]);
}

#[test]
fn every_truncation_is_an_error() {
    let mut disk = Rope::from(vec![7; 512]);
    disk.push_zeros(512);
    for kind in [Kind::Fixed, Kind::Dynamic] {
        let file = write(&disk, kind, &identity()).unwrap().to_vec(&MemoryStore::new()).unwrap();
        let near = [0..3000.min(file.len()), file.len().saturating_sub(1030)..file.len()];
        for len in near.into_iter().flatten() {
            assert!(open(file[..len].to_vec()).is_err() || len == 512, "{len}");
        }
    }
}
