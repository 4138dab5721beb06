//! Replacing blobs by the ropes that describe them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Extent, Rope, clip};
use crate::digest::Digest;

/// How many descriptions may lie inside each other; what is deeper stays as it is.
const MAX_DEPTH: usize = 16;

impl Rope {
    /// Returns the rope in which every blob that `find` knows is replaced by what describes it, and
    /// so are the blobs of that.
    ///
    /// A range that its description does not cover stays as it is, so that reading it fails.
    /// Takes time for the extents of the result and, once each, of the descriptions.
    pub fn expand<'a>(&self, find: &dyn Fn(&Digest) -> Option<&'a Rope>) -> Rope {
        let mut expansion = Expansion { find, spread: BTreeMap::new(), out: Rope::new() };
        expansion.out.reserve(self.inline.len());
        for extent in self.extents() {
            expansion.push(extent, 0);
        }
        expansion.out
    }
}

/// The extents of a description, each with where it starts.
type Spread<'a> = Rc<[(u64, Extent<'a>)]>;

struct Expansion<'a, 'f> {
    find: &'f dyn Fn(&Digest) -> Option<&'a Rope>,
    spread: BTreeMap<Digest, Spread<'a>>,
    out: Rope,
}

impl<'a> Expansion<'a, '_> {
    fn push(&mut self, extent: Extent<'_>, depth: usize) {
        let Extent::Blob { digest, offset, len } = extent else {
            return self.out.push_extent(extent);
        };
        let end = offset.checked_add(len);
        let described = if depth < MAX_DEPTH { (self.find)(&digest) } else { None };
        let covers = |rope: &&Rope| end.is_some_and(|end| end <= rope.len());
        let (Some(rope), Some(end)) = (described.filter(covers), end) else {
            return self.out.push_extent(extent);
        };
        let spread = self.spread(digest, rope);
        let first = spread.partition_point(|(start, part)| start + part.len() <= offset);
        for (start, part) in spread[first..].iter().take_while(|(start, _)| *start < end) {
            let from = offset.max(*start) - start;
            let to = end.min(start + part.len()) - start;
            self.push(clip(*part, from, to), depth + 1);
        }
    }

    fn spread(&mut self, digest: Digest, rope: &'a Rope) -> Spread<'a> {
        let spread = self.spread.entry(digest).or_insert_with(|| {
            let mut at = 0;
            let placed = rope.extents().map(|extent| {
                at += extent.len();
                (at - extent.len(), extent)
            });
            placed.collect()
        });
        Rc::clone(spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{BlobStore, MemoryStore};

    #[test]
    fn every_range_of_a_description_is_what_it_describes() {
        let store = MemoryStore::new();
        let archive = store.put(b"....file one....file two").unwrap();
        let mut inner = Rope::new();
        inner.push_range(archive.digest, 4, 8);
        let mut outer = Rope::from(b"<".to_vec());
        outer.push_range(Digest::of(b"file one"), 0, 8);
        outer.push_zeros(2);
        outer.push_range(archive.digest, 16, 8);
        let known = [(Digest::of(b"file one"), inner), (Digest::of(b"outer"), outer)];
        let find = |digest: &Digest| known.iter().find(|row| row.0 == *digest).map(|row| &row.1);
        let bytes = b"<file one\0\0file two";
        for from in 0..bytes.len() {
            for to in from..=bytes.len() {
                let mut rope = Rope::from(b"x".to_vec());
                rope.push_range(Digest::of(b"outer"), from as u64, (to - from) as u64);
                let expanded = rope.expand(&|digest| find(digest));
                let expected = [b"x", &bytes[from..to]].concat();
                assert_eq!(expanded.to_vec(&store).unwrap(), expected, "{from}..{to}");
            }
        }
    }

    #[test]
    fn what_no_description_covers_stays() {
        let mut loops = Rope::new();
        loops.push_range(Digest::of(b"loop"), 0, 4);
        let find = |digest: &Digest| (*digest == Digest::of(b"loop")).then_some(&loops);
        for (name, offset, len) in
            [("loop", 1, 2), ("loop", 2, 3), ("loop", u64::MAX, 2), ("other", 0, 9)]
        {
            let mut rope = Rope::new();
            rope.push_range(Digest::of(name.as_bytes()), offset, len);
            assert_eq!(rope.expand(&|digest| find(digest)), rope, "{name} {offset} {len}");
        }
    }
}
