//! A recipe in the making: keys with values, and who said each.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// Who said a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag {
        /// The flag with its value, e.g. `--depends openssl`.
        text: String,
        /// Where the value begins in it, in bytes.
        value: usize,
    },
    /// A source: the file that says it, e.g. `METADATA`.
    Source(String),
}

/// A recipe in the making.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) keys: Table,
    origins: BTreeMap<String, Origin>,
}

/// A path that leads to no place.
#[derive(Debug)]
pub(super) struct NoPlace(pub(super) String);

impl Document {
    /// Returns whether a key of the top level is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Returns the text under a key of the top level.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key).and_then(Value::as_str)
    }

    /// Sets a value; tables on the way are made, a number is the place in an array.
    pub(super) fn set(
        &mut self,
        path: &[String],
        value: Value,
        origin: Option<Origin>,
    ) -> Result<(), NoPlace> {
        let Some((last, way)) = path.split_last() else { return Err(NoPlace(String::new())) };
        let mut value = value;
        let mut place = Place::Table(&mut self.keys);
        for (depth, key) in way.iter().enumerate() {
            place = place.below(key).ok_or_else(|| NoPlace(path[..=depth].join(".")))?;
        }
        let slot = place.slot(last).ok_or_else(|| NoPlace(path.join(".")))?;
        // A table adds to one that is there: `--set deb.fields='{ Bugs = "…" }'`.
        match (slot.as_table_mut(), value.as_table_mut()) {
            (Some(old), Some(new)) => old.extend(std::mem::take(new)),
            _ => *slot = value,
        }
        self.note(path, origin);
        Ok(())
    }

    /// Adds an element to an array, which is made if it is not there.
    pub(super) fn push(
        &mut self,
        path: &[String],
        value: Value,
        origin: Option<Origin>,
    ) -> Result<(), NoPlace> {
        let Some((last, way)) = path.split_last() else { return Err(NoPlace(String::new())) };
        let mut place = Place::Table(&mut self.keys);
        for (depth, key) in way.iter().enumerate() {
            place = place.below(key).ok_or_else(|| NoPlace(path[..=depth].join(".")))?;
        }
        let slot = place.slot(last).ok_or_else(|| NoPlace(path.join(".")))?;
        if slot.as_str().is_some_and(str::is_empty) {
            *slot = Value::Array(Vec::new());
        }
        let Some(list) = slot.as_array_mut() else { return Err(NoPlace(path.join("."))) };
        let number = list.len();
        list.push(value);
        let mut path = path.to_vec();
        path.push(number.to_string());
        self.note(&path, origin);
        Ok(())
    }

    fn note(&mut self, path: &[String], origin: Option<Origin>) {
        if let Some(origin) = origin {
            self.origins.insert(path.join("."), origin);
        }
    }

    /// Returns who said what stands at a path: the nearest above it.
    pub(super) fn origin(&self, path: &[String]) -> Option<&Origin> {
        let above = (1..=path.len()).rev().find_map(|len| self.origins.get(&path[..len].join(".")));
        // Of a whole array or table on one line, the last that was said is what a person wants.
        let inside = format!("{}.", path.join("."));
        above.or_else(|| {
            let within = self.origins.range(inside.clone()..);
            within.take_while(|(key, _)| key.starts_with(&inside)).map(|(_, origin)| origin).last()
        })
    }
}

enum Place<'a> {
    Table(&'a mut Table),
    Array(&'a mut Vec<Value>),
}

impl<'a> Place<'a> {
    fn below(self, key: &str) -> Option<Place<'a>> {
        let value = match self {
            Self::Table(table) => table.entry(key).or_insert_with(|| Value::Table(Table::new())),
            Self::Array(list) => list.get_mut(key.parse::<usize>().ok()?)?,
        };
        match value {
            Value::Table(table) => Some(Place::Table(table)),
            Value::Array(list) => Some(Place::Array(list)),
            _ => None,
        }
    }

    /// Returns the place of a value; a new one holds an empty text.
    fn slot(self, key: &str) -> Option<&'a mut Value> {
        match self {
            Self::Table(table) => {
                Some(table.entry(key).or_insert_with(|| Value::String(String::new())))
            }
            Self::Array(list) => list.get_mut(key.parse::<usize>().ok()?),
        }
    }
}
