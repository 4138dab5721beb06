//! The partitions of a disk, from its GUID partition table (UEFI 2.10, section 5.3).
//!
//! ```text
//! header, LBA 1 and the last one            entry, 128 bytes or more
//!    0  "EFI PART"                             0  type GUID, zero if unused
//!   12  header size, 92 or more               16  the partition's own GUID
//!   16  CRC-32 of the header with zeros here  56  name, 36 UTF-16 units
//!   72  LBA of the entries
//!   80  number of entries
//!   84  size of an entry
//!   88  CRC-32 of the entries
//! ```

use crate::input::{ReadAt, field};
use crate::superblock::uuid_text;

/// Partitions of one disk that are looked at.
const ENTRIES: u32 = 1024;
/// The largest entry that is read.
const ENTRY_SIZE: u32 = 1024;

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number, as the kernel counts: from one, unused entries too.
    pub number: u32,
    /// Its own GUID as printed: `PARTUUID`.
    pub guid: String,
    /// Its name: `PARTLABEL`.
    pub name: String,
}

/// Reads the table of a disk of some blocks, or the copy at its end; none if neither is whole.
pub fn read(disk: &(impl ReadAt + ?Sized), block: u64, blocks: u64) -> Option<Vec<Partition>> {
    let last = blocks.checked_sub(1)?;
    table(disk, block, 1).or_else(|| table(disk, block, last))
}

fn table(disk: &(impl ReadAt + ?Sized), block: u64, lba: u64) -> Option<Vec<Partition>> {
    let mut header = [0; 512];
    disk.read_exact_at(lba.checked_mul(block)?, &mut header).ok()?;
    let number = |offset| u32::from_le_bytes(field(&header, offset));
    let (length, checksum) = (usize::try_from(number(12)).ok()?, number(16));
    if header[..8] != *b"EFI PART" || !(92..=512).contains(&length) {
        return None;
    }
    let (entries, size, entries_checksum) = (number(80), number(84), number(88));
    let start = u64::from_le_bytes(field(&header, 72)).checked_mul(block)?;
    header[16..20].fill(0);
    if crc32(&header[..length]) != checksum
        || entries > ENTRIES
        || !(128..=ENTRY_SIZE).contains(&size)
    {
        return None;
    }
    let mut array = vec![0; usize::try_from(entries * size).ok()?];
    disk.read_exact_at(start, &mut array).ok()?;
    if crc32(&array) != entries_checksum {
        return None;
    }
    let entries = (1..).zip(array.chunks_exact(usize::try_from(size).ok()?));
    Some(entries.filter_map(|(number, entry)| partition(number, entry)).collect())
}

fn partition(number: u32, entry: &[u8]) -> Option<Partition> {
    if entry[..16] == [0; 16] {
        return None;
    }
    let mut guid: [u8; 16] = field(entry, 16);
    // Its first three fields are stored with the least significant byte first.
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    let units = entry[56..128].chunks_exact(2).map(|unit| u16::from_le_bytes(field(unit, 0)));
    let name = char::decode_utf16(units.take_while(|unit| *unit != 0))
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Some(Partition { number, guid: uuid_text(guid), name })
}

/// CRC-32 as in ISO 3309.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCKS: u64 = 128;
    const LENGTH: usize = 128 * 512;

    /// A disk with entries 1 and 3, and its copy of the table at the end.
    fn disk() -> Vec<u8> {
        let mut array = vec![0; 128 * 4];
        for (index, name) in [(0_usize, "esp"), (2, "root")] {
            let entry = &mut array[index * 128..][..128];
            entry[..16].fill(0xaa);
            entry[16..32]
                .copy_from_slice(&std::array::from_fn::<u8, 16, _>(|at| u8::try_from(at).unwrap()));
            for (unit, place) in name.encode_utf16().zip(entry[56..].chunks_exact_mut(2)) {
                place.copy_from_slice(&unit.to_le_bytes());
            }
        }
        let mut disk = vec![0; LENGTH];
        for (place, start, entries) in [(512, 2, 1024), (LENGTH - 512, BLOCKS - 2, LENGTH - 1024)] {
            let mut header = [0; 512];
            header[..8].copy_from_slice(b"EFI PART");
            header[12..16].copy_from_slice(&92_u32.to_le_bytes());
            header[72..80].copy_from_slice(&start.to_le_bytes());
            header[80..84].copy_from_slice(&4_u32.to_le_bytes());
            header[84..88].copy_from_slice(&128_u32.to_le_bytes());
            header[88..92].copy_from_slice(&crc32(&array).to_le_bytes());
            let checksum = crc32(&header[..92]);
            header[16..20].copy_from_slice(&checksum.to_le_bytes());
            disk[place..][..512].copy_from_slice(&header);
            disk[entries..][..512].copy_from_slice(&array);
        }
        disk
    }

    fn expected() -> Vec<Partition> {
        let guid = "03020100-0504-0706-0809-0a0b0c0d0e0f".to_owned();
        vec![
            Partition { number: 1, guid: guid.clone(), name: "esp".into() },
            Partition { number: 3, guid, name: "root".into() },
        ]
    }

    #[test]
    fn reads_partitions_under_their_numbers() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(read(&disk()[..], 512, BLOCKS), Some(expected()));
    }

    #[test]
    fn takes_the_copy_if_the_first_table_is_damaged() {
        for offset in (512..604).chain(1024..1536) {
            let mut damaged = disk();
            damaged[offset] ^= 1;
            assert_eq!(read(&damaged[..], 512, BLOCKS), Some(expected()), "{offset}");
            let copy = damaged.len() - if offset < 1024 { 1024 - offset } else { 2048 - offset };
            damaged[copy] ^= 1;
            assert_eq!(read(&damaged[..], 512, BLOCKS), None, "{offset}");
        }
    }

    #[test]
    fn lying_headers_and_short_disks_are_none() {
        let whole = disk();
        for length in 0..1536 {
            assert_eq!(read(&whole[..length], 512, BLOCKS), None, "{length}");
        }
        for (offset, value) in
            [(12, 513), (12, 91), (80, 1025), (84, 127), (84, u32::MAX), (76, u32::MAX)]
        {
            let mut lying = whole[..2048].to_vec();
            lying[512 + offset..][..4].copy_from_slice(&value.to_le_bytes());
            lying[528..532].fill(0);
            let checksum = crc32(&lying[512..604]);
            lying[528..532].copy_from_slice(&checksum.to_le_bytes());
            assert_eq!(read(&lying[..], 512, BLOCKS), None, "{offset} {value}");
        }
        assert_eq!(read(&whole[..], 512, 0), None);
    }
}
