//! The one service that the outputs run.

use std::collections::BTreeMap;

use bake_formats::tree::{Mode, Owner, TreePath};

use super::system::UnitHandling;
use crate::error::Place;
use crate::name::ServiceName;

/// A long-running program: a systemd unit where there is systemd, the entry point of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// The unit's name without `.service`.
    pub name: ServiceName,
    /// One line.
    pub description: String,
    /// The program, an absolute path, and its arguments.
    pub command: Vec<String>,
    /// What starts the program: nothing, or `bake-init` with its arguments.
    pub launcher: Vec<String>,
    /// What runs as root before it: nothing, or `bake-init` rendering files.
    pub preparation: Vec<String>,
    /// Who runs it; root unless written.
    pub user: Owner,
    /// The group it runs in; root unless written.
    pub group: Owner,
    /// The ports it listens on.
    pub ports: Vec<Port>,
    /// The directories it keeps data in, owned by its user.
    pub state: Vec<StateDirectory>,
    /// Environment variables that are the same everywhere.
    pub environment: BTreeMap<String, String>,
    /// Units that start before it.
    pub after: Vec<String>,
    /// Units that are started with it.
    pub wants: Vec<String>,
    /// When it is started again.
    pub restart: Restart,
    /// Where it runs.
    pub working_directory: Option<TreePath>,
    /// What ends it, e.g. `SIGTERM`.
    pub stop_signal: Option<String>,
    /// What packages do with its unit.
    pub handling: UnitHandling,
    /// Further unit settings by section and name, each with its values.
    pub systemd: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// The place of the `[service]` table.
    pub place: Place,
}

/// A port that a service listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// Not 0.
    pub number: u16,
    /// The transport.
    pub protocol: Protocol,
}

/// Prints as OCI's `ExposedPorts` has it, e.g. `8080/tcp`.
impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol.word())
    }
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Returns the word that recipes and OCI use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A directory that a service keeps data in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDirectory {
    /// Where.
    pub path: TreePath,
    /// The mode; 0750 unless written.
    pub mode: Mode,
}

/// When a service is started again (systemd.service(5), `Restart=`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// Never.
    No,
    /// When it failed.
    #[default]
    OnFailure,
    /// When it ended, however it did.
    Always,
}

impl Restart {
    /// All values.
    pub const ALL: [Self; 3] = [Self::No, Self::OnFailure, Self::Always];

    /// Returns the word that recipes and systemd use.
    pub fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::OnFailure => "on-failure",
            Self::Always => "always",
        }
    }
}

/// A file that follows from the service rather than from a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Where it goes.
    pub path: TreePath,
    /// What is in it; root owns it.
    pub contents: Vec<u8>,
    /// Its mode.
    pub mode: Mode,
    /// The place in the recipe that it follows from.
    pub place: Option<Place>,
}
