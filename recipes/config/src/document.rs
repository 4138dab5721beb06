//! Documents that hold several keys, with the types of their values.

use std::collections::BTreeMap;

use crate::kind::Kind;
use crate::name::Name;
use crate::quote;
use crate::schema::{Case, Document, Format, Schema};
use crate::settings::{Setting, Settings};
use crate::value::Value;

/// A value with the type that documents give it.
#[derive(Debug, Clone, PartialEq)]
enum Typed {
    /// A number, digit for digit; whether it is whole.
    Whole(String),
    /// A number with a fraction.
    Float(String),
    Bool(String),
    Text(String),
    List(Vec<String>),
    /// JSON text.
    Json(String),
}

/// A level of a document.
#[derive(Debug, Default)]
struct Table {
    leaves: BTreeMap<String, (Name, Typed)>,
    tables: BTreeMap<String, Table>,
}

/// Why a document cannot be written; never with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentError {
    pub(crate) key: Name,
    pub(crate) reason: String,
}

/// Says which two keys of a document would stand at one place.
pub(crate) fn check(document: &Document) -> Result<(), String> {
    let mut table = Table::default();
    for name in &document.keys {
        let placed =
            table.insert(&path(name, document), (name.clone(), Typed::Bool(String::new())));
        if let Err(other) = placed {
            return Err(format!("`{name}` and `{other}` would stand at one place"));
        }
    }
    Ok(())
}

/// Returns the text of a document: of its keys those that are set.
pub(crate) fn write(
    document: &Document,
    schema: &Schema,
    settings: &Settings,
) -> Result<String, DocumentError> {
    let mut table = Table::default();
    for name in &document.keys {
        let Some((key, setting)) = schema.keys.get(name).zip(settings.get(name)) else { continue };
        let value = match setting {
            Setting::Plain(value) => value.clone(),
            Setting::Secret(secret) => {
                let parsed = key.kind.parse(secret.expose());
                parsed.map_err(|reason| DocumentError { key: name.clone(), reason })?
            }
            Setting::Reference(_) => continue,
        };
        let leaf = (name.clone(), Typed::of(&key.kind, value));
        table.insert(&path(name, document), leaf).map_err(|other| DocumentError {
            key: name.clone(),
            reason: format!("it would stand where `{other}` stands"),
        })?;
    }
    match document.format {
        Format::Json => Ok(format!("{}\n", json(&table, 0))),
        Format::Yaml => Ok(yaml(&table)),
        Format::Toml => Ok(toml(&table)),
        Format::Properties => Ok(properties(&table)),
        Format::Ini => ini(&table),
    }
}

/// Returns the names of the levels of a key.
fn path(name: &Name, document: &Document) -> Vec<String> {
    let spell = |part: &str| match document.case {
        Case::Keep => part.to_owned(),
        Case::Lower => part.to_ascii_lowercase(),
        Case::Kebab => part.to_ascii_lowercase().replace('_', "-"),
        Case::Camel => camel(part),
    };
    match document.nest.as_deref().filter(|nest| !nest.is_empty()) {
        Some(nest) => name.as_str().split(nest).map(spell).collect(),
        None => vec![spell(name.as_str())],
    }
}

fn camel(part: &str) -> String {
    let mut text = String::new();
    for word in part.split('_').filter(|word| !word.is_empty()) {
        let lower = word.to_ascii_lowercase();
        match lower.chars().next() {
            Some(first) if !text.is_empty() => {
                text.push(first.to_ascii_uppercase());
                text.push_str(&lower[1..]);
            }
            _ => text.push_str(&lower),
        }
    }
    text
}

impl Typed {
    fn of(kind: &Kind, value: Value) -> Self {
        match (kind, value) {
            (_, Value::List(list)) => Self::List(list),
            (Kind::Int(_) | Kind::Port(_), Value::Text(text)) => Self::Whole(text),
            (Kind::Float(_), Value::Text(text)) => Self::Float(text),
            (Kind::Bool, Value::Text(text)) => Self::Bool(text),
            (Kind::Json, Value::Text(text)) => Self::Json(text),
            (_, Value::Text(text)) => Self::Text(text),
        }
    }

