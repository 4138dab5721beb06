//! What a suite says of itself, and what the next update needs to know.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::blob::Blob;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::repository::{refuse, state};

/// The version of `bake.json`; a suite of a newer one is refused.
const VERSION: u32 = 1;
/// How many generations of indices are kept besides the current one.
const GENERATIONS: usize = 3;

/// What a suite says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Settings {
    /// `Origin`
    pub origin: String,
    /// `Label`
    pub label: String,
    /// `Codename`; the suite's name if it is empty.
    pub codename: String,
    /// `Version`
    pub version: String,
    /// `Description`
    pub description: String,
    /// How many days after its `Date` the suite is no longer to be trusted; 0 for no end.
    pub valid_days: u32,
    /// `NotAutomatic`: nothing is installed from here unless asked for.
    pub not_automatic: bool,
    /// `ButAutomaticUpgrades`: what was installed from here is upgraded from here.
    pub but_automatic_upgrades: bool,
    /// Architectures that have an index even if there is no package for them.
    pub architectures: BTreeSet<String>,
    /// Where the repository is served, for the text that users are given.
    pub url: String,
    /// How many generations of indices are kept besides the current one.
    pub generations: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            origin: String::new(),
            label: String::new(),
            codename: String::new(),
            version: String::new(),
            description: String::new(),
            valid_days: 0,
            not_automatic: false,
            but_automatic_upgrades: false,
            architectures: BTreeSet::new(),
            url: String::new(),
            generations: GENERATIONS,
        }
    }
}

/// Settings that are to be other than they were; what is not said stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// See [`Settings::origin`]; an empty text takes the field away, here and below.
    pub origin: Option<String>,
    /// See [`Settings::label`].
    pub label: Option<String>,
    /// See [`Settings::codename`].
    pub codename: Option<String>,
    /// See [`Settings::version`].
    pub version: Option<String>,
    /// See [`Settings::description`].
    pub description: Option<String>,
    /// See [`Settings::valid_days`].
    pub valid_days: Option<u32>,
    /// See [`Settings::not_automatic`].
    pub not_automatic: Option<bool>,
    /// See [`Settings::but_automatic_upgrades`].
    pub but_automatic_upgrades: Option<bool>,
    /// See [`Settings::architectures`]; these replace those before.
    pub architectures: Option<BTreeSet<String>>,
    /// See [`Settings::url`].
    pub url: Option<String>,
    /// See [`Settings::generations`].
    pub generations: Option<usize>,
}

impl SettingsChange {
    /// Returns the settings with what is to be other.
    pub(super) fn apply(&self, to: &Settings) -> Result<Settings, Error> {
        fn or<T: Clone>(new: Option<&T>, old: &T) -> T {
            new.unwrap_or(old).clone()
        }
        let settings = Settings {
            origin: or(self.origin.as_ref(), &to.origin),
            label: or(self.label.as_ref(), &to.label),
            codename: or(self.codename.as_ref(), &to.codename),
            version: or(self.version.as_ref(), &to.version),
            description: or(self.description.as_ref(), &to.description),
            valid_days: or(self.valid_days.as_ref(), &to.valid_days),
            not_automatic: or(self.not_automatic.as_ref(), &to.not_automatic),
            but_automatic_upgrades: or(
                self.but_automatic_upgrades.as_ref(),
                &to.but_automatic_upgrades,
            ),
            architectures: or(self.architectures.as_ref(), &to.architectures),
            url: or(self.url.as_ref(), &to.url),
            generations: or(self.generations.as_ref(), &to.generations),
        };
        settings.check()?;
        Ok(settings)
    }
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        let texts = [
            ("--origin", &self.origin),
            ("--label", &self.label),
            ("--codename", &self.codename),
            ("--suite-version", &self.version),
            ("--description", &self.description),
            ("--url", &self.url),
        ];
        for (option, text) in texts {
            if text.contains(char::is_control) || text.trim() != text {
                return Err(refuse(option, "expected one line without blanks around it"));
            }
        }
        if self.but_automatic_upgrades && !self.not_automatic {
            let reason = "it means nothing without --not-automatic";
            return Err(refuse("--but-automatic-upgrades", reason));
        }
        if self.generations == 0 {
            let reason = "expected at least 1: a reader may be about to fetch the indices before";
            return Err(refuse("--generations", reason));
        }
        self.architectures.iter().try_for_each(|name| check_word("--architectures", name))
    }
}

/// Checks a name that becomes part of paths and lists: of a suite, a component, an architecture.
pub(super) fn check_word(what: &str, word: &str) -> Result<(), Error> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "-_.+~".contains(c);
    if word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(is_inner) {
        return Ok(());
    }
    let reason = format!("`{word}`: expected letters, digits and `-_.+~`, a letter or digit first");
    Err(refuse(what, reason))
}

/// The file `bake.json` of a suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct State {
    version: u32,
    /// What the suite says of itself.
    pub(super) settings: Settings,
    /// The file `bake-contents.zst` of every component.
    pub(super) contents: BTreeMap<String, Blob>,
    /// The by-hash files of this generation and of those before, newest first.
    pub(super) generations: Vec<BTreeSet<String>>,
    /// The fingerprint of the key that signed.
    pub(super) signed_by: Option<String>,
}

impl State {
    pub(super) const NAME: &'static str = "bake.json";

    pub(super) fn new(settings: Settings) -> Self {
        let (contents, generations) = (BTreeMap::new(), Vec::new());
        Self { version: VERSION, settings, contents, generations, signed_by: None }
    }

    pub(super) fn parse(place: &str, bytes: &[u8]) -> Result<Self, Error> {
        state::parse(place, bytes, VERSION)
    }

    pub(super) fn print(&self) -> Result<Vec<u8>, Error> {
        state::print(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays() {
        let first = SettingsChange { origin: Some("Example".into()), ..Default::default() };
        let settings = first.apply(&Settings::default()).unwrap();
        let second = SettingsChange { label: Some("L".into()), ..Default::default() };
        let settings = second.apply(&settings).unwrap();
        assert_eq!((settings.origin.as_str(), settings.label.as_str()), ("Example", "L"));
    }

    #[test]
    fn refuses_what_would_become_another_field_or_path() {
        let bad = [
            SettingsChange { origin: Some("a\nSuite: b".into()), ..Default::default() },
            SettingsChange { but_automatic_upgrades: Some(true), ..Default::default() },
            SettingsChange { generations: Some(0), ..Default::default() },
            SettingsChange { architectures: Some(["../x".into()].into()), ..Default::default() },
        ];
        for change in bad {
            assert!(change.apply(&Settings::default()).is_err(), "{change:?}");
        }
    }

    #[test]
    fn a_state_is_read_back() {
        let state = State::new(Settings { origin: "x".into(), ..Settings::default() });
        let bytes = state.print().unwrap();
        assert_eq!(State::parse("bake.json", &bytes).unwrap(), state);
        let newer = String::from_utf8(bytes).unwrap().replace("\"version\": 1,", "\"version\": 2,");
        assert!(State::parse("bake.json", newer.as_bytes()).is_err());
    }
}
