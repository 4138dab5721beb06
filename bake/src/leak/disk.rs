//! Disks: all of their bytes, and the files in them.
//!
//! What is in a file is found twice, in the file and among the bytes of the disk, and once more in a
//! container that does not compress. It is told once, at the innermost place. What is left of the
//! disk's own is what no file has: deleted, or in metadata.

use std::collections::BTreeMap;
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use bake_formats::format::ReadError;
use bake_formats::input::ReadAt;
use bake_formats::vm::anyones::{self, Part};

use super::open::Opener;
use super::place::Place;
use super::report::{Found, Hit, HitKind};
use super::scanner::{Match, Scanner};

/// How many bytes are searched at once.
const BLOCK: u64 = 1 << 20;
/// The most places of one range that are told.
const MOST: usize = 10_000;

/// Searches a range of bytes as they are.
pub(super) fn plain(
    scanner: &Scanner,
    bytes: &dyn ReadAt,
    range: Range<u64>,
    place: &Arc<Place>,
) -> io::Result<Found> {
    let mut found = Found { streams: 1, ..Found::default() };
    let (behind, ahead) = (scanner.behind() as u64, scanner.ahead() as u64);
    let mut buffer = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let to = range.end.min(at + BLOCK);
        let (first, last) = (at.saturating_sub(behind), bytes.len().min(to + ahead));
        let index = |offset: u64| usize::try_from(offset - first).unwrap_or(usize::MAX);
        buffer.resize(index(last), 0);
        bytes.read_exact_at(first, &mut buffer)?;
        if buffer.iter().any(|byte| *byte != 0) {
            scanner.search(&buffer, index(at), index(to), &mut |what, at| {
                let offset = first + at as u64;
                let what = match what {
                    Match::Value(value, encoding) => HitKind::Value(value, encoding),
                    Match::Secret(rule) => HitKind::Secret(rule.id),
                };
                if found.hits.len() < MOST {
                    let (place, stream) = (place.clone(), vec![offset]);
                    found.hits.push(Hit { what, place, offset, count: 1, stream });
                }
            });
        }
        found.bytes += to - at;
        at = to;
    }
    if found.hits.len() == MOST {
        found.unopened(place, format!("only the first {MOST} places of it are told"));
    }
    Ok(found)
}

/// Searches a range of a disk in a container, as far as it can be read.
pub(super) fn contained(
    scanner: &Scanner,
    disk: &dyn ReadAt,
    range: Range<u64>,
    place: &Arc<Place>,
) -> io::Result<Found> {
    let mut all = Found::default();
    let mut at = range.start;
    while at < range.end {
        let to = range.end.min(at + BLOCK);
        match plain(scanner, disk, at..to, place) {
            Ok(found) => all.add(found),
            Err(error) if all.unopened.is_empty() => {
                all.unopened(place, format!("cannot be read at offset {at}: {error}"));
            }
            Err(_) => {}
        }
        at = to;
    }
    all.streams = 1;
    Ok(all)
}

/// Searches the files of a part of a disk and what is in them.
pub(super) fn files(
    opener: &mut Opener<'_>,
    disk: &Arc<dyn ReadAt>,
    part: &Part,
    place: &Arc<Place>,
) {
    let visited = anyones::visit(disk, part, &mut |path, bytes| {
        let path = path.to_string();
        let place = place.child(path.clone());
        opener.name(&path, &place);
        match opener.stream(bytes, u64::MAX, &place, 0) {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(error) => {
                opener.found.unopened(&place, format!("{error}; the disk's bytes were searched"));
                Ok(ControlFlow::Continue(()))
            }
        }
    });
    if let Err(error) = visited {
        let error = match error {
            ReadError::Io(error) => error.to_string(),
            error => error.to_string(),
        };
        let reason = format!("its files were not all read: {error}; its plain bytes were searched");
        opener.found.unopened(place, reason);
    }
}

/// Leaves out of `outer` what `inner` tells as well.
///
/// The two count from different places. Files begin at multiples of sectors, and where small ones are
/// packed, of four bytes; so one is the other if what is left by a sector is equal, or else by four.
pub(super) fn told_once(outer: &mut Vec<Hit>, inner: &[Hit]) {
    for unit in [512, 4] {
        let mut there: BTreeMap<(HitKind, u64), u64> = BTreeMap::new();
        for hit in inner {
            for at in &hit.stream {
                *there.entry((hit.what, at % unit)).or_default() += 1;
            }
        }
        if unit == 4 {
            // What was paired by sectors is used up.
            for hit in outer.iter().filter(|hit| hit.count == 0) {
                let key = (hit.what, hit.stream.first().copied().unwrap_or_default() % unit);
                there.entry(key).and_modify(|left| *left = left.saturating_sub(1));
            }
        }
        for hit in outer.iter_mut().filter(|hit| hit.count > 0) {
            let paired = hit.stream.iter().filter(|at| {
                let left = there.get_mut(&(hit.what, **at % unit)).filter(|left| **left > 0);
                left.map(|left| *left -= 1).is_some()
            });
            hit.count = hit.count.saturating_sub(paired.count() as u64);
        }
    }
    outer.retain(|hit| hit.count > 0 || matches!(hit.what, HitKind::Name(_)));
}
