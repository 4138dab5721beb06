//! What a new schema asks of environments that fit the old one.

use std::cmp::Ordering;
use std::fmt;

use crate::kind::{Kind, Range};
use crate::name::Name;
use crate::schema::{Key, Presence, Schema, Secrecy};

/// One difference of two schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What changed: a key, or the path of a file.
    pub subject: String,
    /// How, in words that hold no value but defaults.
    pub what: String,
    /// Whether an environment or a program that fits the old schema may fail.
    pub effect: Effect,
}

/// What a change does to those who fit the old schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// They must change.
    Breaking,
    /// They go on.
    Compatible,
}

impl Effect {
    /// Returns the word for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Compatible => "compatible",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`: {}", self.effect.word(), self.subject, self.what)
    }
}

/// Lists what differs, by subject, what breaks first.
pub fn compare(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut changes = Changes::default();
    if old.prefix != new.prefix {
        let what = format!("the prefix of variables was `{}`, is `{}`", old.prefix, new.prefix);
        changes.add("prefix", Effect::Breaking, what);
    }
    for (name, key) in &new.keys {
        match old.keys.get(name) {
            Some(before) => compare_keys(name, before, key, &mut changes),
            None if key.presence == Presence::Required => {
                changes.add(name.as_str(), Effect::Breaking, "it is new and required");
            }
            None => changes.add(name.as_str(), Effect::Compatible, "it is new"),
        }
    }
    for name in old.keys.keys().filter(|name| !new.keys.contains_key(name)) {
        changes.add(name.as_str(), Effect::Breaking, "it is gone");
    }
    compare_paths(old, new, &mut changes);
    let mut all = changes.0;
    all.sort_by(|one, other| (one.effect, &one.subject).cmp(&(other.effect, &other.subject)));
    all
}

/// What was found so far.
#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn add(&mut self, subject: &str, effect: Effect, what: impl Into<String>) {
        self.0.push(Change { subject: subject.into(), what: what.into(), effect });
    }
}

fn compare_keys(name: &Name, old: &Key, new: &Key, changes: &mut Changes) {
    let subject = name.as_str();
    match (old.presence, new.presence) {
        (Presence::Optional, Presence::Required) => {
            changes.add(subject, Effect::Breaking, "it is required now");
        }
        (Presence::Required, Presence::Optional) => {
            changes.add(subject, Effect::Compatible, "it is not required any more");
        }
        (Presence::Optional, Presence::Optional) | (Presence::Required, Presence::Required) => {}
    }
    match (old.secrecy, new.secrecy) {
        (Secrecy::Open, Secrecy::Secret) => {
            changes.add(subject, Effect::Breaking, "it is secret now");
        }
        // Whoever keeps it as a secret goes on.
        (Secrecy::Secret, Secrecy::Open) => {
            changes.add(subject, Effect::Compatible, "it is not secret any more");
        }
        (Secrecy::Open, Secrecy::Open) | (Secrecy::Secret, Secrecy::Secret) => {}
    }
    if old.kind != new.kind {
        let what = format!("{}, {} before", new.kind.expected(), old.kind.expected());
        let effect =
            if accepts_all(&new.kind, &old.kind) { Effect::Compatible } else { Effect::Breaking };
        changes.add(subject, effect, what);
    }
    if old.delivery != new.delivery {
        changes.add(subject, Effect::Breaking, "it reaches the program in another way");
    }
    if old.default != new.default {
        let what = match (&old.default, &new.default) {
            (_, Some(default)) => format!("its default is `{}` now", default.text().escape_debug()),
            (_, None) => "it has no default any more".into(),
        };
        changes.add(subject, Effect::Compatible, what);
    }
    if old.deprecated.is_none() && new.deprecated.is_some() {
        changes.add(subject, Effect::Compatible, "it is deprecated now");
    }
}

/// Returns whether every value of the old type is one of the new.
fn accepts_all(new: &Kind, old: &Kind) -> bool {
    let wider = |new: &Range, old: &Range, kind: &Kind| {
        let lower = match (&new.min, &old.min) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(new), Some(old)) => kind.compare(new, old).is_some_and(Ordering::is_le),
        };
        let upper = match (&new.max, &old.max) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(new), Some(old)) => kind.compare(new, old).is_some_and(Ordering::is_ge),
        };
        lower && upper
    };
    match (new, old) {
        (Kind::Int(wide), Kind::Int(narrow))
        | (Kind::Float(wide), Kind::Float(narrow))
        | (Kind::Port(wide), Kind::Port(narrow))
        | (Kind::Duration(wide), Kind::Duration(narrow))
        | (Kind::Bytes(wide), Kind::Bytes(narrow)) => wider(wide, narrow, new),
        (Kind::Url(wide), Kind::Url(narrow)) => {
            let known = |scheme| wide.schemes.contains(scheme);
            wide.schemes.is_empty()
                || (!narrow.schemes.is_empty() && narrow.schemes.iter().all(known))
        }
        (Kind::Enum(wide), Kind::Enum(narrow)) => {
            narrow.values.iter().all(|word| wide.values.contains(word))
        }
        (Kind::List(wide), Kind::List(_)) => wide.pattern.is_none(),
        // What is written as text stays text.
        (
            Kind::String(wide),
            Kind::String(_)
            | Kind::Host
            | Kind::Url(_)
            | Kind::Duration(_)
            | Kind::Bytes(_)
            | Kind::Enum(_)
            | Kind::Path
            | Kind::Pem
            | Kind::Json,
        ) => wide.pattern.is_none(),
        _ => new == old,
    }
}

