//! Tables good and hostile.

use proptest::prelude::*;

use super::super::guid::Guid;
use super::*;
use crate::digest::Digest;
use crate::format::WriteError;

const MIB: u64 = 1 << 20;

fn partition(number: u8, kind: Guid, start: u64, len: u64) -> Partition {
    let guid = Guid([number; 16]);
    Partition { name: format!("part {number}"), kind, guid, start, len, attributes: 0 }
}

fn sample() -> Table {
    let mut root = partition(2, kinds::ROOT_X86_64, 5 * MIB, 2 * MIB);
    root.attributes = attributes::GROW_FILE_SYSTEM;
    root.name = "rööt 𝄞".into();
    Table {
        guid: Guid([9; 16]),
        boot_code: None,
        partitions: vec![partition(1, kinds::ESP, MIB, 3 * MIB), root],
    }
}

/// Returns a whole disk with nothing in its partitions.
fn disk(table: &Table, len: u64) -> Vec<u8> {
    let (mut disk, tail) = write(table, len).unwrap();
    assert_eq!((disk.len(), tail.len()), (34 * 512, 33 * 512));
    disk.resize(usize::try_from(len).unwrap() - tail.len(), 0);
    disk.extend(tail);
    disk
}

/// Gives a header its right checksums again.
fn seal(disk: &mut [u8], header: usize, entries: usize) {
    let crc = crc32fast::hash(&disk[entries..entries + 128 * 128]);
    disk[header + 88..header + 92].copy_from_slice(&crc.to_le_bytes());
    disk[header + 16..header + 20].fill(0);
    let crc = crc32fast::hash(&disk[header..header + 92]);
    disk[header + 16..header + 20].copy_from_slice(&crc.to_le_bytes());
}

fn rules(disk: &Vec<u8>) -> Vec<&'static str> {
    check(disk).unwrap().iter().map(|problem| problem.rule).collect()
}

#[test]
fn reading_undoes_writing() {
    let mut table = sample();
    let bytes = disk(&table, 8 * MIB);
    assert!(is_at(&bytes));
    assert_eq!(read(&bytes).unwrap(), table);
    assert_eq!(rules(&bytes), [""; 0]);
    table.boot_code = Some(Box::new([0xf4; 440]));
    let bytes = disk(&table, 8 * MIB);
    assert_eq!(read(&bytes).unwrap(), table);
    assert_eq!(rules(&bytes), [""; 0]);
}

#[test]
fn the_bytes_stay_the_same() {
    let digest = Digest::of(&disk(&sample(), 8 * MIB));
    assert_eq!(digest.hex(), "a78117c5e6a1ced9e8525e8236905037c072d16f2e55ed0bf299de85b2f6a1ab");
}

#[test]
fn a_disk_may_be_larger_than_an_mbr_can_say() {
    let mut table = sample();
    table.partitions[1].len = 1 << 42;
    let (head, tail) = write(&table, (1 << 42) + 16 * MIB).unwrap();
    assert_eq!(head[446 + 12..446 + 16], [0xff; 4]);
    let last = (((1_u64 << 42) + 16 * MIB) / 512 - 1).to_le_bytes();
    assert_eq!((&head[512 + 32..512 + 40], &tail[32 * 512 + 24..][..8]), (&last[..], &last[..]));
}

