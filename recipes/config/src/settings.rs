//! What one environment gives one schema.

use std::collections::BTreeMap;
use std::fmt;

use crate::name::Name;
use crate::schema::{Deprecation, Presence, Schema, Secrecy, UnknownKeys, Variance};
use crate::secret::Secret;
use crate::suggestion;
use crate::value::{Scalar, Value};

/// A value as an environment gives it, before the schema has seen it.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A value that anybody may read.
    Plain(Scalar),
    /// Text that is one value, e.g. of a variable.
    Text(String),
    /// Text that is one value, and secret.
    Secret(Secret),
    /// Where the value is; it never passes through here.
    Reference(Reference),
}

/// Where somebody else finds a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Who has it, e.g. `vault`.
    pub provider: String,
    /// Where it is there, e.g. `kv/orders#tls_key`.
    pub location: String,
}

/// Prints as environments have it, e.g. `vault:kv/orders#tls_key`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider, self.location)
    }
}

/// A value of a key, checked against its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// A value that anybody may read.
    Plain(Value),
    /// A value that nobody may read.
    Secret(Secret),
    /// Where the value is; not checked.
    Reference(Reference),
}

/// Who gave a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The schema.
    Default,
    /// The environment.
    Environment,
}

/// The values of all keys that have one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Each key's value, and who gave it.
    pub values: BTreeMap<Name, (Setting, Origin)>,
}

impl Settings {
    /// Returns a key's value.
    pub fn get(&self, name: &Name) -> Option<&Setting> {
        self.values.get(name).map(|(setting, _)| setting)
    }
}

/// What came of joining an environment and a schema.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settled {
    /// The values without those that are at fault.
    pub settings: Settings,
    /// What is wrong, by key.
    pub faults: Vec<Fault>,
}

/// One thing that is wrong with a key in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key as it was written.
    pub key: String,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong with a key in an environment. No fault holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// It is required and not set.
    Missing {
        /// What it is for.
        description: Option<String>,
        /// What its values are.
        expected: String,
    },
    /// The schema does not know it.
    Unknown {
        /// The key that was probably meant.
        nearest: Option<Name>,
        /// Whether that is an error.
        rule: UnknownKeys,
    },
    /// The value is not of its type.
    Value {
        /// What was expected, never what was found.
        expected: String,
    },
    /// A secret stands where anybody reads it.
    NotSecret,
    /// It should no longer be used.
    Deprecated(Deprecation),
    /// It says what the default says.
    RepeatsDefault,
    /// It is not expected to differ between environments.
    Varies,
}

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is rendered.
    Error,
    /// Worth a look.
    Warning,
    /// Worth a word.
    Info,
}

impl FaultKind {
    /// Returns how bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Missing { .. } | Self::Value { .. } | Self::NotSecret => Severity::Error,
            Self::Unknown { rule: UnknownKeys::Deny, .. } => Severity::Error,
            Self::Unknown { rule: UnknownKeys::Warn, .. } | Self::Deprecated(_) | Self::Varies => {
                Severity::Warning
            }
            Self::RepeatsDefault => Severity::Info,
        }
    }

    /// Returns the stable name of the rule that is broken.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing-key",
            Self::Unknown { .. } => "unknown-key",
            Self::Value { .. } => "wrong-type",
            Self::NotSecret => "plain-secret",
            Self::Deprecated(_) => "deprecated-key",
            Self::RepeatsDefault => "default-repeated",
            Self::Varies => "needless-variance",
        }
    }

    /// Returns what to do about it, if there is more to say than the message does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            Self::Deprecated(Deprecation { instead: Some(instead), .. }) => {
                Some(format!("use `{instead}`"))
            }
            Self::Missing { description: Some(description), .. } => Some(description.clone()),
            Self::RepeatsDefault => {
                Some("leave it out, or what the default becomes passes this by".into())
            }
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.escape_debug();
        match &self.kind {
            FaultKind::Missing { expected, .. } => {
                write!(f, "`{key}` is required and not set: {expected}")
            }
            FaultKind::Unknown { .. } => write!(f, "`{key}` is not in the schema"),
            FaultKind::Value { expected } => write!(f, "`{key}`: {expected}"),
            FaultKind::NotSecret => {
                write!(f, "`{key}` is secret, and its value stands there for anybody to read")
            }
            FaultKind::Deprecated(Deprecation { since: Some(since), .. }) => {
                write!(f, "`{key}` is deprecated since {since}")
            }
            FaultKind::Deprecated(_) => write!(f, "`{key}` is deprecated"),
            FaultKind::RepeatsDefault => write!(f, "`{key}` is set to its default"),
            FaultKind::Varies => {
                write!(f, "`{key}` should be the same everywhere, and this environment sets it")
            }
        }
    }
}

