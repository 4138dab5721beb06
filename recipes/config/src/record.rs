//! The schema as a file: compact JSON, written in one way only.
//!
//! It lies in the tree of every artifact, so the tree's identity covers it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::schema::{Delivery, Document, Schema};

/// The version of the record.
const VERSION: u32 = 1;
/// The folder in which records lie.
pub const FOLDER: &str = "/usr/share/bake/config";
/// The largest record that is read, in bytes: templates included.
pub const MAX_LEN: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Record {
    bake_config: u32,
    schema: Schema,
}

/// Of a record of any version.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Version {
    bake_config: u32,
}

/// Why bytes are no schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct RecordError(String);

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RecordError {}

/// Returns where the record of a recipe of this name lies.
pub fn path(name: &str) -> String {
    format!("{FOLDER}/{name}.json")
}

impl Schema {
    /// Returns the record: one line.
    pub fn to_record(&self) -> String {
        let record = Record { bake_config: VERSION, schema: self.clone() };
        // Every key of every map is text.
        let mut text = serde_json::to_string(&record).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Parses a record, which must be one that [`Schema::to_record`] writes.
    pub fn parse_record(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() as u64 > MAX_LEN {
            let (found, most) = (bytes.len(), MAX_LEN);
            return Err(RecordError(format!("it has {found} bytes, at most {most} are read")));
        }
        // The version first: a later one may have words that this one does not know.
        let invalid = |error: serde_json::Error| RecordError(error.to_string());
        let Version { bake_config: found } = serde_json::from_slice(bytes).map_err(invalid)?;
        if found != VERSION {
            return Err(RecordError(format!(
                "expected a schema of version {VERSION}, found {found}"
            )));
        }
        let record: Record = serde_json::from_slice(bytes).map_err(invalid)?;
        let schema = record.schema;
        if schema.to_record().as_bytes() != bytes {
            return Err(RecordError("it is not in its canonical form".into()));
        }
        schema.check().map_err(RecordError)?;
        Ok(schema)
    }

    /// Says what in the schema is impossible, as no recipe gives it.
    fn check(&self) -> Result<(), String> {
        if !self.prefix.is_empty() && Name::parse(&self.prefix).is_none() {
            return Err(format!("`{}` is not a prefix of names", self.prefix.escape_debug()));
        }
        for path in
            self.files.iter().map(|file| &file.path).chain(self.documents.iter().map(|d| &d.path))
        {
            let parts = path.strip_prefix('/').unwrap_or_default().split('/');
            if parts.clone().any(|part| matches!(part, "" | "." | "..")) || path.contains('\0') {
                return Err(format!("`{}` is not an absolute path", path.escape_debug()));
            }
        }
        for file in &self.files {
            crate::template::check(&file.template, self)
                .map_err(|error| format!("`{}`: {error}", file.path))?;
        }
        let missing = |document: &Document| {
            let mut keys = document.keys.iter();
            keys.find(|name| !self.keys.contains_key(name))
                .map(|name| (document.path.clone(), name.clone()))
        };
        if let Some((path, name)) = self.documents.iter().find_map(missing) {
            return Err(format!("`{path}`: there is no key `{name}`"));
        }
        for (name, key) in &self.keys {
            let default = key.default.as_ref();
            if default.is_some_and(|value| key.kind.parse(&value.text()).as_ref() != Ok(value)) {
                return Err(format!("the default of `{name}`: {}", key.kind.expected()));
            }
            if let Delivery::File { name: file, .. } = &key.delivery
                && !is_file_name(file)
            {
                return Err(format!(
                    "`{name}`: `{}` is not the name of a file",
                    file.escape_debug()
                ));
            }
        }
        Ok(())
    }
}

/// Returns whether a text is a file name that every target accepts: letters, digits and `-_.`, no dot at its start.
pub fn is_file_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !text.is_empty() && text.len() <= 200 && !text.starts_with('.') && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Kind, Pattern};
    use crate::schema::{Case, Format, Key, Presence, Reload};

    fn schema() -> Schema {
        let key =
            Key { presence: Presence::Required, ..Key::new(Kind::String(Pattern::default())) };
        let mut schema = Schema::empty("app");
        schema.keys.insert(Name::parse("A").unwrap(), key);
        schema
    }

    #[test]
    fn a_record_is_read_back() {
        let text = schema().to_record();
        assert_eq!(
            text,
            "{\"bake-config\":1,\"schema\":{\"service\":{\"name\":\"app\"},\"keys\":{\"A\":{\"kind\":{\"type\":\
             \"string\"},\"presence\":\"required\",\"delivery\":\"variable\"}}}}\n"
        );
        assert_eq!(Schema::parse_record(text.as_bytes()).unwrap(), schema());
    }

    #[test]
    fn what_no_recipe_gives_is_refused() {
        let text = schema().to_record();
        let cases = [
            (text.replace(":1,", ":2,"), "expected a schema of version 1, found 2"),
            (text.replace("\"A\"", "\"a\""), "`a` is not the name of a key at line 1 column"),
            (text.replace("{\"name\"", " {\"name\""), "it is not in its canonical form"),
            (text.replace("\"keys\"", "\"prefix\":\"x\",\"keys\""), "`x` is not a prefix of names"),
            (text.replace("}}}}\n", "},\"A\":{}}}}\n"), "`A` stands there twice"),
        ];
        for (text, expected) in cases {
            let error = Schema::parse_record(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let mut leaving = schema();
        leaving.documents.push(Document {
            path: "/etc/../x".into(),
            mode: 0o640,
            format: Format::Json,
            nest: None,
            case: Case::Keep,
            keys: vec![],
            reload: Reload::Restart,
        });
        let error = Schema::parse_record(leaving.to_record().as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "`/etc/../x` is not an absolute path");
    }
}
