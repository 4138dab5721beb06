//! The 512-byte header of one member.

use std::ops::Range;

use super::BLOCK;
use super::write::Dialect;
use crate::format::ReadError;
use crate::tree::escape;

const NAME: Range<usize> = 0..100;
const MODE: Range<usize> = 100..108;
const UID: Range<usize> = 108..116;
const GID: Range<usize> = 116..124;
const SIZE: Range<usize> = 124..136;
const MTIME: Range<usize> = 136..148;
const CHECKSUM: Range<usize> = 148..156;
const TYPE: usize = 156;
const LINK_NAME: Range<usize> = 157..257;
const MAGIC: Range<usize> = 257..265;
const UNAME: Range<usize> = 265..297;
const GNAME: Range<usize> = 297..329;
const MAJOR: Range<usize> = 329..337;
const MINOR: Range<usize> = 337..345;
const PREFIX: Range<usize> = 345..500;

const MAGIC_GNU: &[u8; 8] = b"ustar  \0";
const MAGIC_POSIX: &[u8; 8] = b"ustar\x0000";

/// The longest name or link name that a header holds.
pub(super) const NAME_LEN: usize = 100;
/// The longest account name that a header holds, with its NUL.
pub(super) const ACCOUNT_LEN: usize = 31;

/// The fields of a header.
#[derive(Debug, Clone, Default)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) size: u64,
    pub(super) mtime: u64,
    pub(super) kind: u8,
    pub(super) link_name: Vec<u8>,
    pub(super) uname: Vec<u8>,
    pub(super) gname: Vec<u8>,
    pub(super) major: u64,
    pub(super) minor: u64,
}

/// Returns whether a number fits a field of `len` bytes as octal text with a NUL.
pub(super) fn fits_octal(value: u64, len: usize) -> bool {
    value < 1_u64 << (3 * (len - 1))
}

impl Header {
    /// The width of the number fields for accounts and devices.
    pub(super) const ID_LEN: usize = 8;
    /// The width of the size field.
    pub(super) const SIZE_LEN: usize = 12;

    /// Returns the header's bytes.
    ///
    /// Names that are too long are cut and numbers that do not fit are base-256 (GNU) or 0 (PAX):
    /// the caller puts the whole value before the header.
    pub(super) fn encode(&self, dialect: Dialect) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        put_text(&mut block[NAME], &self.name);
        put_number(&mut block[MODE], u64::from(self.mode), dialect);
        put_number(&mut block[UID], self.uid, dialect);
        put_number(&mut block[GID], self.gid, dialect);
        put_number(&mut block[SIZE], self.size, dialect);
        put_number(&mut block[MTIME], self.mtime, dialect);
        block[TYPE] = self.kind;
        put_text(&mut block[LINK_NAME], &self.link_name);
        put_text(&mut block[UNAME], &self.uname);
        put_text(&mut block[GNAME], &self.gname);
        let is_device = matches!(self.kind, b'3' | b'4');
        if is_device || dialect == Dialect::Pax {
            put_number(&mut block[MAJOR], self.major, dialect);
            put_number(&mut block[MINOR], self.minor, dialect);
        }
        block[MAGIC].copy_from_slice(match dialect {
            Dialect::Gnu => MAGIC_GNU,
            Dialect::Pax => MAGIC_POSIX,
        });
        seal(&mut block);
        block
    }

    /// Parses and checks a header that starts at `offset`.
    pub(super) fn decode(block: &[u8; BLOCK], what: &str, offset: u64) -> Result<Self, ReadError> {
        let number = |field: &str, range: Range<usize>| {
            parse_number(&block[range.clone()]).ok_or_else(|| {
                let found = format!("`{}`", escape(&block[range.clone()]));
                let place = offset + range.start as u64;
                ReadError::malformed(
                    format!("{what}: header field {field}"),
                    place,
                    "a number",
                    found,
                )
            })
        };
        let stored = number("checksum", CHECKSUM)?;
        let sums = (checksum(block), signed_checksum(block));
        if stored != sums.0 && i64::try_from(stored) != Ok(sums.1) {
            let what = format!("{what}: header checksum");
            let place = offset + CHECKSUM.start as u64;
            return Err(ReadError::malformed(what, place, sums.0.to_string(), stored.to_string()));
        }
        let mode = number("mode", MODE)?;
        let mut header = Self {
            name: text(&block[NAME]).to_vec(),
            mode: u32::try_from(mode & 0o7777).unwrap_or(0),
            uid: number("uid", UID)?,
            gid: number("gid", GID)?,
            size: number("size", SIZE)?,
            mtime: number("mtime", MTIME)?,
            kind: block[TYPE],
            link_name: text(&block[LINK_NAME]).to_vec(),
            ..Self::default()
        };
        if block[MAGIC].starts_with(b"ustar") {
            header.uname = text(&block[UNAME]).to_vec();
            header.gname = text(&block[GNAME]).to_vec();
        }
        if matches!(header.kind, b'3' | b'4') {
            header.major = number("devmajor", MAJOR)?;
            header.minor = number("devminor", MINOR)?;
        }
        let prefix = text(&block[PREFIX]);
        if block[MAGIC].starts_with(b"ustar\0") && !prefix.is_empty() {
            header.name = [prefix, b"/", &header.name].concat();
        }
        Ok(header)
    }
}

