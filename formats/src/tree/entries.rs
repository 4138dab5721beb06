//! The entries of a tree: a list in order, in parts that trees share which have them in common.

use std::sync::{Arc, OnceLock};

use super::entry::Entry;
use super::manifest::TreeId;
use super::path::TreePath;

/// How many entries a part has at most: to copy one costs little, and a tree of many files has few parts.
const PART: usize = 512;

/// A path and what is there.
pub(super) type Placed = (TreePath, Entry);

/// The entries of a tree in order, and what was found out about them.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    /// None is empty.
    parts: Vec<Arc<Vec<Placed>>>,
    len: usize,
    pub(super) id: OnceLock<TreeId>,
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl Eq for Entries {}

/// Takes entries in order, each path once.
impl From<Vec<Placed>> for Entries {
    fn from(list: Vec<Placed>) -> Self {
        let mut entries = Self::default();
        entries.append(list);
        entries
    }
}

impl Entries {
    /// Appends entries in order, all of them after what is there.
    fn append(&mut self, list: Vec<Placed>) {
        self.len += list.len();
        let mut left = list.len();
        let mut list = list.into_iter();
        while left > 0 {
            let mut part = Vec::with_capacity(left.min(PART));
            part.extend(list.by_ref().take(PART));
            left -= part.len();
            self.parts.push(Arc::new(part));
        }
    }

    /// Returns all entries, copied only if another tree shares them.
    pub(super) fn into_list(self) -> Vec<Placed> {
        let mut list = Vec::with_capacity(self.len);
        list.extend(self.parts.into_iter().flat_map(Arc::unwrap_or_clone));
        list
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns all entries in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Placed> + Clone + '_ {
        self.parts.iter().flat_map(|part| part.iter())
    }

    /// Returns what is at a path.
    pub(super) fn get(&self, path: &TreePath) -> Option<&Placed> {
        let part = self.parts.get(self.part_of(path))?;
        part.get(place(part, path).ok()?)
    }

    /// Returns everything that follows a path in order, whether that is there or not.
    pub(super) fn after(&self, path: &TreePath) -> impl Iterator<Item = &Placed> + Clone + '_ {
        let first = self.part_of(path);
        let parts = self.parts.get(first..).unwrap_or_default();
        let skipped = parts.first().map_or(0, |part| part.partition_point(|(at, _)| at <= path));
        parts.iter().flat_map(|part| part.iter()).skip(skipped)
    }

    /// Returns the part in which a path is, or would be.
    fn part_of(&self, path: &TreePath) -> usize {
        let starts_before =
            |part: &Arc<Vec<Placed>>| part.first().is_some_and(|(at, _)| at <= path);
        self.parts.partition_point(starts_before).saturating_sub(1)
    }

    /// Returns these entries with others laid over them, which are in order: `lay` makes one list of those of a part and
    /// of what belongs among them. What nothing belongs among is shared.
    pub(super) fn overlaid<E>(
        &self,
        added: Vec<Placed>,
        lay: impl Fn(&[Placed], Vec<Placed>) -> Result<Vec<Placed>, E>,
    ) -> Result<Self, E> {
        let mut entries = Self::default();
        let mut added = added.into_iter().peekable();
        for (number, part) in self.parts.iter().enumerate() {
            let end = self.parts.get(number + 1).and_then(|next| next.first());
            let mut among = Vec::new();
            while let Some(next) = added.next_if(|(at, _)| end.is_none_or(|(end, _)| at < end)) {
                among.push(next);
            }
            if among.is_empty() {
                entries.len += part.len();
                entries.parts.push(Arc::clone(part));
            } else {
                entries.append(lay(part, among)?);
            }
        }
        entries.append(lay(&[], added.collect())?);
        Ok(entries)
    }
}

/// Returns where a path is in a list in order, or where it would be.
pub(super) fn place(list: &[Placed], path: &TreePath) -> Result<usize, usize> {
    list.binary_search_by(|(other, _)| other.cmp(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(number: usize) -> TreePath {
        TreePath::parse(format!("/d{}/f{:04}", number / 700, number % 700)).unwrap()
    }

    fn entries(numbers: impl Iterator<Item = usize>) -> Entries {
        Entries::from(numbers.map(|number| (path(number), Entry::directory())).collect::<Vec<_>>())
    }

    #[test]
    fn parts_are_one_list() {
        for count in [0, 1, PART - 1, PART, PART + 1, 3 * PART + 7] {
            let even = entries((0..count).map(|number| 2 * number));
            assert_eq!((even.len(), even.iter().count()), (count, count));
            for number in 0..2 * count {
                let is_there = number % 2 == 0;
                assert_eq!(even.get(&path(number)).is_some(), is_there, "{number}");
                let next = even.after(&path(number)).next().map(|(at, _)| at.clone());
                let expected = 2 * (number / 2 + 1);
                assert_eq!(next, (expected < 2 * count).then(|| path(expected)), "{number}");
            }
            assert_eq!(even.clone().into_list(), even.iter().cloned().collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_nothing_is_laid_among_is_shared() {
        let lay = |old: &[Placed], mut new: Vec<Placed>| {
            new.extend_from_slice(old);
            new.sort_by(|(one, _), (other, _)| one.cmp(other));
            Ok::<_, ()>(new)
        };
        let count = 4 * PART;
        let even = entries((0..count).map(|number| 2 * number));
        for added in
            [vec![], vec![1], vec![PART, 2 * count + 1], vec![5, 2 * PART - 1, 2 * PART + 1]]
        {
            let numbers = added.iter().filter(|number| *number % 2 == 1);
            let list = numbers.clone().map(|number| (path(*number), Entry::directory()));
            let laid = even.overlaid(list.collect(), lay).unwrap();
            let mut all: Vec<_> =
                (0..count).map(|number| 2 * number).chain(numbers.copied()).collect();
            all.sort_unstable();
            assert_eq!(laid, entries(all.into_iter()), "{added:?}");
            let is_shared = |part| even.parts.iter().any(|other| Arc::ptr_eq(part, other));
            let shared = laid.parts.iter().filter(|part| is_shared(part)).count();
            assert!(shared >= 2, "{added:?}: {shared}");
        }
        let none = Entries::default().overlaid(vec![(path(0), Entry::directory())], lay).unwrap();
        assert_eq!(none.len(), 1);
    }
}