#[test]
fn refuses_tables_that_cannot_be() {
    /// What makes a table one that cannot be.
    type Change = fn(&mut Table);
    let change = |change: Change| {
        let mut table = sample();
        change(&mut table);
        write(&table, 8 * MIB).unwrap_err().to_string()
    };
    let cases: [(Change, &str); 11] = [
        (|table| table.partitions[0].len = 0, "whole sectors of 512 bytes, found 0"),
        (|table| table.partitions[0].len -= 1, "whole sectors"),
        (|table| table.partitions[0].start += 1, "whole sectors"),
        (|table| table.partitions[0].start = 33 * 512, "within 17408..8371712"),
        (|table| table.partitions[1].len = 3 * MIB, "within 17408..8371712"),
        (|table| table.partitions[1].len = u64::MAX - 511, "within 17408..8371712"),
        (|table| table.partitions[0].len = 5 * MIB, "before the partition part 1 ends, at 6291456"),
        (|table| table.partitions[0].kind = Guid([0; 16]), "a GUID of zeros"),
        (|table| table.partitions[0].guid = Guid([2; 16]), "another partition has the GUID"),
        (|table| table.partitions[0].name = "a\0b".into(), "a NUL character"),
        (|table| table.partitions[0].name = "𝄞".repeat(19), "at most 36"),
    ];
    for (number, (case, reason)) in cases.into_iter().enumerate() {
        let error = change(case);
        assert!(error.contains(reason), "{number}: {error}");
    }
    let mut many = sample();
    many.partitions = (0..129_u8)
        .map(|number| partition(number + 1, kinds::ESP, MIB + 512 * u64::from(number), 512))
        .collect();
    assert!(matches!(write(&many, 8 * MIB), Err(WriteError::Limit { found: 129, .. })));
    many.partitions.pop();
    assert_eq!(read(&disk(&many, 8 * MIB)).unwrap(), many);
    for len in [0, 66 * 512, 67 * 512 - 1, 8 * MIB + 1] {
        assert!(write(&Table { partitions: Vec::new(), ..sample() }, len).is_err(), "{len}");
    }
    assert!(write(&Table { partitions: Vec::new(), ..sample() }, 67 * 512).is_ok());
}

