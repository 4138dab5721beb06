//! Rope records: a rope as bytes, so that an artifact can be kept as its description.
//!
//! ```text
//! "bakerope" | revision u32 | extents u64 | { tag u8, ... } * | inline bytes
//!   tag 0: inline  len u64
//!   tag 1: blob    digest 32 bytes, offset u64, len u64
//!   tag 2: zero    len u64
//! ```
//!
//! All integers are little-endian. A record is itself a blob, and so is checked by its digest.

use std::io;

use bake_formats::blob::{Blob, BlobStore};
use bake_formats::digest::Digest;
use bake_formats::rope::{Extent, Rope};

use super::Store;
use super::blobs::damage;

const MAGIC: &[u8; 8] = b"bakerope";
const REVISION: u32 = 1;
/// A record larger than this would not fit the memory that a bake may use.
const LIMIT: u64 = 1 << 30;

impl Store {
    /// Keeps a rope as a record.
    pub fn put_rope(&self, rope: &Rope) -> io::Result<Blob> {
        self.put(&print(rope))
    }

    /// Returns the rope that a record describes.
    pub fn rope(&self, record: &Blob) -> io::Result<Rope> {
        let bytes = self.read(record, LIMIT)?;
        parse(&bytes).ok_or_else(|| damage(&record.digest, "it is not a rope record"))
    }
}

fn print(rope: &Rope) -> Vec<u8> {
    let count = rope.extents().count() as u64;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&REVISION.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    let mut inline = 0;
    for extent in rope.extents() {
        let tag = match extent {
            Extent::Inline(_) | Extent::Padding(_) => 0,
            Extent::Blob { .. } => 1,
            Extent::Zero(_) => 2,
        };
        bytes.push(tag);
        if let Extent::Blob { digest, offset, .. } = extent {
            bytes.extend_from_slice(digest.as_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        bytes.extend_from_slice(&extent.len().to_le_bytes());
        inline += if tag == 0 { extent.len() } else { 0 };
    }
    // At once: growing by doubling takes twice the memory.
    bytes.reserve_exact(usize::try_from(inline).unwrap_or_default());
    for extent in rope.extents() {
        match extent {
            Extent::Inline(inline) => bytes.extend_from_slice(inline),
            Extent::Padding(len) => {
                let end = bytes.len() + usize::try_from(len).unwrap_or_default();
                bytes.resize(end, 0);
            }
            Extent::Blob { .. } | Extent::Zero(_) => {}
        }
    }
    bytes
}

fn parse(mut bytes: &[u8]) -> Option<Rope> {
    let bytes = &mut bytes;
    if take(bytes)? != *MAGIC || u32::from_le_bytes(take(bytes)?) != REVISION {
        return None;
    }
    let count = u64::from_le_bytes(take(bytes)?);
    let (mut pieces, mut total) = (Vec::new(), 0_u64);
    for _ in 0..count {
        let [tag] = take(bytes)?;
        let digest = if tag == 1 { Some(Digest::from_bytes(take(bytes)?)) } else { None };
        let offset = if tag == 1 { u64::from_le_bytes(take(bytes)?) } else { 0 };
        let len = u64::from_le_bytes(take(bytes)?);
        offset.checked_add(len)?;
        total = total.checked_add(len)?;
        pieces.push((tag, digest, offset, len));
    }
    let mut rope = Rope::new();
    for (tag, digest, offset, len) in pieces {
        match (tag, digest) {
            (0, _) => {
                let (inline, rest) = bytes.split_at_checked(usize::try_from(len).ok()?)?;
                *bytes = rest;
                rope.push_bytes(inline);
            }
            (1, Some(digest)) => rope.push_range(digest, offset, len),
            (2, _) => rope.push_zeros(len),
            _ => return None,
        }
    }
    bytes.is_empty().then_some(rope)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Rope {
        let mut rope = Rope::new();
        rope.push_bytes(b"head");
        rope.push_range(Digest::of(b"x"), 3, 9);
        rope.push_zeros(1 << 40);
        rope.push_bytes(b"tail");
        rope
    }

    #[test]
    fn a_record_gives_the_rope_back() {
        assert_eq!(parse(&print(&sample())), Some(sample()));
        assert_eq!(parse(&print(&Rope::new())), Some(Rope::new()));
    }

    #[test]
    fn a_record_whose_lengths_do_not_add_up_is_refused() {
        let zeros = |lens: [u64; 2]| {
            let mut bytes = MAGIC.to_vec();
            bytes.extend_from_slice(&REVISION.to_le_bytes());
            bytes.extend_from_slice(&2_u64.to_le_bytes());
            for len in lens {
                bytes.push(2);
                bytes.extend_from_slice(&len.to_le_bytes());
            }
            bytes
        };
        assert!(parse(&zeros([1, u64::MAX - 1])).is_some());
        assert_eq!(parse(&zeros([2, u64::MAX - 1])), None);
    }

    #[test]
    fn a_cut_record_is_refused_at_every_length() {
        let bytes = print(&sample());
        for len in 0..bytes.len() {
            assert_eq!(parse(&bytes[..len]), None, "cut at {len}");
        }
    }
}