    /// Returns the value in a language in which numbers, `true` and lists look like JSON's.
    fn literal(&self, quote: fn(&str) -> String, json: Json) -> String {
        match self {
            Self::Whole(text) | Self::Float(text) | Self::Bool(text) => text.clone(),
            Self::Text(text) => quote(text),
            Self::List(list) => {
                let texts: Vec<_> = list.iter().map(|text| quote(text)).collect();
                format!("[{}]", texts.join(", "))
            }
            Self::Json(text) => match json {
                Json::Embedded => embedded(text, quote),
                Json::Text => quote(text),
            },
        }
    }

    /// Returns the value as one text.
    fn text(&self) -> String {
        match self {
            Self::Whole(text)
            | Self::Float(text)
            | Self::Bool(text)
            | Self::Text(text)
            | Self::Json(text) => text.clone(),
            Self::List(list) => list.join(","),
        }
    }
}

/// What becomes of JSON text in a document.
#[derive(Clone, Copy)]
enum Json {
    /// It is a part of the document.
    Embedded,
    /// It is a text.
    Text,
}

/// Returns JSON without space, its strings as other literals, its numbers digit for digit.
fn embedded(json: &str, quote: fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let mut len = first.len_utf8();
        if first == '"' {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            len = end.map_or(rest.len(), |(index, _)| index + 1);
            // It was parsed before, so this is a string.
            let string = serde_json::from_str::<String>(&rest[..len]).unwrap_or_default();
            text.push_str(&quote(&string));
        } else if first == ',' || first == ':' {
            // YAML wants a space there.
            text.push(first);
            text.push(' ');
        } else if !first.is_ascii_whitespace() {
            text.push(first);
        }
        rest = &rest[len..];
    }
    text
}

impl Table {
    /// Puts a value in its place; the error is the key that stands there, or below or above it.
    fn insert(&mut self, path: &[String], leaf: (Name, Typed)) -> Result<(), Name> {
        let Some((first, rest)) = path.split_first() else { return Ok(()) };
        if let Some((other, _)) = self.leaves.get(first) {
            return Err(other.clone());
        }
        if rest.is_empty() {
            if let Some(table) = self.tables.get(first) {
                return Err(table.any().unwrap_or_else(|| leaf.0.clone()));
            }
            self.leaves.insert(first.clone(), leaf);
            return Ok(());
        }
        self.tables.entry(first.clone()).or_default().insert(rest, leaf)
    }

    fn any(&self) -> Option<Name> {
        let own = self.leaves.values().next().map(|(name, _)| name.clone());
        own.or_else(|| self.tables.values().find_map(Self::any))
    }

    /// Returns every value with the names of its levels, the table's own before those of its tables.
    fn flat(&self) -> Vec<(Vec<&str>, &Name, &Typed)> {
        let own = self.leaves.iter().map(|(key, (name, value))| (vec![key.as_str()], name, value));
        let mut all: Vec<_> = own.collect();
        for (key, table) in &self.tables {
            all.extend(table.flat().into_iter().map(|(mut path, name, value)| {
                path.insert(0, key);
                (path, name, value)
            }));
        }
        all
    }
}

fn json(table: &Table, depth: usize) -> String {
    let indent = "  ".repeat(depth + 1);
    let leaves = table
        .leaves
        .iter()
        .map(|(key, (_, value))| (key, value.literal(quote::json, Json::Embedded)));
    let tables = table.tables.iter().map(|(key, table)| (key, json(table, depth + 1)));
    let all: BTreeMap<_, _> = leaves.chain(tables).collect();
    if all.is_empty() {
        return "{}".into();
    }
    let lines: Vec<_> =
        all.iter().map(|(key, value)| format!("{indent}{}: {value}", quote::json(key))).collect();
    format!("{{\n{}\n{}}}", lines.join(",\n"), "  ".repeat(depth))
}

