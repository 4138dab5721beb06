//! The variables of this process, and those of the program that takes over.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// Environment variables by name. `Debug` shows no value.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Returns the variables of this process; of one that is set twice, the first, as programs see it.
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// Returns the value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.0.insert(name.into(), value.into());
    }

    /// Removes a variable.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(OsStr::new(name));
    }

    /// Returns the names that are text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|name| name.to_str())
    }

    /// Returns all variables.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(variables: T) -> Self {
        let mut all = BTreeMap::new();
        for (name, value) in variables {
            all.entry(name.into()).or_insert_with(|| value.into());
        }
        Self(all)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_counts_and_debug_shows_no_value() {
        let environment: Environment =
            [("A", "s3cret"), ("A", "2"), ("B", "")].into_iter().collect();
        assert_eq!(environment.get("A"), Some(OsStr::new("s3cret")));
        assert_eq!(environment.get("B"), Some(OsStr::new("")));
        assert_eq!(environment.get("C"), None);
        assert_eq!(format!("{environment:?}"), "{\"A\", \"B\"}");
    }
}
