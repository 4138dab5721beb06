//! The schema as JSON Schema (draft 2020-12), for editors and for tools that know nothing of bake.

use serde_json::{Map, Value as Json, json};

use crate::kind::{Kind, Range};
use crate::schema::{Key, Presence, Schema, Secrecy, UnknownKeys};
use crate::value::Value;

/// The dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Returns the schema of an object with one value for each key.
pub fn values(schema: &Schema) -> Json {
    let mut object = object(schema, |_| true);
    object.insert("$schema".into(), DIALECT.into());
    object.insert("title".into(), format!("configuration of {}", schema.service.name).into());
    Json::Object(object)
}

/// Returns the schema of an environment's file: values that anybody may read, and secrets.
///
/// Nothing is required, because a file may extend another.
pub fn environment(schema: &Schema) -> Json {
    let mut open = object(schema, |key| key.secrecy == Secrecy::Open);
    open.remove("required");
    let source = json!({
        "oneOf": [
            { "type": "object", "required": ["age"], "properties": { "age": { "type": "string" } }, "additionalProperties": false },
            { "type": "object", "required": ["sops"], "properties": { "sops": { "type": "string" } }, "additionalProperties": false },
            { "type": "object", "required": ["ref"], "properties": { "ref": { "type": "string", "pattern": "^[^:]+:." } }, "additionalProperties": false },
            { "type": "object", "required": ["command"], "properties": { "command": { "type": "array", "items": { "type": "string" }, "minItems": 1 } }, "additionalProperties": false },
        ],
    });
    let secrets: Map<String, Json> =
        schema.keys.keys().map(|name| (name.to_string(), source.clone())).collect();
    json!({
        "$schema": DIALECT,
        "title": format!("an environment of {}", schema.service.name),
        "type": "object",
        "properties": {
            "extends": { "type": "array", "items": { "type": "string" } },
            "description": { "type": "string" },
            "recipients": { "type": "array", "items": { "type": "string" } },
            "digest-key": { "type": "string" },
            "values": open,
            "secrets": { "type": "object", "properties": secrets, "additionalProperties": false },
        },
        "additionalProperties": false,
    })
}

fn object(schema: &Schema, wanted: impl Fn(&Key) -> bool) -> Map<String, Json> {
    let keys = || schema.keys.iter().filter(|(_, key)| wanted(key));
    let properties: Map<String, Json> =
        keys().map(|(name, key)| (name.to_string(), property(key))).collect();
    let required: Vec<_> = keys()
        .filter(|(_, key)| key.presence == Presence::Required)
        .map(|(name, _)| name.as_str())
        .collect();
    let mut object = Map::new();
    object.insert("type".into(), "object".into());
    object.insert("properties".into(), properties.into());
    if !required.is_empty() {
        object.insert("required".into(), required.into());
    }
    object.insert("additionalProperties".into(), (schema.unknown == UnknownKeys::Warn).into());
    object
}

fn property(key: &Key) -> Json {
    let mut property = of_kind(&key.kind);
    let mut put = |name: &str, value: Json| property.insert(name.into(), value);
    if let Some(description) = &key.description {
        put("description", description.as_str().into());
    }
    if let Some(default) = &key.default {
        put("default", typed(&key.kind, default));
    }
    if let Some(example) = &key.example {
        put("examples", json!([typed(&key.kind, example)]));
    }
    if key.deprecated.is_some() {
        put("deprecated", true.into());
    }
    if key.secrecy == Secrecy::Secret {
        put("writeOnly", true.into());
    }
    Json::Object(property)
}

fn typed(kind: &Kind, value: &Value) -> Json {
    match (kind, value) {
        (_, Value::List(list)) => list.as_slice().into(),
        (Kind::Int(_) | Kind::Port(_) | Kind::Float(_) | Kind::Bool, Value::Text(text)) => {
            serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
        }
        (_, Value::Text(text)) => text.as_str().into(),
    }
}

fn of_kind(kind: &Kind) -> Map<String, Json> {
    let limits = |range: &Range, kind: &str| {
        let mut property = Map::new();
        property.insert("type".into(), kind.into());
        for (name, limit) in [("minimum", &range.min), ("maximum", &range.max)] {
            if let Some(number) = limit.as_ref().and_then(|text| serde_json::from_str(text).ok()) {
                property.insert(name.into(), number);
            }
        }
        property
    };
    let text = |more: Json| {
        let mut property = Map::new();
        property.insert("type".into(), "string".into());
        property.extend(more.as_object().cloned().unwrap_or_default());
        property
    };
    match kind {
        Kind::String(pattern) => match &pattern.pattern {
            Some(pattern) => text(json!({ "pattern": format!("^(?:{pattern})$") })),
            None => text(json!({})),
        },
        Kind::Int(range) => limits(range, "integer"),
        Kind::Float(range) => limits(range, "number"),
        Kind::Bool => Map::from_iter([("type".to_owned(), Json::from("boolean"))]),
        Kind::Port(range) => {
            let mut property = limits(range, "integer");
            property.entry("minimum").or_insert(1.into());
            property.entry("maximum").or_insert(u16::MAX.into());
            property
        }
        Kind::Host => text(json!({ "pattern": "^[A-Za-z0-9.:-]+$", "maxLength": 253 })),
        Kind::Url(schemes) if schemes.schemes.is_empty() => text(json!({ "format": "uri" })),
        Kind::Url(schemes) => text(
            json!({ "format": "uri", "pattern": format!("^(?:{})://", schemes.schemes.join("|")) }),
        ),
        Kind::Duration(_) => text(json!({ "pattern": "^[0-9]{1,18}(?:ms|s|m|h|d)$" })),
        Kind::Bytes(_) => text(json!({ "pattern": "^[0-9]{1,18}(?:KiB|MiB|GiB|TiB)?$" })),
        Kind::Enum(words) => text(json!({ "enum": words.values })),
        Kind::List(pattern) => {
            let item = match &pattern.pattern {
                Some(pattern) => json!({ "type": "string", "pattern": format!("^(?:{pattern})$") }),
                None => json!({ "type": "string", "pattern": "^[^,\\n]*$" }),
            };
            Map::from_iter([("type".to_owned(), Json::from("array")), ("items".to_owned(), item)])
        }
        Kind::Path => text(json!({ "pattern": "^/" })),
        Kind::Pem => text(json!({ "pattern": "^-----BEGIN " })),
        Kind::Json => text(json!({ "contentMediaType": "application/json" })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;

    #[test]
    fn says_what_the_schema_says() {
        let mut schema = Schema::empty("app");
        let key = Key {
            presence: Presence::Required,
            description: Some("where it listens".into()),
            example: Some(Value::Text("8080".into())),
            ..Key::new(Kind::Port(Range { min: Some("1024".into()), max: None }))
        };
        schema.keys.insert(Name::parse("PORT").unwrap(), key);
        let expected = json!({
            "$schema": DIALECT,
            "title": "configuration of app",
            "type": "object",
            "properties": { "PORT": {
                "type": "integer", "minimum": 1024, "maximum": 65535, "description": "where it listens", "examples": [8080],
            } },
            "required": ["PORT"],
            "additionalProperties": false,
        });
        assert_eq!(values(&schema), expected);
        let file = environment(&schema);
        assert_eq!(file["properties"]["values"]["required"], Json::Null);
        assert_eq!(file["properties"]["values"]["properties"]["PORT"]["type"], "integer");
    }
}
