//! The entries of directories: writing them, and taking a directory apart.

use super::ENTRY;
use super::geometry::Width;
use super::name::{Name, Short, checksum};
use crate::format::Epoch;

/// Attribute bits (version 1.03, "FAT 32 Byte Directory Entry Structure").
pub(super) const LABEL: u8 = 0x08;
/// What an entry of a directory has.
pub(super) const DIRECTORY: u8 = 0x10;
/// What a file has that no backup has seen.
pub(super) const ARCHIVE: u8 = 0x20;
/// What the pieces of a long name have, and nothing else.
const LONG: u8 = 0x0f;
/// The bits that count for telling pieces of long names from other entries.
const LONG_MASK: u8 = 0x3f;
/// The mark of the last piece of a long name.
const LAST: u8 = 0x40;
/// What the name of an entry starts with if neither it nor any behind it is used.
const END: u8 = 0;
/// What the name of an entry starts with if it is not used.
const DELETED: u8 = 0xe5;
/// Bits of the byte at 12: the base, the extension has lower-case letters (Windows NT).
const LOWER_BASE: u8 = 0x08;
const LOWER_EXTENSION: u8 = 0x10;
/// The units of a long name in one entry, and where they are.
const UNITS: usize = 13;
const UNIT_PLACES: [usize; UNITS] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
/// The most pieces that a long name of 255 units has.
const PIECES_MAX: u8 = 20;
/// The beginning of the time that FAT can say: 1 January 1980.
const FIRST_TIME: u32 = 315_532_800;

/// The names of a directory's own two entries.
const SELF: Short = *b".          ";
const PARENT: Short = *b"..         ";

/// The time of an entry, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    date: u16,
    time: u16,
    hundredths: u8,
}

impl Stamp {
    /// Returns a time; one before 1980 becomes the beginning of that year.
    pub(super) fn of(epoch: Epoch) -> Self {
        let epoch = Epoch(epoch.0.max(FIRST_TIME));
        let (year, month, day) = epoch.date();
        let second = epoch.0 % 86_400;
        let date = ((year - 1980) << 9) | (month << 5) | day;
        let time = ((second / 3600) << 11) | ((second / 60 % 60) << 5) | (second % 60 / 2);
        let low = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        Self {
            date: low(date),
            time: low(time),
            hundredths: if second.is_multiple_of(2) { 0 } else { 100 },
        }
    }
}

/// What an entry says of a file or directory besides its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) attributes: u8,
    /// The first cluster; 0 if there is none.
    pub(super) cluster: u32,
    pub(super) size: u32,
}

/// Appends what a directory has for a name.
pub(super) fn push(bytes: &mut Vec<u8>, name: &Name, target: Target, stamp: Stamp) {
    let sum = checksum(&name.short);
    let pieces: Vec<&[u16]> = name.long.chunks(UNITS).collect();
    for (number, piece) in (1..=PIECES_MAX).zip(&pieces).rev() {
        let mut entry = [0; ENTRY];
        let last = if usize::from(number) == pieces.len() { LAST } else { 0 };
        entry[0] = number | last;
        entry[11] = LONG;
        entry[13] = sum;
        // A name that ends within a piece has a zero there, and then ones.
        let rest = std::iter::once(0).chain(std::iter::repeat(u16::MAX));
        for (place, unit) in UNIT_PLACES.into_iter().zip(piece.iter().copied().chain(rest)) {
            entry[place..place + 2].copy_from_slice(&unit.to_le_bytes());
        }
        bytes.extend(entry);
    }
    push_short(bytes, name.short, target, stamp);
}

/// Appends what every directory but the root starts with.
pub(super) fn push_dots(bytes: &mut Vec<u8>, own: u32, parent: u32, stamp: Stamp) {
    for (name, cluster) in [(SELF, own), (PARENT, parent)] {
        push_short(bytes, name, Target { attributes: DIRECTORY, cluster, size: 0 }, stamp);
    }
}

/// Appends the label of a volume.
pub(super) fn push_label(bytes: &mut Vec<u8>, label: Short, stamp: Stamp) {
    push_short(bytes, label, Target { attributes: LABEL, cluster: 0, size: 0 }, stamp);
}

fn push_short(bytes: &mut Vec<u8>, short: Short, target: Target, stamp: Stamp) {
    let [low0, low1, high0, high1] = target.cluster.to_le_bytes();
    bytes.extend(short);
    bytes.extend([target.attributes, 0, stamp.hundredths]);
    bytes.extend(stamp.time.to_le_bytes());
    bytes.extend(stamp.date.to_le_bytes());
    bytes.extend(stamp.date.to_le_bytes());
    bytes.extend([high0, high1]);
    bytes.extend(stamp.time.to_le_bytes());
    bytes.extend(stamp.date.to_le_bytes());
    bytes.extend([low0, low1]);
    bytes.extend(target.size.to_le_bytes());
}

