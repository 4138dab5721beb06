//! What an environment gives, as values to look for.

use std::collections::BTreeMap;

use bake_config::{Given, Kind, Name, Scalar, Schema};
use zeroize::Zeroizing;

use super::needle::Needle;

/// Returns everything that an environment sets: each text of a list for itself, numbers in decimal. References have no
/// value here, and no secret of them is anywhere near.
///
/// What the schema itself says to everybody, defaults and the words of enumerations, is marked as public.
pub fn needles(
    environment: &str,
    given: &BTreeMap<Name, Given>,
    schema: Option<&Schema>,
) -> Vec<Needle> {
    let mut needles = Vec::new();
    for (name, given) in given {
        let key = schema.and_then(|schema| schema.keys.get(name));
        for value in texts(given) {
            let is_default = |text: &str| {
                key.and_then(|key| key.default.as_ref())
                    .is_some_and(|default| default.text() == text)
            };
            let public = key.is_some_and(|key| matches!(key.kind, Kind::Enum(_) | Kind::Bool))
                || is_default(&value);
            needles.push(Needle {
                key: name.to_string(),
                environment: environment.into(),
                value: Zeroizing::new(value.as_bytes().to_vec()),
                public,
            });
        }
    }
    needles
}

fn texts(given: &Given) -> Vec<Zeroizing<String>> {
    match given {
        Given::Plain(Scalar::Text(text)) | Given::Text(text) => vec![Zeroizing::new(text.clone())],
        Given::Plain(Scalar::Integer(number)) => vec![Zeroizing::new(number.to_string())],
        Given::Plain(Scalar::Float(number)) => vec![Zeroizing::new(number.to_string())],
        Given::Plain(Scalar::Bool(_)) | Given::Reference(_) => Vec::new(),
        Given::Plain(Scalar::List(list)) => list.iter().cloned().map(Zeroizing::new).collect(),
        Given::Secret(secret) => vec![Zeroizing::new(secret.expose().to_owned())],
    }
}

#[cfg(test)]
mod tests {
    use bake_config::kind::{Pattern, Range, Words};
    use bake_config::schema::Key;
    use bake_config::{Reference, Secret, Value};

    use super::*;

    #[test]
    fn everything_is_looked_for_but_what_the_schema_says() {
        let mut schema = Schema::empty("app");
        let text = || Key::new(Kind::String(Pattern::default()));
        let level = Key::new(Kind::Enum(Words { values: vec!["verbose".into()] }));
        for (name, key) in [
            ("URL", Key { default: Some(Value::Text("the default".into())), ..text() }),
            ("LEVEL", level),
            ("PORT", Key::new(Kind::Port(Range::default()))),
        ] {
            schema.keys.insert(Name::parse(name).unwrap(), key);
        }
        let given = BTreeMap::from(
            [
                ("URL", Given::Plain(Scalar::Text("the default".into()))),
                ("LEVEL", Given::Plain(Scalar::Text("verbose".into()))),
                ("PORT", Given::Plain(Scalar::Integer(65_000))),
                (
                    "HOSTS",
                    Given::Plain(Scalar::List(vec!["a.internal".into(), "b.internal".into()])),
                ),
                ("PASSWORD", Given::Secret(Secret::new("hunter2".into()))),
                (
                    "TOKEN",
                    Given::Reference(Reference { provider: "vault".into(), location: "x".into() }),
                ),
            ]
            .map(|(name, given)| (Name::parse(name).unwrap(), given)),
        );
        let found: Vec<_> = needles("prod", &given, Some(&schema))
            .into_iter()
            .map(|needle| {
                (needle.key, String::from_utf8(needle.value.to_vec()).unwrap(), needle.public)
            })
            .collect();
        let expected = [
            ("HOSTS", "a.internal", false),
            ("HOSTS", "b.internal", false),
            ("LEVEL", "verbose", true),
            ("PASSWORD", "hunter2", false),
            ("PORT", "65000", false),
            ("URL", "the default", true),
        ];
        assert_eq!(
            found,
            expected.map(|(key, value, public)| (key.to_owned(), value.to_owned(), public))
        );
    }
}
