//! Archives of cpio: payloads of rpms and initial file systems.

use std::io;
use std::sync::Arc;

use super::super::open::Opener;
use super::super::place::Place;
use super::super::tap::Tap;
use super::{headers, path};

/// The longest name of a member.
const NAME: u64 = 64 << 10;

/// Opens the members up to `end`, and what follows them.
pub(in super::super) fn open(
    opener: &mut Opener<'_>,
    tap: &mut Tap<'_>,
    end: u64,
    place: &Arc<Place>,
    depth: usize,
) -> io::Result<()> {
    let (start, headers) = (tap.offset(), headers(place));
    loop {
        tap.enter(headers.clone());
        let at = tap.offset();
        let Some(header) = tap.take(110, 110, end)? else { return Ok(()) };
        let field = |number: usize| {
            let digits = header.get(6 + number * 8..14 + number * 8)?;
            u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        let is_header = header.starts_with(b"070701") || header.starts_with(b"070702");
        let (Some(mode), Some(size), Some(len), true) = (field(1), field(6), field(11), is_header)
        else {
            opener.found.unopened(place, format!("damaged as cpio archive at offset {at}"));
            return Ok(());
        };
        let Some(mut name) = tap.take(len, NAME, end)? else { return Ok(()) };
        while name.last() == Some(&0) {
            name.pop();
        }
        align(tap, start, end)?;
        if name == b"TRAILER!!!" {
            return rest(opener, tap, end, place, depth);
        }
        let name = path(&name);
        let member = place.child(name.clone());
        let until = tap.offset().saturating_add(size).min(end);
        if mode & 0o170_000 == 0o100_000 {
            opener.name(&name, &member);
            opener.contents(tap, until, &member, depth + 1)?;
        } else {
            tap.enter(member);
            tap.pass_to(until)?;
        }
        tap.enter(headers.clone());
        align(tap, start, end)?;
    }
}

fn align(tap: &mut Tap<'_>, start: u64, end: u64) -> io::Result<()> {
    let len = tap.offset() - start;
    tap.pass_to(start.saturating_add(len.next_multiple_of(4)).min(end))
}

/// Opens what follows an archive in an initial file system: another one, compressed or not.
fn rest(
    opener: &mut Opener<'_>,
    tap: &mut Tap<'_>,
    end: u64,
    place: &Arc<Place>,
    depth: usize,
) -> io::Result<()> {
    loop {
        let there = tap.peek(super::super::tap::PEEK, end)?;
        let zeros = there.iter().take_while(|byte| **byte == 0).count();
        let is_end = zeros < there.len() || there.is_empty();
        let (is_empty, offset) = (there.len() == zeros, tap.offset() + zeros as u64);
        tap.pass_to(offset)?;
        if is_end {
            let place = place.child("next segment");
            return if is_empty { Ok(()) } else { opener.contents(tap, end, &place, depth + 1) };
        }
    }
}
