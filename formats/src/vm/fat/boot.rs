//! The boot sector: what a volume says of itself.

use super::geometry::{Geometry, Width};
use super::model::Volume;
use super::name::Short;
use super::{ENTRY, FIRST_CLUSTER, SECTOR, Sector};
use crate::format::ReadError;
use crate::input::ReadAt;

/// Where FAT32 has FSInfo, and both sectors once more.
pub(super) const INFO_SECTOR: u16 = 1;
pub(super) const BACKUP_SECTOR: u16 = 6;
/// What the label says if there is none.
pub(super) const NO_LABEL: Short = *b"NO NAME    ";
/// A disk that is not a floppy.
const FIXED_DISK: u8 = 0xf8;
/// The mark of a boot sector whose serial and label are to be believed.
const EXTENDED: u8 = 0x29;
/// The largest cluster that is read, as some systems write it.
const CLUSTER_MAX: u64 = 256 << 10;
/// The signatures of FSInfo.
const INFO: [(usize, [u8; 4]); 3] = [(0, *b"RRaA"), (484, *b"rrAa"), (508, [0, 0, 0x55, 0xaa])];

/// What the boot sector says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Boot {
    pub(super) geometry: Geometry,
    /// The first cluster of the root directory; 0 if that has a place of its own.
    pub(super) root: u32,
    /// The sectors of FSInfo and of the second boot sector, if there are any.
    pub(super) info: Option<u16>,
    pub(super) backup: Option<u16>,
    pub(super) media: u8,
    pub(super) hidden: u32,
    pub(super) serial: u32,
    pub(super) label: Short,
}

impl Boot {
    /// Returns what is written for a volume.
    pub(super) fn of(volume: &Volume<'_>, geometry: Geometry, label: Option<Short>) -> Self {
        let wide = geometry.width == Width::Fat32;
        Self {
            geometry,
            root: if wide { FIRST_CLUSTER } else { 0 },
            info: wide.then_some(INFO_SECTOR),
            backup: wide.then_some(BACKUP_SECTOR),
            media: FIXED_DISK,
            hidden: volume.hidden_sectors,
            serial: volume.serial,
            label: label.unwrap_or(NO_LABEL),
        }
    }

    /// Returns the boot sector; its code is a loop that halts.
    pub(super) fn to_sector(self) -> Sector {
        let Geometry { width, cluster, reserved, tables, table_sectors, .. } = self.geometry;
        let Geometry { root_entries, sectors, .. } = self.geometry;
        let low = |number: u64| u16::try_from(number).unwrap_or(0).to_le_bytes();
        let wide = |number: u64| u32::try_from(number).unwrap_or(0).to_le_bytes();
        let byte = |number: u64| u8::try_from(number).unwrap_or(0);
        let (code, extension, name): (u8, usize, &[u8; 8]) = match width {
            Width::Fat12 => (62, 36, b"FAT12   "),
            Width::Fat16 => (62, 36, b"FAT16   "),
            Width::Fat32 => (90, 64, b"FAT32   "),
        };
        let mut sector: Sector = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &[0xeb, code - 2, 0x90]);
        put(3, b"MSWIN4.1"); // the name that is the least trouble, the specification says
        put(11, &low(SECTOR));
        put(13, &[byte(cluster / SECTOR)]);
        put(14, &low(reserved));
        put(16, &[byte(tables)]);
        put(17, &low(root_entries));
        put(21, &[self.media]);
        put(24, &low(32)); // sectors of a track and heads: 1 MiB a cylinder
        put(26, &low(64));
        put(28, &self.hidden.to_le_bytes());
        match width {
            Width::Fat12 | Width::Fat16 => {
                // Zero if it does not fit, and then it stands in the wide field.
                put(19, &low(sectors));
                put(22, &low(table_sectors));
                put(32, &wide(if sectors > u16::MAX.into() { sectors } else { 0 }));
            }
            Width::Fat32 => {
                put(32, &wide(sectors));
                put(36, &wide(table_sectors));
                put(44, &self.root.to_le_bytes());
                put(48, &self.info.unwrap_or(0).to_le_bytes());
                put(50, &self.backup.unwrap_or(0).to_le_bytes());
            }
        }
        put(extension, &[0x80, 0, EXTENDED]);
        put(extension + 3, &self.serial.to_le_bytes());
        put(extension + 7, &self.label);
        put(extension + 18, name);
        put(code.into(), &[0xf4, 0xeb, 0xfd]); // hlt; jmp to it
        put(510, &[0x55, 0xaa]);
        sector
    }

    /// Parses the boot sector and refuses what cannot be.
    pub(super) fn parse(input: &dyn ReadAt) -> Result<Self, ReadError> {
        let mut sector: Sector = [0; 512];
        input.read_exact_at(0, &mut sector)?;
        let malformed = |at: u64, expected: &str, found: String| {
            Err(ReadError::malformed("FAT boot sector", at, expected, found))
        };
        if sector[510..] != [0x55, 0xaa] {
            return malformed(510, "55 aa", format!("{:02x?}", &sector[510..]));
        }
        if ![0xeb, 0xe9].contains(&sector[0]) {
            return malformed(0, "a jump", format!("{:02x?}", &sector[..3]));
        }
        let fields = Fields(&sector);
        let geometry = match fields.geometry() {
            Ok(geometry) => geometry,
            Err((at, expected, found)) => return malformed(at, expected, found.to_string()),
        };
        let bytes = geometry.sectors.saturating_mul(geometry.sector);
        if bytes > input.len() {
            let found = format!("{bytes}, and {} of them", input.len());
            return malformed(32, "no more bytes than there are", found);
        }
        let wide = geometry.width == Width::Fat32;
        let root = if wide { fields.u32(44) } else { 0 };
        if wide && !geometry.has(root) {
            return malformed(44, "a cluster of the volume", root.to_string());
        }
        let place = |at: usize| {
            let inside = 1..geometry.reserved;
            Some(fields.u16(at)).filter(|sector| wide && inside.contains(&u64::from(*sector)))
        };
        let extension = if wide { 64 } else { 36 };
        let believed = sector[extension + 2] == EXTENDED;
        let mut label = NO_LABEL;
        if believed {
            label.copy_from_slice(&sector[extension + 7..extension + 18]);
        }
        Ok(Self {
            geometry,
            root,
            info: place(48),
            backup: place(50),
            media: sector[21],
            hidden: fields.u32(28),
            serial: if believed { fields.u32(extension + 3) } else { 0 },
            label,
        })
    }
}