#[test]
fn refuses_headers_it_cannot_trust() {
    let good = disk(&sample(), 8 * MIB);
    let cases: [(&str, usize, &[u8]); 14] = [
        ("EFI PART", 0, b"EFI_PART"),
        ("revision", 8, &[1]),
        ("a length of 92", 12, &[91]),
        ("a length of 92", 12, &[0xff; 4]),
        ("the sector that the header is in", 24, &[2]),
        ("a sector before the last usable", 40, &[0xff; 4]),
        ("a sector of the disk", 48, &[0xff; 8]),
        ("entries on the disk", 72, &[1]),
        ("entries on the disk", 72, &[0xff; 8]),
        ("at least one entry", 80, &[0; 4]),
        ("at most 1 MiB", 80, &[0xff; 4]),
        ("entries of 128 bytes", 84, &[64]),
        ("entries of 128 bytes", 84, &[192]),
        ("entries of 128 bytes", 84, &[0, 0, 1, 0]),
    ];
    for (reason, at, bytes) in cases {
        let mut disk = good.clone();
        disk[512 + at..512 + at + bytes.len()].copy_from_slice(bytes);
        let unsealed = read(&disk).unwrap_err().to_string();
        assert!(unsealed.contains(reason) || unsealed.contains("CRC"), "{reason}: {unsealed}");
        seal(&mut disk, 512, 1024);
        let error = read(&disk).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn refuses_entries_it_cannot_trust() {
    let good = disk(&sample(), 8 * MIB);
    let cases: [(&str, usize, &[u8]); 6] = [
        ("found 33 to", 32, &[33, 0]),
        ("found 2048 to 16351", 40, &16_351_u64.to_le_bytes()),
        ("found 2048 to 2047", 40, &2047_u64.to_le_bytes()),
        ("found 2048 to 18446744073709551615", 40, &[0xff; 8]),
        ("lies over 1048576..5243392", 40, &10_240_u64.to_le_bytes()),
        ("not UTF-16", 56, &[0, 0xd8]),
    ];
    for (reason, at, bytes) in cases {
        let mut disk = good.clone();
        disk[1024 + at..1024 + at + bytes.len()].copy_from_slice(bytes);
        assert!(read(&disk).unwrap_err().to_string().contains("CRC-32"), "{reason}");
        seal(&mut disk, 512, 1024);
        let error = read(&disk).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn notices_what_differs_between_the_tables() {
    let good = disk(&sample(), 8 * MIB);
    let (second, entries) = (good.len() - 512, good.len() - 33 * 512);
    let changed = |at: usize, bytes: &[u8]| {
        let mut disk = good.clone();
        disk[at..at + bytes.len()].copy_from_slice(bytes);
        disk
    };
    assert_eq!(rules(&changed(511, &[0])), ["gpt-mbr-signature"]);
    assert_eq!(rules(&changed(446 + 4, &[0xef])), ["gpt-mbr"]);
    assert_eq!(rules(&changed(446 + 12, &[0])), ["gpt-mbr"]);
    assert_eq!(rules(&changed(462 + 4, &[0x0c])), ["gpt-mbr"]);
    assert_eq!(rules(&changed(second, &[0])), ["gpt-backup"]);
    assert_eq!(rules(&changed(entries + 56, b"x")), ["gpt-backup-entries"]);
    let mut other = changed(second + 56, &[1]);
    seal(&mut other, second, entries);
    assert_eq!(rules(&other), ["gpt-backup"]);
    let mut shared = changed(second + 72, &2_u64.to_le_bytes());
    seal(&mut shared, second, 1024);
    assert_eq!(rules(&shared), ["gpt-backup"]);
    let mut longer = good.clone();
    longer.extend([0; 1024]);
    assert_eq!(rules(&longer), ["gpt-mbr", "gpt-backup-place"]);
    let mut table = sample();
    table.partitions[1].start += 512;
    assert_eq!(rules(&disk(&table, 8 * MIB)), ["gpt-alignment"]);
    let mut twice = changed(1024 + 16, &[2; 16]);
    seal(&mut twice, 512, 1024);
    assert!(rules(&twice).contains(&"gpt-guid"));
}

#[test]
fn every_byte_of_the_first_table_counts() {
    let good = disk(&sample(), 8 * MIB);
    for at in 512..512 + 92 {
        let mut disk = good.clone();
        disk[at] ^= 0x10;
        assert!(read(&disk).is_err(), "{at}");
    }
    for len in [0, 1, 511, 512, 1023, 1024, 34 * 512 - 1] {
        assert!(read(&good[..len].to_vec()).is_err(), "{len}");
        assert!(check(&good[..len].to_vec()).is_err(), "{len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_table_can_be_read_back(
        parts in prop::collection::vec((1_u64..2000, 0_u64..100, "[a-zé𝄞 ]{0,18}", any::<u64>()), 0..40),
        code in any::<bool>(),
    ) {
        let mut at = FIRST_USABLE;
        let partitions = (1..).zip(parts).map(|(number, (sectors, gap, name, attributes))| {
            let start = at + gap;
            at = start + sectors;
            let kind = kinds::LINUX_DATA;
            let (start, len) = (start * 512, sectors * 512);
            Partition { name, attributes, ..partition(number, kind, start, len) }
        });
        let partitions = partitions.collect();
        let table = Table {
            guid: Guid([3; 16]),
            boot_code: code.then(|| Box::new([7; 440])),
            partitions,
        };
        let disk = disk(&table, (at + BACKUP_SECTORS) * 512);
        prop_assert_eq!(read(&disk).unwrap(), table);
        prop_assert!(rules(&disk).iter().all(|rule| *rule == "gpt-alignment"));
    }

    #[test]
    fn damage_never_panics(at in 0_usize..2048, byte in any::<u8>(), sealed in any::<bool>()) {
        let mut disk = disk(&sample(), 8 * MIB);
        disk[at] = byte;
        if sealed {
            seal(&mut disk, 512, 1024);
        }
        if let Ok(table) = read(&disk) {
            prop_assert!(table.partitions.iter().all(|part| part.range().end <= 8 * MIB));
        }
        check(&disk).map_or_else(drop, drop);
    }
}
