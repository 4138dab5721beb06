//! The values that must not be in an artifact, and those among them that cannot be looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use zeroize::Zeroizing;

/// The least bytes of a value that is looked for.
const LEAST: usize = 6;
/// The most bytes of a value that are compared: what has so many in common is the same.
const MOST: usize = 64 << 10;
/// Words that are in every artifact, in lower case.
const COMMON: [&str; 42] = [
    "127.0.0.1",
    "0.0.0.0",
    "::ffff:127.0.0.1",
    "application",
    "changeme",
    "database",
    "debugging",
    "default",
    "development",
    "disable",
    "disabled",
    "enable",
    "enabled",
    "example",
    "example.com",
    "http://localhost",
    "https://localhost",
    "info,warn",
    "integration",
    "localhost",
    "mongodb",
    "nobody",
    "passwd",
    "password",
    "postgres",
    "postgresql",
    "preprod",
    "private",
    "production",
    "public",
    "release",
    "secret",
    "service",
    "staging",
    "testing",
    "undefined",
    "unknown",
    "username",
    "utf-8",
    "verbose",
    "warning",
    "webapp",
];

/// One value of one environment.
pub struct Needle {
    /// The key that has the value.
    pub key: String,
    /// The environment in which it has it.
    pub environment: String,
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// Whether the value is the one that the schema gives to everybody, and so is in the artifact.
    pub public: bool,
}

impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, environment, .. } = self;
        f.debug_struct("Needle")
            .field("key", key)
            .field("environment", environment)
            .finish_non_exhaustive()
    }
}

/// A value that is not looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unscannable {
    /// The key that has the value.
    pub key: String,
    /// The environment in which it has it.
    pub environment: String,
    /// Why not.
    pub reason: Reason,
}

/// Why a value is not looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// There is none.
    Empty,
    /// It is the schema's default.
    Public,
    /// So few bytes are anywhere.
    Short,
    /// A number of few digits, an address, a port.
    Number,
    /// A word that is anywhere, or one byte again and again.
    Common,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Public => "it is the default of the schema, which is in the artifact",
            Self::Short => "it has fewer than 6 bytes, which are found anywhere",
            Self::Number => "it has fewer than 6 digits and nothing else, which are found anywhere",
            Self::Common => "it is a word that is found anywhere",
        })
    }
}

/// Whose value something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The key.
    pub key: String,
    /// The environments in which it has the value, in order.
    pub environments: Vec<String>,
}

/// A value that is looked for.
pub(super) struct Value {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) origins: Vec<Origin>,
}

impl Value {
    /// Puts together whose one value is.
    fn of(equal: &[(Zeroizing<Vec<u8>>, String, String)]) -> Self {
        let mut keys: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
        for (_, key, environment) in equal {
            keys.entry(key).or_default().insert(environment);
        }
        let origins = keys.into_iter().map(|(key, environments)| Origin {
            key: key.clone(),
            environments: environments.into_iter().cloned().collect(),
        });
        let bytes = equal.first().map(|(bytes, ..)| bytes.clone()).unwrap_or_default();
        Self { bytes, origins: origins.collect() }
    }
}

/// All values that must not be in an artifact, equal ones once.
#[derive(Default)]
pub struct Needles {
    pub(super) values: Vec<Value>,
    unscannable: Vec<Unscannable>,
}

impl fmt::Debug for Needles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Needles")
            .field("values", &self.values.len())
            .field("unscannable", &self.unscannable)
            .finish()
    }
}

impl Needles {
    /// Sorts out what cannot be looked for.
    pub fn new(list: impl IntoIterator<Item = Needle>) -> Self {
        let (mut all, mut unscannable) = (Vec::new(), BTreeSet::new());
        for Needle { key, environment, value, public } in list {
            let value = trimmed(&value);
            match reason(value).or(public.then_some(Reason::Public)) {
                Some(reason) => {
                    unscannable.insert(Unscannable { key, environment, reason });
                }
                None => all.push((Zeroizing::new(value.to_vec()), key, environment)),
            }
        }
        all.sort_by(|one, other| one.0.cmp(&other.0));
        let values = all.chunk_by(|one, other| one.0 == other.0).map(Value::of);
        Self { values: values.collect(), unscannable: unscannable.into_iter().collect() }
    }

    /// Returns what is not looked for, and why.
    pub fn unscannable(&self) -> &[Unscannable] {
        &self.unscannable
    }

    /// Returns how many values are looked for.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether no value is looked for.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// Returns a value without line ends behind it, which files have and copies of it do not.
fn trimmed(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
    &value[..end.min(MOST)]
}

fn reason(value: &[u8]) -> Option<Reason> {
    let Some(first) = value.first() else { return Some(Reason::Empty) };
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_numeric = |byte: &u8| byte.is_ascii_digit() || b" .,:;+-/_".contains(byte);
    if digits > 0 && digits < LEAST && value.iter().all(is_numeric) {
        return Some(Reason::Number);
    }
    if value.len() < LEAST {
        return Some(Reason::Short);
    }
    let lower = value.to_ascii_lowercase();
    let is_common = COMMON.iter().any(|word| word.as_bytes() == lower);
    (is_common || value.iter().all(|byte| byte == first)).then_some(Reason::Common)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needle(key: &str, environment: &str, value: &str, public: bool) -> Needle {
        let value = Zeroizing::new(value.as_bytes().to_vec());
        Needle { key: key.into(), environment: environment.into(), value, public }
    }

    #[test]
    fn what_is_anywhere_is_listed_and_not_looked_for() {
        let rows = [
            ("", Some(Reason::Empty)),
            ("\r\n", Some(Reason::Empty)),
            ("true", Some(Reason::Short)),
            ("s3cr3", Some(Reason::Short)),
            ("s3cr3t", None),
            ("8080", Some(Reason::Number)),
            ("12 34.5", Some(Reason::Number)),
            ("123456", None),
            ("10.11.12.13", None),
            ("LocalHost", Some(Reason::Common)),
            ("password\n", Some(Reason::Common)),
            ("------------", Some(Reason::Common)),
        ];
        for (value, expected) in rows {
            let needles = Needles::new([needle("k", "e", value, false)]);
            let found = needles.unscannable().first().map(|found| found.reason);
            assert_eq!(
                (found, needles.len()),
                (expected, usize::from(expected.is_none())),
                "{value:?}"
            );
        }
        let needles = Needles::new([needle("k", "e", "a default of the schema", true)]);
        assert_eq!(needles.unscannable()[0].reason, Reason::Public);
    }

    #[test]
    fn equal_values_are_looked_for_once() {
        let needles = Needles::new([
            needle("b", "prod", "one value", false),
            needle("a", "prod", "one value\n", false),
            needle("a", "dev", "one value", false),
            needle("a", "test", "another", false),
        ]);
        let origins: Vec<_> = needles.values.iter().map(|value| value.origins.clone()).collect();
        let origin = |key: &str, environments: &[&str]| Origin {
            key: key.into(),
            environments: environments.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(
            origins,
            [
                vec![origin("a", &["test"])],
                vec![origin("a", &["dev", "prod"]), origin("b", &["prod"])]
            ]
        );
        let shown = format!("{needles:?} {:?}", needle("k", "e", "hidden value", false));
        assert!(!shown.contains("value\"") && !shown.contains("hidden"), "{shown}");
    }
}