/// What a directory holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing {
    pub(super) entries: Vec<(String, Target)>,
    pub(super) label: Option<Short>,
    /// The clusters that `.` and `..` name.
    pub(super) dots: [Option<u32>; 2],
    /// Pieces of long names that belong to no entry.
    pub(super) orphans: usize,
}

/// Takes a directory apart; an error is a phrase about one of its names.
pub(super) fn parse(bytes: &[u8], width: Width) -> Result<Listing, String> {
    let mut listing = Listing::default();
    let mut long = LongName::default();
    let (entries, _) = bytes.as_chunks::<ENTRY>();
    for entry in entries.iter().take_while(|entry| entry[0] != END) {
        if entry[0] == DELETED {
            listing.orphans += long.take_count();
        } else if entry[11] & LONG_MASK == LONG {
            listing.orphans += long.add(entry);
        } else {
            listing.add(entry, &mut long, width)?;
        }
    }
    listing.orphans += long.take_count();
    Ok(listing)
}

impl Listing {
    fn add(
        &mut self,
        entry: &[u8; ENTRY],
        long: &mut LongName,
        width: Width,
    ) -> Result<(), String> {
        let u16 = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
        let mut short: Short = [0; 11];
        short.copy_from_slice(&entry[..11]);
        let high = if width == Width::Fat32 { u32::from(u16(20)) << 16 } else { 0 };
        let cluster = high | u32::from(u16(26));
        let size = u32::from(u16(28)) | u32::from(u16(30)) << 16;
        let target = Target { attributes: entry[11], cluster, size };
        if target.attributes & LABEL != 0 {
            self.orphans += long.take_count();
            self.label = self.label.or(Some(short));
            return Ok(());
        }
        if let Some(dot) = [SELF, PARENT].iter().position(|dot| *dot == short) {
            self.orphans += long.take_count();
            self.dots[dot] = self.dots[dot].or(Some(cluster));
            return Ok(());
        }
        let name = match long.take(checksum(&short)) {
            Ok(Some(units)) => char::decode_utf16(units)
                .collect::<Result<String, _>>()
                .map_err(|_| format!("the long name of `{}` is not UTF-16", printed(&short)))?,
            Ok(None) => short_name(&short, entry[12])?,
            Err(orphans) => {
                self.orphans += orphans;
                short_name(&short, entry[12])?
            }
        };
        if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
            return Err(format!("impossible name `{}` in it", name.escape_default()));
        }
        self.entries.push((name, target));
        Ok(())
    }
}

fn printed(short: &Short) -> String {
    short.escape_ascii().to_string()
}

/// Returns a short name as it is read without a long one.
fn short_name(short: &Short, case: u8) -> Result<String, String> {
    if !short.iter().all(|byte| (b' '..0x7f).contains(byte)) {
        return Err(format!("the name `{}` is in an unknown character set", printed(short)));
    }
    let part = |bytes: &[u8], lower: u8| {
        let text: String = bytes.iter().copied().map(char::from).collect();
        let text = text.trim_end_matches(' ');
        if case & lower == 0 { text.to_owned() } else { text.to_ascii_lowercase() }
    };
    let (base, extension) = (part(&short[..8], LOWER_BASE), part(&short[8..], LOWER_EXTENSION));
    Ok(if extension.is_empty() { base } else { format!("{base}.{extension}") })
}

/// The pieces of a long name so far, the last ones first.
#[derive(Debug, Default)]
struct LongName {
    pieces: Vec<[u16; UNITS]>,
    /// The number of the next piece; 0 if the name is whole.
    next: u8,
    sum: u8,
}

impl LongName {
    /// Takes in a piece and returns how many pieces turned out to belong to nothing.
    fn add(&mut self, entry: &[u8; ENTRY]) -> usize {
        let mut orphans = 0;
        let number = entry[0] & !LAST;
        let starts = entry[0] & LAST != 0;
        if starts {
            orphans += self.take_count();
            self.next = number;
            self.sum = entry[13];
        }
        let usual = (1..=PIECES_MAX).contains(&number);
        if !usual || number != self.next || entry[13] != self.sum {
            return orphans + self.take_count() + 1;
        }
        self.pieces.push(UNIT_PLACES.map(|at| u16::from_le_bytes([entry[at], entry[at + 1]])));
        self.next -= 1;
        orphans
    }

