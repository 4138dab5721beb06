//! Archives of ar: Debian packages and static libraries.

use std::io;
use std::sync::Arc;

use bake_formats::tree::escape;

use super::super::open::Opener;
use super::super::place::Place;
use super::super::tap::Tap;
use super::{headers, number};

/// Opens the members up to `end`.
pub(in super::super) fn open(
    opener: &mut Opener<'_>,
    tap: &mut Tap<'_>,
    end: u64,
    place: &Arc<Place>,
    depth: usize,
) -> io::Result<()> {
    let headers = headers(place);
    tap.take(8, 8, end)?;
    loop {
        tap.enter(headers.clone());
        let at = tap.offset();
        let Some(header) = tap.take(60, 60, end)? else { return Ok(()) };
        let size = number(&header[48..58], 10).filter(|_| header[58..] == *b"`\n");
        let Some(size) = size else {
            opener.found.unopened(place, format!("damaged as ar archive at offset {at}"));
            return Ok(());
        };
        let last = header[..16].iter().rposition(|byte| *byte != b' ' && *byte != b'/');
        let name = escape(&header[..last.map_or(0, |last| last + 1)]);
        let until = tap.offset().saturating_add(size).min(end);
        opener.contents(tap, until, &place.child(name), depth + 1)?;
        tap.enter(headers.clone());
        tap.pass_to(until.saturating_add(size % 2).min(end))?;
    }
}
