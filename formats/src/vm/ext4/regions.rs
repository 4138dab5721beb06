//! Regions that arrive at any offset, put together as a rope.

use std::collections::BTreeMap;
use std::io;

use mkext4::RegionSink;

use crate::digest::Digest;
use crate::rope::Rope;

/// The granularity of holes: a block.
const BLOCK: usize = mkext4::spec::BLOCK_SIZE;

/// Regions of an image by offset; what no region covers is zeros.
#[derive(Default)]
pub(super) struct Regions {
    list: Vec<(u64, Region)>,
}

enum Region {
    /// Half of an inode table is zeros within its blocks.
    Metadata(Box<Rope>),
    Blob {
        digest: Digest,
        offset: u64,
        len: u64,
    },
}

impl Region {
    fn len(&self) -> u64 {
        match self {
            Self::Metadata(bytes) => bytes.len(),
            Self::Blob { len, .. } => *len,
        }
    }
}

impl Regions {
    /// Places a range of a blob.
    pub(super) fn blob(&mut self, place: u64, digest: Digest, offset: u64, len: u64) {
        self.list.push((place, Region::Blob { digest, offset, len }));
    }

    /// Returns the whole image; regions that overlap or lie outside are an error.
    pub(super) fn into_rope(
        mut self,
        len: u64,
        inline: &BTreeMap<Digest, Vec<u8>>,
    ) -> io::Result<Rope> {
        self.list.sort_by_key(|(place, _)| *place);
        let mut rope = Rope::new();
        for (place, region) in self.list {
            let Some(gap) = place.checked_sub(rope.len()) else {
                let message = format!("two regions of the image overlap at {place}");
                return Err(io::Error::other(message));
            };
            rope.push_zeros(gap);
            let end = place + region.len();
            match region {
                Region::Metadata(bytes) => rope.push_rope(&bytes),
                Region::Blob { digest, offset, len } => match inline.get(&digest) {
                    Some(bytes) => rope.push_rope(&part(bytes, offset, len)),
                    None => rope.push_range(digest, offset, len),
                },
            }
            if rope.len() != end || end > len {
                let message = format!("a region of the image at {place} does not fit");
                return Err(io::Error::other(message));
            }
        }
        rope.push_zeros(len - rope.len());
        Ok(rope)
    }
}

fn part(bytes: &[u8], offset: u64, len: u64) -> Rope {
    Rope::from(bytes.to_vec()).slice(offset..offset.saturating_add(len))
}

impl RegionSink for Regions {
    fn data(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        // Blocks of zeros, such as the bitmaps of empty groups, stay holes.
        for (place, block) in (offset..).step_by(BLOCK).zip(bytes.chunks(BLOCK)) {
            if block.iter().any(|byte| *byte != 0) {
                let mut bytes = Rope::new();
                bytes.push_padded(block);
                self.list.push((place, Region::Metadata(Box::new(bytes))));
            }
        }
        Ok(())
    }

    fn zeros(&mut self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{BlobStore, MemoryStore};

    #[test]
    fn fills_gaps_with_zeros_in_any_order_of_arrival() {
        let store = MemoryStore::new();
        let blob = store.put(b"blob").unwrap();
        let inner = Digest::of(b"inline");
        let mut regions = Regions::default();
        regions.blob(4, blob.digest, 1, 3);
        regions.data(0, b"ab").unwrap();
        regions.zeros(2, 2).unwrap();
        regions.blob(9, inner, 0, 6);
        let inline = BTreeMap::from([(inner, b"inline".to_vec())]);
        let rope = regions.into_rope(17, &inline).unwrap();
        assert_eq!(rope.to_vec(&store).unwrap(), b"ab\0\0lob\0\0inline\0\0");
    }

    #[test]
    fn refuses_regions_that_overlap_or_leave_the_image() {
        let mut regions = Regions::default();
        regions.data(0, b"abcd").unwrap();
        regions.data(3, b"x").unwrap();
        assert!(regions.into_rope(100, &BTreeMap::new()).is_err());
        let mut regions = Regions::default();
        regions.data(8, b"abcd").unwrap();
        assert!(regions.into_rope(11, &BTreeMap::new()).is_err());
    }
}
