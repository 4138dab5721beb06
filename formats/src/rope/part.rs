//! A part of a rope, described by where it is in that.

use super::{Extent, Extents, RopeReader};
use crate::blob::BlobSource;

/// A part of a rope. It is described as a rope of its own would be, and takes no memory.
#[derive(Debug, Clone)]
pub(crate) struct RopePart<'a> {
    first: Option<Extent<'a>>,
    extents: Extents<'a>,
    len: u64,
}

impl<'a> RopePart<'a> {
    /// Returns as many bytes of an extent and of those that follow it.
    pub(super) fn new(first: Option<Extent<'a>>, extents: Extents<'a>, len: u64) -> Self {
        Self { first, extents, len }
    }

    /// Returns how many bytes the part stands for.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Returns the extents in order; none is empty.
    pub(crate) fn extents(&self) -> impl Iterator<Item = Extent<'a>> + Send + use<'a> {
        let mut left = self.len;
        self.first.into_iter().chain(self.extents.clone()).map_while(move |extent| {
            let (part, _) = (left > 0).then(|| extent.split_at(left))?;
            left -= part.len();
            Some(part)
        })
    }

    /// Opens the part for reading; blobs come from `source`.
    pub(crate) fn reader(&self, source: &'a dyn BlobSource) -> RopeReader<'a> {
        RopeReader::new(Box::new(self.extents()), source)
    }
}
