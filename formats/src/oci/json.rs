//! Canonical JSON: one spelling for one value.
//!
//! An image's identity is the digest of its manifest's bytes, so those bytes must follow from the
//! value alone (image-spec, considerations.md, "Canonicalization"): object keys in byte order, no
//! white space, integers only. Neither the order of a map type nor a feature that another crate
//! switches on in `serde_json` may show, which is why objects are sorted here.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::format::{ReadError, WriteError};

/// A document that is read strictly: once by `oci-spec`, which knows the specification's types,
/// and once by this crate, which keeps fields that neither knows.
///
/// `oci-spec` is not used for writing: its annotations and labels are hash maps, so equal values
/// give different bytes.
pub(super) trait Document: DeserializeOwned {
    /// The type that refuses what the specification forbids.
    type Strict: DeserializeOwned;
    /// The specification's name of the document.
    const WHAT: &'static str;
    /// How many bytes such a document may have.
    const LIMIT: u64;

    /// Parses the document's bytes.
    fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        read::<Self::Strict>(Self::WHAT, bytes)?;
        read(Self::WHAT, bytes)
    }
}

/// Returns a value as canonical JSON.
pub fn canonical(value: &impl Serialize) -> Result<Vec<u8>, WriteError> {
    let value = serde_json::to_value(value).map_err(std::io::Error::from)?;
    let mut text = String::new();
    append(&value, &mut text);
    Ok(text.into_bytes())
}

fn append(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_bytes());
            text.push('{');
            for (index, (name, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                append(value, text);
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                append(value, text);
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

/// Parses JSON; an error says where in `bytes`.
pub(super) fn read<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, ReadError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
        let offset = before + error.column().saturating_sub(1);
        let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let expected = format!("the JSON of {article} {what}");
        ReadError::malformed(what, offset as u64, expected, reason(&error))
    })
}

/// Returns the error's message without its line and column, which the offset says.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_one_value_in_one_way() {
        let rows = [
            (" { \"b\" : [ 1 , null, true ], \"a\": { } } ", r#"{"a":{},"b":[1,null,true]}"#),
            (r#"{"é":1,"z":2,"Z":3,"":4}"#, r#"{"":4,"Z":3,"z":2,"é":1}"#),
            (r#"{"a":"\u0041\/\n<>&\u0001\""}"#, r#"{"a":"A/\n<>&\u0001\""}"#),
            ("[9007199254740993,-1]", "[9007199254740993,-1]"),
        ];
        for (text, expected) in rows {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(String::from_utf8(canonical(&value).unwrap()).unwrap(), expected);
        }
    }

    #[test]
    fn an_error_says_where() {
        let error = read::<Value>("image manifest", b"{\n\"a\": nope}").unwrap_err();
        let expected = "image manifest at offset 8: expected the JSON of an image manifest, \
                        found expected ident";
        assert_eq!(error.to_string(), expected);
    }
}
