//! What an extension is merged into: system extensions (systemd-sysext(8)) and configuration extensions
//! (systemd-confext(8)).

use serde::{Deserialize, Serialize};

/// Which directories of a machine an extension is merged into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// `/usr` and `/opt`.
    #[default]
    System,
    /// `/etc`.
    Configuration,
}

impl Scope {
    /// Returns the directories that are merged.
    pub(super) fn merged(self) -> &'static [&'static str] {
        match self {
            Self::System => &["usr", "opt"],
            Self::Configuration => &["etc"],
        }
    }

    /// Returns the folder of the file that says to which systems it may be added.
    pub(super) fn releases(self) -> &'static str {
        match self {
            Self::System => "/usr/lib/extension-release.d",
            Self::Configuration => "/etc/extension-release.d",
        }
    }

    /// Returns the field of that file that some systems have in place of a version.
    pub(super) fn level(self) -> &'static str {
        match self {
            Self::System => "SYSEXT_LEVEL",
            Self::Configuration => "CONFEXT_LEVEL",
        }
    }

    /// Returns why something is not merged, and where it should be.
    pub(super) fn elsewhere(self, top: &[u8]) -> &'static str {
        match (self, top) {
            (Self::Configuration, _) => {
                "only /etc is merged; ship it in a package or a system extension (sysext)"
            }
            (Self::System, b"etc") => {
                "only /usr and /opt are merged; ship defaults below /usr/lib or /usr/share, or make a \
                 configuration extension (confext) of it"
            }
            (Self::System, b"var" | b"srv" | b"run" | b"tmp") => {
                "only /usr and /opt are merged; have it made on the machine, by StateDirectory= of the \
                 unit or by a tmpfiles.d file in /usr/lib/tmpfiles.d"
            }
            (Self::System, b"bin" | b"sbin" | b"lib" | b"lib64" | b"lib32") => {
                "only /usr and /opt are merged; put it into the directory of that name in /usr"
            }
            (Self::System, _) => "only /usr and /opt are merged; put it there",
        }
    }
}
