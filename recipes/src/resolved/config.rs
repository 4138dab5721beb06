//! What differs between environments: keys with types, and where their values go.
//!
//! A schema holds no value of any environment.

use std::collections::BTreeMap;
use std::fmt;

use bake_formats::tree::{Mode, TreePath};

use crate::error::Place;

/// All configuration keys of a recipe.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schema {
    /// What stands before every name in the environment; may be empty.
    pub prefix: String,
    /// How many keys may differ between environments before `check` warns.
    pub max_varying: Option<u32>,
    /// What a key that is not in the schema is.
    pub unknown: UnknownKeys,
    /// The keys.
    pub keys: BTreeMap<ConfigName, ConfigKey>,
    /// Files that are rendered from templates.
    pub files: Vec<ConfigFile>,
    /// Documents that hold all keys.
    pub documents: Vec<ConfigDocument>,
}

/// The name of a key: `[A-Z][A-Z0-9_]*`, what systemd, POSIX and Kubernetes all accept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigName(String);

impl ConfigName {
    /// The longest name.
    pub const MAX_LEN: usize = 128;

    /// Accepts a name by the rule; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let starts = bytes.next().is_some_and(|byte| byte.is_ascii_uppercase());
        let rest = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        (starts && bytes.all(rest) && text.len() <= Self::MAX_LEN).then(|| Self(text.into()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConfigName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key that the schema does not know is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownKeys {
    /// An error.
    #[default]
    Deny,
    /// Worth a warning.
    Warn,
}

/// One key.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigKey {
    /// What its values are.
    pub kind: ConfigKind,
    /// Whether every environment must set it; then there is no default.
    pub required: bool,
    /// Whether its value is kept out of everything that people read; then there is no default.
    pub secret: bool,
    /// Whether environments are expected to differ in it.
    pub varies: bool,
    /// The value where an environment sets none.
    pub default: Option<ConfigValue>,
    /// What it is for.
    pub description: Option<String>,
    /// A value to show.
    pub example: Option<ConfigValue>,
    /// How the value reaches the program.
    pub delivery: Delivery,
    /// Set if it should no longer be used.
    pub deprecated: Option<Deprecation>,
    /// The key's place.
    pub place: Place,
}

/// The type of a key's values, with its limits.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigKind {
    /// Any text.
    String,
    /// A whole number within limits, both included.
    Int {
        /// The least.
        min: Option<i64>,
        /// The greatest.
        max: Option<i64>,
    },
    /// A decimal number.
    Float,
    /// `true` or `false`.
    Bool,
    /// A TCP or UDP port, 1 to 65535.
    Port,
    /// A host name or an address.
    Host,
    /// An absolute URL.
    Url {
        /// The schemes accepted; any if empty.
        schemes: Vec<String>,
    },
    /// A number with `ms`, `s`, `m`, `h` or `d`.
    Duration,
    /// A number of bytes with `KiB`, `MiB`, `GiB` or `TiB`, or none.
    Bytes,
    /// One of these words.
    Enum {
        /// Never empty.
        values: Vec<String>,
    },
    /// Texts, none of which holds a comma.
    List,
    /// An absolute path on the machine that runs the program.
    Path,
    /// PEM text.
    Pem,
    /// JSON text.
    Json,
}

/// A value of a key, in the one spelling that its type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigValue {
    /// A single value; numbers in decimal, so that no reader changes them.
    Text(String),
    /// The values of a list.
    List(Vec<String>),
}

/// How a value reaches the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// As an environment variable of the key's name.
    Variable,
    /// As a file.
    File {
        /// The file's name, without a folder.
        name: String,
        /// The environment variable that holds the file's path.
        path_variable: Option<ConfigName>,
    },
}

/// What to use in place of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// Another key of the schema.
    pub instead: Option<ConfigName>,
    /// The version since which.
    pub since: Option<String>,
}

/// A file that is rendered from a template.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigFile {
    /// The template's path, relative to the recipe's folder or absolute.
    pub template: String,
    /// Where the rendered file goes.
    pub path: TreePath,
    /// Its mode; 0640 unless written.
    pub mode: Mode,
    /// What the result is parsed as, to see that it is whole.
    pub format: Option<DocumentFormat>,
    /// What happens when it changes.
    pub reload: ReloadAction,
    /// The template's place.
    pub place: Place,
}

/// A document that holds all keys.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigDocument {
    /// Where it goes.
    pub path: TreePath,
    /// What it is written as.
    pub format: DocumentFormat,
    /// What separates the levels of a nested name, e.g. `__`.
    pub nest: Option<String>,
    /// Its mode; 0640 unless written.
    pub mode: Mode,
    /// The path's place.
    pub place: Place,
}

/// The syntax of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFormat {
    /// JSON.
    Json,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
    /// Java properties.
    Properties,
}

impl DocumentFormat {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::Json, Self::Toml, Self::Yaml, Self::Properties];

    /// Returns the word that recipes use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Toml => "toml",
            Self::Yaml => "yaml",
            Self::Properties => "properties",
        }
    }
}

/// What happens to a running service when its configuration changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReloadAction {
    /// It is started again.
    #[default]
    Restart,
    /// It is told to read its files again.
    Reload,
    /// Nothing: it watches its files.
    None,
}

impl ReloadAction {
    /// All actions.
    pub const ALL: [Self; 3] = [Self::Restart, Self::Reload, Self::None];

    /// Returns the word that recipes use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::None => "none",
        }
    }
}
