//! Version numbers (deb-version(7)): `[epoch:]upstream-version[-debian-revision]`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A version number as it was written, but for zeros at the start of the epoch.
///
/// Equality is of the text: `1.0` and `1.0-0` are two texts of one version. Use
/// [`Version::compare`] for dpkg's order.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version {
    epoch: Option<u32>,
    upstream: String,
    revision: Option<String>,
}

/// Text that is no version number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a Debian version: {reason}")]
pub struct VersionError {
    text: String,
    /// What is wrong, as a phrase.
    pub reason: &'static str,
}

impl Version {
    /// Returns the epoch, 0 if there is none.
    pub fn epoch(&self) -> u32 {
        self.epoch.unwrap_or(0)
    }

    /// Returns the upstream version.
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Returns the Debian revision, if there is one.
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref()
    }

    /// Returns the version without its epoch, as file names have it.
    pub fn without_epoch(&self) -> String {
        Self { epoch: None, ..self.clone() }.to_string()
    }

    /// Compares as dpkg does: by epoch, upstream version, revision.
    pub fn compare(&self, other: &Self) -> Ordering {
        let revision = |version: &Self| version.revision.clone().unwrap_or_default();
        self.epoch()
            .cmp(&other.epoch())
            .then_with(|| compare_part(self.upstream.as_bytes(), other.upstream.as_bytes()))
            .then_with(|| compare_part(revision(self).as_bytes(), revision(other).as_bytes()))
    }
}

/// Compares two upstream versions or revisions: parts without and with digits take turns.
fn compare_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let (left_text, left_rest) = split(left, |byte| !byte.is_ascii_digit());
        let (right_text, right_rest) = split(right, |byte| !byte.is_ascii_digit());
        let (left_number, left_rest) = split(left_rest, u8::is_ascii_digit);
        let (right_number, right_rest) = split(right_rest, u8::is_ascii_digit);
        let ordering = compare_text(left_text, right_text)
            .then_with(|| compare_number(left_number, right_number));
        if ordering.is_ne() {
            return ordering;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn split(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !belongs(byte)).unwrap_or(bytes.len());
    bytes.split_at(end)
}

/// Compares by characters: `~` before the end, the end before letters, letters before the rest.
fn compare_text(left: &[u8], right: &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    (0..left.len().max(right.len()))
        .map(|index| weight(left.get(index)).cmp(&weight(right.get(index))))
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Compares digits by value, however many there are.
fn compare_number(left: &[u8], right: &[u8]) -> Ordering {
    let (_, left) = split(left, |byte| *byte == b'0');
    let (_, right) = split(right, |byte| *byte == b'0');
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let fail = |reason| VersionError { text: text.escape_default().to_string(), reason };
        let (epoch, rest) = match text.split_once(':') {
            None => (None, text),
            Some((epoch, rest)) => {
                let is_number = !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit());
                // dpkg keeps epochs in an `int`.
                let epoch = epoch.parse().ok().filter(|epoch| *epoch <= i32::MAX.unsigned_abs());
                match epoch.filter(|_| is_number) {
                    Some(epoch) => (Some(epoch), rest),
                    None => return Err(fail("the epoch before `:` is not a small number")),
                }
            }
        };
        let (upstream, revision) = match rest.rsplit_once('-') {
            None => (rest, None),
            Some((upstream, revision)) => (upstream, Some(revision)),
        };
        let is_allowed = |text: &str, punctuation: &str| {
            text.chars().all(|c| c.is_ascii_alphanumeric() || punctuation.contains(c))
        };
        let colon = if epoch.is_some() { ".+-~:" } else { ".+-~" };
        if upstream.is_empty() {
            return Err(fail("the upstream version is empty"));
        }
        if !upstream.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(fail("the upstream version does not start with a digit"));
        }
        if !is_allowed(upstream, colon) {
            return Err(fail("the upstream version has other characters than A-Za-z0-9.+-~"));
        }
        if revision.is_some_and(str::is_empty) {
            return Err(fail("the revision after `-` is empty"));
        }
        if !revision.is_none_or(|revision| is_allowed(revision, ".+~")) {
            return Err(fail("the revision has other characters than A-Za-z0-9.+~"));
        }
        Ok(Self { epoch, upstream: upstream.into(), revision: revision.map(Into::into) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(epoch) = self.epoch {
            write!(f, "{epoch}:")?;
        }
        f.write_str(&self.upstream)?;
        match &self.revision {
            Some(revision) => write!(f, "-{revision}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    /// Each line is smaller than the next; texts on one line are equal. Checked against
    /// `dpkg --compare-versions`.
    const ASCENDING: &[&[&str]] = &[
        &["0~~"],
        &["0~~a"],
        &["0~"],
        &["0~a"],
        &["0", "00", "0-0", "0:0"],
        &["0a"],
        &["0+"],
        &["0."],
        &["1"],
        &["1-1~"],
        &["1-1"],
        &["1-1a"],
        &["1-1.1"],
        &["1-2"],
        &["1-10"],
        &["1.0~rc1"],
        &["1.0~rc.9"],
        &["1.0~rc.10"],
        &["1.0-0~"],
        &["1.0", "1.00", "1.0-0"],
        &["1.0-1~bpo12+1"],
        &["1.0-1"],
        &["1.0-1ubuntu1"],
        &["1.0-1+b1"],
        &["1.0-rc1"],
        &["1.0a"],
        &["1.0+git"],
        &["1.0+git1"],
        &["1.0-1-1"],
        &["1.0.1"],
        &["1.1"],
        &["1.2~~1"],
        &["1.2~1"],
        &["1.2"],
        &["1.2-a"],
        &["1.2Z"],
        &["1.2a"],
        &["1.2a1"],
        &["1.2b"],
        &["1.2+a"],
        &["1.2.a"],
        &["1.10"],
        &["1.18446744073709551616", "1.018446744073709551616"],
        &["1.18446744073709551617"],
        &["2"],
        &["9"],
        &["10"],
        &["20240101"],
        &["1:0"],
        &["1:1~"],
        &["2:0"],
    ];

    #[test]
    fn compares_as_dpkg_does() {
        let all: Vec<(usize, Version)> = ASCENDING
            .iter()
            .enumerate()
            .flat_map(|(rank, texts)| texts.iter().map(move |text| (rank, version(text))))
            .collect();
        for (left_rank, left) in &all {
            for (right_rank, right) in &all {
                assert_eq!(left.compare(right), left_rank.cmp(right_rank), "{left} and {right}");
            }
        }
    }

    #[test]
    fn prints_what_was_parsed() {
        for text in ["1", "1.0-1", "0:1.0", "2:1.0-rc1-3~bpo12+1", "1:2:3-4", "1.0~rc.1+git"] {
            assert_eq!(version(text).to_string(), text);
        }
        let parsed = version("2:1.0-rc1-3");
        assert_eq!((parsed.epoch(), parsed.upstream()), (2, "1.0-rc1"));
        assert_eq!(parsed.revision(), Some("3"));
        assert_eq!(parsed.without_epoch(), "1.0-rc1-3");
    }

    #[test]
    fn rejects_what_dpkg_rejects() {
        let bad = [
            "",
            "v1.0",
            "-1",
            "1.0-",
            ":1",
            "a:1",
            "-1:1",
            "+1:1",
            "1:",
            "2147483648:1",
            "1 0",
            "1.0_1",
            "1/0",
            "1.0-1/2",
            "1.0\n",
            "é1",
            "1é",
            "1.0-1:2",
            "99999999999999999999:1",
        ];
        for text in bad {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }
}
