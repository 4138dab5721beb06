//! What the next update needs to know.

use std::collections::BTreeSet;

use bake_formats::encode::{Codec, Compression};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::repository::{refuse, state};

/// The version of `bake.json`; a repository of a newer one is refused.
const VERSION: u32 = 1;
/// How many generations of indices are kept besides the current one.
const GENERATIONS: usize = 3;

/// What a repository remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Settings {
    /// How indices are compressed: gzip or zstd.
    pub compression: Codec,
    /// What users call it: the identifier in their configuration.
    pub name: String,
    /// Where it is served, for the text that users are given.
    pub url: String,
    /// How many generations of indices are kept besides the current one.
    pub generations: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let (name, url) = (String::new(), String::new());
        Self { compression: Codec::Gzip, name, url, generations: GENERATIONS }
    }
}

/// Settings that are to be other than they were; what is not said stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// See [`Settings::compression`].
    pub compression: Option<Codec>,
    /// See [`Settings::name`].
    pub name: Option<String>,
    /// See [`Settings::url`].
    pub url: Option<String>,
    /// See [`Settings::generations`].
    pub generations: Option<usize>,
}

impl SettingsChange {
    /// Returns the settings with what is to be other.
    pub(super) fn apply(&self, to: &Settings) -> Result<Settings, Error> {
        let settings = Settings {
            compression: self.compression.unwrap_or(to.compression),
            name: self.name.clone().unwrap_or_else(|| to.name.clone()),
            url: self.url.clone().unwrap_or_else(|| to.url.clone()),
            generations: self.generations.unwrap_or(to.generations),
        };
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if !settings.name.chars().all(is_word) {
            return Err(refuse("--name", "expected letters, digits and `-_.:`"));
        }
        if settings.url.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(refuse("--url", "expected an address without blanks"));
        }
        if settings.generations == 0 {
            let reason = "expected at least 1: a reader may be about to fetch the indices before";
            return Err(refuse("--generations", reason));
        }
        Ok(settings)
    }
}

impl Settings {
    /// Returns how indices are compressed, and how their names end.
    pub(super) fn form(&self) -> Result<(Compression, &'static str), Error> {
        match self.compression {
            Codec::Gzip => Ok((Compression { codec: Codec::Gzip, level: 9 }, ".gz")),
            Codec::Zstd => Ok((Compression { codec: Codec::Zstd, level: 9 }, ".zst")),
            Codec::None | Codec::Xz => Err(refuse("--compression", "expected gzip or zstd")),
        }
    }
}

/// The file `bake.json` of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct State {
    version: u32,
    /// What the repository remembers.
    pub(super) settings: Settings,
    /// The indices of this generation and of those before, newest first, below `repodata`.
    pub(super) generations: Vec<BTreeSet<String>>,
    /// The fingerprint of the key that signed.
    pub(super) signed_by: Option<String>,
}

impl State {
    pub(super) const NAME: &'static str = "bake.json";

    pub(super) fn new(settings: Settings) -> Self {
        Self { version: VERSION, settings, generations: Vec::new(), signed_by: None }
    }

    pub(super) fn parse(place: &str, bytes: &[u8]) -> Result<Self, Error> {
        state::parse(place, bytes, VERSION)
    }

    pub(super) fn print(&self) -> Result<Vec<u8>, Error> {
        state::print(self)
    }
}