/// Reads the fields of a boot sector.
struct Fields<'a>(&'a Sector);

impl Fields<'_> {
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from(self.u16(at)) | u32::from(self.u16(at + 2)) << 16
    }

    /// Returns the first of two fields, or the second if the first is zero.
    fn either(&self, narrow: usize, wide: usize) -> u64 {
        match self.u16(narrow) {
            0 => self.u32(wide).into(),
            some => some.into(),
        }
    }

    /// Returns where everything is, or the first field that cannot be right: its place, what is
    /// expected, what is there.
    fn geometry(&self) -> Result<Geometry, (u64, &'static str, u64)> {
        let sector = u64::from(self.u16(11));
        if !sector.is_power_of_two() || !(512..=4096).contains(&sector) {
            return Err((11, "sectors of 512 to 4096 bytes", sector));
        }
        let per_cluster = u64::from(self.0[13]);
        let cluster = per_cluster * sector;
        if !per_cluster.is_power_of_two() || cluster > CLUSTER_MAX {
            return Err((13, "clusters of 1, 2, 4 ... sectors up to 256 KiB", per_cluster));
        }
        let reserved = u64::from(self.u16(14));
        if reserved == 0 {
            return Err((14, "at least one reserved sector", reserved));
        }
        let tables = u64::from(self.0[16]);
        if !(1..=2).contains(&tables) {
            return Err((16, "one or two tables", tables));
        }
        let root_entries = u64::from(self.u16(17));
        let sectors = self.either(19, 32);
        let table_sectors = self.either(22, 36);
        let root = (root_entries * ENTRY as u64).div_ceil(sector);
        let before = reserved + tables * table_sectors + root;
        let Some(clusters) = sectors.checked_sub(before).map(|left| left / per_cluster) else {
            return Err((32, "more sectors than come before the clusters", sectors));
        };
        // A FAT32 volume with few clusters is one for the systems that look here first.
        let width = match self.u16(22) {
            0 => Width::Fat32,
            _ => Width::of_clusters(clusters),
        };
        if width == Width::Fat32 && (self.u16(22) != 0 || root_entries != 0) {
            return Err((22, "fewer clusters, or a root directory that is one", clusters));
        }
        if width != Width::Fat32 && root_entries == 0 {
            return Err((17, "entries in the root directory", root_entries));
        }
        let numbers = (table_sectors * sector * 8) / width.bits();
        if clusters + u64::from(FIRST_CLUSTER) > numbers.min(0x0fff_fff7) {
            return Err((32, "no more clusters than a table has numbers for", clusters));
        }
        Ok(Geometry {
            width,
            sector,
            cluster,
            reserved,
            tables,
            table_sectors,
            root_entries,
            clusters,
            sectors,
        })
    }
}

/// Returns FSInfo (version 1.03, "FAT32 FSInfo Sector Structure").
pub(super) fn info(free: u32, next: u32) -> Sector {
    let mut sector: Sector = [0; 512];
    for (at, signature) in INFO {
        sector[at..at + 4].copy_from_slice(&signature);
    }
    sector[488..492].copy_from_slice(&free.to_le_bytes());
    sector[492..496].copy_from_slice(&next.to_le_bytes());
    sector
}

/// Returns how many clusters FSInfo says are free; nothing if it is none.
pub(super) fn parse_info(sector: &Sector) -> Option<u32> {
    let signed = INFO.iter().all(|(at, signature)| sector[*at..at + 4] == *signature);
    let free = u32::from_le_bytes([sector[488], sector[489], sector[490], sector[491]]);
    signed.then_some(free)
}
