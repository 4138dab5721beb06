//! What differs between two environments.

use std::collections::BTreeSet;

use bake_config::{Name, Schema, Setting};

use super::joined::Joined;

/// One key of two environments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: Name,
    /// How the two compare.
    pub sign: Sign,
    /// What the one has: a value, or a word for what is not shown.
    pub left: String,
    /// What the other has.
    pub right: String,
}

/// How two environments compare in one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Both have one value.
    Same,
    /// They have two.
    Differs,
    /// Nobody knows, because a secret stayed sealed.
    Unknown,
}

impl Sign {
    /// Returns the word for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Unknown => "unknown",
        }
    }
}

/// Compares what two environments give a schema, key by key; also keys that the schema does not know.
pub fn compare(schema: &Schema, left: &Joined, right: &Joined) -> Vec<Difference> {
    let set =
        |joined: &Joined| joined.environment.settings.keys().cloned().collect::<BTreeSet<_>>();
    let keys: BTreeSet<Name> =
        schema.keys.keys().cloned().chain(set(left)).chain(set(right)).collect();
    let compare = |key: Name| {
        let is_sealed = left.sealed.contains(&key) || right.sealed.contains(&key);
        let (one, other) = (left.settings.get(&key), right.settings.get(&key));
        let sign = match (is_sealed, one == other) {
            (true, _) if one.is_some() == other.is_some() => Sign::Unknown,
            (false, true) => Sign::Same,
            (true | false, _) => Sign::Differs,
        };
        let (left, right) = (shown(&key, left), shown(&key, right));
        Difference { key, sign, left, right }
    };
    keys.into_iter().map(compare).collect()
}

/// Returns what may be shown of a value.
fn shown(key: &Name, joined: &Joined) -> String {
    if joined.sealed.contains(key) {
        return "(sealed)".into();
    }
    match joined.settings.get(key) {
        None if joined.environment.settings.contains_key(key) => "(not accepted)".into(),
        None => "(not set)".into(),
        Some(Setting::Secret(_)) => "(secret)".into(),
        Some(Setting::Reference(reference)) => format!("(at {reference})"),
        Some(Setting::Plain(value)) => value.text().escape_debug().to_string(),
    }
}
