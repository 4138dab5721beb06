//! Secrets by their form: each function looks at what follows an anchor, and before it.

pub(super) mod armour;
pub(super) mod tokens;
pub(super) mod urls;

/// Returns how many bytes at the start of some are of a kind.
fn run(bytes: &[u8], is_one: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !is_one(*byte)).unwrap_or(bytes.len())
}

/// Returns whether bytes look drawn at random: examples repeat letters or count.
fn is_random(bytes: &[u8], least: usize) -> bool {
    let mut seen = [0_u32; 256];
    for byte in bytes {
        seen[usize::from(*byte)] += 1;
    }
    let distinct = seen.iter().filter(|count| **count > 0).count();
    let consecutive = bytes.windows(2).filter(|pair| pair[0].wrapping_add(1) == pair[1]).count();
    distinct >= least && consecutive * 2 < bytes.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests;
