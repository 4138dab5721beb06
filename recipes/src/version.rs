//! One version, spelled as each format needs it so that all of them put it in the same order.
//!
//! A version is semantic-versioning text, `CORE[-PRERELEASE][+BUILD]`, with any number of
//! components in the core. Package managers do not know that grammar; they compare characters,
//! and not in one way. So each part is written with what sorts right for dpkg
//! (deb-version(7)) and for rpm (rpm-version(7)):
//!
//! | written       | deb upstream | rpm version  | OCI tag         |
//! |---------------|--------------|--------------|-----------------|
//! | `1.2.3`       | `1.2.3`      | `1.2.3`      | `1.2.3`         |
//! | `1.2.3-rc.1`  | `1.2.3~rc1`  | `1.2.3~rc1`  | `1.2.3-rc.1`    |
//! | `1.2.3-7`     | `1.2.3~~7`   | `1.2.3~~7`   | `1.2.3-7`       |
//! | `1.2.3+git.4` | `1.2.3+git.4`| `1.2.3+git.4`| `1.2.3_git.4`   |
//! | `1.2.3+4`     | `1.2.3+b4`   | `1.2.3+b4`   | `1.2.3_4`       |
//!
//! - `~` sorts before everything, the end included, in both.
//! - A prerelease is one word and then numbers, or numbers only: dpkg puts a number before a word
//!   and rpm after it, so where one version may have a number and the next a word, no text has
//!   the same order in both. Such versions are refused for packages and fine as OCI tags.
//! - Numbers only come after a second `~`, which puts them before every word, as semantic
//!   versioning does.
//! - `+` and then a letter sorts after the same version without it and before every later one in
//!   both; before a digit it would not in rpm, hence the `b`.

use std::cmp::Ordering;
use std::fmt;

/// A version as it is written in the recipe or found where the recipe points.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    text: String,
    core: Vec<String>,
    prerelease: Option<String>,
    build: Option<String>,
}

/// Why text is not a version, or has no spelling in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {reason}", .text.escape_debug())]
pub struct VersionError {
    text: String,
    reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A prerelease that package managers can order.
#[derive(Debug, PartialEq, Eq)]
struct Prerelease<'a> {
    /// Empty if there are only numbers; an earlier one sorts first, the empty one before all.
    word: &'a str,
    numbers: Vec<&'a str>,
}

impl Version {
    /// The longest version: with its separators replaced it still fits an OCI tag of 128.
    pub const MAX_LEN: usize = 100;

