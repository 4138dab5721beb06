//! Archives of zip: jars, wheels, what offices write.
//!
//! Members are found by the headers before them and not by the directory at the end, so those that
//! it no longer lists are found as well.

use std::io;
use std::sync::Arc;

use bake_formats::encode::{Codec, decoder};

use super::super::open::{Opener, failed, pass_to_match};
use super::super::place::Place;
use super::super::tap::{Part, Tap};
use super::{headers, path};

const LOCAL: &[u8] = b"PK\x03\x04";
/// What stands for a size that is in an extra field.
const LARGE: u64 = 0xffff_ffff;

/// What a header says of its member.
struct Header {
    flags: u16,
    method: u16,
    /// How many bytes it takes, if that is known before it was read.
    packed: Option<u64>,
}

/// Opens the members up to `end`.
pub(in super::super) fn open(
    opener: &mut Opener<'_>,
    tap: &mut Tap<'_>,
    end: u64,
    place: &Arc<Place>,
    depth: usize,
) -> io::Result<()> {
    let headers = headers(place);
    loop {
        tap.enter(headers.clone());
        if !tap.peek(4, end)?.starts_with(LOCAL) {
            // A descriptor behind a member, a directory, or nothing.
            if !pass_to_match(tap, end, |start| {
                start.starts_with(LOCAL) || start.starts_with(b"PK\x01\x02")
            })? || !tap.peek(4, end)?.starts_with(LOCAL)
            {
                return Ok(());
            }
        }
        let Some(fixed) = tap.take(30, 30, end)? else { return Ok(()) };
        let short = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let Some(name) = tap.take(short(26).into(), LARGE, end)? else { return Ok(()) };
        let Some(extra) = tap.take(short(28).into(), LARGE, end)? else { return Ok(()) };
        let size = u64::from(short(18)) | u64::from(short(20)) << 16;
        let size = if size == LARGE { large(&extra) } else { Some(size) };
        let is_late = short(6) & 8 != 0;
        let packed = size.filter(|size| !is_late || *size > 0);
        let header = Header { flags: short(6), method: short(8), packed };
        member(opener, tap, (end, depth), &header, &path(&name), place)?;
    }
}

/// Returns the size of the packed bytes from an extra field of zip64.
fn large(mut extra: &[u8]) -> Option<u64> {
    while let [a, b, c, d, rest @ ..] = extra {
        let (id, len) = (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
        let field = rest.get(..len)?;
        if id == 1 {
            return field.get(8..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        }
        extra = &rest[len..];
    }
    None
}

fn member(
    opener: &mut Opener<'_>,
    tap: &mut Tap<'_>,
    (end, depth): (u64, usize),
    header: &Header,
    name: &str,
    place: &Arc<Place>,
) -> io::Result<()> {
    let member = place.child(name);
    opener.name(name, &member);
    tap.enter(member.clone());
    let until = header.packed.map_or(end, |size| tap.offset().saturating_add(size).min(end));
    let start = tap.offset();
    if header.flags & 1 != 0 {
        opener.found.unopened(&member, "encrypted");
    } else {
        match header.method {
            0 if header.packed.is_some() => opener.contents(tap, until, &member, depth + 1)?,
            0 => {}
            8 => {
                let mut inflater =
                    flate2::bufread::DeflateDecoder::new(Part { tap: &mut *tap, end: until });
                opener.decompressed(&mut inflater, until.saturating_sub(start), &member, depth + 1);
            }
            93 | 95 => {
                let codec = if header.method == 93 { Codec::Zstd } else { Codec::Xz };
                match decoder(codec, Part { tap: &mut *tap, end: until }) {
                    Ok(mut decoder) => {
                        let packed = until.saturating_sub(start);
                        opener.decompressed(&mut *decoder, packed, &member, depth + 1);
                    }
                    Err(error) => opener.found.unopened(&member, error.to_string()),
                }
            }
            other => {
                let reason =
                    format!("compressed by method {other} of zip, which a scan does not open");
                opener.found.unopened(&member, reason);
            }
        }
    }
    failed(tap)?;
    if header.packed.is_some() { tap.pass_to(until) } else { Ok(()) }
}
