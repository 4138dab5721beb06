//! `[config]`: settings of the schema in lower case, keys in upper case.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bake_config::Name;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::value::{At, Described, Scalar, TextOr};

/// What differs between environments.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What stands before every name in the environment.
    pub prefix: Option<At<String>>,
    /// How many keys may differ between environments before `check` warns.
    pub max_varying: Option<At<i64>>,
    /// What a key that is not in the schema is.
    pub unknown: Option<At<ConfigUnknown>>,
    /// Files that are rendered from templates.
    pub file: Vec<At<ConfigFile>>,
    /// Documents that hold several keys.
    pub document: Vec<At<ConfigDocument>>,
    /// Whether the service is started by `bake-init`.
    pub entrypoint: Option<At<bool>>,
    /// The keys by name.
    pub keys: BTreeMap<At<String>, At<ConfigKey>>,
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Config;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of configuration keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
                let mut config = Config::default();
                while let Some(key) = map.next_key::<ConfigWord>()? {
                    match key {
                        ConfigWord::Prefix => config.prefix = Some(map.next_value()?),
                        ConfigWord::MaxVarying => config.max_varying = Some(map.next_value()?),
                        ConfigWord::Unknown => config.unknown = Some(map.next_value()?),
                        ConfigWord::File => config.file = map.next_value()?,
                        ConfigWord::Document => config.document = map.next_value()?,
                        ConfigWord::Entrypoint => config.entrypoint = Some(map.next_value()?),
                        ConfigWord::Key(name) => {
                            let value: At<ConfigKey> = map.next_value()?;
                            config.keys.insert(At { value: name, span: value.span.clone() }, value);
                        }
                    }
                }
                Ok(config)
            }
        }
        deserializer.deserialize_map(Shape)
    }
}

impl ConfigWord {
    /// Tells a misspelled key, e.g. `database_url`, from a misspelled word.
    fn is_meant_as_key(name: &str, words: &[&str]) -> bool {
        let capital = name.to_ascii_uppercase().replace('-', "_");
        Name::parse(&capital).is_some() && crate::suggestion::nearest(name, words).is_none()
    }
}

/// A key of the `[config]` table.
enum ConfigWord {
    Prefix,
    MaxVarying,
    Unknown,
    File,
    Document,
    Entrypoint,
    Key(String),
}

impl<'de> Deserialize<'de> for ConfigWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WORDS: &[&str] =
            &["prefix", "max-varying", "unknown", "file", "document", "entrypoint"];
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            "prefix" => Self::Prefix,
            "max-varying" => Self::MaxVarying,
            "unknown" => Self::Unknown,
            "file" => Self::File,
            "document" => Self::Document,
            "entrypoint" => Self::Entrypoint,
            name if Name::parse(name).is_some() => Self::Key(text),
            name if Self::is_meant_as_key(name, WORDS) => {
                let rule = "expected capital letters, digits and `_`";
                let name = name.escape_debug();
                return Err(de::Error::custom(format_args!(
                    "`{name}` is not the name of a configuration key: {rule}"
                )));
            }
            name => return Err(de::Error::unknown_field(name, WORDS)),
        })
    }
}

impl JsonSchema for Config {
    fn schema_name() -> Cow<'static, str> {
        "Config".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let unknown = generator.subschema_for::<ConfigUnknown>();
        let files = generator.subschema_for::<Vec<ConfigFile>>();
        let documents = generator.subschema_for::<Vec<ConfigDocument>>();
        let key = generator.subschema_for::<ConfigKey>();
        json_schema!({
            "type": "object",
            "properties": {
                "prefix": { "type": "string" },
                "max-varying": { "type": "integer", "minimum": 0 },
                "unknown": unknown,
                "file": files,
                "document": documents,
                "entrypoint": { "type": "boolean" },
            },
            "patternProperties": { "^[A-Z][A-Z0-9_]*$": key },
            "additionalProperties": false,
        })
    }
}

