//! Reading what is secret without leaving copies.

use std::io::{self, Read};

use zeroize::Zeroizing;

/// Reads everything into a buffer that never grows, because growing would leave copies behind; `None` if there are
/// more bytes than the limit.
pub(crate) fn read(input: &mut dyn Read, limit: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut bytes = Zeroizing::new(vec![0; limit + 1]);
    let mut filled = 0;
    while filled < bytes.len() {
        match input.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if filled > limit {
        return Ok(None);
    }
    bytes.truncate(filled);
    Ok(Some(bytes))
}

/// Returns bytes as text; `None` if they are not UTF-8.
pub(crate) fn text(mut bytes: Zeroizing<Vec<u8>>) -> Option<Zeroizing<String>> {
    // The text takes over the buffer; on failure the buffer comes back, to be wiped.
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Some(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            None
        }
    }
}

/// Removes one line feed from the end.
pub(crate) fn without_line_feed(bytes: &mut Zeroizing<Vec<u8>>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
}
