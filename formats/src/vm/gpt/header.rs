//! The header and the entries: what stands in their fields.

use super::super::guid::Guid;
use super::model::Partition;
use super::{ENTRIES_LEN, ENTRY, SECTOR, Sector};
use crate::format::ReadError;
use crate::input::ReadAt;

/// The first bytes of every header.
pub(super) const MAGIC: [u8; 8] = *b"EFI PART";
/// The only revision there is.
const REVISION: u32 = 0x0001_0000;
/// The length of what a header of that revision says.
const LEN: u8 = 92;
/// The most bytes of entries that are read.
const ENTRIES_MAX: u64 = 1 << 20;

/// One of the two headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The sector that the header is in.
    pub(super) own: u64,
    /// The sector that the other header is in.
    pub(super) other: u64,
    pub(super) first_usable: u64,
    pub(super) last_usable: u64,
    pub(super) guid: Guid,
    /// The first sector of the entries.
    pub(super) entries_at: u64,
    pub(super) entries: u32,
    pub(super) entry_len: u32,
    pub(super) entries_crc: u32,
}

/// Reads and writes fields of a structure whose length is known.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }
}

impl Header {
    /// Returns the sector that holds the header.
    pub(super) fn to_sector(self) -> Sector {
        let mut sector: Sector = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &REVISION.to_le_bytes());
        put(12, &u32::from(LEN).to_le_bytes());
        put(24, &self.own.to_le_bytes());
        put(32, &self.other.to_le_bytes());
        put(40, &self.first_usable.to_le_bytes());
        put(48, &self.last_usable.to_le_bytes());
        put(56, &self.guid.to_stored());
        put(72, &self.entries_at.to_le_bytes());
        put(80, &self.entries.to_le_bytes());
        put(84, &self.entry_len.to_le_bytes());
        put(88, &self.entries_crc.to_le_bytes());
        let crc = crc32fast::hash(&sector[..LEN.into()]);
        sector[16..20].copy_from_slice(&crc.to_le_bytes());
        sector
    }

    /// Parses the header in a sector of the disk, and checks what it says of itself.
    pub(super) fn parse(disk: &dyn ReadAt, sector: u64) -> Result<Self, ReadError> {
        let start = sector.saturating_mul(SECTOR);
        let mut bytes: Sector = [0; 512];
        disk.read_exact_at(start, &mut bytes)?;
        let malformed = |at: u64, expected: &str, found: String| {
            ReadError::malformed("GPT header", start + at, expected, found)
        };
        let fields = Fields(&bytes);
        if fields.bytes(0) != MAGIC {
            let found = format!("{:02x?}", fields.bytes::<8>(0));
            return Err(malformed(0, "EFI PART", found));
        }
        if fields.u32(8) != REVISION {
            return Err(malformed(8, "revision 0x10000", format!("{:#x}", fields.u32(8))));
        }
        let len = usize::try_from(fields.u32(12)).unwrap_or(usize::MAX);
        let Some(covered) = bytes.get(..len).filter(|_| len >= LEN.into()) else {
            return Err(malformed(12, "a length of 92 to 512 bytes", len.to_string()));
        };
        let mut covered = covered.to_vec();
        covered[16..20].fill(0);
        let crc = crc32fast::hash(&covered);
        if fields.u32(16) != crc {
            let found = format!("{:#010x}", fields.u32(16));
            return Err(malformed(16, &format!("the CRC-32 {crc:#010x}"), found));
        }
        let header = Self {
            own: fields.u64(24),
            other: fields.u64(32),
            first_usable: fields.u64(40),
            last_usable: fields.u64(48),
            guid: Guid::from_stored(fields.bytes(56)),
            entries_at: fields.u64(72),
            entries: fields.u32(80),
            entry_len: fields.u32(84),
            entries_crc: fields.u32(88),
        };
        header
            .check(sector, disk.len() / SECTOR)
            .map_err(|(at, expected, found)| malformed(at, expected, found.to_string()))?;
        Ok(header)
    }

    /// Returns the first field that cannot be right: its place, what is expected, what is there.
    fn check(&self, sector: u64, sectors: u64) -> Result<(), (u64, &'static str, u64)> {
        if self.own != sector {
            return Err((24, "the sector that the header is in", self.own));
        }
        if self.last_usable >= sectors {
            return Err((48, "a sector of the disk", self.last_usable));
        }
        if self.first_usable > self.last_usable.saturating_add(1) {
            return Err((40, "a sector before the last usable one", self.first_usable));
        }
        let len = u64::from(self.entry_len);
        if !self.entry_len.is_power_of_two() || !(ENTRY.into()..=4096).contains(&len) {
            return Err((84, "entries of 128 bytes, or of 256 to 4096", len));
        }
        let bytes = self.entries_len();
        if self.entries == 0 || bytes > ENTRIES_MAX {
            return Err((80, "at least one entry and at most 1 MiB of them", self.entries.into()));
        }
        let end = self.entries_at.checked_add(bytes.div_ceil(SECTOR));
        if self.entries_at < 2 || end.is_none_or(|end| end > sectors) {
            return Err((72, "entries on the disk behind the header", self.entries_at));
        }
        Ok(())
    }

    fn entries_len(&self) -> u64 {
        u64::from(self.entries) * u64::from(self.entry_len)
    }

    /// Reads the entries, of which there are at most 1 MiB.
    pub(super) fn read_entries(&self, disk: &dyn ReadAt) -> Result<Vec<u8>, ReadError> {
        let start = self.entries_at * SECTOR;
        let len = usize::try_from(self.entries_len()).unwrap_or(usize::MAX);
        let mut entries = vec![0; len];
        disk.read_exact_at(start, &mut entries)?;
        let crc = crc32fast::hash(&entries);
        if crc != self.entries_crc {
            let expected = format!("the CRC-32 {:#010x}", self.entries_crc);
            return Err(ReadError::malformed(
                "GPT entries",
                start,
                expected,
                format!("{crc:#010x}"),
            ));
        }
        Ok(entries)
    }
}