/// What a key that is not in the schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigUnknown {
    /// An error.
    Deny,
    /// Worth a warning.
    Warn,
}

/// One key.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConfigKey {
    /// What its values are.
    #[serde(rename = "type")]
    pub kind: At<ConfigType>,
    /// Whether every environment must set it.
    pub required: Option<At<bool>>,
    /// Whether its value is secret.
    pub secret: Option<At<bool>>,
    /// Whether environments are expected to differ in it; `true` if absent.
    pub varies: Option<At<bool>>,
    /// The value where an environment sets none.
    pub default: Option<At<Scalar>>,
    /// What it is for.
    pub description: Option<At<String>>,
    /// A value to show.
    pub example: Option<At<Scalar>>,
    /// For `url`: the schemes accepted.
    pub schemes: Option<At<Vec<At<String>>>>,
    /// For `enum`: the words.
    pub values: Option<At<Vec<At<String>>>>,
    /// For numbers, durations and sizes: the least.
    pub min: Option<At<Scalar>>,
    /// For numbers, durations and sizes: the greatest.
    pub max: Option<At<Scalar>>,
    /// For `string` and the texts of a `list`: a regular expression that all of it matches.
    pub pattern: Option<At<String>>,
    /// `variable`, `files`, or a file to deliver it as.
    pub deliver: Option<At<TextOr<ConfigDelivery>>>,
    /// What to use in its place.
    pub deprecated: Option<At<ConfigDeprecation>>,
}

/// The type of a key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it; bake_config::Kind has the rules")]
pub enum ConfigType {
    String,
    Int,
    Float,
    Bool,
    Port,
    Host,
    Url,
    Duration,
    Bytes,
    Enum,
    List,
    Path,
    Pem,
    Json,
}

/// A file that a value is delivered as.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConfigDelivery {
    /// The file's name, without a folder.
    pub file: At<String>,
    /// The environment variable that holds the file's path.
    pub env_path: Option<At<String>>,
}

impl Described for ConfigDelivery {
    const EXPECTED: &'static str = "`variable`, `files`, or a table with `file`";
}

/// What to use in place of a key.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConfigDeprecation {
    /// Another key.
    #[serde(rename = "use")]
    pub instead: Option<At<String>>,
    /// The version since which.
    pub since: Option<At<String>>,
}

/// A file that is rendered from a template.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConfigFile {
    /// The template's path.
    pub template: At<String>,
    /// Where the rendered file goes.
    pub path: At<String>,
    /// Its mode in octal; "0640" if absent.
    pub mode: Option<At<String>>,
    /// What the result is parsed as.
    pub format: Option<At<ConfigSyntax>>,
    /// What happens when it changes; `restart` if absent.
    pub reload: Option<At<ConfigReload>>,
}

/// A document that holds several keys.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConfigDocument {
    /// Where it goes.
    pub path: At<String>,
    /// What it is written as; what the path says if absent.
    pub format: Option<At<ConfigSyntax>>,
    /// What separates the levels of a nested name.
    pub nest: Option<At<String>>,
    /// How names are spelled; `keep` if absent.
    pub case: Option<At<ConfigCase>>,
    /// The keys in it; all that are not secret if absent.
    pub keys: Option<At<Vec<At<String>>>>,
    /// Its mode in octal; "0640" if absent.
    pub mode: Option<At<String>>,
    /// What happens when it changes; `restart` if absent.
    pub reload: Option<At<ConfigReload>>,
}

/// How the names of keys are spelled in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it; bake_config::schema::Case has examples")]
pub enum ConfigCase {
    Keep,
    Lower,
    Camel,
    Kebab,
}

/// The syntax of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "names of formats")]
pub enum ConfigSyntax {
    Json,
    Toml,
    Yaml,
    Properties,
    Ini,
}

/// What happens to a running service when its configuration changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigReload {
    /// It is started again.
    Restart,
    /// It is told to read its files again.
    Reload,
    /// Nothing.
    None,
}
