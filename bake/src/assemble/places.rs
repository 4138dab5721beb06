//! Which line of a recipe each entry of its trees comes from.

use std::sync::Arc;

use bake_formats::tree::TreePath;
use bake_recipes::Place;

/// The line of the recipe that each entry comes from; entries of one rule share it.
#[derive(Debug, Default)]
pub struct EntryPlaces {
    /// In the order of the paths, each once.
    list: Vec<(TreePath, Arc<Place>)>,
}

/// Of several places of one path the last counts.
impl FromIterator<(TreePath, Arc<Place>)> for EntryPlaces {
    fn from_iter<I: IntoIterator<Item = (TreePath, Arc<Place>)>>(places: I) -> Self {
        let mut list: Vec<_> = places.into_iter().collect();
        // Stable, and next to nothing to do for what is in order already.
        list.sort_by(|(one, _), (other, _)| one.cmp(other));
        list.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(&mut later.1, &mut earlier.1);
            }
            is_same
        });
        Self { list }
    }
}

impl EntryPlaces {
    /// Returns the place of an entry that a rule placed.
    pub fn get(&self, path: &TreePath) -> Option<&Place> {
        let found = self.list.binary_search_by(|(other, _)| other.cmp(path)).ok()?;
        self.list.get(found).map(|(_, place)| &**place)
    }

    /// Returns the place of an entry, and of a directory that only leads somewhere that of what it leads to.
    pub fn leading_to(&self, path: &TreePath) -> Option<&Place> {
        leading(self.list.get(self.list.partition_point(|(other, _)| other < path)), path)
    }

    /// Returns the same for each of many paths in order.
    pub fn leading_to_each<'p>(
        &self,
        paths: impl Iterator<Item = &'p TreePath>,
    ) -> impl Iterator<Item = Option<&Place>> {
        let mut rest = self.list.iter().peekable();
        paths.map(move |path| {
            while rest.next_if(|(other, _)| other < path).is_some() {}
            leading(rest.peek().copied(), path)
        })
    }
}

/// Returns the place of the first entry at a path or behind it, if that is there or below.
fn leading<'p>(next: Option<&'p (TreePath, Arc<Place>)>, path: &TreePath) -> Option<&'p Place> {
    let (found, place) = next?;
    (found == path || found.is_below(path)).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_by_what_is_there_and_by_what_leads_to_it() {
        let path = |text: &str| TreePath::parse(text).unwrap();
        let text = "one\ntwo\nthree\n";
        let place = |line: usize| Arc::new(Place::of(&"bake.toml".into(), text, &(line..line)));
        let given = [("/usr/b", 0), ("/usr/a/x", 4), ("/etc", 8), ("/usr/b", 8)];
        let places: EntryPlaces =
            given.into_iter().map(|(name, line)| (path(name), place(line))).collect();
        assert_eq!(places.get(&path("/usr/b")), Some(&*place(8)));
        assert_eq!((places.get(&path("/usr")), places.get(&path("/z"))), (None, None));
        assert_eq!(places.leading_to(&path("/usr")), Some(&*place(4)));
        assert_eq!(places.leading_to(&path("/etc")), Some(&*place(8)));
        assert_eq!(places.leading_to(&path("/usr/a/x")), Some(&*place(4)));
        assert_eq!(places.leading_to(&path("/usr/c")), None);
        let all = ["/etc", "/usr", "/usr/a", "/usr/a/x", "/usr/a/y", "/usr/b", "/z"].map(path);
        let each: Vec<_> = places.leading_to_each(all.iter()).collect();
        assert_eq!(each, all.each_ref().map(|path| places.leading_to(path)));
    }
}
