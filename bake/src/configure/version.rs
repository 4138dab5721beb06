//! Versions of packages that hold a configuration.
//!
//! `VERSION+DIGEST`: package managers upgrade to what is later, so the first part grows, and it is never the time of
//! rendering, so that one deployment is one package. The digest behind it tells configurations apart, and whether a
//! package holds what should be there.

use std::fmt;
use std::str::FromStr;

use bake_config::ConfigDigest;
use bake_formats::format::Epoch;

/// The part that grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigVersion(String);

impl ConfigVersion {
    /// The longest version that is accepted.
    const MAX_LEN: usize = 64;

    /// Returns the version of what was written at a time, e.g. `20260102.030405`: that of a commit.
    pub fn of_time(time: Epoch) -> Self {
        let (year, month, day) = time.date();
        let seconds = time.0 % 86_400;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        Self(format!("{year:04}{month:02}{day:02}.{hour:02}{minute:02}{second:02}"))
    }

    /// Returns the version of a package, which deb and rpm compare in the same way.
    pub(super) fn with(&self, digest: &ConfigDigest) -> String {
        format!("{}+{}", self.0, digest.short())
    }
}

impl fmt::Display for ConfigVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ConfigVersion {
    type Err = String;

    /// Accepts what starts with a digit and has letters, digits, `.` and `~`.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".~".contains(c);
        if text.starts_with(|c: char| c.is_ascii_digit())
            && text.len() <= Self::MAX_LEN
            && text.chars().all(plain)
        {
            return Ok(Self(text.into()));
        }
        let found: String = text.chars().take(80).flat_map(char::escape_debug).collect();
        let most = Self::MAX_LEN;
        Err(format!(
            "expected a digit, then letters, digits, `.` and `~`, at most {most}, found `{found}`"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_becomes_a_version_that_grows() {
        let version = |time| ConfigVersion::of_time(Epoch(time)).to_string();
        assert_eq!(version(0), "19700101.000000");
        assert_eq!(version(1_709_251_199), "20240229.235959");
        assert_eq!(version(u32::MAX), "21060207.062815");
        let deb = |text: &str| text.parse::<bake_formats::deb::Version>().unwrap();
        let (early, late) = (format!("{}+ffff", version(59)), format!("{}+0000", version(60)));
        assert!(deb(&early).compare(&deb(&late)).is_lt());
        assert!(bake_formats::rpm::compare_versions(&early, &late).is_lt());
    }

    #[test]
    fn only_what_both_formats_compare_alike_is_accepted() {
        for text in ["1", "42.0", "1.2~rc1", "20240229.235959"] {
            assert_eq!(text.parse::<ConfigVersion>().unwrap().to_string(), text);
        }
        for text in ["", "v1", "1-2", "1+a", "1:2", "1 ", "1^2", &"1".repeat(65)] {
            assert!(text.parse::<ConfigVersion>().is_err(), "{text}");
        }
    }
}
