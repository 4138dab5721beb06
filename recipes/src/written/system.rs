//! `auto-depends`, `[[units]]` and `[[alternatives]]`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::At;

/// What is done with dependencies that follow from the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AutoDepends {
    /// Nothing.
    Off,
    /// A warning names those that the recipe does not.
    Lint,
    /// Packages declare them.
    On,
}

/// A systemd unit among the files that packages manage like the service's own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Unit {
    /// Its full name, e.g. `catalog.timer`.
    pub name: At<String>,
    /// Whether installing enables it; `true` if absent. rpm follows presets instead.
    pub enable: Option<bool>,
    /// Whether installing starts it; `true` if absent. rpm leaves that to the administrator.
    pub start: Option<bool>,
    /// What an upgrade does with it while it runs; `restart` if absent.
    pub on_upgrade: Option<OnUpgrade>,
}

/// What an upgrade does with a unit that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnUpgrade {
    /// It is restarted once the new files are there.
    Restart,
    /// It is stopped before the old files go and started once the new ones are there.
    Stop,
    /// It goes on with the old program.
    Keep,
}

/// One choice for a name that several packages offer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Alternative {
    /// The group's name, e.g. `editor`.
    pub name: At<String>,
    /// The generic path, e.g. `/usr/bin/editor`.
    pub link: At<String>,
    /// The path that this package offers for it.
    pub path: At<String>,
    /// Higher wins.
    pub priority: At<i64>,
    /// Links that follow the choice, e.g. manual pages.
    #[serde(default)]
    pub followers: Vec<At<Follower>>,
}

/// A link that follows another's choice.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Follower {
    /// Its name.
    pub name: At<String>,
    /// The generic path.
    pub link: At<String>,
    /// The path that this package offers for it.
    pub path: At<String>,
}