/// Puts in the checksum of everything else.
pub(super) fn seal(block: &mut [u8; BLOCK]) {
    let sum = checksum(block);
    let field = &mut block[CHECKSUM];
    put_octal(&mut field[..6], sum);
    field[6..].copy_from_slice(b"\0 ");
}

/// Returns the bytes up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn put_text(field: &mut [u8], value: &[u8]) {
    for (to, from) in field.iter_mut().zip(value) {
        *to = *from;
    }
}

/// Fills a field with the last octal digits of a number.
fn put_octal(field: &mut [u8], mut value: u64) {
    for place in field.iter_mut().rev() {
        *place = b'0' + (value & 7) as u8;
        value >>= 3;
    }
}

pub(super) fn put_number(field: &mut [u8], value: u64, dialect: Dialect) {
    let digits = field.len() - 1;
    if fits_octal(value, field.len()) {
        put_octal(&mut field[..digits], value);
    } else if dialect == Dialect::Pax {
        put_text(field, "0".repeat(digits).as_bytes());
    } else {
        for (to, from) in field.iter_mut().rev().zip(value.to_be_bytes().iter().rev()) {
            *to = *from;
        }
        field[0] |= 0x80;
    }
}

/// Parses octal text or a base-256 number; an empty field is 0.
pub(super) fn parse_number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        if first & 0x40 != 0 {
            return None;
        }
        return rest.iter().try_fold(u64::from(first & 0x3f), |value, byte| {
            value.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let text = text(field).trim_ascii();
    text.iter().try_fold(0_u64, |value, byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

fn checksum(block: &[u8; BLOCK]) -> u64 {
    let bytes = block.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let field = block[CHECKSUM].iter().map(|byte| u64::from(*byte)).sum::<u64>();
    bytes - field + 8 * u64::from(b' ')
}

/// Returns the sum as old implementations with signed characters computed it.
fn signed_checksum(block: &[u8; BLOCK]) -> i64 {
    let signed = |bytes: &[u8]| bytes.iter().map(|byte| i64::from(byte.cast_signed())).sum::<i64>();
    signed(block) - signed(&block[CHECKSUM]) + 8 * i64::from(b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_in_the_gnu_dialect() {
        for value in [0, 1, 0o7_777_777, 0o10_000_000, u64::from(u32::MAX)] {
            let mut field = [0; 8];
            put_number(&mut field, value, Dialect::Gnu);
            assert_eq!(parse_number(&field), Some(value), "{value}");
        }
        for value in [0o77_777_777_777, 0o100_000_000_000, u64::MAX] {
            let mut field = [0; 12];
            put_number(&mut field, value, Dialect::Gnu);
            assert_eq!(parse_number(&field), Some(value), "{value}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for field in [b"0000x\0\0\0", b"-1\0\0\0\0\0\0", &[0xff; 8], b"12 3\0\0\0\0"] {
            assert_eq!(parse_number(field), None, "{field:?}");
        }
        assert_eq!(parse_number(b"   644 \0"), Some(0o644));
        assert_eq!(parse_number(&[0; 8]), Some(0));
        assert_eq!(parse_number(&[0xbf; 12]), None);
    }
}