impl Schema {
    /// Joins what an environment gives with the schema: every fault, and the values that are right.
    pub fn settle<'a>(&self, given: impl IntoIterator<Item = (&'a str, Given)>) -> Settled {
        let mut settled = Settled::default();
        for (text, given) in given {
            if let Some(name) = Name::parse(text).filter(|name| self.keys.contains_key(name)) {
                self.settle_key(&name, given, &mut settled);
            } else {
                let nearest = suggestion::nearest(text, self.keys.keys());
                settled.report(text, FaultKind::Unknown { nearest, rule: self.unknown });
            }
        }
        for (name, key) in &self.keys {
            let is_at_fault = settled.faults.iter().any(|fault| fault.key == name.as_str());
            if settled.settings.values.contains_key(name) || is_at_fault {
                continue;
            }
            if let Some(default) = &key.default {
                let value = (Setting::Plain(default.clone()), Origin::Default);
                settled.settings.values.insert(name.clone(), value);
            } else if key.presence == Presence::Required {
                let (description, expected) = (key.description.clone(), key.kind.expected());
                settled.report(name.as_str(), FaultKind::Missing { description, expected });
            }
        }
        settled.faults.sort_by(|one, other| one.key.cmp(&other.key));
        settled
    }

    fn settle_key(&self, name: &Name, given: Given, settled: &mut Settled) {
        let Some(key) = self.keys.get(name) else { return };
        let is_secret = key.secrecy == Secrecy::Secret;
        let setting = match given {
            Given::Plain(_) if is_secret => {
                return settled.report(name.as_str(), FaultKind::NotSecret);
            }
            Given::Plain(scalar) => key.kind.accept(&scalar).map(Setting::Plain),
            Given::Text(text) => key.kind.parse(&text).map(|value| {
                if is_secret { Setting::Secret(Secret::new(text)) } else { Setting::Plain(value) }
            }),
            Given::Secret(secret) => {
                key.kind.parse(secret.expose()).map(|_| Setting::Secret(secret))
            }
            Given::Reference(reference) => Ok(Setting::Reference(reference)),
        };
        let setting = match setting {
            Ok(setting) => setting,
            Err(expected) => return settled.report(name.as_str(), FaultKind::Value { expected }),
        };
        if let Some(deprecation) = &key.deprecated {
            settled.report(name.as_str(), FaultKind::Deprecated(deprecation.clone()));
        }
        match (&setting, &key.default) {
            (Setting::Plain(value), Some(default)) if value == default => {
                settled.report(name.as_str(), FaultKind::RepeatsDefault);
            }
            _ if key.variance == Variance::Same => settled.report(name.as_str(), FaultKind::Varies),
            _ => {}
        }
        settled.settings.values.insert(name.clone(), (setting, Origin::Environment));
    }
}

impl Settled {
    fn report(&mut self, key: &str, kind: FaultKind) {
        self.faults.push(Fault { key: key.into(), kind });
    }

    /// Returns whether anything is wrong that nothing may be rendered with.
    pub fn is_refused(&self) -> bool {
        self.faults.iter().any(|fault| fault.kind.severity() == Severity::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Kind, Pattern, Range};
    use crate::schema::Key;

    fn schema() -> Schema {
        let mut schema = Schema::empty("app");
        let text = || Key::new(Kind::String(Pattern::default()));
        let mut put = |name: &str, key| schema.keys.insert(Name::parse(name).unwrap(), key);
        put("URL", Key { presence: Presence::Required, ..text() });
        put(
            "PORT",
            Key {
                default: Some(Value::Text("80".into())),
                ..Key::new(Kind::Port(Range::default()))
            },
        );
        put("PASSWORD", Key { secrecy: Secrecy::Secret, ..text() });
        put("FIXED", Key { variance: Variance::Same, ..text() });
        let instead = Name::parse("URL");
        put(
            "OLD",
            Key { deprecated: Some(Deprecation { instead, since: Some("2.0".into()) }), ..text() },
        );
        schema
    }

    #[test]
    fn what_is_right_is_settled_and_defaults_fill_up() {
        let settled = schema().settle([
            ("URL", Given::Plain(Scalar::Text(String::new()))),
            ("PASSWORD", Given::Secret(Secret::new("x".into()))),
        ]);
        assert_eq!(settled.faults, []);
        let found: Vec<_> = settled
            .settings
            .values
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        let plain = |text: &str| Setting::Plain(Value::Text(text.into()));
        assert_eq!(
            found,
            [
                ("PASSWORD", (Setting::Secret(Secret::new("x".into())), Origin::Environment)),
                ("PORT", (plain("80"), Origin::Default)),
                ("URL", (plain(""), Origin::Environment)),
            ]
        );
    }

    #[test]
    fn every_fault_is_told_and_none_holds_a_value() {
        let text = |text: &str| Given::Plain(Scalar::Text(text.into()));
        let settled = schema().settle([
            ("PROT", text("s3cret")),
            ("port", text("s3cret")),
            ("PORT", text("s3cret")),
            ("PASSWORD", text("s3cret")),
            ("FIXED", text("s3cret")),
            ("OLD", text("s3cret")),
        ]);
        let told: Vec<_> =
            settled.faults.iter().map(|fault| (fault.kind.rule(), fault.to_string())).collect();
        let expected = [
            (
                "needless-variance",
                "`FIXED` should be the same everywhere, and this environment sets it",
            ),
            ("deprecated-key", "`OLD` is deprecated since 2.0"),
            (
                "plain-secret",
                "`PASSWORD` is secret, and its value stands there for anybody to read",
            ),
            ("wrong-type", "`PORT`: expected a port from 1 to 65535"),
            ("unknown-key", "`PROT` is not in the schema"),
            ("missing-key", "`URL` is required and not set: expected text"),
            ("unknown-key", "`port` is not in the schema"),
        ];
        assert_eq!(told, expected.map(|(rule, text)| (rule, text.to_owned())));
        assert!(settled.is_refused());
        assert!(!format!("{:?}", settled.faults).contains("s3cret"));
        let unknown = &settled.faults[4].kind;
        assert_eq!(unknown.hint().as_deref(), Some("did you mean `PORT`?"));
        let repeated =
            schema().settle([("URL", text("x")), ("PORT", Given::Plain(Scalar::Integer(80)))]);
        assert_eq!(repeated.faults[0].kind, FaultKind::RepeatsDefault);
        assert!(!repeated.is_refused());
    }
}
