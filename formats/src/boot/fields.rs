//! Little-endian numbers in headers that are in memory.

/// Returns the 16-bit number at an offset; 0 beyond the end.
pub(super) fn half(bytes: &[u8], at: usize) -> u16 {
    let [low, high, ..] = array(bytes, at);
    u16::from_le_bytes([low, high])
}

/// Returns the 32-bit number at an offset; 0 beyond the end.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

/// Overwrites the 16-bit number at an offset that is within the bytes.
pub(super) fn set_half(bytes: &mut [u8], at: usize, number: u16) {
    set(bytes, at, &number.to_le_bytes());
}

/// Overwrites the 32-bit number at an offset that is within the bytes.
pub(super) fn set_word(bytes: &mut [u8], at: usize, number: u32) {
    set(bytes, at, &number.to_le_bytes());
}

fn set(bytes: &mut [u8], at: usize, number: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + number.len()) {
        place.copy_from_slice(number);
    }
}

fn array(bytes: &[u8], at: usize) -> [u8; 4] {
    let mut array = [0; 4];
    let rest = bytes.get(at..).unwrap_or_default();
    let len = rest.len().min(4);
    array[..len].copy_from_slice(&rest[..len]);
    array
}