    /// Returns the units of a name whose pieces are all there, if it has any.
    fn take(&mut self, sum: u8) -> Result<Option<Vec<u16>>, usize> {
        let whole = self.next == 0 && self.sum == sum;
        let pieces = std::mem::take(self).pieces;
        if pieces.is_empty() {
            return Ok(None);
        }
        if !whole {
            return Err(pieces.len());
        }
        let units = pieces.into_iter().rev().flatten();
        Ok(Some(units.take_while(|unit| *unit != 0).collect()))
    }

    fn take_count(&mut self) -> usize {
        std::mem::take(self).pieces.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::assign;
    use super::*;

    const TARGET: Target = Target { attributes: ARCHIVE, cluster: 0x0012_3456, size: 7 };

    fn bytes(names: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in assign(names).unwrap() {
            push(&mut bytes, &name, TARGET, Stamp::of(Epoch(0)));
        }
        bytes
    }

    fn names(bytes: &[u8]) -> Vec<String> {
        let listing = parse(bytes, Width::Fat32).unwrap();
        listing.entries.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_of_every_length_come_back() {
        for len in 1..=255 {
            let name: String = "näm𝄞".chars().cycle().take(len).collect();
            if name.encode_utf16().count() <= 255 {
                let bytes = bytes(&[&name, "SHORT.TXT"]);
                assert_eq!(names(&bytes), [&*name, "SHORT.TXT"]);
                let listing = parse(&bytes, Width::Fat32).unwrap();
                assert_eq!((listing.entries[0].1, listing.orphans), (TARGET, 0));
            }
        }
    }

    #[test]
    fn a_piece_that_fits_nothing_is_left_out() {
        let whole = bytes(&["a long name of three pieces"]);
        assert_eq!(whole.len(), 4 * ENTRY);
        let orphans = |bytes: &[u8]| parse(bytes, Width::Fat32).unwrap().orphans;
        for at in [0, 13, ENTRY, ENTRY + 13, 2 * ENTRY, 3 * ENTRY + 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x04;
            let (found, lost) = (names(&damaged), orphans(&damaged));
            assert_eq!((found.len(), lost), (1, 3), "{at}: {found:?}");
            assert!(found[0].ends_with("~1"), "{at}: {found:?}");
        }
        let mut deleted = whole.clone();
        deleted[3 * ENTRY] = DELETED;
        assert_eq!((names(&deleted).len(), orphans(&deleted)), (0, 3));
        let mut ended = whole.clone();
        ended[2 * ENTRY] = END;
        assert_eq!((names(&ended).len(), orphans(&ended)), (0, 2));
        assert_eq!((names(&[]).len(), orphans(&[])), (0, 0));
    }

    #[test]
    fn refuses_names_that_leave_the_directory() {
        let with = |units: &[u16]| {
            let name = Name { short: *b"A~1        ", long: units.to_vec() };
            let mut bytes = Vec::new();
            push(&mut bytes, &name, TARGET, Stamp::of(Epoch(0)));
            parse(&bytes, Width::Fat32).map(drop).unwrap_err()
        };
        for name in ["a/b", "..", ".", "\0"] {
            let units: Vec<u16> = name.encode_utf16().collect();
            assert!(with(&units).starts_with("impossible name"), "{name}");
        }
        assert!(with(&[0xd800]).contains("not UTF-16"));
        let mut high = bytes(&["SHORT"]);
        high[1] = 0x80;
        assert!(parse(&high, Width::Fat32).unwrap_err().contains("character set"));
    }

    #[test]
    fn the_case_of_short_names_is_read() {
        let mut bytes = bytes(&["README.TXT"]);
        for (case, name) in [(0, "README.TXT"), (8, "readme.TXT"), (0x18, "readme.txt")] {
            bytes[12] = case;
            assert_eq!(names(&bytes), [name]);
        }
    }

    #[test]
    fn times_are_of_two_seconds_and_never_before_1980() {
        let stamp = |epoch| {
            let Stamp { date, time, hundredths } = Stamp::of(Epoch(epoch));
            (
                date >> 9,
                date >> 5 & 15,
                date & 31,
                time >> 11,
                time >> 5 & 63,
                time & 31,
                hundredths,
            )
        };
        assert_eq!(stamp(0), (0, 1, 1, 0, 0, 0, 0));
        assert_eq!(stamp(1_600_000_001), (40, 9, 13, 12, 26, 20, 100));
        assert_eq!(stamp(u32::MAX), (126, 2, 7, 6, 28, 7, 100));
    }
}
