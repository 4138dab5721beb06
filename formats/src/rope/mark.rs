//! Contents that ropes are cut at: whatever stands before them, every rope that holds them finds the same places.

use crate::digest::Digest;

/// Returns whether a content is a mark: the longer, the likelier, and certainly from `distance` bytes on. Nothing but the
/// content decides.
///
/// One is met every `distance` bytes, whether contents are large or small, and what is a mark at one distance is one at all
/// shorter ones. With as many marks as there are small files two
/// ropes that were cut at different places would hardly ever meet again: each would take the next mark of its own.
pub(crate) fn is_mark(digest: &Digest, len: u64, distance: u64) -> bool {
    let [a, b, c, d, ..] = *digest.as_bytes();
    let chance = (u128::from(len) << 32) / u128::from(distance.max(1));
    u128::from(u32::from_le_bytes([a, b, c, d])) < chance
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISTANCE: u64 = 1 << 20;

    #[test]
    fn one_mark_is_met_in_each_distance() {
        for len in [1 << 10, 1 << 13, 1 << 17] {
            let digests = (0..200 * DISTANCE / len).map(|number| Digest::of(&number.to_le_bytes()));
            let marks = digests.filter(|digest| is_mark(digest, len, DISTANCE)).count();
            assert!((150..250).contains(&marks), "{len}: {marks}");
        }
    }

    #[test]
    fn long_contents_are_marks_and_empty_ones_are_not() {
        for byte in 0..=255 {
            let digest = Digest::from_bytes([byte; 32]);
            assert!(is_mark(&digest, DISTANCE, DISTANCE) && is_mark(&digest, u64::MAX, DISTANCE));
            assert!(!is_mark(&digest, 0, DISTANCE));
        }
    }
}
