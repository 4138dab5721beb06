//! Packages of rpm: two headers and a compressed payload.

use std::io;
use std::sync::Arc;

use super::super::open::Opener;
use super::super::place::Place;
use super::super::tap::Tap;

const LEAD: u64 = 96;
const MAGIC: &[u8] = &[0x8e, 0xad, 0xe8, 0x01];
/// The most entries of a header.
const ENTRIES: u64 = 1 << 20;
/// Names of tags that hold what people write.
const NAMES: [(u32, &str); 30] = [
    (1000, "NAME"),
    (1004, "SUMMARY"),
    (1005, "DESCRIPTION"),
    (1007, "BUILDHOST"),
    (1011, "VENDOR"),
    (1014, "LICENSE"),
    (1015, "PACKAGER"),
    (1020, "URL"),
    (1023, "PREIN"),
    (1024, "POSTIN"),
    (1025, "PREUN"),
    (1026, "POSTUN"),
    (1036, "FILELINKTOS"),
    (1044, "SOURCERPM"),
    (1047, "PROVIDENAME"),
    (1049, "REQUIRENAME"),
    (1065, "TRIGGERSCRIPTS"),
    (1079, "VERIFYSCRIPT"),
    (1080, "CHANGELOGTIME"),
    (1081, "CHANGELOGNAME"),
    (1082, "CHANGELOGTEXT"),
    (1094, "COOKIE"),
    (1117, "BASENAMES"),
    (1118, "DIRNAMES"),
    (1122, "OPTFLAGS"),
    (1151, "PRETRANS"),
    (1152, "POSTTRANS"),
    (5012, "BUGURL"),
    (5034, "VCS"),
    (5066, "FILETRIGGERSCRIPTS"),
];

/// Opens a package up to `end`.
pub(in super::super) fn open(
    opener: &mut Opener<'_>,
    tap: &mut Tap<'_>,
    end: u64,
    place: &Arc<Place>,
    depth: usize,
) -> io::Result<()> {
    tap.enter(place.child("lead"));
    let start = tap.offset();
    tap.pass_to(start.saturating_add(LEAD).min(end))?;
    for name in ["signature", "header"] {
        let at = tap.offset();
        if !header(tap, end, &place.child(name))? {
            opener.found.unopened(place, format!("damaged as rpm package at offset {at}"));
            return Ok(());
        }
        if name == "signature" {
            let len = (tap.offset() - start).next_multiple_of(8);
            tap.pass_to(start.saturating_add(len).min(end))?;
        }
    }
    opener.contents(tap, end, &place.child("payload"), depth + 1)
}

/// Says where in a header which tag is; returns whether it is a header.
fn header(tap: &mut Tap<'_>, end: u64, place: &Arc<Place>) -> io::Result<bool> {
    tap.enter(place.clone());
    let Some(intro) = tap.take(16, 16, end)? else { return Ok(false) };
    let number = |bytes: &[u8], at: usize| {
        let field = bytes.get(at..).and_then(|rest| rest.first_chunk());
        field.map_or(0, |field| u32::from_be_bytes(*field))
    };
    let (count, len) = (u64::from(number(&intro, 8)), u64::from(number(&intro, 12)));
    if !intro.starts_with(MAGIC) || count > ENTRIES {
        return Ok(false);
    }
    let Some(index) = tap.take(count * 16, ENTRIES * 16, end)? else { return Ok(false) };
    let store = tap.offset();
    let mut tags: Vec<_> = index
        .chunks_exact(16)
        .map(|entry| (u64::from(number(entry, 8)), number(entry, 0)))
        .filter(|(offset, _)| *offset < len)
        .collect();
    tags.sort_unstable();
    for (offset, tag) in tags {
        tap.pass_to(store.saturating_add(offset).min(end))?;
        let name = NAMES.iter().find(|(known, _)| *known == tag);
        let name = name.map_or_else(|| format!("tag {tag}"), |(_, name)| format!("{name} ({tag})"));
        tap.enter(place.child(name));
    }
    tap.pass_to(store.saturating_add(len).min(end))?;
    Ok(true)
}