fn compare_paths(old: &Schema, new: &Schema, changes: &mut Changes) {
    fn paths(schema: &Schema) -> Vec<&String> {
        let documents = schema.documents.iter().map(|document| &document.path);
        schema.files.iter().map(|file| &file.path).chain(documents).collect()
    }
    let (before, after) = (paths(old), paths(new));
    for path in after.iter().filter(|path| !before.contains(path)) {
        changes.add(path, Effect::Compatible, "it is rendered now");
    }
    for path in before.iter().filter(|path| !after.contains(path)) {
        changes.add(path, Effect::Breaking, "it is not rendered any more");
    }
    let changed = |path: &&&String| {
        before.contains(path)
            && (old.files.iter().find(|file| file.path == ***path)
                != new.files.iter().find(|file| file.path == ***path)
                || old.documents.iter().find(|file| file.path == ***path)
                    != new.documents.iter().find(|file| file.path == ***path))
    };
    for path in after.iter().filter(changed) {
        changes.add(path, Effect::Compatible, "it is rendered in another way");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Pattern, Schemes, Words};

    fn key(kind: Kind, presence: Presence) -> Key {
        Key { presence, ..Key::new(kind) }
    }

    fn schema(keys: &[(&str, Key)]) -> Schema {
        let mut schema = Schema::empty("app");
        for (name, key) in keys {
            schema.keys.insert(Name::parse(name).unwrap(), key.clone());
        }
        schema
    }

    fn effects(old: &Schema, new: &Schema) -> Vec<String> {
        compare(old, new)
            .iter()
            .map(|change| format!("{} {}", change.subject, change.effect.word()))
            .collect()
    }

    #[test]
    fn keys_that_come_and_go() {
        let text = || Kind::String(Pattern::default());
        let old = schema(&[
            ("GONE", key(text(), Presence::Optional)),
            ("NOW", key(text(), Presence::Optional)),
        ]);
        let new = schema(&[
            ("MAY", key(text(), Presence::Optional)),
            ("MUST", key(text(), Presence::Required)),
            ("NOW", key(text(), Presence::Required)),
        ]);
        assert_eq!(
            effects(&old, &new),
            ["GONE breaking", "MUST breaking", "NOW breaking", "MAY compatible"]
        );
        assert_eq!(effects(&old, &old), [""; 0]);
    }

    #[test]
    fn types_that_become_wider_or_narrower() {
        let range = |min: Option<&str>, max: Option<&str>| Range {
            min: min.map(Into::into),
            max: max.map(Into::into),
        };
        let words = |words: &[&str]| {
            Kind::Enum(Words { values: words.iter().map(|word| (*word).into()).collect() })
        };
        let url = |schemes: &[&str]| {
            Kind::Url(Schemes { schemes: schemes.iter().map(|scheme| (*scheme).into()).collect() })
        };
        let cases = [
            (Kind::Int(range(None, Some("9"))), Kind::Int(range(None, None)), "compatible"),
            (Kind::Int(range(None, None)), Kind::Int(range(Some("0"), None)), "breaking"),
            (
                Kind::Duration(range(Some("1m"), None)),
                Kind::Duration(range(Some("60s"), None)),
                "compatible",
            ),
            (
                Kind::Bytes(range(None, Some("1MiB"))),
                Kind::Bytes(range(None, Some("1KiB"))),
                "breaking",
            ),
            (words(&["a"]), words(&["a", "b"]), "compatible"),
            (words(&["a", "b"]), words(&["a"]), "breaking"),
            (url(&["http"]), url(&[]), "compatible"),
            (url(&[]), url(&["http"]), "breaking"),
            (Kind::Host, Kind::String(Pattern::default()), "compatible"),
            (Kind::Port(Range::default()), Kind::String(Pattern::default()), "breaking"),
        ];
        for (old, new, expected) in cases {
            let changes = compare(
                &schema(&[("K", key(old.clone(), Presence::Optional))]),
                &schema(&[("K", key(new.clone(), Presence::Optional))]),
            );
            assert_eq!(changes.len(), 1, "{old:?} {new:?}");
            assert_eq!(changes[0].effect.word(), expected, "{old:?} {new:?}");
        }
    }
}
