//! `changelog` and `[copyright]`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::value::{At, Scalar};

/// The package's history: entries, the newest first, or the file that has them.
#[derive(Debug, Clone)]
pub enum Changelog {
    /// `[[changelog]]` tables.
    Entries(Vec<At<Change>>),
    /// A file in Debian's changelog format.
    File(ChangelogFile),
}

/// One version of the package and what it changed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Change {
    /// The version, e.g. `1.4.0` or `1.4.0-2`.
    pub version: At<String>,
    /// When it was released: seconds since 1970 or a date.
    pub date: At<Scalar>,
    /// Who released it, `Name <mail>`; the maintainer if absent.
    pub author: Option<At<String>>,
    /// Debian's distributions; `unstable` if absent.
    pub distribution: Option<At<String>>,
    /// Debian's urgency; `medium` if absent.
    pub urgency: Option<At<String>>,
    /// What changed, one text for each change.
    pub changes: At<Vec<At<String>>>,
}

/// A file that holds the history.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChangelogFile {
    /// Its path; it has Debian's changelog format.
    pub file: At<String>,
}

impl<'de> Deserialize<'de> for Changelog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Changelog;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`[[changelog]]` tables or a table with `file`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Changelog, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = list.next_element()? {
                    all.push(entry);
                }
                Ok(Changelog::Entries(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Changelog, A::Error> {
                ChangelogFile::deserialize(MapAccessDeserializer::new(map)).map(Changelog::File)
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

impl JsonSchema for Changelog {
    fn schema_name() -> Cow<'static, str> {
        "Changelog".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let entries = generator.subschema_for::<Vec<Change>>();
        let file = generator.subschema_for::<ChangelogFile>();
        json_schema!({ "anyOf": [entries, file] })
    }
}

/// Who holds the rights and under which licences.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Copyright {
    /// Who holds the rights in everything that no rule of `files` is about, e.g.
    /// `2024-2026 Example Inc.`; the licence is the recipe's.
    pub holders: At<Vec<At<String>>>,
    /// What the authors call it; the recipe's name if absent.
    pub upstream_name: Option<At<String>>,
    /// How the authors are reached.
    pub contact: Option<At<String>>,
    /// Where the source is; `vcs` or `homepage` if absent.
    pub source: Option<At<String>>,
    /// The files with the texts of licences, by SPDX identifier.
    #[serde(default)]
    pub texts: BTreeMap<At<String>, At<String>>,
    /// Files with other holders or licences.
    #[serde(default)]
    pub files: Vec<At<CopyrightFiles>>,
}

/// The rights in some files.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CopyrightFiles {
    /// Patterns of paths in the source, with `*` and `?`.
    pub files: At<Vec<At<String>>>,
    /// Who holds the rights in them.
    pub holders: At<Vec<At<String>>>,
    /// An SPDX licence expression.
    pub license: At<String>,
}