fn yaml(table: &Table) -> String {
    fn level(table: &Table, depth: usize, text: &mut String) {
        let indent = "  ".repeat(depth);
        for (key, (_, value)) in &table.leaves {
            let value = value.literal(quote::yaml, Json::Embedded);
            text.push_str(&format!("{indent}{}: {value}\n", quote::yaml(key)));
        }
        for (key, table) in &table.tables {
            text.push_str(&format!("{indent}{}:\n", quote::yaml(key)));
            level(table, depth + 1, text);
        }
    }
    let mut text = String::new();
    level(table, 0, &mut text);
    if text.is_empty() { "{}\n".into() } else { text }
}

fn toml(table: &Table) -> String {
    fn level(table: &Table, above: &[String], text: &mut String) {
        if !above.is_empty() && (!table.leaves.is_empty() || table.tables.is_empty()) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("[{}]\n", above.join(".")));
        }
        for (key, (_, value)) in &table.leaves {
            let value = match value {
                // Without a point it would be a whole number.
                Typed::Float(digits) if !digits.contains(['.', 'e', 'E']) => format!("{digits}.0"),
                value => value.literal(quote::toml, Json::Text),
            };
            text.push_str(&format!("{} = {value}\n", toml_key(key)));
        }
        for (key, table) in &table.tables {
            let path = [above, &[toml_key(key)]].concat();
            level(table, &path, text);
        }
    }
    let mut text = String::new();
    level(table, &[], &mut text);
    text
}

fn toml_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) { key.into() } else { quote::toml(key) }
}

fn properties(table: &Table) -> String {
    let lines = table.flat().into_iter().map(|(path, _, value)| {
        let key = quote::properties_key(&path.join("."));
        format!("{key}={}\n", quote::properties(&value.text()))
    });
    lines.collect()
}

