//! Where each key of a recipe stands.

use std::collections::BTreeMap;
use std::ops::Range;

use bake_recipes::{Place, written};
use toml::de::{DeTable, DeValue};

/// The places of a recipe's keys, by their path: `deb.section`, `files.0.to`.
#[derive(Debug)]
pub(super) struct Places<'a> {
    recipe: &'a written::Recipe,
    spans: BTreeMap<String, (Range<usize>, Option<String>)>,
}

impl<'a> Places<'a> {
    /// Finds all keys of a recipe.
    pub(super) fn of(recipe: &'a written::Recipe) -> Self {
        let mut spans = BTreeMap::new();
        // It was parsed before, so this cannot fail; without spans there are no places.
        if let Ok(table) = DeTable::parse(&recipe.text) {
            enter_table(&mut spans, "", table.get_ref());
        }
        Self { recipe, spans }
    }

    /// Returns the place of a key's value, or of the nearest table above it.
    pub(super) fn key(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some((span, _)) = self.spans.get(path) {
                return Some(self.recipe.place(span));
            }
            path = path.rsplit_once('.')?.0;
        }
    }

    /// Returns whether a key is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.spans.contains_key(path)
    }

    /// Returns the place of the first of these keys that is there.
    pub(super) fn first(&self, paths: &[&str]) -> Option<Place> {
        let there = paths.iter().find(|path| self.spans.contains_key(**path));
        there.and_then(|path| self.key(path))
    }

    /// Returns the place of the text in these lists that begins with a package's name.
    pub(super) fn relation(&self, lists: &[&str], name: &str) -> Option<Place> {
        let is_about = |text: &str| {
            let rest = text.trim_start_matches('(').strip_prefix(name);
            rest.is_some_and(|rest| {
                !rest.starts_with(|c: char| c.is_alphanumeric() || "-+.".contains(c))
            })
        };
        for list in lists {
            let inside = format!("{list}.");
            let elements = self.spans.range(inside.clone()..);
            for (_, (span, text)) in elements.take_while(|(path, _)| path.starts_with(&inside)) {
                if text.as_deref().is_some_and(is_about) {
                    return Some(self.recipe.place(span));
                }
            }
        }
        self.first(lists)
    }
}

type Spans = BTreeMap<String, (Range<usize>, Option<String>)>;

fn enter_table(spans: &mut Spans, path: &str, table: &DeTable<'_>) {
    for (key, value) in table {
        let name = key.get_ref();
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        // A table is called by its key; its own span may be all of its lines.
        let span = match value.get_ref() {
            DeValue::Table(_) => key.span(),
            _ => value.span(),
        };
        enter(spans, path, span, value.get_ref());
    }
}

fn enter(spans: &mut Spans, path: String, span: Range<usize>, value: &DeValue<'_>) {
    let mut text = None;
    match value {
        DeValue::Table(table) => enter_table(spans, &path, table),
        DeValue::Array(list) => {
            for (number, element) in list.iter().enumerate() {
                enter(spans, format!("{path}.{number}"), element.span(), element.get_ref());
            }
        }
        DeValue::String(found) => text = Some(found.to_string()),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
    spans.insert(path, (span, text));
}
