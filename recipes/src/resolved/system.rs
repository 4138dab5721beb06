//! What packages set up on the system besides their files.

use bake_formats::tree::TreePath;

use crate::error::Place;

/// A systemd unit that is among the files and that packages manage like the service's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its full name, e.g. `catalog.timer`.
    pub name: String,
    /// What packages do with it.
    pub handling: UnitHandling,
    /// The place of the table.
    pub place: Place,
}

/// What packages do with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitHandling {
    /// Whether installing enables it; rpm follows the distribution's presets instead.
    pub enable: bool,
    /// Whether installing starts it; rpm leaves that to the administrator.
    pub start: bool,
    /// What an upgrade does with it while it runs.
    pub on_upgrade: OnUpgrade,
}

impl Default for UnitHandling {
    fn default() -> Self {
        Self { enable: true, start: true, on_upgrade: OnUpgrade::default() }
    }
}

/// What an upgrade does with a unit that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUpgrade {
    /// It is restarted once the new files are there.
    #[default]
    Restart,
    /// It is stopped before the old files go and started once the new ones are there.
    Stop,
    /// It goes on with the old program.
    Keep,
}

/// One choice for a name that several packages offer (update-alternatives(1)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// The group's name, e.g. `editor`.
    pub name: String,
    /// The generic path, e.g. `/usr/bin/editor`.
    pub link: TreePath,
    /// The path that this package offers for it.
    pub path: TreePath,
    /// Higher wins.
    pub priority: i32,
    /// Links that follow the choice, e.g. manual pages.
    pub followers: Vec<Follower>,
    /// The place of the table.
    pub place: Place,
}

/// A link that follows another's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// Its name.
    pub name: String,
    /// The generic path.
    pub link: TreePath,
    /// The path that this package offers for it.
    pub path: TreePath,
}

/// What is done with dependencies that follow from the files: libraries, interpreters, runtimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutoDepends {
    /// Nothing.
    Off,
    /// A warning names those that the recipe does not.
    #[default]
    Lint,
    /// Packages declare them.
    On,
}

impl AutoDepends {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Off, Self::Lint, Self::On];

    /// Returns the word that recipes use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Lint => "lint",
            Self::On => "on",
        }
    }
}