    /// Parses `CORE[-PRERELEASE][+BUILD]`.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        Self::parse_plain(text).map_err(|reason| VersionError {
            text: text.chars().take(Self::MAX_LEN).collect(),
            reason: format!("is not a version: {reason}"),
            hint: if text.len() > Self::MAX_LEN { None } else { Self::hint_for(text) },
        })
    }

    /// Parses without looking for what was meant; the error is a reason.
    fn parse_plain(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty".into());
        }
        if text.len() > Self::MAX_LEN {
            return Err(format!("it is longer than {} bytes", Self::MAX_LEN));
        }
        let (rest, build) = split_once(text, '+');
        let (core, prerelease) = split_once(rest, '-');
        let core: Vec<String> = core.split('.').map(str::to_owned).collect();
        for number in &core {
            if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                let number = number.escape_debug();
                return Err(format!("expected numbers with dots, found `{number}`"));
            }
        }
        for part in prerelease.iter().chain(&build) {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            if let Some(bad) = part.chars().find(|c| !allowed(*c)) {
                return Err(format!(
                    "`{}` is not a letter, a digit, `-` or `.`",
                    bad.escape_debug()
                ));
            }
            if part.split('.').any(str::is_empty) {
                return Err("a part of it is empty".into());
            }
        }
        let (prerelease, build) = (prerelease.map(str::to_owned), build.map(str::to_owned));
        Ok(Self { text: text.into(), core, prerelease, build })
    }

    fn hint_for(text: &str) -> Option<String> {
        if let Some(rest) = text.strip_prefix(['v', 'V'])
            && Self::parse_plain(rest).is_ok()
        {
            return Some(format!("leave out the `v`: `{rest}`"));
        }
        if let Some((epoch, rest)) = text.split_once(':')
            && Self::parse_plain(rest).is_ok()
            && epoch.parse::<u32>().is_ok()
        {
            return Some(format!("the epoch has its own key: `epoch = {epoch}`"));
        }
        if let Some((core, word)) = text.split_once('~') {
            return Some(format!("a prerelease is written with `-`: `{core}-{word}`"));
        }
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (core, word) = text.split_at_checked(end)?;
        let (core, word) = (core.trim_end_matches('.'), word.trim_start_matches(['.', '_']));
        let (before, after) = (format!("{core}-{word}"), format!("{core}+{word}"));
        Self::parse_plain(&before).is_ok().then(|| {
            format!("write `{before}` if it comes before `{core}`, `{after}` if it comes after")
        })
    }

    /// Returns the version as written.
    pub fn plain(&self) -> &str {
        &self.text
    }

    /// Returns the numbers before any prerelease, at least one.
    pub fn core(&self) -> &[String] {
        &self.core
    }

    /// Returns whether this is a release: a version with neither a prerelease nor build metadata.
    pub fn is_release(&self) -> bool {
        self.prerelease.is_none() && self.build.is_none()
    }

    /// Returns the whole Debian version, `[epoch:]upstream-revision`.
    pub fn deb(&self, release: &Release, epoch: Option<u32>) -> Result<String, VersionError> {
        let upstream = self.packaged()?;
        Ok(match epoch {
            None | Some(0) => format!("{upstream}-{release}"),
            Some(epoch) => format!("{epoch}:{upstream}-{release}"),
        })
    }

    /// Returns the RPM version, without epoch and release.
    pub fn rpm(&self) -> Result<String, VersionError> {
        self.packaged()
    }

    /// Returns the version as an OCI tag (distribution-spec, "Pulling manifests"): `+` is not
    /// allowed in one and becomes `_`.
    pub fn oci_tag(&self) -> String {
        self.text.replace('+', "_")
    }

    /// Returns the spelling that dpkg and rpm put in the same order.
    fn packaged(&self) -> Result<String, VersionError> {
        let mut text = self.core.join(".");
        if let Some(prerelease) = self.ordered_prerelease()? {
            text.push('~');
            text.push_str(if prerelease.word.is_empty() { "~" } else { prerelease.word });
            text.push_str(&prerelease.numbers.join("."));
        }
        if let Some(build) = &self.build {
            text.push('+');
            if build.starts_with(|c: char| !c.is_ascii_alphabetic()) {
                text.push('b');
            }
            text.push_str(&build.replace('-', "."));
        }
        Ok(text)
    }

    fn ordered_prerelease(&self) -> Result<Option<Prerelease<'_>>, VersionError> {
        let Some(text) = &self.prerelease else { return Ok(None) };
        let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let rest =
            if word.is_empty() { rest } else { rest.strip_prefix(['.', '-']).unwrap_or(rest) };
        let numbers: Vec<_> = match (rest, &self.build) {
            // dpkg would put `rc+x` after `rc1`; to it, a number that is not there is 0.
            ("", Some(_)) => vec!["0"],
            ("", None) => Vec::new(),
            (rest, _) => rest.split(['.', '-']).collect(),
        };
        let numeric =
            |number: &&str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if numbers.iter().all(numeric) && !text.ends_with('-') {
            return Ok(Some(Prerelease { word, numbers }));
        }
        Err(VersionError {
            text: self.text.clone(),
            reason: format!(
                "has no spelling that dpkg and rpm put in the same order: expected one word and \
                 then numbers as the prerelease, found `{text}`"
            ),
            hint: Some("e.g. `1.2.0-rc.1`; put a commit or a date after `+`".into()),
        })
    }

    /// Compares as bake promises that every package manager will.
    ///
    /// The core by its numbers, a longer one after its beginning; then a version with a prerelease
    /// before the one without, numbers before words, words as ASCII, numbers by value; then a
    /// version without build metadata before one with, whose prerelease without a number has the
    /// number 0. `None` if either has no spelling in
    /// packages, and for different build metadata of one version, which has no order.
    pub fn precedence(&self, other: &Self) -> Option<Ordering> {
        let core = compare_numbers(&self.core, &other.core);
        let prerelease = match (self.ordered_prerelease().ok()?, other.ordered_prerelease().ok()?) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(two)) => {
                one.word.cmp(two.word).then_with(|| compare_numbers(&one.numbers, &two.numbers))
            }
        };
        let before = core.then(prerelease);
        match (&self.build, &other.build) {
            (Some(one), Some(two)) if before.is_eq() && one != two => None,
            (one, two) => Some(before.then(one.is_some().cmp(&two.is_some()))),
        }
    }
}

fn split_once(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Compares lists of decimal numbers of any length, shorter lists first.
fn compare_numbers<T: AsRef<str>>(one: &[T], two: &[T]) -> Ordering {
    let value = |number: &T| number.as_ref().trim_start_matches('0').to_owned();
    let key = |number: &T| (value(number).len(), value(number));
    one.iter().map(key).cmp(two.iter().map(key))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The packaging revision: what tells two packages of one version apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Release(String);

impl Release {
    /// The longest release.
    pub const MAX_LEN: usize = 50;

    /// Accepts a digit and then letters, digits, `.`, `+` and `~`, which both deb and rpm do.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".+~".contains(c);
        let reason = if !text.starts_with(|c: char| c.is_ascii_digit()) {
            "it must start with a digit".to_owned()
        } else if text.len() > Self::MAX_LEN {
            format!("it is longer than {} bytes", Self::MAX_LEN)
        } else if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
            format!("`{}` is not a letter, a digit, `.`, `+` or `~`", bad.escape_debug())
        } else if text.contains("..") {
            "it contains `..`".to_owned()
        } else {
            return Ok(Self(text.into()));
        };
        let reason = format!("is not a release: {reason}");
        let text = text.chars().take(Self::MAX_LEN).collect();
        Err(VersionError { text, reason, hint: None })
    }

    /// Returns the release.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Release {
    /// Returns `1`.
    fn default() -> Self {
        Self("1".into())
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
