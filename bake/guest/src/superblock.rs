//! The file systems that are looked for, known by their superblocks.
//!
//! ```text
//! ext4     1024 + 56: 53 EF          1024 + 104: UUID   1024 + 120: label, 16 bytes
//! erofs    1024: E2 E1 F5 E0         1024 +  48: UUID   1024 +  64: label, 16 bytes
//! FAT32    510: 55 AA  82: "FAT32"   67: serial         71: label, 11 bytes
//! FAT12/16 510: 55 AA  54: "FAT1"    39: serial         43: label, 11 bytes
//! ISO 9660 32769: "CD001"                               32768 + 40: label, 32 bytes
//! ```
//!
//! Linux: `Documentation/filesystems/ext4/super.rst`, `fs/erofs/erofs_fs.h`; Microsoft's FAT specification,
//! section 3; ECMA-119, section 8.4.

use crate::input::{ReadAt, field};

/// A kind of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ext2, ext3 and ext4, all of which the ext4 driver mounts.
    Ext4,
    /// A read-only file system.
    Erofs,
    /// FAT of any width.
    Vfat,
    /// A CD-ROM's file system.
    Iso9660,
}

impl Kind {
    /// Returns the name that the kernel mounts it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Erofs => "erofs",
            Self::Vfat => "vfat",
            Self::Iso9660 => "iso9660",
        }
    }
}

/// What a file system says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// Its kind.
    pub kind: Kind,
    /// Its name, empty if it has none.
    pub label: String,
    /// Its UUID or serial number as `blkid` prints it, empty if it has none.
    pub uuid: String,
}

/// Reads the superblock of a device, if it has one that is known.
pub fn read(device: &(impl ReadAt + ?Sized)) -> Option<Superblock> {
    ext4_or_erofs(device).or_else(|| fat(device)).or_else(|| iso9660(device))
}

fn ext4_or_erofs(device: &(impl ReadAt + ?Sized)) -> Option<Superblock> {
    let mut block = [0; 136];
    device.read_exact_at(1024, &mut block).ok()?;
    let (kind, uuid, label) = if field(&block, 0) == 0xe0f5_e1e2_u32.to_le_bytes() {
        (Kind::Erofs, 48, 64)
    } else if field(&block, 56) == 0xef53_u16.to_le_bytes() {
        (Kind::Ext4, 104, 120)
    } else {
        return None;
    };
    let label: [u8; 16] = field(&block, label);
    Some(Superblock { kind, label: text(&label), uuid: uuid_text(field(&block, uuid)) })
}

fn fat(device: &(impl ReadAt + ?Sized)) -> Option<Superblock> {
    let mut sector = [0; 512];
    device.read_exact_at(0, &mut sector).ok()?;
    if sector[510..] != [0x55, 0xaa] {
        return None;
    }
    let (serial, label) = if &sector[82..87] == b"FAT32" {
        (67, 71)
    } else if &sector[54..58] == b"FAT1" {
        (39, 43)
    } else {
        return None;
    };
    let [a, b, c, d]: [u8; 4] = field(&sector, serial);
    let label: [u8; 11] = field(&sector, label);
    let uuid = format!("{d:02x}{c:02x}-{b:02x}{a:02x}");
    Some(Superblock { kind: Kind::Vfat, label: text(&label), uuid })
}

fn iso9660(device: &(impl ReadAt + ?Sized)) -> Option<Superblock> {
    let mut descriptor = [0; 72];
    device.read_exact_at(32768, &mut descriptor).ok()?;
    (descriptor[..6] == *b"\x01CD001").then(|| Superblock {
        kind: Kind::Iso9660,
        label: text(&descriptor[40..]),
        uuid: String::new(),
    })
}

/// Returns a label without its padding.
fn text(label: &[u8]) -> String {
    let end = label.iter().position(|byte| *byte == 0).unwrap_or(label.len());
    String::from_utf8_lossy(&label[..end]).trim_end().to_owned()
}

/// Returns the printed form of a UUID whose bytes are stored in that order.
pub fn uuid_text(bytes: [u8; 16]) -> String {
    let mut printed = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            printed.push('-');
        }
        printed.push_str(&format!("{byte:02x}"));
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; 40960];
        for (offset, field) in fields {
            bytes[*offset..*offset + field.len()].copy_from_slice(field);
        }
        bytes
    }

    fn read_all(bytes: &[u8]) -> Option<(&'static str, String, String)> {
        read(bytes).map(|found| (found.kind.name(), found.label, found.uuid))
    }

    #[test]
    fn knows_file_systems_with_label_and_uuid() {
        let uuid: Vec<u8> = (0x10..0x20).collect();
        let printed = "10111213-1415-1617-1819-1a1b1c1d1e1f".to_owned();
        let cases = [
            (
                device(&[(1080, &[0x53, 0xef]), (1128, &uuid), (1144, b"root")]),
                ("ext4", "root".into(), printed.clone()),
            ),
            (
                device(&[
                    (1024, &[0xe2, 0xe1, 0xf5, 0xe0]),
                    (1072, &uuid),
                    (1088, b"0123456789abcdef"),
                ]),
                ("erofs", "0123456789abcdef".into(), printed),
            ),
            (
                device(&[(510, &[0x55, 0xaa]), (67, &[4, 3, 2, 1]), (71, b"CIDATA     FAT32   ")]),
                ("vfat", "CIDATA".into(), "0102-0304".into()),
            ),
            (
                device(&[(510, &[0x55, 0xaa]), (39, &[4, 3, 2, 1]), (43, b"cidata     FAT12   ")]),
                ("vfat", "cidata".into(), "0102-0304".into()),
            ),
            (
                device(&[(32768, b"\x01CD001"), (32808, b"cidata                          ")]),
                ("iso9660", "cidata".into(), String::new()),
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read_all(&bytes), Some(expected));
        }
    }

    #[test]
    fn other_bytes_and_short_devices_are_none() {
        let ext4 = device(&[(1080, &[0x53, 0xef])]);
        for length in 0..1160 {
            assert_eq!(read(&ext4[..length]), None, "{length}");
        }
        let iso = device(&[(32768, b"\x01CD001")]);
        for length in 0..32840 {
            assert_eq!(read(&iso[..length]), None, "{length}");
        }
        assert_eq!(read(&device(&[])[..]), None);
        assert_eq!(read(&device(&[(510, &[0x55, 0xaa])])[..]), None);
    }
}
