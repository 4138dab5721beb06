//! Archives, opened as they pass.
//!
//! These readers say what lies where in a stream that is searched anyway, and open what is in it.
//! Those of `bake_formats` refuse what is not as it must be; these go as far as they can, because
//! a value is in a broken archive too.

pub(super) mod ar;
pub(super) mod cpio;
pub(super) mod rpm;
pub(super) mod tar;
pub(super) mod zip;

use std::sync::Arc;

use bake_formats::tree::escape;

use super::place::Place;

/// The longest name that is told.
const NAME: usize = 1024;

/// Returns a member's name as a path, printable.
fn path(name: &[u8]) -> String {
    let name = name.strip_prefix(b"./").unwrap_or(name);
    let name = &name[..name.len().min(NAME)];
    if name.starts_with(b"/") { escape(name) } else { format!("/{}", escape(name)) }
}

/// Returns the place of what is around the contents of members: headers, names, links.
fn headers(place: &Arc<Place>) -> Arc<Place> {
    place.child("headers")
}

/// Returns the number that digits of a base write, with spaces or zero bytes around them.
fn number(field: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, radix).ok() }
}
