//! `[service]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::system::OnUpgrade;
use super::value::{At, Described, Scalar, TextOr, TextOrInteger};

/// The service that the outputs run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// The unit's name without `.service`; the recipe's name if absent.
    pub name: Option<At<String>>,
    /// One line; the summary if absent.
    pub description: Option<At<String>>,
    /// The program, an absolute path, and its arguments.
    pub command: At<Vec<At<String>>>,
    /// The user it runs as; root if absent.
    pub user: Option<At<String>>,
    /// The group it runs in; the user's if absent.
    pub group: Option<At<String>>,
    /// The user's number; derived from the name if absent.
    pub uid: Option<At<i64>>,
    /// The group's number; the user's if absent and the names are the same.
    pub gid: Option<At<i64>>,
    /// The ports it listens on: numbers, or text such as "53/udp".
    #[serde(default)]
    pub ports: Vec<At<TextOrInteger>>,
    /// The directories it keeps data in: paths, or tables with `path` and `mode`.
    #[serde(default)]
    pub state: Vec<At<TextOr<StateTable>>>,
    /// Environment variables that are the same everywhere.
    #[serde(default)]
    pub environment: BTreeMap<At<String>, At<String>>,
    /// Units that start before it.
    #[serde(default)]
    pub after: Vec<At<String>>,
    /// Units that are started with it.
    #[serde(default)]
    pub wants: Vec<At<String>>,
    /// When it is started again; `on-failure` if absent.
    pub restart: Option<At<RestartWhen>>,
    /// Where it runs.
    pub working_directory: Option<At<String>>,
    /// What ends it, e.g. `SIGINT`.
    pub stop_signal: Option<At<String>>,
    /// Whether installing enables the unit; `true` if absent. rpm follows presets instead.
    pub enable: Option<bool>,
    /// Whether installing starts it; `true` if absent. rpm leaves that to the administrator.
    pub start: Option<bool>,
    /// What an upgrade does with it while it runs; `restart` if absent.
    pub on_upgrade: Option<OnUpgrade>,
    /// Further unit settings by section and name.
    #[serde(default)]
    pub systemd: BTreeMap<At<String>, BTreeMap<At<String>, At<Scalar>>>,
}

/// A directory that a service keeps data in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StateTable {
    /// Where.
    pub path: At<String>,
    /// Its mode in octal; "0750" if absent.
    pub mode: Option<At<String>>,
}

impl Described for StateTable {
    const EXPECTED: &'static str = "a path or a table with `path` and `mode`";
}

/// A user or a group with its number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Account {
    /// The name.
    pub name: At<String>,
    /// The number.
    pub id: At<i64>,
}

impl Described for Account {
    const EXPECTED: &'static str = "a name or a table with `name` and `id`";
}

/// When a service is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestartWhen {
    /// Never.
    No,
    /// When it failed.
    OnFailure,
    /// When it ended, however it did.
    Always,
}
