//! Files with holes, written and made by hand.

use std::io::Read;
use std::sync::Arc;

use super::header::{Header, put_number, seal};
use super::{BLOCK, Dialect, Root, SparseFile, SymlinkOrder, TarOptions, TarWriter};
use crate::blob::MemoryStore;
use crate::digest::Digest;
use crate::format::{Epoch, ReadError};
use crate::input::{ReadAt, Section};
use crate::rope::Rope;
use crate::tree::{Mode, TreePath};

fn archive(contents: &Rope) -> Vec<u8> {
    let options = TarOptions {
        format: "test",
        dialect: Dialect::Gnu,
        prefix: "",
        epoch: Epoch(1_577_836_800),
        symlinks: SymlinkOrder::InTree,
        root: Root::Omitted,
    };
    let mut writer = TarWriter::new(options);
    let path = TreePath::parse("disk.raw").unwrap();
    writer.append_sparse(&path, Mode::PLAIN, contents).unwrap();
    writer.finish().to_vec(&MemoryStore::new()).unwrap()
}

fn open(archive: Vec<u8>) -> Result<SparseFile, ReadError> {
    SparseFile::open(Arc::new(archive), "archive")
}

fn read_all(archive: Vec<u8>) -> Vec<u8> {
    let file = open(archive).unwrap();
    assert_eq!(file.name(), b"disk.raw");
    let mut bytes = Vec::new();
    Section::whole(Arc::new(file)).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Returns a file with so many regions, 1000 bytes apart from one another by holes.
fn with_regions(count: usize) -> Rope {
    let mut contents = Rope::new();
    for _ in 0..count {
        contents.push_zeros(1000);
        contents.push_bytes(b"region");
        contents.push_zeros(3000);
    }
    contents
}

#[test]
fn reading_undoes_writing() {
    // 4 entries in the header, 21 in each block of the map; the last one says where the file ends.
    for count in [0, 1, 3, 4, 5, 24, 25, 45, 46, 47] {
        let contents = with_regions(count);
        let bytes = contents.to_vec(&MemoryStore::new()).unwrap();
        assert!(read_all(archive(&contents)) == bytes, "{count}");
        let mut ends_in_data = contents.clone();
        ends_in_data.push_bytes(b"end");
        let bytes = ends_in_data.to_vec(&MemoryStore::new()).unwrap();
        assert!(read_all(archive(&ends_in_data)) == bytes, "{count} and the end");
    }
}

#[test]
fn bytes_are_pinned() {
    // Equal to those of GNU tar 1.34 with `--format=oldgnu --sparse --hole-detection=raw`.
    let mut contents = with_regions(30);
    contents.push_zeros(1 << 20);
    let expected = "7a79aee082d03e8caf520f7c28ab8b4ff2f28ac90aedbe561680a4299507c6fb";
    assert_eq!(Digest::of(&archive(&contents)).hex(), expected);
}

#[test]
fn a_hole_takes_no_room() {
    let mut contents = Rope::new();
    contents.push_zeros(1 << 40);
    contents.push_bytes(b"x");
    contents.align(BLOCK as u64);
    let bytes = archive(&contents);
    assert_eq!(bytes.len(), 4 * BLOCK);
    let file = open(bytes).unwrap();
    let mut byte = [0];
    file.read_exact_at(1 << 40, &mut byte).unwrap();
    assert_eq!((file.len(), byte), ((1 << 40) + 512, *b"x"));
}

#[test]
fn reads_a_file_without_holes() {
    let header = Header { name: b"disk.raw".to_vec(), size: 5, kind: b'0', ..Header::default() };
    let mut bytes = header.encode(Dialect::Gnu).to_vec();
    bytes.extend(b"whole");
    bytes.resize(4 * BLOCK, 0);
    assert_eq!(read_all(bytes), b"whole");
}

#[test]
fn refuses_maps_it_cannot_trust() {
    let good = archive(&with_regions(30));
    let cases: [(&str, usize, u64); 5] = [
        ("a size that is not the regions'", 124, 512),
        ("a region before the one before it", 386 + 24, 0),
        ("a region behind the end", 386 + 72, 1 << 40),
        ("a long region", 386 + 84, 1 << 40),
        ("a short file", 483, 512),
    ];
    for (what, at, number) in cases {
        let mut bytes = good.clone();
        put_number(&mut bytes[at..at + 12], number, Dialect::Gnu);
        let block: &mut [u8; BLOCK] = bytes.first_chunk_mut().unwrap();
        seal(block);
        assert!(open(bytes).is_err(), "{what}");
    }
    let mut numbers = good.clone();
    numbers[BLOCK..BLOCK + 12].fill(0xff);
    assert!(open(numbers).is_err(), "numbers");
    let mut endless = good.clone();
    endless[2 * BLOCK + 504] = 1;
    assert!(open(endless).is_err(), "endless");
    let mut directory = good.clone();
    directory[156] = b'5';
    seal(directory.first_chunk_mut().unwrap());
    assert!(open(directory).is_err(), "directory");
    let mut second = good.clone();
    let end = second.len() - 2 * BLOCK;
    second.splice(end..end, good[..BLOCK].to_vec());
    assert!(open(second).is_err(), "a second member");
    for len in 0..good.len() {
        assert!(open(good[..len].to_vec()).is_err(), "{len}");
    }
}
