//! All targets: those that are text alone, and those that are formats.

use std::fmt;
use std::str::FromStr;

/// What a deployment is rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Text alone.
    Text(bake_config::Target),
    /// A Debian package.
    Deb,
    /// An RPM package.
    Rpm,
    /// A volume for cloud-init and for bake's own init.
    NoCloud,
    /// An extension that systemd merges into `/etc`.
    Confext,
}

impl Target {
    /// All that are formats.
    const FORMATS: [Self; 4] = [Self::Deb, Self::Rpm, Self::NoCloud, Self::Confext];

    /// Returns all targets.
    pub fn all() -> impl Iterator<Item = Self> {
        bake_config::Target::ALL.into_iter().map(Self::Text).chain(Self::FORMATS)
    }

    /// Returns the word that the command line uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text(target) => target.word(),
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::NoCloud => "nocloud",
            Self::Confext => "confext",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::all().find(|target| target.word() == text).ok_or_else(|| {
            let words: Vec<_> = Self::all().map(Self::word).collect();
            format!("expected one of {}, found `{}`", words.join(", "), text.escape_debug())
        })
    }
}