fn ini(table: &Table) -> Result<String, DocumentError> {
    let mut text = String::new();
    let mut section = String::new();
    for (path, name, value) in table.flat() {
        let (key, above) = path.split_last().unwrap_or((&"", &[]));
        let above = above.join(".");
        if above != section {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&format!("[{above}]\n"));
            section = above;
        }
        let value = value.text();
        let value = quote::ini(&value)
            .map_err(|reason| DocumentError { key: name.clone(), reason: reason.into() })?;
        text.push_str(format!("{key} = {value}").trim_end());
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Pattern, Range};
    use crate::schema::{Key, Reload};
    use crate::settings::Given;
    use crate::value::Scalar;

    fn schema() -> Schema {
        let mut schema = Schema::empty("app");
        for (name, kind) in [
            ("DB__HOST", Kind::Host),
            ("DB__POOL__MAX_SIZE", Kind::Int(Range::default())),
            ("LOG_LEVEL", Kind::String(Pattern::default())),
            ("RATE", Kind::Float(Range::default())),
            ("DEBUG", Kind::Bool),
            ("NAMES", Kind::List(Pattern::default())),
            ("RULES", Kind::Json),
            ("UNSET", Kind::Host),
        ] {
            schema.keys.insert(Name::parse(name).unwrap(), Key::new(kind));
        }
        schema
    }

    fn document(format: Format, nest: Option<&str>, case: Case) -> Document {
        Document {
            path: "/etc/app/config".into(),
            mode: 0o640,
            format,
            nest: nest.map(Into::into),
            case,
            keys: schema().keys.keys().cloned().collect(),
            reload: Reload::Restart,
        }
    }

    fn written(format: Format, case: Case, level: &str) -> Result<String, DocumentError> {
        let text = |text: &str| Given::Plain(Scalar::Text(text.into()));
        let settled = schema().settle([
            ("DB__HOST", text("db.internal")),
            ("DB__POOL__MAX_SIZE", Given::Plain(Scalar::Integer(1_000_000))),
            ("LOG_LEVEL", text(level)),
            ("RATE", Given::Plain(Scalar::Integer(3))),
            ("DEBUG", Given::Plain(Scalar::Bool(false))),
            ("NAMES", Given::Plain(Scalar::List(vec!["a".into(), "no".into()]))),
            ("RULES", text(r#"{"n": 12345678901234567890123, "s": "\ud83d\ude00"}"#)),
        ]);
        assert_eq!(settled.faults, []);
        write(&document(format, Some("__"), case), &schema(), &settled.settings)
    }

    #[test]
    fn json_keeps_types_and_digits() {
        let expected = r#"{
  "db": {
    "host": "db.internal",
    "pool": {
      "maxSize": 1000000
    }
  },
  "debug": false,
  "logLevel": "no",
  "names": ["a", "no"],
  "rate": 3,
  "rules": {"n": 12345678901234567890123, "s": "😀"}
}
"#;
        assert_eq!(written(Format::Json, Case::Camel, "no").as_deref(), Ok(expected));
    }

    #[test]
    fn yaml_quotes_every_text() {
        let expected = r#""DEBUG": false
"LOG_LEVEL": "no"
"NAMES": ["a", "no"]
"RATE": 3
"RULES": {"n": 12345678901234567890123, "s": "😀"}
"DB":
  "HOST": "db.internal"
  "POOL":
    "MAX_SIZE": 1000000
"#;
        assert_eq!(written(Format::Yaml, Case::Keep, "no").as_deref(), Ok(expected));
    }

    #[test]
    fn toml_tells_numbers_apart() {
        let expected = r#"debug = false
log-level = "no"
names = ["a", "no"]
rate = 3.0
rules = "{\"n\": 12345678901234567890123, \"s\": \"\\ud83d\\ude00\"}"

[db]
host = "db.internal"

[db.pool]
max-size = 1000000
"#;
        assert_eq!(written(Format::Toml, Case::Kebab, "no").as_deref(), Ok(expected));
    }

    #[test]
    fn properties_and_ini_have_texts() {
        let properties = "debug=false\nlog_level=no\nnames=a,no\nrate=3\n\
            rules={\"n\": 12345678901234567890123, \"s\": \"\\\\ud83d\\\\ude00\"}\n\
            db.host=db.internal\ndb.pool.max_size=1000000\n";
        assert_eq!(written(Format::Properties, Case::Lower, "no").as_deref(), Ok(properties));
        let ini = "debug = false\nlog_level = no\nnames = a,no\nrate = 3\n\
            rules = {\"n\": 12345678901234567890123, \"s\": \"\\ud83d\\ude00\"}\n\n[db]\nhost = db.internal\n\n\
            [db.pool]\nmax_size = 1000000\n";
        assert_eq!(written(Format::Ini, Case::Lower, "no").as_deref(), Ok(ini));
        let error = written(Format::Ini, Case::Lower, "two\nlines").unwrap_err();
        assert_eq!(
            (error.key.as_str(), error.reason.as_str()),
            ("LOG_LEVEL", "an ini file has no way to write a line break")
        );
    }

    #[test]
    fn two_keys_at_one_place_are_refused() {
        for (names, nest, case, expected) in [
            (
                ["DB", "DB__HOST"],
                Some("__"),
                Case::Keep,
                Err("`DB__HOST` and `DB` would stand at one place"),
            ),
            (["A_B", "A__B"], None, Case::Camel, Err("`A__B` and `A_B` would stand at one place")),
            (["A_B", "A__B"], None, Case::Keep, Ok(())),
        ] {
            let mut document = document(Format::Json, nest, case);
            document.keys = names.map(|name| Name::parse(name).unwrap()).into();
            assert_eq!(check(&document), expected.map_err(str::to_owned));
        }
    }
}