/// Returns all entries as they are stored; `partitions` are at most 128 and have been checked.
pub(super) fn entries(partitions: &[Partition]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTRIES_LEN);
    for partition in partitions {
        let Partition { name, kind, guid, start, len, attributes } = partition;
        bytes.extend(kind.to_stored());
        bytes.extend(guid.to_stored());
        bytes.extend((start / SECTOR).to_le_bytes());
        bytes.extend(((start + len) / SECTOR - 1).to_le_bytes());
        bytes.extend(attributes.to_le_bytes());
        bytes.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        bytes.resize(bytes.len().next_multiple_of(ENTRY.into()), 0);
    }
    bytes.resize(ENTRIES_LEN, 0);
    bytes
}

/// Parses an entry; `None` if it is unused.
pub(super) fn parse_entry(
    header: &Header,
    number: usize,
    bytes: &[u8],
) -> Result<Option<Partition>, ReadError> {
    let fields = Fields(bytes);
    let kind = Guid::from_stored(fields.bytes(0));
    if kind == Guid([0; 16]) {
        return Ok(None);
    }
    let fail = |reason: String| Err(ReadError::invalid(format!("GPT entry {number}"), reason));
    let (first, last) = (fields.u64(32), fields.u64(40));
    if first < header.first_usable || last > header.last_usable || first > last {
        let (from, to) = (header.first_usable, header.last_usable);
        return fail(format!("expected sectors within {from} to {to}, found {first} to {last}"));
    }
    let (units, _) = fields.0.get(56..ENTRY.into()).unwrap_or_default().as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit)).take_while(|unit| *unit != 0);
    let Ok(name) = char::decode_utf16(units).collect::<Result<String, _>>() else {
        return fail("its name is not UTF-16".into());
    };
    Ok(Some(Partition {
        name,
        kind,
        guid: Guid::from_stored(fields.bytes(16)),
        start: first * SECTOR,
        len: (last - first + 1) * SECTOR,
        attributes: fields.u64(48),
    }))
}
