//! The loader's bytes and what reads them again; that it boots is for `testdata/consumers`.

use proptest::prelude::*;

use super::*;
use crate::digest::Digest;
use crate::format::{ReadError, WriteError};

const MIB: usize = 1 << 20;

fn example() -> Loader {
    Loader {
        kernel: 0x30_0000..0x30_4321,
        initrd: Some(0x38_0200..0x3f_ffff),
        command_line: "root=PARTUUID=5d0b8f4c-6e2a-8c1d-9f00-3b1c2a4e5d6f rw console=ttyS0".into(),
        partition_start: 0x10_0000,
    }
}

/// A disk of 4 MiB with the loader of [`example`] on it.
fn disk(loader: &Loader) -> Vec<u8> {
    let Written { boot_code, partition } = write(loader).unwrap();
    let mut disk = vec![0; 4 * MIB];
    disk[..440].copy_from_slice(&boot_code);
    let start = usize::try_from(loader.partition_start).unwrap();
    disk[start..start + partition.len()].copy_from_slice(&partition);
    disk
}

#[test]
fn the_bytes_are_pinned() {
    let Written { boot_code, partition } = write(&example()).unwrap();
    assert_eq!(partition.len(), 4096);
    let digests = [Digest::of(&boot_code), Digest::of(&partition)].map(|digest| digest.to_string());
    assert_eq!(digests, PINNED);
}

/// A change of these raises [`REVISION`].
const PINNED: [&str; 2] = [
    "sha256:e30cd87ad7be493cde20f2d808e0c3508733662d153aff0efc55397c916e4b9d",
    "sha256:219b26462ec42798c6e596ce723b8f855a0df98e4beb73b4b9f3586645c4ce7d",
];

#[test]
fn the_places_are_where_the_code_reads_them() {
    let Written { boot_code, partition } = write(&example()).unwrap();
    assert_eq!(boot_code[432..], 0x800_u64.to_le_bytes());
    let numbers: Vec<u64> = (0..5)
        .map(|index| u64::from_le_bytes(*partition[1536 + index * 8..].first_chunk().unwrap()))
        .collect();
    assert_eq!(numbers, [0x1800, 0x4321, 0x1c01, 0x7_fdff, 0]);
    let (line, rest) = partition[2048..].split_at(example().command_line.len());
    assert_eq!(line, example().command_line.as_bytes());
    assert!(rest.iter().all(|byte| *byte == 0));
}

#[test]
fn reading_undoes_writing() {
    let without = Loader { initrd: None, command_line: String::new(), ..example() };
    for loader in [example(), without] {
        let disk = disk(&loader);
        assert!(is_at_start_of(&disk).unwrap());
        assert_eq!(read(&disk).unwrap(), loader);
    }
}

proptest! {
    #[test]
    fn reading_undoes_writing_of_any(
        partition in 1_u64..1000,
        kernel in (1008_u64..4000, 1_u64..2_000_000),
        initrd in proptest::option::of((1008_u64..4000, 1_u64..2_000_000)),
        command_line in "[ -~]{0,2047}",
    ) {
        let range = |(sector, length): (u64, u64)| sector * 512..sector * 512 + length;
        let loader = Loader {
            kernel: range(kernel),
            initrd: initrd.map(range),
            command_line,
            partition_start: partition * 512,
        };
        prop_assert_eq!(read(&disk(&loader)).unwrap(), loader);
    }
}

#[test]
fn what_cannot_be_loaded_is_refused() {
    let cases = [
        (Loader { partition_start: 0, ..example() }, "partition_start", "found 0"),
        (Loader { partition_start: 1000, ..example() }, "partition_start", "found 1000"),
        (Loader { kernel: 513..600, ..example() }, "kernel", "found 513"),
        (Loader { kernel: 512..512, ..example() }, "kernel", "found none"),
        (Loader { initrd: Some(512..1 << 31 | 512), ..example() }, "initrd", "found 2147483648"),
        (Loader { initrd: Some(1..3), ..example() }, "initrd", "found 1"),
        (Loader { command_line: "x".repeat(2048), ..example() }, "command line", "found 2048"),
        (Loader { command_line: "a\0".into(), ..example() }, "command_line", "zero byte at 1"),
    ];
    for (loader, field, found) in cases {
        let error: WriteError = write(&loader).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(field) && message.ends_with(found), "{message}");
    }
    write(&Loader { command_line: "x".repeat(2047), ..example() }).unwrap();
    write(&Loader { initrd: Some(512..(1 << 31) - 1 + 512), ..example() }).unwrap();
}

#[test]
fn every_changed_byte_is_noticed() {
    let good = disk(&example());
    let start = MIB;
    let line = example().command_line.len();
    let ours = (0..440).chain(start..start + 4096);
    for at in ours {
        let mut bad = good.clone();
        bad[at] ^= 0x80;
        match read(&bad) {
            Err(ReadError::Malformed { .. }) => {}
            // Places and text have no checksum: another place on the disk is another loader.
            Ok(loader) => {
                assert_ne!(loader, example(), "byte {at}");
                let within = at.checked_sub(start).unwrap();
                assert!((1536..1568).contains(&within), "byte {at}");
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    let mut bad = good;
    bad[start + 2048 + line - 1] = 0;
    assert_eq!(read(&bad).unwrap().command_line.len(), line - 1);
}

#[test]
fn a_disk_that_ends_early_is_noticed() {
    let good = disk(&example());
    for len in (0..600).chain(MIB - 600..MIB + 5000) {
        assert!(read(&good[..len].to_vec()).is_err(), "{len}");
    }
    let error = read(&good[..0x3f_fffe].to_vec()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "place of the initrd at offset 1050128: expected bytes of the disk, which has 4194302, \
         found 523775 bytes from sector 7169"
    );
    read(&good[..0x3f_ffff].to_vec()).unwrap();
}

#[test]
fn lying_numbers_are_errors() {
    let lies = [0, 1 << 55, u64::MAX / 512, u64::MAX / 512 + 2, u64::MAX];
    for at in [432, MIB + 1536, MIB + 1544, MIB + 1552, MIB + 1560] {
        for lie in lies {
            let mut bad = disk(&example());
            bad[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            let error = read(&bad).unwrap_err();
            assert!(matches!(error, ReadError::Malformed { .. }), "{at}: {lie}: {error}");
        }
    }
}

#[test]
fn a_command_line_of_other_bytes_is_an_error() {
    let mut bad = disk(&example());
    bad[MIB + 2050] = 0xff;
    let error = read(&bad).unwrap_err();
    assert_eq!(
        error.to_string(),
        "command line at offset 1050626: expected UTF-8, found other bytes"
    );
    bad[MIB + 2048..MIB + 4096].fill(b'x');
    assert!(read(&bad).unwrap_err().to_string().contains("zeros to the end"));
}
