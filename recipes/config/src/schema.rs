//! The schema: which keys there are, and where their values go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::duplicate;
use crate::kind::Kind;
use crate::name::Name;
use crate::value::Value;

/// All configuration keys of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Schema {
    /// What is configured.
    pub service: Service,
    /// What stands before every name in the environment; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// How many keys may differ between environments before `check` warns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_varying: Option<u32>,
    /// What a key that is not in the schema is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unknown: UnknownKeys,
    /// The keys.
    #[serde(deserialize_with = "duplicate::refused")]
    pub keys: BTreeMap<Name, Key>,
    /// Files that are rendered from templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// Documents that hold several keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
}

/// What is configured: names that targets need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// The name of the recipe.
    pub name: String,
    /// The systemd unit without `.service`, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The user that it runs as, by name; root if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The group that it runs in, by name; root if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// What starts a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Entrypoint {
    /// Whatever runs the artifact.
    #[default]
    Direct,
    /// `bake-init`, which lies in the artifact: it brings `_FILE` variables in and renders files by itself.
    BakeInit,
}

/// Returns where `bake-init` lies in the artifact of this name; each has its own, so that no two packages own one file.
pub fn entrypoint_path(name: &str) -> String {
    format!("/usr/lib/{name}/bake-init")
}

/// What a key that the schema does not know is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownKeys {
    /// An error.
    #[default]
    Deny,
    /// Worth a warning.
    Warn,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Key {
    /// The type of its values.
    pub kind: Kind,
    /// Whether every environment must set it; then there is no default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub presence: Presence,
    /// Whether its value is kept out of everything that people read; then there is no default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub secrecy: Secrecy,
    /// Whether environments are expected to differ in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub variance: Variance,
    /// The value where an environment sets none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A value to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
    /// How the value reaches the program.
    pub delivery: Delivery,
    /// Set if it should no longer be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<Deprecation>,
}

impl Key {
    /// Returns a key of which nothing but the type is said: optional, open, a variable.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            presence: Presence::Optional,
            secrecy: Secrecy::Open,
            variance: Variance::Varies,
            default: None,
            description: None,
            example: None,
            delivery: Delivery::Variable,
            deprecated: None,
        }
    }
}

/// Whether every environment must set a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// None has to.
    #[default]
    Optional,
    /// Every one has to.
    Required,
}

/// Whether a value may be read by people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secrecy {
    /// It may.
    #[default]
    Open,
    /// It may not.
    Secret,
}

/// Whether environments are expected to differ in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variance {
    /// They are.
    #[default]
    Varies,
    /// They are not.
    Same,
}

/// How a value reaches the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Delivery {
    /// As an environment variable of the prefix and the key's name.
    Variable,
    /// As a file.
    #[serde(rename_all = "kebab-case")]
    File {
        /// The file's name, without a folder.
        name: String,
        /// The environment variable that holds the file's path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path_variable: Option<Name>,
    },
    /// Only in rendered files and documents.
    Files,
}

/// What to use in place of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Deprecation {
    /// Another key of the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Name>,
    /// The version since which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// A file that is rendered from a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct File {
    /// Where the rendered file goes: an absolute path.
    pub path: String,
    /// Its permission bits; 0640 unless written.
    pub mode: u32,
    /// What the result is parsed as, to see that it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What happens when it changes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reload: Reload,
    /// The template's text.
    pub template: String,
}

/// A document that holds several keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Document {
    /// Where it goes: an absolute path.
    pub path: String,
    /// Its permission bits; 0640 unless written.
    pub mode: u32,
    /// What it is written as.
    pub format: Format,
    /// What separates the levels of a nested name, e.g. `__`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nest: Option<String>,
    /// How names are spelled.
    #[serde(default, skip_serializing_if = "is_default")]
    pub case: Case,
    /// The keys in it.
    pub keys: Vec<Name>,
    /// What happens when it changes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reload: Reload,
}

/// The syntax of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// JSON.
    Json,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
    /// Java properties.
    Properties,
    /// Sections of `name = value`.
    Ini,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Json, Self::Toml, Self::Yaml, Self::Properties, Self::Ini];

    /// Returns the word that recipes use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Toml => "toml",
            Self::Yaml => "yaml",
            Self::Properties => "properties",
            Self::Ini => "ini",
        }
    }

    /// Returns the format that a file's name says it has.
    pub fn of_path(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        match extension {
            "yml" => Some(Self::Yaml),
            word => Self::ALL.into_iter().find(|format| format.word() == word),
        }
    }
}

/// How the names of keys are spelled in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// `DB_HOST`, as in the schema.
    #[default]
    Keep,
    /// `db_host`.
    Lower,
    /// `dbHost`.
    Camel,
    /// `db-host`.
    Kebab,
}

/// What happens to a running service when its configuration changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reload {
    /// It is started again.
    #[default]
    Restart,
    /// It is told to read its files again.
    Reload,
    /// Nothing: it watches its files.
    None,
}

impl Schema {
    /// Returns a schema without keys.
    pub fn empty(name: impl Into<String>) -> Self {
        Self {
            service: Service { name: name.into(), unit: None, user: None, group: None },
            prefix: String::new(),
            max_varying: None,
            unknown: UnknownKeys::Deny,
            keys: BTreeMap::new(),
            files: Vec::new(),
            documents: Vec::new(),
        }
    }

    /// Returns whether nothing is configured.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.files.is_empty() && self.documents.is_empty()
    }

    /// Returns whether a key's values are secret.
    pub fn is_secret(&self, name: &Name) -> bool {
        self.keys.get(name).is_some_and(|key| key.secrecy == Secrecy::Secret)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
