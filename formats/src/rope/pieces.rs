//! The extents of a rope as they are stored: a few bytes each, because a tree of many files has many.
//!
//! ```text
//! tag 0: inline  len           the next bytes of the rope's own
//! tag 1: blob    digest, offset, len
//! tag 2: zero    len
//! tag 3: padding len           zeros that are the rope's own bytes
//! ```
//!
//! A tag is one byte, a digest 32; a number has seven bits in each byte, the lowest first, and the highest bit where more
//! follow.

use crate::digest::Digest;

const INLINE: u8 = 0;
const BLOB: u8 = 1;
const ZERO: u8 = 2;
const PADDING: u8 = 3;

/// One extent; inline bytes are a length into the rope's own buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Inline(u64),
    Blob(Digest, u64, u64),
    Zero(u64),
    Padding(u64),
}

/// Extents in order.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
}

impl Pieces {
    /// Appends an extent.
    pub(super) fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Inline(len) => {
                self.bytes.push(INLINE);
                self.number(len);
            }
            Piece::Blob(digest, offset, len) => {
                self.bytes.push(BLOB);
                self.bytes.extend_from_slice(digest.as_bytes());
                self.number(offset);
                self.number(len);
            }
            Piece::Zero(len) => {
                self.bytes.push(ZERO);
                self.number(len);
            }
            Piece::Padding(len) => {
                self.bytes.push(PADDING);
                self.number(len);
            }
        }
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(0x80 | (number & 0x7f) as u8);
            number >>= 7;
        }
        self.bytes.push((number & 0x7f) as u8);
    }

    /// Returns the extents in order.
    pub(super) fn iter(&self) -> Iter<'_> {
        Iter { bytes: &self.bytes }
    }
}

/// Yields extents.
#[derive(Debug, Clone)]
pub(super) struct Iter<'a> {
    bytes: &'a [u8],
}

impl Iter<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*head)
    }

    fn number(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let [byte] = self.take()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
            shift += 7;
        }
    }
}

impl Iterator for Iter<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let [tag] = self.take()?;
        Some(match tag {
            BLOB => Piece::Blob(Digest::from_bytes(self.take()?), self.number()?, self.number()?),
            ZERO => Piece::Zero(self.number()?),
            PADDING => Piece::Padding(self.number()?),
            _ => Piece::Inline(self.number()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece() -> impl Strategy<Value = Piece> {
        let number = || prop_oneof![0..300_u64, any::<u64>(), Just(u64::MAX)];
        prop_oneof![
            number().prop_map(Piece::Inline),
            (any::<[u8; 32]>(), number(), number()).prop_map(|(digest, offset, len)| Piece::Blob(
                Digest::from_bytes(digest),
                offset,
                len
            )),
            number().prop_map(Piece::Zero),
            number().prop_map(Piece::Padding),
        ]
    }

    proptest! {
        #[test]
        fn what_was_put_in_comes_out(pieces in prop::collection::vec(piece(), 0..20)) {
            let mut stored = Pieces::default();
            for piece in &pieces {
                stored.push(*piece);
            }
            prop_assert_eq!(stored.iter().collect::<Vec<_>>(), pieces);
        }
    }

    #[test]
    fn a_file_and_its_header_take_few_bytes() {
        let mut stored = Pieces::default();
        for piece in [Piece::Inline(200), Piece::Blob(Digest::of(b""), 0, 5000), Piece::Zero(120)] {
            stored.push(piece);
        }
        assert_eq!(stored.bytes.len(), 3 + 36 + 2);
    }
}
